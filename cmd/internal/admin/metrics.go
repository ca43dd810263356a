package admin

import (
	"context"
	"math"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"bailiff/ingest"
)

// statusTimeout bounds one scrape.
const statusTimeout = 5 * time.Second

// metric describes one family and how to read it from a [Status].
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(s *Status, emit func(value float64, labels ...string))
}

// The families of /metrics. Labels are names from the configuration, from the
// packs and from our own code: log text has no way in.
var metrics = append([]metric{
	gauge("build_info", "Which bailiff this is; always 1.", func(s *Status, emit func(float64, ...string)) {
		emit(1, s.Version, runtime.Version())
	}, "version", "goversion"),
	gauge("start_time_seconds", "When the daemon started, in seconds since 1970.", func(s *Status, emit func(float64, ...string)) {
		emit(float64(s.Started.UnixMilli()) / 1e3)
	}),
	counter("source_lines_total", "Lines by source and by what became of them.", func(s *Status, emit func(float64, ...string)) {
		s.counts(func(source string, c ingest.Count) {
			if c.Lines() && !c.Standing() {
				emit(float64(c.N), source, c.Name, c.Reason)
			}
		})
	}, "source", "fate", "reason"),
	gauge("source_lines", "Lines that are under way: in hand or queued.", func(s *Status, emit func(float64, ...string)) {
		s.counts(func(source string, c ingest.Count) {
			if c.Standing() {
				emit(float64(c.N), source, c.Name)
			}
		})
	}, "source", "place"),
	gauge("source_lines_unaccounted", "Lines that vanished or that nobody sent; 0 unless bailiff has an error.", func(s *Status, emit func(float64, ...string)) {
		for _, src := range s.Sources {
			var n float64
			for _, i := range src.Imbalances {
				n += math.Abs(float64(i.Missing))
			}
			emit(n, src.Name)
		}
	}, "source"),
	counter("source_events_total", "What else befell a source: its matches, refused connections, gaps, restarts.", func(s *Status, emit func(float64, ...string)) {
		s.counts(func(source string, c ingest.Count) {
			if !c.Lines() && c != (ingest.Count{Name: "files", Reason: "followed", N: c.N}) {
				emit(float64(c.N), source, c.Name, c.Reason)
			}
		})
	}, "source", "event", "reason"),
	gauge("source_files", "Files that are followed.", func(s *Status, emit func(float64, ...string)) {
		s.counts(func(source string, c ingest.Count) {
			if c == (ingest.Count{Name: "files", Reason: "followed", N: c.N}) {
				emit(float64(c.N), source)
			}
		})
	}, "source"),
	gauge("source_up", "Whether the source is read.", func(s *Status, emit func(float64, ...string)) {
		for _, src := range s.Sources {
			emit(bit(src.OK), src.Name)
		}
	}, "source"),
	gauge("paused", "Whether the jail, or all of them, decides nothing for a while.", func(s *Status, emit func(float64, ...string)) {
		for _, j := range s.Jails {
			if j.Name != "" {
				emit(bit(s.paused(j.Name)), j.Name)
			}
		}
	}, "jail"),
	gauge("allowed", "Prefixes that operators have allowed for a while.", func(s *Status, emit func(float64, ...string)) {
		emit(float64(s.allowed()))
	}),
	counter("matches_total", "Lines that matched a rule of the pack.", func(s *Status, emit func(float64, ...string)) {
		for _, p := range s.Packs {
			emit(float64(p.Matches), p.Name)
		}
	}, "pack"),
	counter("ambiguous_total", "Matched lines with more than one reading; they ban nobody.", func(s *Status, emit func(float64, ...string)) {
		for _, p := range s.Packs {
			emit(float64(p.Ambiguous), p.Name)
		}
	}, "pack"),
	counter("untrusted_total", "Lines refused because another unit or user wrote them.", func(s *Status, emit func(float64, ...string)) {
		for _, p := range s.Packs {
			emit(float64(p.Untrusted), p.Name)
		}
	}, "pack"),
	counter("near_misses_total", "Lines that held a text which the pack looks for and that none of its rules read.", func(s *Status, emit func(float64, ...string)) {
		for _, p := range s.Packs {
			emit(float64(p.NearMisses), p.Name)
		}
	}, "pack"),
	gauge("sessions", "Sessions that lines of the pack speak of.", func(s *Status, emit func(float64, ...string)) {
		for _, p := range s.Packs {
			if p.Sessions != nil {
				emit(float64(p.Sessions.Live), p.Name)
			}
		}
	}, "pack"),
	counter("unbound_total", "Matches whose session is not known; they have no address and decide nothing.", func(s *Status, emit func(float64, ...string)) {
		for _, p := range s.Packs {
			if p.Sessions != nil {
				emit(float64(p.Sessions.Unbound), p.Name)
			}
		}
	}, "pack"),
	counter("sessions_evicted_total", "Sessions that were forgotten to make room for others.", func(s *Status, emit func(float64, ...string)) {
		for _, p := range s.Packs {
			if p.Sessions != nil {
				emit(float64(p.Sessions.Evicted), p.Name)
			}
		}
	}, "pack"),
	counter("decisions_total", "Decisions since the start.", func(s *Status, emit func(float64, ...string)) {
		for _, j := range s.Jails {
			emit(float64(j.Bans), j.Name, "ban")
			emit(float64(j.Lifts), j.Name, "lift")
			emit(float64(j.Alarms), j.Name, "alarm")
		}
	}, "jail", "action"),
	gauge("bans", "Standing bans.", func(s *Status, emit func(float64, ...string)) {
		for _, j := range s.Jails {
			emit(float64(j.Standing), j.Name)
		}
	}, "jail"),
	gauge("windows", "Prefixes that a jail watches.", func(s *Status, emit func(float64, ...string)) {
		for _, j := range s.Jails {
			emit(float64(j.Windows), j.Name)
		}
	}, "jail"),
	counter("unheard_total", "Matches that the jail did not count because of their sender.", func(s *Status, emit func(float64, ...string)) {
		for _, j := range s.Jails {
			emit(float64(j.Unheard), j.Name)
		}
	}, "jail"),
	gauge("queue_length", "Matches that wait for the judge.", func(s *Status, emit func(float64, ...string)) {
		emit(float64(s.Queue.Length))
	}),
	gauge("queue_capacity", "How many matches may wait.", func(s *Status, emit func(float64, ...string)) {
		emit(float64(s.Queue.Capacity))
	}),
	counter("dropped_total", "Lines with matches that were lost before a decision.", func(s *Status, emit func(float64, ...string)) {
		for _, c := range s.Queue.Dropped {
			emit(float64(c.N), c.Name, c.Reason)
		}
	}, "source", "reason"),
	gauge("store_up", "Whether decisions are recorded.", func(s *Status, emit func(float64, ...string)) {
		emit(bit(s.Store.OK))
	}),
	counter("store_errors_total", "Failures of the store.", func(s *Status, emit func(float64, ...string)) {
		emit(float64(s.Store.Errors))
	}),
	gauge("firewall_up", "Whether the firewall agrees with the decisions.", func(s *Status, emit func(float64, ...string)) {
		emit(bit(s.Firewall.OK))
	}),
	counter("firewall_errors_total", "Failures of the firewall.", func(s *Status, emit func(float64, ...string)) {
		emit(float64(s.Firewall.Errors))
	}),
	counter("firewall_repairs_total", "Times that the firewall was made whole.", func(s *Status, emit func(float64, ...string)) {
		emit(float64(s.Firewall.Repairs))
	}),
	gauge("firewall_elements", "Prefixes that the firewall refuses.", func(s *Status, emit func(float64, ...string)) {
		emit(float64(s.Firewall.Bans))
	}),
	gauge("bans_without_effect", "Bans of prefixes from which attempts go on being logged.", func(s *Status, emit func(float64, ...string)) {
		emit(float64(s.Firewall.Leaking))
	}),
	gauge("refused_packets", "Packets refused by the standing bans.", func(s *Status, emit func(float64, ...string)) {
		emit(float64(s.Firewall.Packets))
	}),
	gauge("refused_bytes", "Bytes refused by the standing bans.", func(s *Status, emit func(float64, ...string)) {
		emit(float64(s.Firewall.Bytes))
	}),
}, append(ruleMetrics, senderMetrics...)...)

func gauge(name, help string, read func(*Status, func(float64, ...string)), labels ...string) metric {
	return metric{prometheus.NewDesc("bailiff_"+name, help, labels, nil), prometheus.GaugeValue, read}
}

func counter(name, help string, read func(*Status, func(float64, ...string)), labels ...string) metric {
	return metric{prometheus.NewDesc("bailiff_"+name, help, labels, nil), prometheus.CounterValue, read}
}

func bit(ok bool) float64 {
	if ok {
		return 1
	}
	return 0
}

// collector reads all metrics from one Status for each scrape, so that they
// agree with each other and with `bailiff status`.
type collector struct {
	status func(context.Context) (Status, error)
}

func newCollector(status func(context.Context) (Status, error)) collector {
	return collector{status}
}

// Describe implements [prometheus.Collector].
func (collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range metrics {
		ch <- m.desc
	}
}

// Collect implements [prometheus.Collector].
func (c collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), statusTimeout)
	defer cancel()
	s, err := c.status(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(metrics[0].desc, err)
		return
	}
	for _, m := range metrics {
		m.read(&s, func(v float64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(m.desc, m.kind, v, labels...)
		})
	}
}
