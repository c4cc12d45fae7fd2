package postgres

import (
	"fmt"
	"strings"

	"slate360.ai/worker/internal/record"
)

// explain wraps an error with what was being done, and with record.ErrPermanent
// where another try will not mend it. The classes are those of PostgreSQL's
// appendix "Error Codes"; what is not named there as a fault of the statement, the
// data or the rights (connections, resources, conflicts, shutdown) may pass.
func explain(err error, doing string) error {
	if err == nil {
		return nil
	}
	c := code(err)
	switch {
	case c == "42P01", c == "42703":
		return fmt.Errorf("%s: %w: the table %s is missing or old: run `slate360-worker install schema` and give its SQL to the database: %w",
			doing, record.ErrPermanent, record.Table, err)
	case strings.HasPrefix(c, "28"), c == "3D000":
		return fmt.Errorf("%s: %w: check user, password and database in DATABASE_URL: %w", doing, record.ErrPermanent, err)
	case c == "42501":
		return fmt.Errorf("%s: %w: the user of DATABASE_URL has no right to the table %s: %w", doing, record.ErrPermanent, record.Table, err)
	case strings.HasPrefix(c, "22"), strings.HasPrefix(c, "23"), strings.HasPrefix(c, "42"), strings.HasPrefix(c, "0A"):
		return fmt.Errorf("%s: %w: %w", doing, record.ErrPermanent, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
