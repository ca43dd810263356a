package main

import (
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"bailiff/cmd/internal/admin"
	"bailiff/config"
)

// flags are those that every command takes, and those that most do.
type flags struct {
	config string
	socket string
	json   bool
}

// newRoot returns the whole command tree.
func newRoot() *cobra.Command {
	f := &flags{}
	root := &cobra.Command{
		Use:   "bailiff",
		Short: "Ban who attacks: from the log line to the kernel",
		Long: `bailiff reads authentication failures from the journal and from syslog, decides
bans that grow with an offender's history, and keeps nftables equal to them.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDescriptions: true},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("try: bailiff --help", "which command?")
			}
			hint := "try: bailiff --help"
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				hint = "did you mean " + strings.Join(near, " or ") + "?"
			}
			return usage(hint, "unknown command %q", args[0])
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	root.SuggestionsMinimumDistance = 2
	root.PersistentFlags().StringVar(&f.config, "config", "", "configuration `FILE` (default "+config.DefaultPath+")")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("try: "+cmd.CommandPath()+" --help", "%w", err)
	})
	root.AddCommand(
		banCommand(f), checkCommand(f), heldCommand(f), listCommand(f), matchCommand(f), pipeCommand(f), reloadCommand(f), replayCommand(f), rulesCommand(f), runCommand(f), sentenceCommand(f), statusCommand(f),
		allowCommand(f), pauseCommand(f), unbanCommand(f), versionCommand(f), whyCommand(f), journalReaderCommand(),
	)
	return root
}

// takes makes errors about arguments errors of usage.
func takes(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usage("usage: "+cmd.UseLine(), "%w", err)
		}
		return nil
	}
}

// jsonFlag adds --json.
func (f *flags) jsonFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
}

// daemonFlags adds the flags of commands that ask the daemon.
func (f *flags) daemonFlags(cmd *cobra.Command) {
	f.jsonFlag(cmd)
	cmd.Flags().StringVar(&f.socket, "socket", "", "control socket `PATH` (default from the configuration)")
}

// client returns a client of the daemon.
func (f *flags) client() (*admin.Client, error) {
	socket := f.socket
	if socket == "" {
		var err error
		if socket, err = configuredSocket(f.config); err != nil {
			return nil, err
		}
	}
	return admin.NewClient(socket), nil
}

// printJSON writes one indented JSON value.
func printJSON(cmd *cobra.Command, v any) error {
	e := json.NewEncoder(cmd.OutOrStdout())
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
