package admin

import "net/http"

func (s *Server) give(r *http.Request) (any, error) {
	var req OrderRequest
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if err := req.check(); err != nil {
		return nil, err
	}
	req.Reason = shortened(req.Reason)
	if req.All {
		return nil, Refuse(http.StatusBadRequest, "bailiff pause bans nobody for a while", "everybody cannot be allowed")
	}
	if req.For == "" {
		return nil, Refuse(http.StatusBadRequest, `write it like "90s", "10m", "1d", "5w" or "forever"`, "say for how long")
	}
	for _, p := range req.Prefixes {
		if err := CheckWidth(p); err != nil && !req.Force {
			return nil, err
		}
	}
	return s.opt.Give(r.Context(), req)
}

func (s *Server) end(r *http.Request) (any, error) {
	var req OrderRequest
	if err := decode(r, &req); err != nil {
		return nil, err
	}
	if err := req.check(); err != nil {
		return nil, err
	}
	return s.opt.End(r.Context(), req)
}

// check holds a request to its kind.
func (req *OrderRequest) check() error {
	switch {
	case req.Kind == Allow && req.Jail != "":
		return Refuse(http.StatusBadRequest, "never_ban and allow hold for all jails", "what is allowed is so in every jail")
	case req.Kind == Allow:
		return which(req.Prefixes, req.All)
	case req.Kind != Pause:
		return Refuse(http.StatusBadRequest, "", "the kind of an order is %q or %q, not %q", Allow, Pause, req.Kind)
	case len(req.Prefixes) > 0 || req.All:
		return Refuse(http.StatusBadRequest, "bailiff allow is about addresses", "a pause is of a jail, or of all")
	}
	return nil
}
