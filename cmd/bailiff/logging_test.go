package main

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPriority(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(newPriority(&out)).With("part", "nft")
	log.Debug("not shown")
	log.Info("started", "bans", 3)
	log.Warn("line\nbreak")
	log.WithGroup("g").Error("firewall refuses", "err", "x y")
	want := "<6>msg=started part=nft bans=3\n<4>msg=\"line\\nbreak\" part=nft\n<3>msg=\"firewall refuses\" part=nft g.err=\"x y\"\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
