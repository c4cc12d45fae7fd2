package cli

import (
	"github.com/spf13/cobra"
)

func (p *Program) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print the completion script of a shell",
		Example: "  source <(" + Name + " completion bash)\n" +
			"  " + Name + " completion zsh > \"${fpath[1]}/_" + Name + "\"\n" +
			"  " + Name + " completion fish > ~/.config/fish/completions/" + Name + ".fish",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "zsh":
				return root.GenZshCompletion(p.Stdout)
			case "fish":
				return root.GenFishCompletion(p.Stdout, true)
			}
			return root.GenBashCompletionV2(p.Stdout, true)
		},
	}
}
