package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker in builds that know better than the Go tool.
var version string

// build says which program this is.
type build struct {
	Version string `json:"version"` // "devel" if nobody named it
	Go      string `json:"go"`
	Commit  string `json:"commit"` // with "+dirty" if files were changed; "" if unknown
}

func readBuild() build {
	b := build{Version: "devel"}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.Go = info.GoVersion
		if v := info.Main.Version; v != "" && v != "(devel)" {
			b.Version = v
		}
		settings := make(map[string]string)
		for _, s := range info.Settings {
			settings[s.Key] = s.Value
		}
		b.Commit = settings["vcs.revision"]
		if settings["vcs.modified"] == "true" {
			b.Commit += "+dirty"
		}
	}
	if version != "" {
		b.Version = version
	}
	return b
}

func versionCommand(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: `  bailiff version --json`,
		Args:    takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := readBuild()
			if f.json {
				return printJSON(cmd, b)
			}
			line := fmt.Sprintf("bailiff %s, %s", b.Version, b.Go)
			if b.Commit != "" {
				line += ", commit " + b.Commit
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), line)
			return err
		},
	}
	f.jsonFlag(cmd)
	return cmd
}
