package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var prefixes = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

// sampleBans are one timed ban of a rule and one of the operator without end.
func sampleBans() []Ban {
	at := time.Date(2026, 11, 23, 10, 21, 7, 0, time.UTC)
	end := at.Add(10 * time.Minute)
	return []Ban{
		{
			Prefix: netip.MustParsePrefix("203.0.113.9/32"), Jail: "sshd", Rule: "sshd/failed-password",
			Since: at, Until: &end, Strike: 1, Origin: "rules", Packets: 12, Bytes: 1300,
		},
		{Prefix: netip.MustParsePrefix("2001:db8::/64"), Since: at, Origin: "operator"},
	}
}

// serve runs a server until the test ends and returns a client of it.
func serve(t *testing.T, opt Options) *Client {
	t.Helper()
	opt.Socket = filepath.Join(t.TempDir(), "run", "s")
	s := New(opt)
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		if _, err := os.Lstat(opt.Socket); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the socket is still there: %v", err)
		}
	})
	return NewClient(opt.Socket)
}

func TestClientServer(t *testing.T) {
	var jail string
	var banned BanRequest
	var unbanned UnbanRequest
	var asked netip.Prefix
	c := serve(t, Options{
		List: func(_ context.Context, j string) ([]Ban, error) { jail = j; return sampleBans(), nil },
		Ban:  func(_ context.Context, r BanRequest) ([]Ban, error) { banned = r; return sampleBans()[:1], nil },
		Unban: func(_ context.Context, r UnbanRequest) ([]Ban, error) {
			unbanned = r
			return sampleBans()[1:], nil
		},
		Why: func(_ context.Context, p netip.Prefix) (Why, error) {
			asked = p
			return Why{Prefix: p, Banned: true}, nil
		},
		Status: func(context.Context) (Status, error) { return Status{Version: "v1"}, nil },
		Reload: func(context.Context) (string, error) { return "1 pack", nil },
	})
	ctx := t.Context()
	p := netip.MustParsePrefix("2001:db8::/64")

	bans, err := c.List(ctx, "a b&c")
	if diff := cmp.Diff(sampleBans(), bans, prefixes); err != nil || diff != "" || jail != "a b&c" {
		t.Errorf("List: %v, jail %q, %s", err, jail, diff)
	}
	req := BanRequest{Prefix: p, For: "1d", Jail: "sshd", Reason: "scan"}
	bans, err = c.Ban(ctx, req)
	if diff := cmp.Diff(sampleBans()[:1], bans, prefixes); err != nil || diff != "" || !cmp.Equal(banned, req, prefixes) {
		t.Errorf("Ban: %v, asked %+v, %s", err, banned, diff)
	}
	lifted, err := c.Unban(ctx, UnbanRequest{Prefixes: []netip.Prefix{p}})
	if diff := cmp.Diff(sampleBans()[1:], lifted.Lifted, prefixes); err != nil || diff != "" || len(unbanned.Prefixes) != 1 || unbanned.Prefixes[0] != p {
		t.Errorf("Unban: %v, asked %+v, %s", err, unbanned, diff)
	}
	if why, err := c.Why(ctx, p); err != nil || !why.Banned || asked != p {
		t.Errorf("Why: %v, %+v, asked %v", err, why, asked)
	}
	if s, err := c.Status(ctx); err != nil || s.Version != "v1" {
		t.Errorf("Status: %v, %+v", err, s)
	}
	if r, err := c.Reload(ctx); err != nil || r.Changed != "1 pack" {
		t.Errorf("Reload: %v, %+v", err, r)
	}
}

// Scripts read this shape.
func TestListShape(t *testing.T) {
	h := New(Options{List: func(context.Context, string) ([]Ban, error) { return sampleBans(), nil }}).Handler()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/bans", nil))
	want := `[{"prefix":"203.0.113.9/32","jail":"sshd","rule":"sshd/failed-password","since":"2026-11-23T10:21:07Z",` +
		`"until":"2026-11-23T10:31:07Z","strike":1,"origin":"rules","packets":12,"bytes":1300},` +
		`{"prefix":"2001:db8::/64","jail":"","rule":"","since":"2026-11-23T10:21:07Z",` +
		`"until":null,"strike":0,"origin":"operator","packets":0,"bytes":0}]` + "\n"
	if diff := cmp.Diff(want, w.Body.String()); diff != "" {
		t.Error(diff)
	}

	h = New(Options{List: func(context.Context, string) ([]Ban, error) { return nil, nil }}).Handler()
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/bans", nil))
	if w.Body.String() != "[]\n" {
		t.Errorf("no bans are %q", w.Body.String())
	}
}

// hinted is an error of another room.
type hinted struct{}

func (hinted) Error() string { return "disk full" }
func (hinted) Hint() string  { return "make room" }

