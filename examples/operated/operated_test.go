package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"go.uber.org/goleak"

	"github.com/crier-go/crier/examples/chat/chat"
)

// patience is how long anything may take here. A machine may be slow.
const patience = 4 * time.Minute

// A program is one that runs in this process, ten times as fast as usual.
type program struct {
	t         *testing.T
	url       string
	stop      func() // ends it and waits
	telemetry *output
}

// An output may be written by several goroutines.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.b.Bytes())
}

func start(t *testing.T) *program {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, telemetry: new(output)}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	started := make(chan string, 1)
	go func() {
		ended <- run(ctx, options{
			listener: listener, keyFile: filepath.Join(t.TempDir(), "key"), people: 20, speed: 10,
			telemetry: p.telemetry, sampled: 1, every: time.Second,
			log:      slog.New(slog.DiscardHandler),
			announce: func(url string) { started <- url },
		})
	}()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the program: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	t.Cleanup(p.stop)
	p.url = <-started
	return p
}

// get returns what the program answers.
func (p *program) get(path, accept string) (*http.Response, []byte) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.url+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %s, %v\n%s", path, response.Status, err, body)
	}
	return response, body
}

// until waits until something is the case.
func (p *program) until(what string, f func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !f(); <-time.After(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// Everything that the program promises is there, and the load moves it.
func TestOperated(t *testing.T) {
	before := goleak.IgnoreCurrent()
	p := start(t)

	response, page := p.get("/", "text/html")
	if !strings.Contains(string(page), `action="/login"`) || response.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("the chat does not ask for a name:\n%s", page)
	}
	left := moving()
	defer func() {
		for series := range left {
			t.Logf("the load has not moved %s", series)
		}
	}()
	p.until("the load moves every series", func() bool {
		_, text := p.get("/metrics", "text/plain")
		maps.DeleteFunc(left, func(_ string, moved *regexp.Regexp) bool { return moved.Match(text) })
		return len(left) == 0
	})
	p.nativeHistograms()
	p.debugPage()

	p.stop()
	p.traces()
	goleak.VerifyNone(t, before)
}

// moving returns the series that the load is to move, each with what shows that it
// has.
func moving() map[string]*regexp.Regexp {
	all := map[string]*regexp.Regexp{
		// Over which transport the tabs are that exceed the limit is a matter of luck.
		"ended as overloaded":   regexp.MustCompile(`(?m)^crier_streams_ended_total\{reason="overloaded",transport="(sse|ws)"\} [1-9]`),
		"refused as overloaded": regexp.MustCompile(`(?m)^crier_streams_refused_total\{reason="overloaded",transport="(sse|ws)"\} [1-9]`),
	}
	for _, series := range []string{
		`crier_streams{transport="sse"}`, `crier_streams{transport="ws"}`, `crier_users`,
		`crier_streams_opened_total{transport="sse"}`, `crier_streams_opened_total{transport="ws"}`,
		`crier_streams_ended_total{reason="gone",transport="sse"}`, `crier_streams_ended_total{reason="gone",transport="ws"}`,
		`crier_streams_ended_total{reason="slow",transport="sse"}`, `crier_streams_ended_total{reason="slow",transport="ws"}`,
		`crier_streams_ended_total{reason="revoked",transport="sse"}`, `crier_streams_ended_total{reason="abusive",transport="ws"}`,
		`crier_stream_starts_total{start="new"}`, `crier_stream_starts_total{start="page"}`, `crier_stream_starts_total{start="event"}`,
		`crier_stream_starts_total{start="evicted"}`, `crier_stream_starts_total{start="unknown"}`,
		`crier_gaps_total{reason="evicted"}`, `crier_gaps_total{reason="unknown"}`,
		`crier_published_events_total{kind="chat.message.posted"}`, `crier_published_events_total{kind="chat.message.direct"}`,
		`crier_published_events_total{kind="chat.message.room"}`, `crier_published_events_total{kind="typing.user.started"}`,
		`crier_delivered_events_total`, `crier_replayed_events_total`, `crier_delivery_latency_seconds_count`, `crier_batch_events_count`,
		`crier_stream_duration_seconds_count{transport="sse"}`, `crier_retained_events`, `crier_retained_bytes`, `crier_slowest_stream_behind_events`,
	} {
		all[series] = regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` [1-9]`)
	}
	return all
}

