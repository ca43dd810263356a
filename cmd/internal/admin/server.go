package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// The bounds of a request. The largest honest body is an unban of a few
// thousand prefixes.
const (
	maxBody       = 1 << 20
	maxHeader     = 16 << 10
	headerTimeout = 5 * time.Second
	answerTimeout = time.Minute
	// drainTimeout is how long a stopping server waits for open requests.
	drainTimeout = 5 * time.Second
)

// Options are what a [Server] serves. The functions are called concurrently,
// with the context of the request. Errors are shown to the person who asked:
// return an [*Error] to choose the status and a hint.
type Options struct {
	// Socket is the path of the unix socket.
	Socket string
	// Logger is told of nothing but trouble of the HTTP server; nil discards.
	Logger *slog.Logger

	// List returns the standing bans of one jail, or of all for "".
	List func(ctx context.Context, jail string) ([]Ban, error)
	// Ban returns the bans that it made. The prefix has been checked for
	// host bits and width.
	Ban func(context.Context, BanRequest) ([]Ban, error)
	// Unban returns the bans that it lifted.
	Unban func(context.Context, UnbanRequest) ([]Ban, error)
	// Held returns the bans that wait for room, the next one first.
	Held func(context.Context) ([]Held, error)
	// SettleHeld returns the bans that it made of those, or that it dropped.
	SettleHeld func(context.Context, HeldRequest) ([]Ban, error)
	// Orders returns what operators said that is in force.
	Orders func(context.Context) ([]Order, error)
	// Give puts orders in force, End ends them. The kind and the prefixes have been checked.
	Give, End func(context.Context, OrderRequest) (OrderResult, error)
	// Why explains one prefix.
	Why func(context.Context, netip.Prefix) (Why, error)
	// Status tells how the daemon is; the metrics are made of it too.
	Status func(context.Context) (Status, error)
	// Jail tells how one jail fares.
	Jail func(ctx context.Context, name string) (JailStatus, error)
	// Reload reads configuration and packs again and says what changed.
	Reload func(context.Context) (string, error)
}

// Server answers the control API. Use [New], then Listen, then Run.
type Server struct {
	opt      Options
	log      *slog.Logger
	listener *listener
	look     chan struct{} // asks Run to look after the socket
	lost     bool          // it is not where it should be, which was said
}

