package daemon

import (
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"bailiff/decide"
	"bailiff/enforce/nft"
)

var quiet = slog.New(slog.DiscardHandler)

var errKernel = errors.New("no buffer space available")

func TestFirewallIsRepairedWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{applyErr: errKernel, syncErr: errKernel}
		p := &police{firewall: wall{d}, log: quiet, now: time.Now}
		none := func(time.Time) []decide.Decision { return nil }
		start := time.Now()
		p.apply(t.Context(), []decide.Decision{{}})
		var tries []time.Duration
		for time.Since(start) < 5*time.Minute {
			before := len(d.events)
			p.retry(t.Context(), none)
			if len(d.events) > before {
				tries = append(tries, time.Since(start))
			}
			time.Sleep(time.Second)
			p.apply(t.Context(), []decide.Decision{{}}) // a ban a second, refused
		}
		var want []time.Duration
		for _, s := range []int{1, 3, 7, 15, 31, 63, 123, 183, 243} {
			want = append(want, time.Duration(s)*time.Second)
		}
		if !slices.Equal(tries, want) {
			t.Errorf("tried after %v, want %v", tries, want)
		}
		if !errors.Is(p.trouble(), errKernel) {
			t.Errorf("trouble: %v", p.trouble())
		}

		d.applyErr, d.syncErr = nil, nil
		time.Sleep(lastRetry)
		p.retry(t.Context(), none)
		if p.trouble() != nil || p.repairs.Load() != 1 {
			t.Errorf("after the repair: trouble %v, %d repairs", p.trouble(), p.repairs.Load())
		}
		before := len(d.events)
		time.Sleep(time.Hour)
		if p.retry(t.Context(), none); len(d.events) != before {
			t.Error("repairs what is whole")
		}
		d.syncErr = errKernel
		p.repair(t.Context(), nil)
		if wait := time.Until(p.again); wait != firstRetry {
			t.Errorf("the next trouble waits %v at first", wait)
		}
	})
}

// TestJudgeRepairs has somebody else flush the firewall, and the kernel refuse a
// ban.
func TestJudgeRepairs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, d := newSpine(t, decide.DefaultJail("ssh", "sshd"))
		order := decide.Decision{Prefix: host(guarded(t, "198.51.100.8")), At: time.Now(), Origin: "operator"}
		ban, err := p.engine.Admit(order, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		go p.judge(t.Context())
		d.broken <- struct{}{}
		synctest.Wait()
		if got := d.read(); !slices.Equal(got, []string{"sync 1"}) {
			t.Errorf("after a flush: %v", got)
		}
		err = p.ask(t.Context(), func() {
			d.applyErr = errKernel
			p.settle(t.Context(), []decide.Decision{ban}, nil)
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		want := []string{"commit 1 decisions 0 marks", "apply ban ", "fsync", "tell ban ", "sync 1"}
		if got := d.read(); !slices.Equal(got, want) {
			t.Errorf("after a refusal: %q, want %q", got, want)
		}
		close(p.queue)
		<-p.closed
	})
}

// TestStartWithABanThatIsRefused: a firewall that takes no ban at all ends the start, one
// that refuses some does not.
func TestStartWithABanThatIsRefused(t *testing.T) {
	for _, err := range []error{nft.ErrPermission, nft.ErrUnsupported} {
		p := &police{firewall: wall{&diary{syncErr: err}}, log: quiet, now: time.Now}
		if got := p.begin(t.Context(), nil); !errors.Is(got, err) {
			t.Errorf("began with %v, want %v", got, err)
		}
	}
	p := &police{firewall: wall{&diary{syncErr: errKernel}}, log: quiet, now: time.Now}
	if err := p.begin(t.Context(), nil); err != nil || !errors.Is(p.trouble(), errKernel) || p.again.IsZero() {
		t.Errorf("began with %v, trouble %v, again %v", err, p.trouble(), p.again)
	}
}

// TestTwoWhoFight: what somebody else changes is repaired at once, but not a thousand times a
// second.
func TestTwoWhoFight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{}
		p := &police{firewall: wall{d}, log: quiet, now: time.Now}
		none := func(time.Time) []decide.Decision { return nil }
		time.Sleep(calm)
		for range 60 * 100 {
			p.disturbed(t.Context(), none)
			p.retry(t.Context(), none)
			time.Sleep(10 * time.Millisecond)
		}
		if n := len(d.read()); n < patience+6 || n > patience+12 {
			t.Errorf("repaired %d times in a minute", n)
		}
		if !errors.Is(p.trouble(), errFought) {
			t.Errorf("trouble: %v", p.trouble())
		}
		time.Sleep(lastPause)
		if p.retry(t.Context(), none); len(d.read()) != 1 {
			t.Error("the last change is not repaired")
		}
		time.Sleep(calm)
		if p.trouble() != nil {
			t.Errorf("trouble after a calm minute: %v", p.trouble())
		}
		if p.disturbed(t.Context(), none); len(d.read()) != 1 {
			t.Error("not repaired at once after a calm minute")
		}
	})
}
