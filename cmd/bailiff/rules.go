package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bailiff/cmd/internal/admin"
	"bailiff/cmd/internal/daemon"
	"bailiff/config"
	"bailiff/rules"
)

func rulesCommand(f *flags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: "List the rule packs, and show what is in one",
		Long: `Rules lists the packs that jails may name: the shipped ones and those of the rules
directory. It asks no daemon.`,
		Example: `  bailiff rules
  bailiff rules show asterisk
  bailiff rules show --source sshd > /etc/bailiff/rules.d/sshd.toml`,
		Args: takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.listPacks(cmd) },
	}
	list := &cobra.Command{
		Use:   "list",
		Short: "List the rule packs",
		Args:  takes(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return f.listPacks(cmd) },
	}
	var source bool
	show := &cobra.Command{
		Use:   "show NAME",
		Short: "Show a pack: what it needs, whom it believes, its rules",
		Long: `Show prints what a pack reads, what must be switched on at the daemon whose log it
reads, and its rules. With --source it prints the text of the shipped pack, with
the reasons for each rule, from which a pack of your own can be made.`,
		Args: takes(cobra.ExactArgs(1)),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return f.packNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if !source {
				return f.showPack(cmd, args[0])
			}
			text, ok := rules.Source(args[0])
			if !ok {
				return usage("bailiff rules list shows them", "no pack %q is shipped", args[0])
			}
			_, err := cmd.OutOrStdout().Write(text)
			return err
		},
	}
	show.Flags().BoolVar(&source, "source", false, "print the text of the shipped pack")
	for _, c := range []*cobra.Command{cmd, list, show} {
		f.jsonFlag(c)
	}
	cmd.AddCommand(list, show)
	return cmd
}

// packNames returns the names of all packs, for completion; none if they do not
// load.
func (f *flags) packNames() []string {
	library, err := f.configured()
	if err != nil {
		return nil
	}
	return library.Names()
}

// configured returns all packs that jails may name.
func (f *flags) configured() (*rules.Library, error) {
	c, err := config.Load(f.config)
	if err != nil {
		return nil, err
	}
	return daemon.Library(c)
}

// packShown is a pack as people and scripts see it.
type packShown struct {
	Name        string      `json:"name"`
	Version     int         `json:"version"`
	Optional    bool        `json:"optional"`
	Description string      `json:"description"`
	File        string      `json:"file"`
	Needs       string      `json:"needs,omitempty"`
	Identifiers []string    `json:"identifiers"`
	Units       []string    `json:"units"`
	Rules       []ruleShown `json:"rules"`
}

type ruleShown struct {
	Name       string `json:"name"`
	Event      string `json:"event"`
	Service    string `json:"service"`
	Witness    string `json:"witness"`
	PerAttempt int    `json:"per_attempt"`
	Weight     int    `json:"weight"`
	Evidence   string `json:"evidence"`
}

func showPack(p *rules.Pack) packShown {
	s := packShown{
		Name: p.Name, Version: p.Version, Optional: p.Optional, Description: p.Description, File: p.File, Needs: p.Needs,
		Identifiers: p.Identifiers(), Units: p.Units(),
	}
	for _, r := range p.Rules {
		s.Rules = append(s.Rules, ruleShown{r.Name, r.Event.String(), r.Service, r.Witness, r.PerAttempt, r.Weight, r.Evidence.String()})
	}
	return s
}

func (f *flags) listPacks(cmd *cobra.Command) error {
	library, err := f.configured()
	if err != nil {
		return err
	}
	packs := slices.SortedFunc(slices.Values(library.Packs), func(a, b *rules.Pack) int { return strings.Compare(a.Name, b.Name) })
	if f.json {
		shown := make([]packShown, len(packs))
		for i, p := range packs {
			shown[i] = showPack(p)
		}
		return printJSON(cmd, shown)
	}
	rows := [][]string{{"PACK", "RULES", "WHAT IT READS", ""}}
	for _, p := range packs {
		from := ""
		if !strings.HasPrefix(p.File, "embedded/") || strings.Contains(p.File, " + ") {
			from = p.File
		}
		rows = append(rows, []string{p.Name, fmt.Sprint(len(p.Rules)), admin.Safe(p.Description), from})
	}
	return printer(cmd).Table(rows)
}

func (f *flags) showPack(cmd *cobra.Command, name string) error {
	library, err := f.configured()
	if err != nil {
		return err
	}
	p, err := findPack(library, name)
	if err != nil {
		return err
	}
	s := showPack(p)
	if f.json {
		return printJSON(cmd, s)
	}
	out := cmd.OutOrStdout()
	believed := "nothing of the journal"
	if len(s.Units) > 0 {
		believed = strings.Join(s.Units, " ")
	}
	version := fmt.Sprintf("version %d", s.Version)
	if s.Optional {
		version += ", optional"
	}
	fmt.Fprintf(out, "%s, %s: %s\n\nfile      %s\nreads     %s\nbelieves  %s\n",
		s.Name, version, admin.Safe(s.Description), s.File, strings.Join(s.Identifiers, " "), believed)
	for i, line := range strings.Split(s.Needs, "\n") {
		switch {
		case s.Needs == "":
		case i == 0:
			fmt.Fprintf(out, "needs     %s\n", admin.Safe(line))
		default:
			fmt.Fprintf(out, "          %s\n", admin.Safe(line))
		}
	}
	fmt.Fprintln(out)
	rows := [][]string{{"RULE", "EVENT", "SERVICE", "WITNESS", "LINES", "WEIGHT", "EVIDENCE"}}
	for _, r := range s.Rules {
		rows = append(rows, []string{r.Name, r.Event, r.Service, r.Witness, fmt.Sprint(r.PerAttempt), fmt.Sprint(r.Weight), r.Evidence})
	}
	return printer(cmd).Table(rows)
}
