package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"
)

// newLogger returns the log of the daemon: one line a decision and a step of
// its life. On w that leads into the journal a line begins with its priority,
// as sd-daemon(3) has it; everywhere else with the time.
func newLogger(w io.Writer, asJSON bool) *slog.Logger {
	switch {
	case asJSON:
		return slog.New(slog.NewJSONHandler(w, nil))
	case isJournal(w):
		return slog.New(newPriority(w))
	default:
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: shortTime}))
	}
}

// isJournal says whether w is the stream that systemd connected to the journal
// (systemd.exec(5), JOURNAL_STREAM): a child that redirects its output inherits
// the variable all the same, therefore device and inode are compared.
func isJournal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return false
	}
	return os.Getenv("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// shortTime drops the date, which a person who watches knows.
func shortTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		a.Value = slog.StringValue(a.Value.Time().Format("15:04:05"))
	}
	return a
}

// priority is a handler that begins each line with "<N>". It holds one text
// handler for each of the four priorities.
type priority [4]slog.Handler

func newPriority(w io.Writer) priority {
	var p priority
	opt := &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{} // the journal knows both
		}
		return a
	}}
	for i, prefix := range []string{"<7>", "<6>", "<4>", "<3>"} {
		p[i] = slog.NewTextHandler(&prefixed{w, prefix}, opt)
	}
	return p
}

// of returns the handler of a level.
func (p priority) of(l slog.Level) slog.Handler {
	switch {
	case l < slog.LevelInfo:
		return p[0]
	case l < slog.LevelWarn:
		return p[1]
	case l < slog.LevelError:
		return p[2]
	default:
		return p[3]
	}
}

func (p priority) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

func (p priority) Handle(ctx context.Context, r slog.Record) error {
	return p.of(r.Level).Handle(ctx, r)
}

func (p priority) WithAttrs(attrs []slog.Attr) slog.Handler {
	for i := range p {
		p[i] = p[i].WithAttrs(attrs)
	}
	return p
}

func (p priority) WithGroup(name string) slog.Handler {
	for i := range p {
		p[i] = p[i].WithGroup(name)
	}
	return p
}

// prefixed writes each record, which slog hands over in one piece, behind a
// prefix and in one piece.
type prefixed struct {
	w      io.Writer
	prefix string
}

func (p *prefixed) Write(b []byte) (int, error) {
	if _, err := p.w.Write(append([]byte(p.prefix), b...)); err != nil {
		return 0, err
	}
	return len(b), nil
}
