package main

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bailiff/cmd/internal/admin"
	"bailiff/config"
	"bailiff/store"
)

func TestReport(t *testing.T) {
	_, bad := config.Parse("b.toml", []byte("[escalation]\nfactr = 1\n[defaults]\nban_time = 3\n"))
	locked := &store.Error{Kind: store.ErrLocked, Dir: "/s", Err: errors.New("EWOULDBLOCK")}
	tests := []struct {
		name string
		err  error
		code int
		want string
	}{
		{"plain", errors.New("read: EOF"), 1, "bailiff: read: EOF\n"},
		{"quiet", quiet(1), 1, ""},
		{"usage", usage("try it", "what?"), 2, "bailiff: what?\nhint: try it\n"},
		{"hint from below", fmt.Errorf("open store: %w", errors.Join(locked, nil)), 1, "bailiff: open store: " + locked.Error() + "\nhint: " + locked.Hint() + "\n"},
		{
			"every error of a configuration with its hint", bad, 2,
			"bailiff: b.toml:2: escalation.factr: unknown key\nhint: did you mean \"factor\"?\n" +
				"bailiff: b.toml:4: defaults.ban_time: want a duration in quotes, not a number\nhint: write \"3s\" if you mean seconds\n",
		},
		{"the daemon's list", &admin.Error{Status: 400, Message: "a\nb", Advice: "x\ny"}, 2, "bailiff: a\nbailiff: b\nhint: x\nhint: y\n"},
		{"a cause is no list", fmt.Errorf("%w: %w", errors.New("a"), errors.New("b")), 1, "bailiff: a: b\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			if code := report(&out, tt.err); code != tt.code {
				t.Errorf("exit %d, want %d", code, tt.code)
			}
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
