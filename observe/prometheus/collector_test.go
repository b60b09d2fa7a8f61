package crierprom_test

import (
	"context"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/hub/backplanetest"
	crierprom "github.com/crier-go/crier/observe/prometheus"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ws"
)

// A hub that nothing has happened in has every series, all zero.
func TestEverySeriesIsPresentFromTheStart(t *testing.T) {
	got := series(collect(t, crierprom.NewCollector(newHub(t, nil))))
	for name, value := range got {
		if value != 0 {
			t.Errorf("%s is %v in a new hub", name, value)
		}
	}
	var want []string
	for _, name := range []string{
		"delivered_events_total", "replayed_events_total", "errors_total", "users",
		"retained_events", "retained_bytes", "slowest_stream_behind_events",
		"delivery_latency_seconds", "batch_events",
		`published_events_total{kind="note.added"}`, `published_events_total{kind="alert.raised"}`,
	} {
		want = append(want, "crier_"+name)
	}
	for _, s := range hub.Starts() {
		want = append(want, `crier_stream_starts_total{start="`+string(s)+`"}`)
	}
	for _, r := range hub.GapReasons() {
		want = append(want, `crier_gaps_total{reason="`+string(r)+`"}`)
	}
	for _, transport := range []string{"sse", "ws", "poll"} {
		label := `transport="` + transport + `"`
		for _, name := range []string{"streams", "streams_opened_total", "stream_duration_seconds"} {
			want = append(want, "crier_"+name+"{"+label+"}")
		}
		for _, r := range hub.Reasons() {
			for _, name := range []string{"ended", "refused"} {
				want = append(want, "crier_streams_"+name+`_total{reason="`+string(r)+`",`+label+"}")
			}
		}
	}
	slices.Sort(want)
	if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, want) {
		t.Errorf("got %s\nwant %s", strings.Join(names, "\n"), strings.Join(want, "\n"))
	}
}

