package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"bailiff/ingest/stream"
	"bailiff/rules"
)

func matchCommand(f *flags) *cobra.Command {
	var packs []string
	var all, count, trace bool
	opt := stream.DefaultOptions()
	cmd := &cobra.Command{
		Use:   "match [FILE|-]",
		Short: "Show what the rules find in a log",
		Long: `Match runs the rules over a file or standard input, without a daemon and without
deciding anything, and prints each match. All shipped packs are used unless some
are named, by name or as a file. Lines are trusted: unit and user are not asked
for.`,
		Example: `  journalctl -u ssh -o export | bailiff match --json
  bailiff match --pack ./my.toml --all /var/log/app.log
  echo 'wrong key of bob' | bailiff match --trace --pack ./my.toml --format message --identifier doord`,
		Args: takes(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := opt.Validate(); err != nil {
				return usage("formats are auto, syslog, journal-export, ndjson and message", "%w", err)
			}
			if all && count {
				return usage("leave one of them out", "--all and --count exclude each other")
			}
			if trace && (all || count) {
				return usage("leave the other out", "--trace excludes --all and --count")
			}
			chosen, err := f.packs(packs)
			if err != nil {
				return err
			}
			in := cmd.InOrStdin()
			if len(args) == 1 && args[0] != "-" {
				file, err := os.Open(args[0])
				if err != nil {
					return err
				}
				defer file.Close()
				in = file
			}
			if trace {
				return f.trace(cmd, chosen, in, opt)
			}
			set, err := rules.Compile(chosen...)
			if err != nil {
				return err
			}
			if count {
				return f.count(cmd, set, in, opt)
			}
			return f.match(cmd, set, in, opt, all)
		},
	}
	cmd.Flags().StringArrayVar(&packs, "pack", nil, "use only the pack `NAME`, or of a file; repeat for more")
	cmd.Flags().StringVar(&opt.Identifier, "identifier", "", "`TAG` of lines that carry none")
	cmd.Flags().StringVar((*string)(&opt.Format), "format", string(stream.Auto), "auto, syslog, journal-export, ndjson or message")
	cmd.Flags().BoolVar(&all, "all", false, "print the lines that matched nothing too")
	cmd.Flags().BoolVar(&count, "count", false, "print totals only")
	cmd.Flags().BoolVar(&trace, "trace", false, "explain each line: which rules were tried, and where each stopped")
	f.jsonFlag(cmd)
	return cmd
}

// flushBeforeRead hands out what was found before it waits for more input, so
// that `tail -f … | bailiff match` shows each line as it comes while a file is
// written out in large pieces.
type flushBeforeRead struct {
	io.Reader
	out *bufio.Writer
}

func (r flushBeforeRead) Read(b []byte) (int, error) {
	if err := r.out.Flush(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}

// match prints what set finds in the stream.
func (f *flags) match(cmd *cobra.Command, set *rules.Set, in io.Reader, opt stream.Options, all bool) error {
	out := bufio.NewWriterSize(cmd.OutOrStdout(), 64<<10)
	scanner, err := stream.NewScanner(flushBeforeRead{in, out}, opt)
	if err != nil {
		return err
	}
	var view matchView = matchText{printer(cmd)}
	if f.json {
		view = matchJSON{}
	}
	var found []rules.Match
	var b []byte
	for {
		entry, line, ok := scanner.Next()
		if !ok {
			break
		}
		found = set.AppendMatches(found[:0], entry)
		b = b[:0]
		for i := range found {
			b = view.appendMatch(b, line, &found[i])
		}
		if all && len(found) == 0 {
			b = view.appendMiss(b, line, entry.Message)
		}
		if _, err := out.Write(b); err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	return out.Flush()
}
