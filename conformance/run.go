package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Result is what became of one case over one transport.
type Result struct {
	Case      Case
	Transport Transport
	// Faults are what the client did wrong; none means that it has passed.
	Faults []string
	// Pauses are the times between the client's attempts.
	Pauses []time.Duration
	// Stderr is what the client wrote to its standard error output.
	Stderr string
}

// Passed reports whether the client did all that the case asks for.
func (r *Result) Passed() bool { return len(r.Faults) == 0 }

// longest is how long a case may take, from when the client is there.
const longest = 20 * time.Second

// Run tries a client with cases, over the transports that it has, as many at a
// time as parallel says. The command is that of an adapter; see the package
// comment. The results come in the order of the cases. An error means that the
// client could not be started.
func Run(ctx context.Context, command []string, cases []Case, parallel int) ([]Result, error) {
	transports, err := hello(ctx, command)
	if err != nil {
		return nil, err
	}
	var results []Result
	for _, c := range cases {
		for _, t := range c.Transports {
			if slices.Contains(transports, t) {
				results = append(results, Result{Case: c, Transport: t})
			}
		}
	}
	var all sync.WaitGroup
	slots := make(chan struct{}, max(parallel, 1))
	for i := range results {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			results[i].run(ctx, command)
		})
	}
	all.Wait()
	return results, ctx.Err()
}

// hello starts a client to ask it for its transports.
func hello(ctx context.Context, command []string) ([]Transport, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p, err := start(ctx, command)
	if err != nil {
		return nil, fmt.Errorf("conformance: cannot start the client: %w", err)
	}
	first := <-p.reports
	stderr := p.stop()
	if first.Report != "hello" || len(first.Transports) == 0 {
		return nil, fmt.Errorf("conformance: the client did not begin with a report \"hello\" that names its transports; it said %+v\n%s", first, stderr)
	}
	return first.Transports, nil
}

// run tries one case.
func (r *Result) run(ctx context.Context, command []string) {
	ctx, cancel := context.WithTimeout(ctx, 2*longest)
	defer cancel()
	p, err := start(ctx, command)
	if err != nil {
		r.Faults = []string{err.Error()}
		return
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	s, err := newServer(serving, &r.Case, r.Transport, p.tell)
	if err != nil {
		p.stop()
		r.Faults = []string{err.Error()}
		return
	}
	if first := <-p.reports; first.Report != "hello" {
		p.stop()
		r.Faults = []string{"the client did not begin with a report \"hello\""}
		return
	}
	address := s.Addr().String()
	p.tell(Command{
		Do: "connect", Transport: r.Transport, Types: r.Case.types(), ClientOptions: r.Case.Client,
		SSE: "http://" + address + "/events", WS: "ws://" + address + "/ws",
	})
	w := &watch{server: s, reports: p.reports}
	r.Faults = w.watch(ctx)
	p.tell(Command{Do: "close"})
	stop()
	r.Stderr = p.stop()
	s.all.Wait()
	for i := 1; i < len(s.attempts); i++ {
		r.Pauses = append(r.Pauses, s.attempts[i].at.Sub(s.attempts[i-1].at))
	}
}

// A watch waits until a case is through, and judges it.
type watch struct {
	*server
	reports chan Report
	got     []Report
	stopped bool
	faults  []string
}

func (w *watch) watch(ctx context.Context) []string {
	w.await(ctx, time.NewTimer(longest), func() bool { return w.complete() || w.wrong() })
	if !w.wrong() && !w.complete() {
		w.faults = append(w.faults, "the case was not through in time: "+w.state())
	}
	// And then nothing else may happen.
	quiet := time.Duration(w.c.Quiet) * time.Millisecond
	if quiet == 0 {
		quiet = 300 * time.Millisecond
		if w.c.Stops != "" {
			quiet = 1500 * time.Millisecond
		}
	}
	if !w.wrong() {
		w.await(ctx, time.NewTimer(quiet), w.wrong)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, w.server.faults...)
	w.judge()
	return w.faults
}

// await takes reports until something is the case, or the time is over.
func (w *watch) await(ctx context.Context, timeout *time.Timer, done func() bool) {
	defer timeout.Stop()
	tick := time.NewTicker(10 * time.Millisecond) // for what the server sees
	defer tick.Stop()
	for !done() {
		select {
		case r, ok := <-w.reports:
			if !ok {
				w.faults = append(w.faults, "the client has ended")
				return
			}
			w.take(r)
		case <-tick.C:
		case <-timeout.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (w *watch) take(r Report) {
	if slices.Contains(w.c.Ignore, r.Report) {
		return
	}
	switch r.Report {
	case "stopped":
		w.stopped = true
	case "nonsense":
		w.faults = append(w.faults, "the client's adapter wrote a line that is no report: "+r.Message)
	default:
		if i := len(w.got); i < len(w.c.Reports) {
			if fault := compare(&w.c.Reports[i], &r); fault != "" {
				w.faults = append(w.faults, fault)
			}
		} else {
			w.faults = append(w.faults, "the client reported more than it should have: "+short(&r))
		}
		w.got = append(w.got, r)
		w.mu.Lock()
		w.reported++
		w.changed.Broadcast()
		w.mu.Unlock()
	}
}

// complete reports whether everything has happened that must.
func (w *watch) complete() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.got) < len(w.c.Reports) || w.c.Stops == Must && !w.stopped {
		return false
	}
	if w.c.Again > 0 {
		return len(w.attempts) > 0 && time.Since(w.attempts[0].at) > time.Duration(w.c.Again)*time.Millisecond
	}
	for i := range w.c.Connections {
		if i >= len(w.attempts) {
			return w.stopped && w.c.Connections[i].Optional
		}
		a := w.attempts[i]
		stalled := a.steps == len(w.c.Connections[i].Steps)-1 && w.c.Connections[i].Steps[a.steps].End == "stall"
		if last := i == len(w.c.Connections)-1; !a.over && !(last && stalled) {
			return false
		}
	}
	return true
}

// wrong reports whether something is wrong already.
func (w *watch) wrong() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.faults)+len(w.server.faults) > 0 || w.stopped && w.c.Stops == ""
}

