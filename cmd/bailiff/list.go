package main

import (
	"bufio"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"bailiff/cmd/internal/admin"
)

func listCommand(f *flags) *cobra.Command {
	var jail, format string
	cmd := &cobra.Command{
		Use:   "list [ADDR|PREFIX]",
		Short: "List the standing bans, or ask for one address",
		Long: `List prints the standing bans. With an address it prints those that cover it
and exits 0 if there are any and 1 if there are none.`,
		Example: `  bailiff list --jail sshd
  bailiff list 203.0.113.9 >/dev/null && echo banned`,
		Args: takes(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if format != "table" && format != "plain" {
				return usage("formats are table and plain", "unknown format %q", format)
			}
			var about netip.Prefix
			if len(args) == 1 {
				var err error
				if about, err = admin.ParsePrefix(args[0]); err != nil {
					return err
				}
			}
			client, err := f.client()
			if err != nil {
				return err
			}
			bans, err := client.List(cmd.Context(), jail)
			if err != nil {
				return err
			}
			if about.IsValid() {
				bans = covering(bans, about)
			}
			if err := f.printBans(cmd, bans, format); err != nil {
				return err
			}
			if about.IsValid() && len(bans) == 0 {
				return quiet(exitFailed)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&jail, "jail", "", "only the bans of `JAIL`")
	cmd.Flags().StringVar(&format, "format", "table", "table, or plain: prefixes, one a line, for other firewalls")
	f.daemonFlags(cmd)
	return cmd
}

// covering returns the bans that hold all of p.
func covering(bans []admin.Ban, p netip.Prefix) []admin.Ban {
	out := []admin.Ban{}
	for _, b := range bans {
		if b.Prefix.Bits() <= p.Bits() && b.Prefix.Contains(p.Addr()) {
			out = append(out, b)
		}
	}
	return out
}

// printBans prints bans as the flags say. The plain form names each prefix
// once and leaves out what is only simulated, since it feeds firewalls.
func (f *flags) printBans(cmd *cobra.Command, bans []admin.Ban, format string) error {
	if f.json {
		return printJSON(cmd, bans)
	}
	if format != "plain" {
		return printer(cmd).Bans(bans, time.Now())
	}
	w := bufio.NewWriter(cmd.OutOrStdout())
	seen := make(map[netip.Prefix]bool, len(bans))
	for _, b := range bans {
		if !b.Simulated && !seen[b.Prefix] {
			seen[b.Prefix] = true
			fmt.Fprintln(w, b.Prefix)
		}
	}
	return w.Flush()
}
