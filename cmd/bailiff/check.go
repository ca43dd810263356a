package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"bailiff/cmd/internal/daemon"
	"bailiff/config"
	"bailiff/decide"
	"bailiff/ingest/file"
	"bailiff/rules"
)

func checkCommand(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [FILE...]",
		Short: "Check configuration and packs as the daemon would",
		Long: `Check reads the configuration and all packs exactly as the daemon does, runs
every sample, and attacks every rule with lines that imitate others. With files
it checks those packs only. It prints all that is wrong, and exits 2 then; what
a pack's author should look at are findings, and it exits 1 if there is nothing
worse.`,
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
			switch {
			case len(r.errs) > 0:
				return quiet(exitUsage)
			case len(r.Findings) > 0:
				return quiet(exitFailed)
			}
			return nil
		},
	}
	f.jsonFlag(cmd)
	return cmd
}

// checkReport is what check found.
type checkReport struct {
	// OK says that there is neither an error nor a finding.
	OK       bool           `json:"ok"`
	Config   string         `json:"config,omitempty"`
	Packs    []checkPack    `json:"packs"`
	Notes    []string       `json:"notes,omitempty"`
	Errors   []checkError   `json:"errors"`
	Findings []checkFinding `json:"findings"`

	errs []error
}

type checkPack struct {
	Name  string `json:"name"`
	File  string `json:"file"`
	Rules int    `json:"rules"`
	// Findings is how many of the findings are about it.
	Findings int `json:"findings"`
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
	for i := range c.Files {
		for _, warning := range file.Writers(c.Files[i].Paths) {
			r.Notes = append(r.Notes, "warning: "+warning)
		}
	}
	library, err := daemon.Library(c)
	if err != nil {
		r.errs = append(r.errs, err)
		return
	}
	r.packs(library.Packs)
	for _, s := range library.Stale {
		r.Notes = append(r.Notes, fmt.Sprintf("%s hides a newer pack: it is version %d of %s, and version %d is shipped (bailiff rules show --source %s)",
			s.File, s.Version, s.Pack, s.Shipped, s.Pack))
	}
	c, err = c.Resolve(library.Names(), library.Common())
	if err != nil {
		r.errs = append(r.errs, err)
		return
	}
	for i := range c.Jails {
		r.portless(&c.Jails[i].Jail, library)
	}
}

// portless notes the rules of a jail that can ban nobody: their evidence could be
// anybody's, and what a short ban would have to be limited to is not known.
func (r *checkReport) portless(j *decide.Jail, library *rules.Library) {
	if j.Spoofable != decide.SpoofableShort {
		return
	}
	for _, name := range j.Packs {
		p := library.Pack(name)
		if p == nil {
			continue
		}
		for _, rule := range p.Rules {
			if rule.Evidence != rules.Spoofable || rule.Event != rules.Failure && rule.Event != rules.Challenge || j.KnowsPorts(rule.Service) {
				continue
			}
			r.Notes = append(r.Notes, fmt.Sprintf("jail %s: what %s reads could be sent by anybody, and the ports of service %q are not known, so it bans nobody: "+
				"give the jail ports, or the rule evidence = \"proven\" if it is", j.Name, rule, rule.Service))
		}
	}
}

// files checks packs one by one.
func (r *checkReport) files(paths []string) {
	library, err := rules.Shipped()
	if err != nil {
		r.errs = append(r.errs, err)
		return
	}
	var packs []*rules.Pack
	for _, path := range paths {
		p, err := readPack(library, path)
		if err != nil {
			r.errs = append(r.errs, err)
			continue
		}
		packs = append(packs, p)
	}
	r.packs(packs)
}

// print says what is well on stdout and what is wrong on stderr, or all of it
// as JSON on stdout.
func (r *checkReport) print(cmd *cobra.Command, asJSON bool) error {
	err := errors.Join(r.errs...)
	r.OK = err == nil && len(r.Findings) == 0
	if asJSON {
		if r.Packs == nil {
			r.Packs = []checkPack{}
		}
		if r.Findings == nil {
			r.Findings = []checkFinding{}
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
	if err == nil && r.Config != "" {
		fmt.Fprintf(out, "ok  %s\n", r.Config)
	}
	for _, p := range r.Packs {
		if p.Findings > 0 {
			fmt.Fprintf(out, "look  %s, pack %s, %d rules, %s\n", p.File, p.Name, p.Rules, count(p.Findings, "finding"))
			continue
		}
		fmt.Fprintf(out, "ok  %s, pack %s, %d rules\n", p.File, p.Name, p.Rules)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(out, "note  %s\n", note)
	}
	if err != nil {
		report(cmd.ErrOrStderr(), err)
	}
	for _, f := range r.Findings {
		f.print(cmd.ErrOrStderr())
	}
	return nil
}
