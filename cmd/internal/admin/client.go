package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
)

// Client asks a running daemon. It is safe for concurrent use.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient returns a client of the daemon that listens on the socket. It does
// not connect; the first question does.
func NewClient(socket string) *Client {
	var d net.Dialer
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", socket)
		},
	}}}
}

// List returns the standing bans of one jail, or of all for "".
func (c *Client) List(ctx context.Context, jail string) ([]Ban, error) {
	path := "/v1/bans"
	if jail != "" {
		path += "?jail=" + url.QueryEscape(jail)
	}
	return ask[[]Ban](ctx, c, http.MethodGet, path, nil)
}

// Ban asks for a ban and returns what stands by it.
func (c *Client) Ban(ctx context.Context, req BanRequest) ([]Ban, error) {
	return ask[[]Ban](ctx, c, http.MethodPost, "/v1/bans", req)
}

// Unban lifts bans and returns which.
func (c *Client) Unban(ctx context.Context, req UnbanRequest) (UnbanResult, error) {
	return ask[UnbanResult](ctx, c, http.MethodDelete, "/v1/bans", req)
}

// Held returns the bans that wait for room.
func (c *Client) Held(ctx context.Context) ([]Held, error) {
	return ask[[]Held](ctx, c, http.MethodGet, "/v1/held", nil)
}

// SettleHeld lets bans through that are held, or drops them, and returns which.
func (c *Client) SettleHeld(ctx context.Context, req HeldRequest) ([]Ban, error) {
	return ask[[]Ban](ctx, c, http.MethodPost, "/v1/held", req)
}

// Orders returns what operators said that is in force.
func (c *Client) Orders(ctx context.Context) ([]Order, error) {
	return ask[[]Order](ctx, c, http.MethodGet, "/v1/orders", nil)
}

// Give puts orders in force and returns them.
func (c *Client) Give(ctx context.Context, req OrderRequest) (OrderResult, error) {
	return ask[OrderResult](ctx, c, http.MethodPost, "/v1/orders", req)
}

// End ends orders and returns which.
func (c *Client) End(ctx context.Context, req OrderRequest) (OrderResult, error) {
	return ask[OrderResult](ctx, c, http.MethodDelete, "/v1/orders", req)
}

// Why explains one prefix.
func (c *Client) Why(ctx context.Context, p netip.Prefix) (Why, error) {
	return ask[Why](ctx, c, http.MethodGet, "/v1/why/"+p.String(), nil)
}

// Status tells how the daemon is.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return ask[Status](ctx, c, http.MethodGet, "/v1/status", nil)
}

// Jail tells how one jail fares.
func (c *Client) Jail(ctx context.Context, name string) (JailStatus, error) {
	return ask[JailStatus](ctx, c, http.MethodGet, "/v1/jails/"+url.PathEscape(name), nil)
}

// Reload makes the daemon read its configuration again.
func (c *Client) Reload(ctx context.Context) (ReloadResult, error) {
	return ask[ReloadResult](ctx, c, http.MethodPost, "/v1/reload", nil)
}

// ask sends one question and decodes the answer. What the daemon refused comes
// back as the [*Error] it was.
func ask[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	var out T
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return out, err
		}
		content = bytes.NewReader(b)
	}
	// The host is never resolved: the transport dials the socket.
	req, err := http.NewRequestWithContext(ctx, method, "http://bailiff"+path, content)
	if err != nil {
		return out, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return out, c.explain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		e := &Error{Status: resp.StatusCode}
		if err := json.NewDecoder(resp.Body).Decode(e); err != nil || e.Message == "" {
			e.Message = "the daemon answered " + resp.Status
		}
		return out, e
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return out, fmt.Errorf("read answer of %s: %w", c.socket, err)
	}
	return out, nil
}

// explain says what a failed connection means to the person who asked.
func (c *Client) explain(err error) error {
	hint := ""
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		hint = "is bailiff running? try: systemctl status bailiff"
	case errors.Is(err, fs.ErrPermission):
		hint = "only root and the group of the socket may ask; try: sudo"
	default:
		return fmt.Errorf("ask daemon: %w", err)
	}
	cause := err
	if no, ok := errors.AsType[syscall.Errno](err); ok {
		cause = no
	}
	return Refuse(http.StatusServiceUnavailable, hint, "dial %s: %v", c.socket, cause)
}