// promised returns the names of the metrics that the package crierprom documents
// for a hub without a backplane.
func promised(t *testing.T) (names []string) {
	t.Helper()
	doc, err := os.ReadFile("../../observe/prometheus/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	table, _, _ := strings.Cut(string(doc), "A hub with a backplane")
	for _, m := range regexp.MustCompile(`(?m)^//\t(\w+) +(?:gauge|counter|histogram) `).FindAllStringSubmatch(table, -1) {
		names = append(names, "crier_"+m[1])
	}
	if len(names) < 15 {
		t.Fatalf("the table of metrics has only %q", names)
	}
	return names
}

// nativeHistograms checks what a Prometheus with native histograms scrapes: every
// metric is there, and the histograms have a schema.
func (p *program) nativeHistograms() {
	p.t.Helper()
	response, body := p.get("/metrics", `application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited`)
	scraped := map[string]*dto.MetricFamily{}
	for decoder := expfmt.NewDecoder(bytes.NewReader(body), expfmt.ResponseFormat(response.Header)); ; {
		f := new(dto.MetricFamily)
		if err := decoder.Decode(f); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			p.t.Fatal(err)
		}
		scraped[f.GetName()] = f
	}
	for _, name := range promised(p.t) {
		f := scraped[name]
		switch {
		case f == nil:
			p.t.Errorf("%s is not there", name)
		case f.GetType() == dto.MetricType_HISTOGRAM && !slices.ContainsFunc(f.Metric, isNative):
			p.t.Errorf("%s is no native histogram", name)
		}
	}
	for _, name := range []string{"go_goroutines", "process_cpu_seconds_total"} {
		if scraped[name] == nil {
			p.t.Errorf("%s is not there", name)
		}
	}
}

// isNative reports whether a histogram has observations in native buckets.
func isNative(m *dto.Metric) bool {
	return m.Histogram.Schema != nil && len(m.Histogram.PositiveSpan) > 0
}

// debugPage checks that the page shows the streams of the load, and may load its
// own files.
func (p *program) debugPage() {
	p.t.Helper()
	var overview struct {
		Stats *struct{ Published uint64 }
	}
	_, body := p.get("/debug/crier/?format=json", "")
	if err := json.Unmarshal(body, &overview); err != nil || overview.Stats == nil || overview.Stats.Published == 0 {
		p.t.Errorf("the overview: %v\n%s", err, body)
	}
	p.until("the debug page shows streams of the load", func() bool {
		var page struct {
			Streams []struct {
				Transport string
				Agent     string `json:"user_agent"`
				Topics    []string
			}
		}
		_, body := p.get("/debug/crier/?view=streams&format=json", "")
		if err := json.Unmarshal(body, &page); err != nil {
			p.t.Fatalf("%v\n%s", err, body)
		}
		seen := map[string]bool{}
		for _, s := range page.Streams {
			if s.Agent == "crier-load/1" && len(s.Topics) > 0 {
				seen[s.Transport] = true
			}
		}
		return seen["sse"] && seen["ws"]
	})
	// A person is found by name.
	var user struct{ User string }
	_, body = p.get("/debug/crier/?view=user&user=Ada&format=json", "")
	if err := json.Unmarshal(body, &user); err != nil || user.User != chat.UserID("ada").String() {
		p.t.Errorf("the page of Ada: %v\n%s", err, body)
	}
	response, body := p.get("/debug/crier/", "text/html")
	if csp := response.Header.Values("Content-Security-Policy"); len(csp) != 1 || !strings.Contains(csp[0], "style-src 'self'") {
		p.t.Errorf("the policy of the page is %q", csp)
	}
	for _, asset := range regexp.MustCompile(`(?:href|src)="(\?asset=\w+)"`).FindAllSubmatch(body, -1) {
		p.get("/debug/crier/"+string(asset[1]), "")
	}
}

// traces checks the output of OpenTelemetry: the publish of a message belongs to the
// trace of the request that has sent it.
func (p *program) traces() {
	p.t.Helper()
	type span struct {
		Name        string
		SpanContext struct{ TraceID, SpanID string }
		Parent      struct{ TraceID, SpanID string }
	}
	requests, streams := map[string]span{}, 0
	var publishes []span
	var metrics strings.Builder
	for d := json.NewDecoder(bytes.NewReader(p.telemetry.bytes())); ; {
		var line struct {
			span
			ScopeMetrics json.RawMessage
		}
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			p.t.Fatal(err)
		}
		switch {
		case line.ScopeMetrics != nil:
			metrics.Write(line.ScopeMetrics)
		case line.Name == "POST /messages":
			requests[line.SpanContext.SpanID] = line.span
		case line.Name == "publish chat.message.room":
			publishes = append(publishes, line.span)
		case strings.HasPrefix(line.Name, "stream "):
			streams++
		}
	}
	for _, s := range publishes {
		if r, ok := requests[s.Parent.SpanID]; !ok || r.SpanContext.TraceID != s.SpanContext.TraceID {
			p.t.Fatalf("a publish does not belong to the trace of a request: %+v", s)
		}
	}
	if len(publishes) == 0 || streams == 0 {
		p.t.Errorf("%d spans of publishes, %d of streams", len(publishes), streams)
	}
	for _, name := range []string{"crier.server.active_connections", "messaging.client.sent.messages", "http.server.request.duration"} {
		if !strings.Contains(metrics.String(), `"`+name+`"`) {
			p.t.Errorf("there is no metric %s", name)
		}
	}
}
