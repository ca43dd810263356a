package admin

// ruleMetrics are what rules brought, over all restarts.
var ruleMetrics = []metric{
	counter("rule_matches_total", "Failures and challenges that the jail was told of by the rule, as far as the record goes back.", func(s *Status, emit func(float64, ...string)) {
		for i := range s.Rules {
			emit(float64(s.Rules[i].Matches), s.Rules[i].Jail, s.Rules[i].Rule)
		}
	}, "jail", "rule"),
	counter("rule_bans_total", "Bans that the rule brought, as far as the record goes back.", func(s *Status, emit func(float64, ...string)) {
		for i := range s.Rules {
			emit(float64(s.Rules[i].Bans), s.Rules[i].Jail, s.Rules[i].Rule)
		}
	}, "jail", "rule"),
	counter("rule_lifted_total", "Bans of the rule that an operator lifted: it may be wrong.", func(s *Status, emit func(float64, ...string)) {
		for i := range s.Rules {
			emit(float64(s.Rules[i].Lifted), s.Rules[i].Jail, s.Rules[i].Rule)
		}
	}, "jail", "rule"),
}
