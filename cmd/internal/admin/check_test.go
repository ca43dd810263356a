package admin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"bailiff/decide"
)

// TestBanThatNothingCanHold: what the firewall would refuse is refused before it is on
// record, where it would be tried again at each start.
func TestBanThatNothingCanHold(t *testing.T) {
	var got []BanRequest
	h := New(Options{Ban: func(_ context.Context, r BanRequest) ([]Ban, error) {
		got = append(got, r)
		return nil, nil
	}}).Handler()
	ask := func(body string) int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/bans", strings.NewReader(body)))
		return w.Code
	}
	for _, body := range []string{
		`{"prefix":"203.0.113.9/32","ports":[{"proto":"sctp","port":5060}]}`,
		`{"prefix":"203.0.113.9/32","ports":[{"proto":"TCP","port":5060}]}`,
		`{"prefix":"203.0.113.9/32","ports":[{"proto":"udp","port":0}]}`,
		`{"prefix":"203.0.113.9/32","ports":[` + strings.Repeat(`{"proto":"udp","port":5},`, maxPorts) + `{"proto":"udp","port":5}]}`,
		`{"prefix":"203.0.113.9/32"} {"prefix":"203.0.113.10/32"}`,
		`{"prefix":"203.0.113.9/32"}]`,
	} {
		if code := ask(body); code != http.StatusBadRequest || len(got) != 0 {
			t.Errorf("%.80s: %d, and asked for %+v", body, code, got)
		}
	}
	if code := ask(`{"prefix":"203.0.113.9/32","ports":[{"proto":"udp","port":5060}],"reason":"` + strings.Repeat("ä", 5000) + `"}` + "\n"); code != http.StatusOK || len(got) != 1 {
		t.Fatalf("a ban with a long reason: %d, asked for %d", code, len(got))
	}
	if r := got[0]; r.Ports[0] != (decide.Port{Proto: "udp", Port: 5060}) || r.Reason != strings.Repeat("ä", maxReason/2)+"…" {
		t.Errorf("asked for %+v", r)
	}
}
