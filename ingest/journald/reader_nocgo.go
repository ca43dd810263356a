//go:build !linux || !cgo

package journald

import "context"

// follow says how to get a build that can read the journal.
func follow(context.Context, query, sink) error {
	return &Error{
		Problem: "this build cannot read the systemd journal",
		Remedy:  "build with CGO_ENABLED=1 on Linux with gcc and libsystemd-dev installed, or disable the journald source",
	}
}
