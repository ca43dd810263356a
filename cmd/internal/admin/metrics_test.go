package admin

import (
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

func scrape(t *testing.T, status func(context.Context) (Status, error)) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	New(Options{Status: status}).Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Code, w.Body.String()
}

func TestMetrics(t *testing.T) {
	code, body := scrape(t, func(context.Context) (Status, error) { return sampleStatus(), nil })
	if code != 200 {
		t.Fatalf("status %d: %s", code, body)
	}
	body = regexp.MustCompile(`goversion="[^"]*"`).ReplaceAllString(body, `goversion="go"`)
	const golden = "testdata/metrics.txt"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), body); diff != "" {
		t.Error(diff)
	}
	for _, evil := range []string{"Failed", "two readings", "192.0.2.5"} {
		if strings.Contains(body, evil) {
			t.Errorf("log text %q is in the metrics", evil)
		}
	}
}

func TestMetricsWithoutStatus(t *testing.T) {
	code, body := scrape(t, func(context.Context) (Status, error) { return Status{}, errors.New("judge is gone") })
	if code != 500 || !strings.Contains(body, "judge is gone") {
		t.Errorf("status %d: %s", code, body)
	}
}

// The names follow the conventions of Prometheus: our prefix, base units, and
// _total on counters and on nothing else.
func TestMetricNames(t *testing.T) {
	name := regexp.MustCompile(`fqName: "([^"]*)", help: "([^"]*)"`)
	seen := map[string]bool{}
	for _, m := range metrics {
		parts := name.FindStringSubmatch(m.desc.String())
		if parts == nil {
			t.Fatalf("no name in %s", m.desc)
		}
		n, help := parts[1], parts[2]
		if !regexp.MustCompile(`^bailiff_[a-z]+(_[a-z]+)*$`).MatchString(n) || seen[n] {
			t.Errorf("name %s", n)
		}
		seen[n] = true
		if counts := m.kind == prometheus.CounterValue; counts != strings.HasSuffix(n, "_total") {
			t.Errorf("%s: counter %v", n, counts)
		}
		if !strings.HasSuffix(help, ".") {
			t.Errorf("%s: help %q", n, help)
		}
	}
}
