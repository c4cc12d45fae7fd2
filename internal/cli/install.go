package cli

import (
	"io"

	"github.com/spf13/cobra"
)

func (p *Program) installCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "install",
		Short: "Install the service or manual pages, or print the schema of the database",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(&cobra.Command{
		Use:   "schema",
		Short: "Print the SQL that makes or upgrades the table of records",
		Long: `Prints SQL for PostgreSQL or Supabase that makes the table model_processing_jobs in an
empty database, or brings an older one up to date; rows stay. It can be run again.`,
		Example: "  " + Name + ` install schema | psql "$DATABASE_URL"`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.WriteString(p.Stdout, p.Backends.Schema())
			return err
		},
	}, p.installSystemdCommand(), p.installManCommand())
	return c
}
