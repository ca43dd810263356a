package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"bailiff/cmd/internal/admin"
	"bailiff/cmd/internal/daemon"
	"bailiff/config"
	"bailiff/decide"
)

func runCommand(f *flags) *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon in the foreground",
		Long: `Run reads the logs, decides and bans until it gets SIGTERM or SIGINT; the bans
stay. Decisions are printed as they fall, or, under systemd, go to the journal
as fields. SIGHUP reads configuration and packs again; a second SIGTERM ends it
at once.`,
		Example: `  bailiff run --dry-run --config ./bailiff.toml`,
		Args:    takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Load(f.config)
			if err != nil {
				return err
			}
			out, errs := cmd.OutOrStdout(), cmd.ErrOrStderr()
			opt := daemon.Options{
				Config: c, DryRun: dryRun, Reader: reader,
				Version: readBuild().Version, Logger: newLogger(errs, f.json), Journal: isJournal(errs),
			}
			reload := make(chan os.Signal, 1)
			signal.Notify(reload, unix.SIGHUP)
			opt.Reload = reload
			if !opt.Journal {
				opt.Decision = f.decisionPrinter(cmd, out)
			}
			// Whoever reads the decisions may go; protection stays.
			signal.Ignore(unix.SIGPIPE)
			ctx, stop := signal.NotifyContext(cmd.Context(), unix.SIGINT, unix.SIGTERM)
			defer stop()
			// From the first signal on, the next one has its default effect.
			context.AfterFunc(ctx, stop)
			return daemon.Run(ctx, opt)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "decide and record, and leave the firewall alone")
	f.jsonFlag(cmd)
	return cmd
}

// reader is this program as the child that reads the journal. The link leads to
// the running file even when an upgrade has put another in its place, so parent
// and child always speak the same frames.
var reader = []string{"/proc/self/exe", "journal-reader"}

// decisionPrinter returns what prints each decision on a line of its own. If
// nobody reads any more, protection goes on without printing.
func (f *flags) decisionPrinter(cmd *cobra.Command, w io.Writer) func(*decide.Decision) {
	if f.json {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return func(d *decide.Decision) { _ = e.Encode(admin.DecisionOf(d)) }
	}
	p := printer(cmd)
	return func(d *decide.Decision) {
		shown := admin.DecisionOf(d)
		_ = p.Decision(&shown)
	}
}
