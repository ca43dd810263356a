package main

import (
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"bailiff/cmd/internal/admin"
)

// isTerminal says whether v is a terminal.
func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// printer returns a printer on the command's output, in colour on a terminal
// unless NO_COLOR is set (no-color.org).
func printer(cmd *cobra.Command) *admin.Printer {
	out := cmd.OutOrStdout()
	return &admin.Printer{W: out, Color: isTerminal(out) && os.Getenv("NO_COLOR") == ""}
}
