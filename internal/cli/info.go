package cli

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"slate360.ai/worker/internal/host"
	"slate360.ai/worker/internal/pipeline"
	"slate360.ai/worker/internal/source"
)

func (p *Program) infoCommand() *cobra.Command {
	var (
		asJSON, stats bool
		formatName    string
		options       optionFlags
	)
	c := &cobra.Command{
		Use:   "info FILE",
		Short: "Print what a file holds",
		Long:  "Prints format, header, coordinate reference system and records of a file; with\n--stats the statistics of every dimension, for which the whole file is read.",
		Example: "  " + Name + " info survey.laz\n" +
			"  " + Name + " info survey.laz --stats --json | jq .",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := load()
			if err != nil {
				return err
			}
			wanted, err := source.ParseFormat(formatName)
			if err != nil {
				return usagef("--format: %w", err)
			}
			f, err := sniff(args[0], wanted)
			if err != nil {
				return err
			}
			informer, ok := p.Informer(f)
			if !ok {
				return pipeline.BadInput(fmt.Errorf("%s is of format %s, of which this version can say no more", args[0], f), "")
			}
			o, _, err := options.parse("", cfg, pipeline.Definition{})
			if err != nil {
				return err
			}
			if cfg.Memory == 0 {
				cfg.Memory = host.DefaultMemoryBudget()
			}
			info, err := informer(cmd.Context(), InfoRequest{Path: args[0], Stats: stats, Options: o, Workers: cfg.Workers, MemoryBudget: cfg.Memory})
			if err != nil {
				return err
			}
			if !asJSON {
				return info.WriteText(p.Stdout)
			}
			enc := json.NewEncoder(p.Stdout)
			enc.SetIndent("", "  ")
			return enc.Encode(info)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	c.Flags().BoolVar(&stats, "stats", false, "statistics of every dimension")
	c.Flags().StringVar(&formatName, "format", "auto", "format of the file, instead of what its content says")
	c.Flags().StringVar(&options.crs, "crs", "", "coordinate reference system: EPSG:n or WKT, instead of the file's")
	return c
}
