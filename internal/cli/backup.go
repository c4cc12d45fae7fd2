package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/sqlite"
)

func (p *Program) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the embedded database to a new file, while the worker runs",
		Long: `Copies the embedded database (queue, records, callbacks that wait) as it is at one
moment to FILE, which must not be there. Outputs, uploads and the server's key are
files of SLATE360_DATA_DIR: copy them beside. Where queue and records lie in Redis,
Supabase or PostgreSQL, back those up by their own means; what is left here then are
callbacks that wait.`,
		Example: "  " + Name + " backup /backup/slate360-monday.db",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return p.backup(cmd.Context(), args[0]) },
	}
}

func (p *Program) restoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a copy of the embedded database back; the worker must not run",
		Long: `Puts a copy that 'backup' made in the place of the embedded database, once it is found
whole. The one that is there stays beside it, with .before-restore behind its name. Jobs
that ran when the copy was made are taken again, and finished ones whose record says so
are not run again.`,
		Example: "  " + Name + " restore /backup/slate360-monday.db",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return p.restore(cmd.Context(), args[0]) },
	}
}

func (p *Program) backup(ctx context.Context, to string) error {
	c, err := load()
	if err != nil {
		return err
	}
	if err := sqlite.Backup(ctx, c.Database(), to); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Stdout, "%s is copied to %s\n", c.Database(), to)
	return err
}

func (p *Program) restore(ctx context.Context, from string) error {
	c, err := load()
	if err != nil {
		return err
	}
	kept, err := sqlite.Restore(ctx, from, c.Database())
	if errors.Is(err, sqlite.ErrInUse) {
		return &pipeline.ConfigError{Err: err, Hint: "stop the worker, and all commands that use its folder"}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Stdout, "%s is put back from %s\n", c.Database(), from)
	if kept != "" {
		fmt.Fprintf(p.Stdout, "the one before is %s\n", kept)
	}
	return nil
}
