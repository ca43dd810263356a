package main

import (
	"fmt"
	"io"
	"net/netip"

	"github.com/spf13/cobra"

	"bailiff/cmd/internal/admin"
	"bailiff/config"
)

func unbanCommand(f *flags) *cobra.Command {
	var all, offline, forget bool
	var allow string
	cmd := &cobra.Command{
		Use:   "unban ADDR|PREFIX... [--forget] [--allow D] | --all [--forget] [--offline]",
		Short: "Lift bans",
		Long: `Unban lifts every ban that covers an address or touches a prefix, and names
each. It succeeds if there was none: what was asked for holds. The next ban is
longer all the same, unless --forget has the earlier ones count no more; --allow
keeps the address from being banned again for a while.

With --all --offline it works without a daemon: it removes the kernel table and
ends the stored bans. That needs root, and no daemon on the same state_dir.`,
		Example: `  bailiff unban 203.0.113.9 2001:db8::/64
  bailiff unban 203.0.113.9 --forget --allow 2h`,
		RunE: func(cmd *cobra.Command, args []string) error {
			req := admin.UnbanRequest{All: all, Forget: forget, Allow: allow}
			for _, arg := range args {
				p, err := admin.ParsePrefix(arg)
				if err != nil {
					return err
				}
				req.Prefixes = append(req.Prefixes, p)
			}
			switch {
			case all == (len(args) > 0):
				return usage("usage: "+cmd.UseLine(), "name addresses, or --all")
			case all && allow != "":
				return usage("bailiff pause bans nobody for a while", "everybody cannot be allowed")
			case offline && forget:
				return usage("say it again when bailiff runs", "--offline lifts bans and forgets none")
			case offline && !all:
				return usage("say --all --offline", "--offline lifts all bans")
			}
			if allow != "" {
				if _, err := config.ParseDuration(allow); err != nil {
					return usage("write 10m, 1d, 5w or forever", "--allow: %w", err)
				}
			}
			result, err := f.unban(cmd, req, offline)
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(cmd, result)
			}
			for _, p := range req.Prefixes {
				if !touched(result.Lifted, p) {
					fmt.Fprintf(cmd.ErrOrStderr(), "%s was not banned\n", admin.ShortPrefix(p))
				}
			}
			if err := printer(cmd).Lifted(result.Lifted); err != nil {
				return err
			}
			return besides(cmd.OutOrStdout(), &req)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "lift all bans")
	cmd.Flags().BoolVar(&forget, "forget", false, "make no later ban longer because of these and earlier ones")
	cmd.Flags().StringVar(&allow, "allow", "", "keep them from being banned for `TIME`: 10m, 1d, 5w or forever")
	cmd.Flags().BoolVar(&offline, "offline", false, "with --all, work without a daemon")
	f.daemonFlags(cmd)
	return cmd
}

// unban asks the daemon, or does its work.
func (f *flags) unban(cmd *cobra.Command, req admin.UnbanRequest, offline bool) (admin.UnbanResult, error) {
	if offline {
		return f.unbanOffline(cmd.Context())
	}
	client, err := f.client()
	if err != nil {
		return admin.UnbanResult{}, err
	}
	return client.Unban(cmd.Context(), req)
}

// besides says what was done besides lifting.
func besides(w io.Writer, req *admin.UnbanRequest) error {
	if req.All && req.Forget {
		_, err := fmt.Fprintln(w, "no later ban will be longer because of those lifted")
		return err
	}
	for _, p := range req.Prefixes {
		name := admin.ShortPrefix(p)
		if req.Forget {
			if _, err := fmt.Fprintf(w, "forgot the earlier bans of %s: its next is a first one\n", name); err != nil {
				return err
			}
		}
		if req.Allow == "" {
			continue
		}
		long := "for " + req.Allow
		if req.Allow == "forever" {
			long = req.Allow
		}
		if _, err := fmt.Fprintf(w, "allowed %s %s; bailiff allow --end %s ends it\n", name, long, name); err != nil {
			return err
		}
	}
	return nil
}

// touched says whether one of the bans overlaps p.
func touched(bans []admin.Ban, p netip.Prefix) bool {
	for _, b := range bans {
		if b.Prefix.Overlaps(p) {
			return true
		}
	}
	return false
}
