package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"bailiff/cmd/internal/daemon"
	"bailiff/config"
	"bailiff/rules"
)

func checkCommand(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [FILE...]",
		Short: "Check configuration and packs as the daemon would",
		Long: `Check reads the configuration and all packs exactly as the daemon does and runs
every sample. With files it checks those packs only. It prints all that is
wrong, and exits 2 then.`,
		Example: `  bailiff check
  bailiff check ./my.toml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			var r checkReport
			if len(args) > 0 {
				r.files(args)
			} else {
				r.configuration(f.config)
			}
			if err := r.print(cmd, f.json); err != nil {
				return err
			}
			if !r.OK {
				return quiet(exitUsage)
			}
			return nil
		},
	}
	f.jsonFlag(cmd)
	return cmd
}

// checkReport is what check found.
type checkReport struct {
	OK     bool         `json:"ok"`
	Config string       `json:"config,omitempty"`
	Packs  []checkPack  `json:"packs"`
	Notes  []string     `json:"notes,omitempty"`
	Errors []checkError `json:"errors"`

	errs []error
}

type checkPack struct {
	Name  string `json:"name"`
	File  string `json:"file"`
	Rules int    `json:"rules"`
}

type checkError struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}

// configuration checks what a daemon on the configuration at path would load.
func (r *checkReport) configuration(path string) {
	c, err := config.Load(path)
	if err != nil {
		r.errs = append(r.errs, err)
		return
	}
	r.Config = c.File
	if r.Config == "" {
		r.Config = "built-in configuration"
	}
	library, err := daemon.Library(c)
	if err != nil {
		r.errs = append(r.errs, err)
		return
	}
	for _, p := range library.Packs {
		r.pack(p)
	}
	for _, s := range library.Stale {
		r.Notes = append(r.Notes, fmt.Sprintf("%s hides a newer pack: it is version %d of %s, and version %d is shipped (bailiff rules show --source %s)",
			s.File, s.Version, s.Pack, s.Shipped, s.Pack))
	}
	_, err = c.Resolve(library.Names())
	r.errs = append(r.errs, err)
}

// files checks packs one by one.
func (r *checkReport) files(paths []string) {
	library, err := rules.Shipped()
	if err != nil {
		r.errs = append(r.errs, err)
		return
	}
	for _, path := range paths {
		p, err := readPack(library, path)
		if err != nil {
			r.errs = append(r.errs, err)
			continue
		}
		r.pack(p)
	}
}

// pack runs the samples of a pack.
func (r *checkReport) pack(p *rules.Pack) {
	if err := p.Check(); err != nil {
		r.errs = append(r.errs, err)
		return
	}
	r.Packs = append(r.Packs, checkPack{p.Name, p.File, len(p.Rules)})
}

// print says what is well on stdout and what is wrong on stderr, or all of it
// as JSON on stdout.
func (r *checkReport) print(cmd *cobra.Command, asJSON bool) error {
	err := errors.Join(r.errs...)
	r.OK = err == nil
	if asJSON {
		if r.Packs == nil {
			r.Packs = []checkPack{}
		}
		r.Errors = []checkError{}
		if err != nil {
			for _, e := range flatten(err) {
				r.Errors = append(r.Errors, checkError{e.Error(), hint(e)})
			}
		}
		return printJSON(cmd, r)
	}
	out := cmd.OutOrStdout()
	if r.OK && r.Config != "" {
		fmt.Fprintf(out, "ok  %s\n", r.Config)
	}
	for _, p := range r.Packs {
		fmt.Fprintf(out, "ok  %s, pack %s, %d rules\n", p.File, p.Name, p.Rules)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(out, "note  %s\n", note)
	}
	if err != nil {
		report(cmd.ErrOrStderr(), err)
	}
	return nil
}