// judge looks at what can only be judged at the end.
func (w *watch) judge() {
	if w.stopped && w.c.Stops == "" {
		w.faults = append(w.faults, "the client has given up for good")
	}
	if b := w.c.Attempts; b != nil && (len(w.attempts) < b[0] || len(w.attempts) > b[1]) {
		w.faults = append(w.faults, fmt.Sprintf("%d attempts in %d ms, want %d to %d", len(w.attempts), w.c.Again, b[0], b[1]))
	}
	if w.c.Stops == May {
		for i := 1; i < len(w.attempts); i++ {
			if p := w.attempts[i].at.Sub(w.attempts[i-1].at); p < 480*time.Millisecond {
				w.faults = append(w.faults, fmt.Sprintf("attempt %d came %d ms after the one before", i+1, p.Milliseconds()))
			}
		}
	}
}

// state says how far a case has come.
func (w *watch) state() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	steps := 0
	if n := len(w.attempts); n > 0 {
		steps = w.attempts[n-1].steps
	}
	return fmt.Sprintf("%d of %d connections came, %d steps of the last one were done, %d of %d reports came, stopped: %t",
		len(w.attempts), len(w.c.Connections), steps, len(w.got), len(w.c.Reports), w.stopped)
}

// compare returns how a report differs from what a case wants.
func compare(want, got *Report) string {
	same := want.Report == got.Report &&
		(want.ID == nil || *want.ID == deref(got.ID)) &&
		(want.Type == "" || want.Type == got.Type) &&
		(want.Reason == "" || want.Reason == got.Reason) &&
		(want.Categories == nil || slices.Equal(want.Categories, got.Categories)) &&
		(want.Topics == nil || slices.Equal(want.Topics, got.Topics)) &&
		(want.Message == "" || strings.Contains(got.Message, want.Message)) &&
		(want.Data == nil || sameJSON(want.Data, got.Data)) &&
		(want.Fill == 0 || bytes.Equal(bytes.TrimSpace(got.Data), fill(want.Fill)))
	if same {
		return ""
	}
	return fmt.Sprintf("the client reported %s, want %s", short(got), short(want))
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func sameJSON(a, b []byte) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

func short(r *Report) string {
	b, err := json.Marshal(r)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%.300s", b)
}
