package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"bailiff/cmd/internal/daemon"
	"bailiff/config"
	"bailiff/ingest/stream"
)

// pipeFlags are those of bailiff pipe.
type pipeFlags struct {
	stream         stream.Options
	state, output  string
	stamps         string
	confirm, force bool
}

func pipeCommand(f *flags) *cobra.Command {
	p := pipeFlags{stream: stream.DefaultOptions()}
	cmd := &cobra.Command{
		Use:   "pipe",
		Short: "Decide what comes in on standard input, as a stage of a log pipeline",
		Long: `Pipe reads log lines from standard input until their end or SIGTERM, decides as
the daemon does, and writes each decision at once as a JSON object on a line. It
bans nobody; who reads the decisions does, or with --enforce the daemon that
runs. What became of the lines it says at the end, on standard error.`,
		Example: `  journalctl -f -a -o json | bailiff pipe --format ndjson
  tail -F /var/log/asterisk/full | bailiff pipe --identifier asterisk`,
		Args: takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.pipe(cmd, &p) },
	}
	cmd.Flags().StringVar((*string)(&p.stream.Format), "format", string(stream.Auto), "auto, syslog, journal-export, ndjson or message")
	cmd.Flags().StringVar(&p.stream.Identifier, "identifier", "", "`TAG` of lines that carry none")
	cmd.Flags().StringVar(&p.stamps, "stamps", "zoned", "which stamps say when a line happened: zoned, all or none")
	cmd.Flags().StringVar(&p.state, "state", "", "keep the record of bans in `DIR`; without it ends with the process")
	cmd.Flags().StringVar(&p.output, "output", "", "append decisions to `FILE` in place of standard output")
	cmd.Flags().BoolVar(&p.confirm, "confirm", false, "answer each line with OK on standard output when it is decided (rsyslog's omprog)")
	cmd.Flags().BoolVar(&p.force, "enforce", false, "hand each ban to the daemon that runs")
	f.daemonFlags(cmd)
	return cmd
}

// marks are the lines by which omprog says that a transaction begins and ends, unless
// it is told otherwise (rsyslog, plugins/omprog).
var marks = []string{"BEGIN TRANSACTION", "COMMIT TRANSACTION"}

// source returns the options of the stream.
func (p *pipeFlags) source() (stream.Options, error) {
	o := p.stream
	o.Name, o.Live = "stdin", true
	switch p.stamps {
	case "zoned":
		o.Stamps = stream.ZonedStamps
	case "all":
		o.Stamps = stream.AllStamps
	case "none":
		o.Stamps = stream.NoStamps
	default:
		return o, usage("stamps are zoned, all and none", "stamps %q are unknown", p.stamps)
	}
	if err := o.Validate(); err != nil {
		return o, usage("formats are auto, syslog, journal-export, ndjson and message", "%w", err)
	}
	if p.confirm && o.Format == stream.JournalExport {
		return o, usage("have it written as ndjson", "an export of the journal has no lines that could be confirmed one by one")
	}
	return o, nil
}

func (f *flags) pipe(cmd *cobra.Command, p *pipeFlags) (err error) {
	opt, err := p.source()
	if err != nil {
		return err
	}
	c, err := config.Load(f.config)
	if err != nil {
		return err
	}
	// Whoever reads what is written may go: that is an error of writing.
	signal.Ignore(unix.SIGPIPE)
	ctx, stop := signal.NotifyContext(cmd.Context(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	var stage *daemon.Stage
	in, err := stream.NewInput(os.Stdin, os.Stdout, func() { stage.Tick() })
	if err != nil {
		return err
	}
	// From the first signal on, the next one has its default effect.
	context.AfterFunc(ctx, func() { stop(); in.Stop() })

	out, closeOut, err := p.decisions(cmd)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeOut()) }()
	sink := &pipeSink{out: out, gone: in.Abandon, refused: map[string]uint64{}}
	if p.force {
		if sink.bailiff, err = f.client(); err != nil {
			return err
		}
		if _, err := sink.bailiff.Status(ctx); err != nil {
			return err
		}
	}
	stage, err = daemon.NewStage(daemon.StageOptions{
		Config: c, State: p.state, Decision: sink.decision, Logger: newLogger(cmd.ErrOrStderr(), f.json),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	if p.confirm {
		ok := func() {
			if _, err := io.WriteString(cmd.OutOrStdout(), "OK\n"); err != nil {
				in.Abandon()
			}
		}
		opt.Marks, opt.Dealt = marks, ok
		ok() // ready
	}
	source, err := stream.New(in, opt)
	if err != nil {
		return err
	}
	// The source goes on to the end of what was read; the signal ends its input.
	err = errors.Join(stage.Read(context.WithoutCancel(ctx), source), sink.trouble())
	return errors.Join(err, sink.account(cmd.ErrOrStderr(), source.Counts(), stage, f.json))
}

// decisions returns where they go: where somebody waits for answers, standard output
// is taken.
func (p *pipeFlags) decisions(cmd *cobra.Command) (io.Writer, func() error, error) {
	switch {
	case p.output != "":
		file, err := os.OpenFile(p.output, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, nil, err
		}
		return file, file.Close, nil
	case p.confirm:
		return cmd.ErrOrStderr(), func() error { return nil }, nil
	}
	return cmd.OutOrStdout(), func() error { return nil }, nil
}