// The names and units follow the conventions of Prometheus.
func TestLint(t *testing.T) {
	problems, err := testutil.CollectAndLint(crierprom.NewCollector(newHub(t, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// What happens in a hub shows in the series that are for it, and in no other.
func TestNumbers(t *testing.T) {
	h := newHub(t, &hub.Options{UserEvents: 1, StreamsPerUser: 1, RefuseNewest: true})
	c := crierprom.NewCollector(h)
	cursor := h.Cursor()
	publish(t, h, note, alice)
	publish(t, h, note, alice) // evicts the first
	s := subscribe(t, h, alice, cursor)
	if _, err := h.Subscribe(hub.Request{Session: session(alice), Filter: hub.Everything(), Transport: "pigeon"}); err != error(hub.ReasonOverloaded) {
		t.Fatal(err)
	}
	take := func(want int) {
		t.Helper()
		var all []*hub.Message
		for {
			batch, err := s.Take(nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(batch) == 0 {
				break
			}
			s.Wrote(batch, time.Now())
			all = append(all, batch...)
		}
		if len(all) != want {
			t.Fatalf("%d messages, want %d", len(all), want)
		}
	}
	take(2) // a gap, and the second event
	publish(t, h, alert, alice)
	take(1)
	h.Report(context.Canceled)
	subscribe(t, h, bob, "") // stays
	if _, err := h.RevokeUser(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	s.Close()

	got := series(collect(t, c))
	for name, value := range got {
		if value == 0 || name == "crier_retained_bytes" {
			delete(got, name)
		}
	}
	want := map[string]float64{
		"crier_streams{transport=\"ws\"}":                                         1,
		"crier_users":                                                             1,
		"crier_streams_opened_total{transport=\"ws\"}":                            2,
		"crier_stream_starts_total{start=\"evicted\"}":                            1,
		"crier_stream_starts_total{start=\"new\"}":                                1,
		"crier_stream_duration_seconds{transport=\"ws\"}":                         1,
		"crier_streams_ended_total{reason=\"revoked\",transport=\"ws\"}":          1,
		"crier_streams_refused_total{reason=\"overloaded\",transport=\"pigeon\"}": 1,
		"crier_published_events_total{kind=\"note.added\"}":                       2,
		"crier_published_events_total{kind=\"alert.raised\"}":                     1,
		"crier_delivered_events_total":                                            2,
		"crier_replayed_events_total":                                             1,
		"crier_gaps_total{reason=\"evicted\"}":                                    1,
		"crier_retained_events":                                                   1,
		"crier_delivery_latency_seconds":                                          1,
		"crier_batch_events":                                                      2,
		"crier_errors_total":                                                      1,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

// A collector that is closed counts nothing any more.
func TestClose(t *testing.T) {
	h := newHub(t, nil)
	c := crierprom.NewCollector(h)
	publish(t, h, note, alice)
	c.Close()
	publish(t, h, note, alice)
	if n := series(collect(t, c))[`crier_published_events_total{kind="note.added"}`]; n != 1 {
		t.Errorf("%v events counted, want 1", n)
	}
}

// Delivered events never go back, whoever closes streams meanwhile.
func TestDeliveredNeverGoesBack(t *testing.T) {
	h := newHub(t, nil)
	c := crierprom.NewCollector(h)
	const rounds = 300
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range rounds {
				s := subscribe(t, h, alice, "")
				publish(t, h, note, alice)
				s.Take(nil)
				s.Close()
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	last := 0.0
	for over := false; !over; {
		select {
		case <-done:
			over = true
		default:
		}
		n := series(collect(t, c))["crier_delivered_events_total"]
		if n < last {
			t.Fatalf("delivered went from %v to %v", last, n)
		}
		last = n
	}
	if last < 4*rounds {
		t.Errorf("%v delivered, want %d or more", last, 4*rounds)
	}
}

// A hub with a backplane reports how it follows it.
func TestBackplane(t *testing.T) {
	memory := backplanetest.NewMemory()
	h, err := hub.Open(t.Context(), &kinds, &hub.Options{Backplane: memory.Handle()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Shutdown(context.Background()) })
	c := crierprom.NewCollector(h)
	s := subscribe(t, h, alice, "")
	if batch, err := s.Take(nil); len(batch) > 0 || err != nil { // it sleeps now
		t.Fatal(batch, err)
	}
	publish(t, h, note, alice)
	<-s.Ready()
	got := series(collect(t, c))
	for name, want := range map[string]float64{
		"crier_backplane_following": 1, "crier_backplane_lag_records": 0, "crier_backplane_applied_records": 1,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s is %v, %v, want %v", name, value, ok, want)
		}
	}
}

// Over real transports, a delivery is one write, with its latency.
func TestTransports(t *testing.T) {
	h := newHub(t, nil)
	c := crierprom.NewCollector(h)
	for i, name := range []string{"sse", "ws"} {
		t.Run(name, func(t *testing.T) {
			handler := sse.NewHandler(h, everybody, nil)
			if name == "ws" {
				handler = ws.NewHandler(h, everybody, nil)
			}
			srv := httptest.NewServer(handler)
			t.Cleanup(srv.Close) // after the client has closed its stream
			url := srv.URL
			if name == "ws" {
				url = strings.Replace(url, "http", "ws", 1)
			}
			events := listen(t, url)
			publish(t, h, note, alice)
			if e := <-events; e.Type != "note.added" {
				t.Fatalf("got %v", e)
			}
			// The client may have the event before the write has returned.
			for series(collect(t, c))["crier_batch_events"] != float64(i+1) {
				if t.Context().Err() != nil {
					t.Fatal("the write was not counted")
				}
				time.Sleep(time.Millisecond)
			}
			got := series(collect(t, c))
			if got["crier_delivery_latency_seconds"] != float64(i+1) || got[`crier_streams{transport="`+name+`"}`] != 1 {
				t.Errorf("%v", got)
			}
		})
	}
}

// A delivery that is counted allocates no more than one that is not.
func TestNoAllocation(t *testing.T) {
	without := testing.AllocsPerRun(1000, delivery(t, false, 1))
	with := testing.AllocsPerRun(1000, delivery(t, true, 1))
	if with > without {
		t.Errorf("a delivery allocates %v times with a collector, %v without", with, without)
	}
}

// series returns the value of every series by its name and labels. That of a
// histogram is its count.
func series(families []*dto.MetricFamily) map[string]float64 {
	all := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetName()+`="`+l.GetValue()+`"`)
			}
			name := f.GetName()
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			all[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

var _ prometheus.Collector = (*crierprom.Collector)(nil)
