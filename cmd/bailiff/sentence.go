package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bailiff/cmd/internal/admin"
	"bailiff/config"
	"bailiff/decide"
)

// maxLadder is more bans than anybody has.
const maxLadder = 1000

// step is one ban of a ladder as --json prints it.
type step struct {
	Strike int    `json:"strike"`
	For    string `json:"for"`
	// Seconds is the same as a number; 0: until it is lifted.
	Seconds int64 `json:"seconds"`
}

func sentenceCommand(f *flags) *cobra.Command {
	var jail string
	var count int
	cmd := &cobra.Command{
		Use:   "sentence",
		Short: "Show how long the bans of a jail last",
		Long: `Sentence prints how long the first ban of somebody lasts, and each of the next, if
they follow upon each other before the earlier ones decay or are forgotten, and
without jitter.`,
		Example: `  bailiff sentence --jail sshd
  bailiff sentence --jail pbx --count 20 --config new.toml`,
		Args: takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if count < 1 || count > maxLadder {
				return usage("", "--count is from 1 to %d", maxLadder)
			}
			c, err := config.Load(f.config)
			if err != nil {
				return err
			}
			opts := c.Decide()
			j, err := findJail(opts.Jails, jail)
			if err != nil {
				return err
			}
			var steps []step
			for i, d := range opts.Escalation.Ladder(j, count) {
				s := step{Strike: i + 1, For: "forever"}
				if d != decide.Forever {
					s.For, s.Seconds = admin.Brief(d), int64(d/time.Second)
				}
				steps = append(steps, s)
			}
			if f.json {
				return printJSON(cmd, steps)
			}
			rows := [][]string{{"STRIKE", "FOR"}}
			for _, s := range steps {
				rows = append(rows, []string{fmt.Sprint(s.Strike), s.For})
			}
			return printer(cmd).Table(rows)
		},
	}
	cmd.Flags().StringVar(&jail, "jail", "", "`NAME` of the jail (may be left out if there is one)")
	cmd.Flags().IntVar(&count, "count", 12, "how many bans")
	f.jsonFlag(cmd)
	return cmd
}

// findJail returns the jail of a name, or the only one for "".
func findJail(jails []decide.Jail, name string) (*decide.Jail, error) {
	var names []string
	for i := range jails {
		if jails[i].Name == name || name == "" && len(jails) == 1 {
			return &jails[i], nil
		}
		names = append(names, jails[i].Name)
	}
	if name == "" {
		return nil, usage("the jails are: "+strings.Join(names, " "), "which jail? name one with --jail")
	}
	return nil, usage("the jails are: "+strings.Join(names, " "), "there is no jail %q", name)
}