func TestServerErrors(t *testing.T) {
	h := New(Options{
		Ban: func(_ context.Context, r BanRequest) ([]Ban, error) {
			if r.Force {
				return nil, fmt.Errorf("record ban: %w", hinted{})
			}
			return nil, fmt.Errorf("ban: %w", Refuse(http.StatusConflict, "change never_ban", "it is guarded"))
		},
		Unban: func(context.Context, UnbanRequest) ([]Ban, error) { return nil, nil },
	}).Handler()
	tests := []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"the daemon's refusal", "POST", "/v1/bans", `{"prefix":"203.0.113.9/32"}`, 409, `{"error":"ban: it is guarded","hint":"change never_ban"}`},
		{"a hint from below", "POST", "/v1/bans", `{"prefix":"203.0.113.9/32","force":true}`, 500, `{"error":"record ban: disk full","hint":"make room"}`},
		{"no prefix", "POST", "/v1/bans", `{}`, 400, `{"error":"the request names no prefix"}`},
		{"host bits", "POST", "/v1/bans", `{"prefix":"192.0.2.1/24"}`, 400, `{"error":"\"192.0.2.1/24\" has bits set behind its length","hint":"the network is 192.0.2.0/24, the host 192.0.2.1"}`},
		{"too wide", "POST", "/v1/bans", `{"prefix":"10.0.0.0/8"}`, 400, `{"error":"10.0.0.0/8 is wider than /16","hint":"say --force if you mean it"}`},
		{"unknown member", "POST", "/v1/bans", `{"prefix":"203.0.113.9/32","fro":"1d"}`, 400, `{"error":"read request: json: unknown field \"fro\""}`},
		{"too long", "POST", "/v1/bans", `{"reason":"` + strings.Repeat("x", maxBody) + `"}`, 400, `{"error":"read request: http: request body too large"}`},
		{"unban of nothing", "DELETE", "/v1/bans", `{}`, 400, `{"error":"name prefixes or all, and not both"}`},
		{"unban of both", "DELETE", "/v1/bans", `{"all":true,"prefixes":["203.0.113.9/32"]}`, 400, `{"error":"name prefixes or all, and not both"}`},
		{"unban with host bits", "DELETE", "/v1/bans", `{"prefixes":["192.0.2.1/24"]}`, 400, `{"error":"\"192.0.2.1/24\" has bits set behind its length","hint":"the network is 192.0.2.0/24, the host 192.0.2.1"}`},
		{"unban all of none", "DELETE", "/v1/bans", `{"all":true}`, 200, `{"lifted":[]}`},
		{"why of a name", "GET", "/v1/why/x", ``, 400, `{"error":"\"x\" is no address","hint":"write an address (203.0.113.9, 2001:db8::9) or a prefix (203.0.113.0/24)"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body)))
			if w.Code != tt.status {
				t.Errorf("status %d, want %d", w.Code, tt.status)
			}
			if diff := cmp.Diff(tt.want, strings.TrimSpace(w.Body.String())); diff != "" {
				t.Error(diff)
			}
		})
	}
	for path, status := range map[string]int{"PUT /v1/bans": 405, "GET /v2/bans": 404} {
		method, path, _ := strings.Cut(path, " ")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if w.Code != status {
			t.Errorf("%s %s: %d, want %d", method, path, w.Code, status)
		}
	}
}

// The client hands out what the server refused, hint and all.
func TestClientRefusal(t *testing.T) {
	c := serve(t, Options{Reload: func(context.Context) (string, error) {
		return "", Refuse(http.StatusBadRequest, "mend it", "bailiff.toml:3: unknown key")
	}})
	_, err := c.Reload(t.Context())
	want := &Error{Status: 400, Message: "bailiff.toml:3: unknown key", Advice: "mend it"}
	if diff := cmp.Diff(error(want), err); diff != "" {
		t.Error(diff)
	}
}

func TestClientNoDaemon(t *testing.T) {
	dir := t.TempDir()
	dead := filepath.Join(dir, "dead")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	for socket, cause := range map[string]string{
		filepath.Join(dir, "none"): "no such file or directory",
		dead:                       "connection refused",
	} {
		_, err := NewClient(socket).Status(t.Context())
		e := &Error{}
		ok := errors.As(err, &e)
		if !ok || e.Message != "dial "+socket+": "+cause || e.Advice != "is bailiff running? try: systemctl status bailiff" {
			t.Errorf("error %#v", err)
		}
	}
}

func TestClientPermission(t *testing.T) {
	c := NewClient("/x")
	err := c.explain(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EACCES)})
	e := &Error{}
	ok := errors.As(err, &e)
	if !ok || e.Message != "dial /x: permission denied" || !strings.Contains(e.Advice, "sudo") {
		t.Errorf("error %#v", err)
	}
}

func TestListen(t *testing.T) {
	answering := func(t *testing.T, path string) {
		t.Helper()
		l, err := listen(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
	}
	tests := []struct {
		name  string
		setup func(t *testing.T, path string)
		want  string // "" if Listen succeeds
	}{
		{"nothing there", func(*testing.T, string) {}, ""},
		{"stale socket", func(t *testing.T, path string) {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			l.SetUnlinkOnClose(false)
			l.Close()
		}, ""},
		{"file", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "open control socket: PATH exists and is not a socket"},
		{"symbolic link", func(t *testing.T, path string) {
			if err := os.Symlink("/nowhere", path); err != nil {
				t.Fatal(err)
			}
		}, "open control socket: PATH exists and is not a socket"},
		{"somebody answers", answering, "open control socket: another bailiff answers on PATH"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "s")
			tt.setup(t, path)
			before, _ := os.Lstat(path)
			s := New(Options{Socket: path})
			err := s.Listen()
			if tt.want != "" {
				if err == nil || err.Error() != strings.ReplaceAll(tt.want, "PATH", path) {
					t.Fatalf("error %v", err)
				}
				if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
					t.Errorf("what stood there was touched: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			info, err := os.Lstat(path)
			if err != nil || info.Mode() != os.ModeSocket|0o660 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".sock*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestListenLongPath(t *testing.T) {
	err := New(Options{Socket: filepath.Join(t.TempDir(), strings.Repeat("x", 100), "s")}).Listen()
	if e, ok := errors.AsType[*Error](err); !ok || e.Advice != "set socket to a shorter path" {
		t.Errorf("error %v", err)
	}
}

// A server that ends does not take away the socket of the one that replaced it.
func TestCloseLeavesSuccessor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	old, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	successor, err := listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer successor.Close()
	if err := old.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the successor's socket: %v", err)
	}
}

// A request in flight is answered although the server stops.
func TestRunDrains(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	s := New(Options{
		Socket: filepath.Join(t.TempDir(), "s"),
		Reload: func(context.Context) (string, error) { close(entered); <-leave; return "done", nil },
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	go func() { done <- s.Run(ctx) }()
	answer := make(chan error, 1)
	go func() {
		_, err := NewClient(s.opt.Socket).Reload(context.Background())
		answer <- err
	}()
	<-entered
	stop()
	close(leave)
	if err := <-answer; err != nil {
		t.Errorf("Reload: %v", err)
	}
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func FuzzAPI(f *testing.F) {
	f.Add("POST", "/v1/bans", `{"prefix":"203.0.113.9/32","for":"1d"}`)
	f.Add("DELETE", "/v1/bans", `{"prefixes":["::/0"]}`)
	f.Add("GET", "/v1/why/203.0.113.9/32", ``)
	h := New(Options{
		Ban: func(_ context.Context, r BanRequest) ([]Ban, error) {
			if r.Prefix != r.Prefix.Masked() || !r.Prefix.IsValid() || !r.Force && CheckWidth(r.Prefix) != nil {
				panic(r.Prefix.String())
			}
			return nil, nil
		},
		Unban: func(_ context.Context, r UnbanRequest) ([]Ban, error) { return nil, nil },
		Why:   func(_ context.Context, p netip.Prefix) (Why, error) { return Why{Prefix: p}, nil },
		List:  func(context.Context, string) ([]Ban, error) { return nil, nil },
	}).Handler()
	f.Fuzz(func(t *testing.T, method, path, body string) {
		r, err := http.NewRequest(method, "http://bailiff"+path, io.NopCloser(strings.NewReader(body)))
		if err != nil || r.URL.Path == "/v1/status" || r.URL.Path == "/v1/reload" || r.URL.Path == "/metrics" {
			t.Skip()
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if strings.Contains(w.Header().Get("Content-Type"), "json") && !json.Valid(bytes.TrimSpace(w.Body.Bytes())) {
			t.Errorf("answer is not JSON: %q", w.Body)
		}
	})
}

// TestRemovedControlSocket holds that a socket whose file was removed is opened
// again, and that what took its place is left alone.
func TestRemovedControlSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := New(Options{Socket: path, List: func(context.Context, string) ([]Ban, error) { return nil, nil }})
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	c := NewClient(path)
	if _, err := c.List(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		s.Check()
		if _, err := NewClient(path).List(t.Context(), ""); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the socket is not opened again within 20 s")
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != socketMode {
		t.Errorf("the new socket has mode %v, %v", info.Mode(), err)
	}
	if err := errors.Join(os.Remove(path), os.WriteFile(path, []byte("precious"), 0o600)); err != nil {
		t.Fatal(err)
	}
	s.Check()
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Errorf("the file is now %q, %v", b, err)
	}
}
