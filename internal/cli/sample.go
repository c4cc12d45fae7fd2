package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Sample is a kind of synthetic input that `sample` can write.
type Sample struct {
	// Kind is what is typed: "pointcloud".
	Kind string
	// Short says what it is, in one line.
	Short string
	// Flags adds the flags of the kind, and returns what makes the sample in dir
	// and writes to w what it has made; verbose output is for people.
	Flags func(flags *pflag.FlagSet) func(ctx context.Context, dir string, w io.Writer) error
}

func (p *Program) sampleCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "sample KIND DIR",
		Short: "Write a synthetic but realistic input with known ground truth",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return usagef("there is no sample of kind %q", args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, s := range p.Samples {
		sub := &cobra.Command{
			Use: s.Kind + " DIR", Short: s.Short, Args: cobra.ExactArgs(1),
			Example: "  " + Name + " sample " + s.Kind + " demo/",
		}
		run := s.Flags(sub.Flags())
		sub.RunE = func(cmd *cobra.Command, args []string) error {
			return run(cmd.Context(), args[0], p.Stdout)
		}
		c.AddCommand(sub)
	}
	return c
}
