package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"bailiff/cmd/internal/admin"
)

func heldCommand(f *flags) *cobra.Command {
	var release, drop, all bool
	cmd := &cobra.Command{
		Use:   "held [--release|--drop ADDR|PREFIX...|--all]",
		Short: "Show the bans that a ceiling holds back",
		Long: `Held lists the bans that were decided and wait, because their rule makes more
bans a minute than it may, or because all bans together cover too many addresses.
They are let through in this order as there is room. --release lets them through
at once, --drop gives them up.`,
		Example: `  bailiff held
  bailiff held --release 203.0.113.0/24
  bailiff held --drop --all`,
		RunE: func(cmd *cobra.Command, args []string) error {
			req := admin.HeldRequest{All: all, Drop: drop}
			for _, arg := range args {
				p, err := admin.ParsePrefix(arg)
				if err != nil {
					return err
				}
				req.Prefixes = append(req.Prefixes, p)
			}
			named := all || len(args) > 0
			switch {
			case release && drop:
				return usage("leave one of them out", "--release and --drop exclude each other")
			case (release || drop) != named || all && len(args) > 0:
				return usage("usage: "+cmd.UseLine(), "name addresses, or --all, and what to do with their bans")
			}
			client, err := f.client()
			if err != nil {
				return err
			}
			if !named {
				held, err := client.Held(cmd.Context())
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd, held)
				}
				return printer(cmd).Held(held, time.Now())
			}
			bans, err := client.SettleHeld(cmd.Context(), req)
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(cmd, bans)
			}
			if drop {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), "dropped", admin.Plural(len(bans), "ban"))
				return err
			}
			return printer(cmd).Banned(bans, time.Now())
		},
	}
	cmd.Flags().BoolVar(&release, "release", false, "let the bans through")
	cmd.Flags().BoolVar(&drop, "drop", false, "give the bans up")
	cmd.Flags().BoolVar(&all, "all", false, "all that are held")
	f.daemonFlags(cmd)
	return cmd
}
