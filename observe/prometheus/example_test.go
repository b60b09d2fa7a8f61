package crierprom_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/crier-go/crier/hub"
	crierprom "github.com/crier-go/crier/observe/prometheus"
)

// An application registers a collector for its hub and serves /metrics.
func Example() {
	h := hub.New(&kinds, nil)
	registry := prometheus.NewRegistry() // or prometheus.DefaultRegisterer
	registry.MustRegister(crierprom.NewCollector(h))
	metrics := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	defer metrics.Close()

	e, err := note.New(alice, "hello")
	if err == nil {
		err = h.Publish(context.Background(), e)
	}
	if err != nil {
		fmt.Println(err)
		return
	}

	response, err := metrics.Client().Get(metrics.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "crier_published") || strings.HasPrefix(lines.Text(), "crier_stream_starts") {
			fmt.Println(lines.Text())
		}
	}
	// Output:
	// crier_published_events_total{kind="alert.raised"} 0
	// crier_published_events_total{kind="note.added"} 1
	// crier_stream_starts_total{start="cursor"} 0
	// crier_stream_starts_total{start="event"} 0
	// crier_stream_starts_total{start="evicted"} 0
	// crier_stream_starts_total{start="new"} 0
	// crier_stream_starts_total{start="page"} 0
	// crier_stream_starts_total{start="unknown"} 0
}

// Several hubs in one process are told apart by a label.
func ExampleNewCollector_severalHubs() {
	registry := prometheus.NewRegistry()
	for _, name := range []string{"customers", "staff"} {
		h := hub.New(&kinds, nil)
		prometheus.WrapRegistererWith(prometheus.Labels{"hub": name}, registry).MustRegister(crierprom.NewCollector(h))
	}
	families, err := registry.Gather()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range families {
		if f.GetName() == "crier_users" {
			for _, m := range f.Metric {
				fmt.Println(f.GetName(), m.Label[0].GetValue(), m.GetGauge().GetValue())
			}
		}
	}
	// Output:
	// crier_users customers 0
	// crier_users staff 0
}
