package crierprom_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/hub/backplanetest"
	crierprom "github.com/crier-go/crier/observe/prometheus"
	"github.com/crier-go/crier/transport/sse"
)

// promtool accepts the alert rules, and finds that each fires when it should and
// only then.
func TestAlerts(t *testing.T) {
	promtool := program(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// A Prometheus scrapes a hub under load, with native histograms and without.
// Every query of the dashboard has an answer, the rules are evaluated, and the
// numbers are those that the hub says.
func TestPrometheus(t *testing.T) {
	binary := program(t, "prometheus")
	for _, native := range []bool{false, true} {
		t.Run(fmt.Sprintf("native=%v", native), func(t *testing.T) {
			h := open(t)
			registry := prometheus.NewRegistry()
			registry.MustRegister(crierprom.NewCollector(h))
			metrics := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
			t.Cleanup(metrics.Close)
			load(t, h)
			p := startPrometheus(t, binary, metrics.URL, native)

			for _, panel := range dashboard(t).Panels {
				for _, target := range panel.Targets {
					p.await(t, resolve(target.Expr), func(v []sample) bool { return len(v) > 0 && !v[0].nan() })
				}
			}
			if native {
				p.await(t, `histogram_quantile(0.5, sum(rate(crier_batch_events[5s])))`, func(v []sample) bool { return len(v) == 1 && v[0].value() > 0 })
				p.await(t, `crier_batch_events_bucket`, func(v []sample) bool { return len(v) == 0 })
			}
			p.await(t, `count(ALERTS{alertname="CrierErrors", alertstate="firing"})`, func(v []sample) bool { return len(v) == 1 })
			published := `crier_published_events_total{kind="note.added"}`
			p.await(t, published, func(v []sample) bool {
				return len(v) == 1 && v[0].value() > 0 && v[0].value() <= float64(h.Stats().Published)
			})
			p.await(t, `rate(`+published+`[5s])`, func(v []sample) bool { return len(v) == 1 && v[0].value() > 0 })
			p.await(t, `resets(crier_delivered_events_total[1m])`, func(v []sample) bool { return len(v) == 1 && v[0].value() == 0 })
		})
	}
}

// open returns a hub with a backplane, so that it has every metric.
func open(t *testing.T) *hub.Hub {
	t.Helper()
	h, err := hub.Open(t.Context(), &kinds, &hub.Options{
		Backplane: backplanetest.NewMemory().Handle(), UserEvents: 4, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return h
}

// load publishes and reconnects until the test is over.
func load(t *testing.T, h *hub.Hub) {
	t.Helper()
	srv := httptest.NewServer(sse.NewHandler(h, everybody, nil))
	t.Cleanup(srv.Close)
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	t.Cleanup(func() { cancel(); <-stopped })
	listen(t, srv.URL) // reads one event, and falls behind
	go func() {
		defer close(stopped)
		for cursor := ""; ctx.Err() == nil; cursor = h.Cursor() {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
			if err != nil {
				t.Error(err)
				return
			}
			request.Header.Set("Last-Event-ID", cursor)
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				continue // the test is over
			}
			for range 10 {
				e, err := note.New(alice, "hello")
				if err == nil {
					err = h.Publish(ctx, e)
				}
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
			h.Report(context.DeadlineExceeded)
			response.Body.Read(make([]byte, 1000))
			response.Body.Close()
			select {
			case <-time.After(20 * time.Millisecond): // the load, not a wait
			case <-ctx.Done():
			}
		}
	}()
}

// program returns the path of a program of Debian's package prometheus.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
	case os.Getenv("REQUIRE") != "" || os.Getenv("CI") != "":
		t.Fatalf("%s is missing: install the package prometheus", name)
	default:
		t.Skipf("%s is missing: install the package prometheus", name)
	}
	return path
}

// A server is a running Prometheus.
type server struct{ url string }

// startPrometheus starts a Prometheus that scrapes a target five times a second,
// and evaluates alerts.yml.
func startPrometheus(t *testing.T, binary, target string, native bool) *server {
	t.Helper()
	dir := t.TempDir()
	rules, err := filepath.Abs("alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`
global: {scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}
rule_files: [%q]
scrape_configs:
  - job_name: chat
    static_configs: [{targets: [%q]}]
`, rules, strings.TrimPrefix(target, "http://"))
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	args := []string{
		"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(dir, "data"),
		"--web.listen-address=" + address, "--log.level=warn",
	}
	if native {
		args = append(args, "--enable-feature=native-histograms")
	}
	var log bytes.Buffer
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("prometheus says:\n%s", log.String())
		}
	})
	return &server{"http://" + address}
}

// freeAddress returns an address of this machine that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// await asks until the answer is as wanted.
func (s *server) await(t *testing.T, query string, ok func([]sample) bool) {
	t.Helper()
	var got []sample
	var err error
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if got, err = s.query(t, query); err == nil && ok(got) {
			return
		}
	}
	t.Errorf("%s\nhas the answer %v, %v", query, got, err)
}

// query asks once. It fails the test if the query is not valid.
func (s *server) query(t *testing.T, query string) ([]sample, error) {
	response, err := http.Get(s.url + "/api/v1/query?" + url.Values{"query": {query}}.Encode())
	if err != nil {
		return nil, err // it is still starting
	}
	defer response.Body.Close()
	var answer struct {
		Error string
		Data  struct{ Result []sample }
	}
	if response.StatusCode == http.StatusServiceUnavailable {
		return nil, fmt.Errorf("status %s", response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Error != "" {
		t.Fatalf("%s\n%s", query, answer.Error)
	}
	return answer.Data.Result, nil
}

// A sample is one series of an answer: its labels, and a time and a value.
type sample struct {
	Metric map[string]string
	Value  [2]any
}

func (s sample) value() (v float64) {
	fmt.Sscan(fmt.Sprint(s.Value[1]), &v)
	return v
}

func (s sample) nan() bool { v := s.value(); return v != v }
