package main

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"bailiff/cmd/internal/admin"
	"bailiff/config"
)

// orderFlags are those of the commands that give orders.
type orderFlags struct {
	admin.OrderRequest
	list, ended bool
}

func (o *orderFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.For, "for", "", "how long: 10m, 1d, 5w or forever")
	cmd.Flags().StringVar(&o.Reason, "reason", "", "`TEXT` to keep with it")
	cmd.Flags().BoolVar(&o.list, "list", false, "show what is in force")
	cmd.Flags().BoolVar(&o.ended, "end", false, "end it now")
}

// check holds flags together that belong together.
func (o *orderFlags) check(cmd *cobra.Command, named bool) error {
	switch {
	case o.list && (o.ended || named || o.For != "" || o.Reason != ""):
		return usage("usage: "+cmd.UseLine(), "--list stands alone")
	case o.ended && (o.For != "" || o.Reason != ""):
		return usage("usage: "+cmd.UseLine(), "--end takes no --for and no --reason")
	case o.list || o.ended:
		return nil
	case o.For == "":
		return usage("write --for 10m, 1d, 5w or forever", "for how long?")
	}
	if _, err := config.ParseDuration(o.For); err != nil {
		return usage("write 10m, 1d, 5w or forever", "--for: %w", err)
	}
	return nil
}

// run lists, gives or ends orders of the kind.
func (o *orderFlags) run(cmd *cobra.Command, f *flags) error {
	client, err := f.client()
	if err != nil {
		return err
	}
	if o.list {
		orders, err := client.Orders(cmd.Context())
		if err != nil {
			return err
		}
		orders = slices.DeleteFunc(orders, func(x admin.Order) bool { return x.Kind != o.Kind })
		if f.json {
			return printJSON(cmd, orders)
		}
		return printer(cmd).Orders(orders, time.Now())
	}
	ask := client.Give
	if o.ended {
		ask = client.End
	}
	result, err := ask(cmd.Context(), o.OrderRequest)
	if err != nil {
		return err
	}
	if f.json {
		return printJSON(cmd, result)
	}
	if o.ended {
		o.missed(cmd.ErrOrStderr(), &result)
	}
	return printer(cmd).Ordered(&result, o.ended, time.Now())
}

// missed says what was to end and was not in force: a mistyped address must not leave another
// allowed without a word.
func (o *orderFlags) missed(w io.Writer, result *admin.OrderResult) {
	for _, p := range o.Prefixes {
		if !slices.ContainsFunc(result.Orders, func(order admin.Order) bool { return order.Prefix != nil && order.Prefix.Overlaps(p) }) {
			fmt.Fprintf(w, "%s was not allowed; bailiff allow --list shows what is\n", admin.ShortPrefix(p))
		}
	}
	switch {
	case len(o.Prefixes) > 0 || len(result.Orders) > 0:
	case o.Kind == admin.Allow:
		fmt.Fprintln(w, "nothing was allowed")
	case o.Jail != "":
		fmt.Fprintf(w, "jail %s was not paused\n", o.Jail)
	default:
		fmt.Fprintln(w, "nothing was paused")
	}
}

func allowCommand(f *flags) *cobra.Command {
	o := orderFlags{OrderRequest: admin.OrderRequest{Kind: admin.Allow}}
	cmd := &cobra.Command{
		Use:   "allow ADDR|PREFIX... --for D | --end ADDR|PREFIX...|--all | --list",
		Short: "Guard addresses for a while",
		Long: `Allow keeps addresses and prefixes from being banned for a while, as never_ban does
for good, and lifts the bans that are in the way. It outlasts restarts. What was
allowed before is allowed for the new time.`,
		Example: `  bailiff allow 198.51.100.0/24 --for 2h --reason "phones moved"
  bailiff allow --list
  bailiff allow --end 198.51.100.0/24`,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, arg := range args {
				p, err := admin.ParsePrefix(arg)
				if err != nil {
					return err
				}
				o.Prefixes = append(o.Prefixes, p)
			}
			if err := o.check(cmd, len(args) > 0 || o.All); err != nil {
				return err
			}
			switch {
			case o.list:
			case o.All && !o.ended:
				return usage("bailiff pause bans nobody for a while", "--all goes with --end")
			case o.All == (len(args) > 0):
				return usage("usage: "+cmd.UseLine(), "name addresses")
			case !o.ended && !o.Force:
				if i := slices.IndexFunc(o.Prefixes, func(p netip.Prefix) bool { return admin.CheckWidth(p) != nil }); i >= 0 {
					return admin.CheckWidth(o.Prefixes[i])
				}
			}
			return o.run(cmd, f)
		},
	}
	o.add(cmd)
	cmd.Flags().BoolVar(&o.All, "all", false, "with --end, all that is allowed")
	cmd.Flags().BoolVar(&o.Force, "force", false, "allow more than an IPv4 /16 or an IPv6 /32")
	f.daemonFlags(cmd)
	return cmd
}

func pauseCommand(f *flags) *cobra.Command {
	o := orderFlags{OrderRequest: admin.OrderRequest{Kind: admin.Pause}}
	cmd := &cobra.Command{
		Use:   "pause [JAIL] --for D | --end [JAIL] | --list",
		Short: "Decide nothing for a while",
		Long: `Pause has a jail, or all of them, ban nobody for a while. What is logged meanwhile is
counted as such and adds to no window, also afterwards. Bans that stand go on, and
an operator may still ban. It outlasts restarts.`,
		Example: `  bailiff pause pbx --for 30m --reason "password change"
  bailiff pause --end`,
		Args: takes(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(cmd, len(args) > 0); err != nil {
				return err
			}
			if len(args) > 0 {
				if o.Jail = args[0]; o.Jail == "" {
					return usage("usage: "+cmd.UseLine(), "no jail has the empty name")
				}
			}
			return o.run(cmd, f)
		},
	}
	o.add(cmd)
	f.daemonFlags(cmd)
	return cmd
}
