package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"bailiff/cmd/internal/daemon"
	"bailiff/config"
	"bailiff/ingest/stream"
)

// replayFlags are those of bailiff replay.
type replayFlags struct {
	stream         stream.Options
	since, compare string
}

func replayCommand(f *flags) *cobra.Command {
	r := replayFlags{stream: stream.DefaultOptions()}
	cmd := &cobra.Command{
		Use:   "replay FILE...|journal|-",
		Short: "Show whom a configuration would have banned",
		Long: `Replay reads logs, or the journal, and shows whom the configuration would have
banned, when, and for how long, by the time of the lines. Nothing is banned and
nothing is recorded. Addresses that logged in during such a ban are marked: they
would have been locked out. Files are read in the order in which they were last
written, also those that end in .gz.`,
		Example: `  bailiff replay /var/log/auth.log*
  bailiff replay --since 7d journal
  bailiff replay --compare new.toml --since 30d journal`,
		Args: takes(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return f.replay(cmd, &r, args) },
	}
	cmd.Flags().StringVar((*string)(&r.stream.Format), "format", string(stream.Auto), "auto, syslog, journal-export, ndjson or message")
	cmd.Flags().StringVar(&r.stream.Identifier, "identifier", "", "`TAG` of lines that carry none")
	cmd.Flags().StringVar(&r.since, "since", "", "leave out what is older: a length of `TIME` (\"7d\"), or a day (2026-11-20)")
	cmd.Flags().StringVar(&r.compare, "compare", "", "configuration `FILE`: show whom it bans besides, and whom it spares")
	f.jsonFlag(cmd)
	return cmd
}

// from reads --since.
func (r *replayFlags) from(now time.Time) (time.Time, error) {
	if r.since == "" {
		return time.Time{}, nil
	}
	if d, err := config.ParseDuration(r.since); err == nil && d != config.Forever {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, r.since, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage(`write it like "24h", "7d", "2026-11-20" or "2026-11-20 13:00"`, "--since %q is no time", r.since)
}

func (f *flags) replay(cmd *cobra.Command, r *replayFlags, args []string) error {
	if err := r.stream.Validate(); err != nil {
		return usage("formats are auto, syslog, journal-export, ndjson and message", "%w", err)
	}
	now := time.Now()
	since, err := r.from(now)
	if err != nil {
		return err
	}
	var runs []*daemon.Replay
	for _, path := range []string{f.config, r.compare} {
		if len(runs) == 1 && path == "" {
			break
		}
		c, err := config.Load(path)
		if err != nil {
			return err
		}
		run, err := daemon.NewReplay(c, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		runs = append(runs, run)
	}
	logs, err := openLogs(args, since, cmd.InOrStdin())
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(cmd.Context(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	bar := newProgress(cmd.ErrOrStderr(), logs)
	for _, l := range logs {
		opt := r.stream
		if l.export {
			opt.Format = stream.JournalExport
		}
		if err := l.read(ctx, opt, bar, func(sc *stream.Scanner) error {
			for n := 0; ; n++ {
				e, _, ok := sc.Next()
				if !ok {
					return sc.Err()
				}
				for _, run := range runs {
					run.Observe(e, since)
				}
				if n%1024 == 0 {
					bar.lines(runs[0].Lines)
					if ctx.Err() != nil {
						return nil
					}
				}
			}
		}); err != nil {
			bar.done()
			return err
		}
	}
	bar.done()
	if ctx.Err() != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "bailiff: interrupted; this is what had been read")
	}
	switch {
	case len(runs) == 2 && f.json:
		return compareJSON(cmd.OutOrStdout(), runs[0], runs[1])
	case len(runs) == 2:
		return compareText(printer(cmd), runs[0], runs[1], r.compare)
	case f.json:
		return replayJSON(cmd.OutOrStdout(), runs[0])
	}
	return replayText(printer(cmd), runs[0])
}

// log is one thing that replay reads.
type log struct {
	name   string
	size   int64 // 0: not known
	at     time.Time
	export bool
	open   func(context.Context) (io.ReadCloser, error)
}

// openLogs looks at the arguments, and puts files into the order of their time.
func openLogs(args []string, since time.Time, stdin io.Reader) ([]*log, error) {
	var logs []*log
	for _, arg := range args {
		switch arg {
		case "-":
			logs = append(logs, &log{name: "standard input", open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(stdin), nil }})
			continue
		case "journal":
			if _, err := os.Stat(arg); err != nil {
				logs = append(logs, &log{name: arg, export: true, open: func(ctx context.Context) (io.ReadCloser, error) { return openJournal(ctx, since) }})
				continue
			}
		}
		info, err := os.Stat(arg)
		if err != nil {
			return nil, err
		}
		if info.IsDir() {
			return nil, usage("name the files in it: "+strings.TrimSuffix(arg, "/")+"/*", "%s is a directory", arg)
		}
		logs = append(logs, &log{name: arg, size: info.Size(), at: info.ModTime(), open: func(context.Context) (io.ReadCloser, error) { return os.Open(arg) }})
	}
	slices.SortStableFunc(logs, func(a, b *log) int {
		if a.at.IsZero() || b.at.IsZero() {
			return 0
		}
		return a.at.Compare(b.at)
	})
	return logs, nil
}

// openJournal has journalctl export the journal to its end.
func openJournal(ctx context.Context, since time.Time) (io.ReadCloser, error) {
	args := []string{"--output=export", "--no-pager", "--quiet"}
	if !since.IsZero() {
		args = append(args, fmt.Sprintf("--since=@%d", since.Unix()))
	}
	cmd := exec.CommandContext(ctx, "journalctl", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	return &childOutput{out, cmd, ctx}, nil
}

// childOutput is what a child writes; closing it says how the child ended.
type childOutput struct {
	io.Reader
	cmd *exec.Cmd
	ctx context.Context //nolint:containedctx // of the child that it stands for
}

// Close waits for the child.
func (c *childOutput) Close() error {
	_, _ = io.Copy(io.Discard, c.Reader)
	if err := c.cmd.Wait(); err != nil && c.ctx.Err() == nil {
		return fmt.Errorf("read the journal: journalctl: %w", err)
	}
	return nil
}

// read opens the log and has it scanned.
func (l *log) read(ctx context.Context, opt stream.Options, bar *progress, scan func(*stream.Scanner) error) (err error) {
	in, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	var r io.Reader = bar.reading(in)
	if strings.HasSuffix(l.name, ".gz") {
		z, err := gzip.NewReader(r)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		r = z
	}
	sc, err := stream.NewScanner(r, opt)
	if err != nil {
		return err
	}
	if err := scan(sc); err != nil && ctx.Err() == nil {
		return fmt.Errorf("read %s: %w", l.name, err)
	}
	return nil
}
