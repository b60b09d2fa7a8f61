package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// Reports are what a page posts about itself, for browsers that no test drives:
// {n, what, data}, with n counting up. The zero value is empty.
type reports struct {
	mu  sync.Mutex
	all []report
}

type report struct {
	N    int // reports may overtake each other
	What string
	Data json.RawMessage
}

// ServeHTTP takes a report.
func (rs *reports) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var one report
	if err := json.NewDecoder(r.Body).Decode(&one); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.all = append(rs.all, one)
}

// data returns what has been reported with a name, in the page's order.
func (rs *reports) data(what string) (data []string) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	slices.SortFunc(rs.all, func(a, b report) int { return a.N - b.N })
	for _, r := range rs.all {
		if r.What == what {
			data = append(data, string(r.Data))
		}
	}
	return data
}

// count returns how often something has been reported.
func (rs *reports) count(what string) int { return len(rs.data(what)) }

// wait waits until something has been reported n times.
func (rs *reports) wait(t *testing.T, what string, n int) {
	t.Helper()
	for began := time.Now(); rs.count(what) < n; time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > time.Minute { // a browser that starts takes its time
			rs.mu.Lock()
			defer rs.mu.Unlock()
			t.Fatalf("the page has not reported %s %d times; all: %v", what, n, rs.all)
		}
	}
}