// New returns a server that does not listen yet.
func New(opt Options) *Server {
	s := &Server{opt: opt, log: opt.Logger, look: make(chan struct{}, 1)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// Listen creates the socket, so that trouble with it is known before anything
// else starts. It never removes a file that is not a socket, nor a socket that
// somebody answers on.
func (s *Server) Listen() error {
	l, err := listen(s.opt.Socket)
	if err != nil {
		return fmt.Errorf("open control socket: %w", err)
	}
	s.listener = l
	return nil
}

// Run serves until ctx is done, then lets open requests finish for a few
// seconds and removes the socket. It calls Listen if nobody has.
func (s *Server) Run(ctx context.Context) error {
	if s.listener == nil {
		if err := s.Listen(); err != nil {
			return err
		}
	}
	server := &http.Server{
		Handler:           s.Handler(),
		MaxHeaderBytes:    maxHeader,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       answerTimeout,
		WriteTimeout:      answerTimeout,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	serve := func(l *listener) {
		go func() {
			// One that was replaced ends so.
			if err := server.Serve(l); !errors.Is(err, net.ErrClosed) {
				served <- err
			}
		}()
	}
	serve(s.listener)
	for waiting := true; waiting; {
		select {
		case err := <-served:
			return fmt.Errorf("serve control socket: %w", err)
		case <-s.look:
			s.renew(serve)
		case <-ctx.Done():
			waiting = false
		}
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// Check looks whether the path of the socket still leads to a server that runs, and
// opens the socket again if it does not. Call it now and then.
func (s *Server) Check() {
	select {
	case s.look <- struct{}{}:
	default:
	}
}

// renew opens the socket again if its file was removed or replaced. Where something
// else stands, it waits for its end and says so once.
func (s *Server) renew(serve func(*listener)) {
	if s.listener.stands() {
		return
	}
	next, err := listen(s.opt.Socket)
	if err != nil {
		if !s.lost {
			s.log.Error("the file of the control socket was removed or replaced, and it cannot be opened again", "path", s.opt.Socket, "err", err)
		}
		s.lost = true
		return
	}
	s.log.Warn("the file of the control socket was removed or replaced; it is open again", "path", s.opt.Socket)
	old := s.listener
	s.listener, s.lost = next, false
	serve(next)
	_ = old.Close() // its file is gone, and requests under way have their own connections
}

// Close releases the socket of a server that was never run.
func (s *Server) Close() error {
	if s.listener == nil {
		return nil
	}
	return s.listener.Close()
}

// Handler returns the API itself, for embedding and for tests.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/bans", answer(func(r *http.Request) (any, error) {
		bans, err := s.opt.List(r.Context(), r.URL.Query().Get("jail"))
		return orEmpty(bans), err
	}))
	mux.HandleFunc("POST /v1/bans", answer(s.ban))
	mux.HandleFunc("DELETE /v1/bans", answer(s.unban))
	mux.HandleFunc("GET /v1/held", answer(func(r *http.Request) (any, error) {
		held, err := s.opt.Held(r.Context())
		if held == nil {
			held = []Held{}
		}
		return held, err
	}))
	mux.HandleFunc("POST /v1/held", answer(s.held))
	mux.HandleFunc("GET /v1/orders", answer(func(r *http.Request) (any, error) { return s.opt.Orders(r.Context()) }))
	mux.HandleFunc("POST /v1/orders", answer(s.give))
	mux.HandleFunc("DELETE /v1/orders", answer(s.end))
	mux.HandleFunc("GET /v1/why/{addr...}", answer(s.why))
	mux.HandleFunc("GET /v1/status", answer(func(r *http.Request) (any, error) {
		return s.opt.Status(r.Context())
	}))
	mux.HandleFunc("GET /v1/jails/{name}", answer(func(r *http.Request) (any, error) {
		return s.opt.Jail(r.Context(), r.PathValue("name"))
	}))
	mux.HandleFunc("POST /v1/reload", answer(func(r *http.Request) (any, error) {
		changed, err := s.opt.Reload(r.Context())
		return ReloadResult{Changed: changed}, err
	}))
	mux.Handle("GET /metrics", s.metrics())
	return mux
}

func (s *Server) ban(r *http.Request) (any, error) {
	var req BanRequest
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	prefix, err := checkPrefix(req.Prefix)
	if err != nil {
		return nil, err
	}
	req.Prefix = prefix
	if err := req.check(); err != nil {
		return nil, err
	}
	if !req.Force {
		if err := CheckWidth(prefix); err != nil {
			return nil, err
		}
	}
	bans, err := s.opt.Ban(r.Context(), req)
	return orEmpty(bans), err
}

// which checks the prefixes of a request, or that it asks for all.
func which(prefixes []netip.Prefix, all bool) error {
	if all == (len(prefixes) > 0) {
		return Refuse(http.StatusBadRequest, "", "name prefixes or all, and not both")
	}
	for i, p := range prefixes {
		checked, err := checkPrefix(p)
		if err != nil {
			return err
		}
		prefixes[i] = checked
	}
	return nil
}

func (s *Server) held(r *http.Request) (any, error) {
	var req HeldRequest
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if err := which(req.Prefixes, req.All); err != nil {
		return nil, err
	}
	bans, err := s.opt.SettleHeld(r.Context(), req)
	return orEmpty(bans), err
}

func (s *Server) unban(r *http.Request) (any, error) {
	var req UnbanRequest
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if err := which(req.Prefixes, req.All); err != nil {
		return nil, err
	}
	if req.All && req.Allow != "" {
		return nil, Refuse(http.StatusBadRequest, "bailiff pause bans nobody for a while", "everybody cannot be allowed")
	}
	for _, p := range req.Prefixes {
		if err := CheckWidth(p); err != nil && req.Allow != "" {
			return nil, Refuse(http.StatusBadRequest, "bailiff allow --force does that", "%s is wide to be allowed", p)
		}
	}
	lifted, err := s.opt.Unban(r.Context(), req)
	return UnbanResult{Lifted: orEmpty(lifted)}, err
}

func (s *Server) why(r *http.Request) (any, error) {
	prefix, err := ParsePrefix(r.PathValue("addr"))
	if err != nil {
		return nil, err
	}
	return s.opt.Why(r.Context(), prefix)
}

func (s *Server) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCollector(s.opt.Status))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// answer makes a handler of a function that returns what to send as JSON.
func answer(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		v, err := f(r)
		w.Header().Set("Content-Type", "application/json")
		if err != nil {
			e := asError(err)
			w.WriteHeader(e.Status)
			v = e
		}
		// The peer may be gone; there is nobody left to tell.
		_ = json.NewEncoder(w).Encode(v)
	}
}

// decode reads the body strictly: an unknown member is a slip that would
// otherwise ban with defaults nobody asked for.
func decode(r *http.Request, v any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return Refuse(http.StatusBadRequest, "", "read request: %v", err)
	}
	return nothingBehind(d)
}

// checkPrefix holds a decoded prefix to the rules of [ParsePrefix].
func checkPrefix(p netip.Prefix) (netip.Prefix, error) {
	if !p.IsValid() {
		return p, Refuse(http.StatusBadRequest, "", "the request names no prefix")
	}
	return ParsePrefix(p.String())
}

// orEmpty makes null an empty array, which scripts can iterate.
func orEmpty(bans []Ban) []Ban {
	if bans == nil {
		return []Ban{}
	}
	return bans
}
