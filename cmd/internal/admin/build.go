package admin

import "runtime/debug"

// Build says which program this is.
type Build struct {
	// Version is the module's version, "devel" for one built from a
	// checkout that the Go tool could not name.
	Version string `json:"version"`
	Go      string `json:"go"`
	// Commit is the revision it was built from, with "+dirty" behind it if
	// files were changed; empty if unknown.
	Commit string `json:"commit"`
}

// ReadBuild reads what the Go tool stamped into the binary.
func ReadBuild() Build {
	b := Build{Version: "devel"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Go = info.GoVersion
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	dirty := ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				dirty = "+dirty"
			}
		}
	}
	if b.Commit != "" {
		b.Commit += dirty
	}
	return b
}
