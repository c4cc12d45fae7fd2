package cli

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func (p *Program) installManCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:     "man",
		Short:   "Write manual pages, one a command",
		Example: "  sudo " + Name + " install man --dir /usr/local/share/man/man1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			header := &doc.GenManHeader{Section: "1", Source: Name + " " + p.Build.Version, Manual: "Slate360"}
			// The date of the commit, not of the day: its packages are always the same.
			if t, err := time.Parse(time.RFC3339, p.Build.Time); err == nil {
				header.Date = &t
			}
			if err := doc.GenManTree(root, header, dir); err != nil {
				return fmt.Errorf("write manual pages: %w", err)
			}
			return nil
		},
	}
	c.Flags().StringVar(&dir, "dir", "/usr/local/share/man/man1", "folder to write them to")
	return c
}
