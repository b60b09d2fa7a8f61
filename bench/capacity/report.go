package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A report is what a campaign came to, for people.
type report struct {
	campaign *campaign
	results  []result
	machine  string
	when     time.Time
	took     time.Duration
	others   float64 // what other programs used of the processors, 0 to 1; negative: not known
}

// text is the report in words and a table, the sentence last.
func (r *report) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nCapacity of this machine: %s\n", r.machine)
	fmt.Fprintf(&b, "%s. %s\n\n", r.occasion(), r.condition())
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	for i, t := range r.tables() {
		if i > 0 {
			fmt.Fprintln(w, strings.Repeat("\t", len(r.results)+1))
		}
		for _, row := range t {
			fmt.Fprintf(w, "%s\t\n", strings.Join(row, "\t"))
		}
	}
	w.Flush()
	if crowd := r.crowd(); crowd != "" {
		fmt.Fprintf(&b, "\n%s\n", crowd)
	}
	fmt.Fprintf(&b, "\n%s\n", r.sentence())
	return b.String()
}

// markdown is the same for a document, the sentence first. It has no headings.
func (r *report) markdown(_ int, picture string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nMeasured on %s: %s. %s\n", r.sentence(), r.occasion(), r.machine, r.condition())
	if crowd := r.crowd(); crowd != "" {
		fmt.Fprintf(&b, "\n%s\n", crowd)
	}
	fmt.Fprintf(&b, "\n![Latency and processor time, against clients and against events](%s)\n", picture)
	names := r.tables()[0][0]
	for i, t := range r.tables() {
		if i == 0 {
			t = t[1:]
		}
		fmt.Fprintf(&b, "\n| %s |\n|---%s|\n", strings.Join(names, " | "), strings.Repeat("|---:", len(r.results)))
		for _, row := range t {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		}
	}
	return b.String()
}

// occasion says when the campaign was, and how long it took.
func (r *report) occasion() string {
	return fmt.Sprintf("%s, in %s", r.when.UTC().Format("2006-01-02 15:04 UTC"), r.took.Round(time.Second))
}

// crowd says that the machine was busy with something else, if it was.
func (r *report) crowd() string {
	if r.others <= 0.1 {
		return ""
	}
	return fmt.Sprintf("Other programs used %s of the processors meanwhile: a machine of its own holds more.", percent(r.others))
}

// tables returns what was held, the transports' names first, and what was the
// most: rows with a cell for each transport behind their name.
func (r *report) tables() (tables [2][][]string) {
	row := func(table int, name string, cell func(*result) string) {
		cells := []string{name}
		for i := range r.results {
			cells = append(cells, cell(&r.results[i]))
		}
		tables[table] = append(tables[table], cells)
	}
	of := func(which func(*result) *reading, cell func(*reading) string) func(*result) string {
		return func(r *result) string {
			if m := which(r); m != nil {
				return cell(m)
			}
			return "-"
		}
	}
	held := func(cell func(*reading) string) func(*result) string {
		return of(func(r *result) *reading { return r.Held }, cell)
	}
	most := func(cell func(*reading) string) func(*result) string {
		return of(func(r *result) *reading { return r.Most }, cell)
	}
	row(0, "", func(r *result) string { return title(r.Transport) })
	row(0, "clients held", held(func(m *reading) string { return grouped(m.Clients) }))
	row(0, "users", held(func(m *reading) string { return grouped(m.Users) }))
	row(0, "events/s", held(func(m *reading) string { return grouped(int(m.Rate)) }))
	row(0, "deliveries/s", held(func(m *reading) string { return grouped(int(m.Deliveries)) }))
	row(0, "p99", held(func(m *reading) string { return short(m.P99) }))
	row(0, "CPU of the server", held(func(m *reading) string { return percent(m.Server) }))
	row(0, "CPU of the clients", held(func(m *reading) string { return percent(m.Swarm) }))
	row(0, "CPU per delivery", held(func(m *reading) string { return short(m.Each) }))
	row(0, "memory per idle client", func(r *result) string { return memory(r.Idle) })
	row(0, "memory per active client", func(r *result) string { return memory(r.Active) })
	row(0, "the next step", func(r *result) string { return r.stopped() })
	row(1, "most deliveries/s", most(func(m *reading) string { return grouped(int(m.Deliveries)) }))
	row(1, "to clients", most(func(m *reading) string { return grouped(m.Clients) }))
	row(1, "events/s", most(func(m *reading) string { return grouped(int(m.Rate)) }))
	row(1, "p99", most(func(m *reading) string { return short(m.P99) }))
	row(1, "CPU per delivery", most(func(m *reading) string { return short(m.Each) }))
	return tables
}

// condition says what was asked of the machine.
func (r *report) condition() string {
	c := r.campaign
	return fmt.Sprintf("Each user has %d %s open and is sent %s of %d bytes. Held means: 99 of 100 deliveries within %v, at most %s of the processors busy, clients included, and nothing lost.",
		c.tabs, plural(c.tabs, "tab"), perSecond(c.rate), c.size, full.p99, percent(full.busy))
}

// sentence says it all in one line.
func (r *report) sentence() string {
	var parts []string
	for _, res := range r.results {
		if res.Held == nil {
			parts = append(parts, "none over "+title(res.Transport))
			continue
		}
		atLeast := ""
		if res.Ended != "" {
			atLeast = "at least "
		}
		parts = append(parts, fmt.Sprintf("%s%s users with %d %s at %s events/s of %d bytes over %s",
			atLeast, grouped(res.Held.Users), r.campaign.tabs, plural(r.campaign.tabs, "tab"),
			grouped(int(res.Held.Rate)), r.campaign.size, title(res.Transport)))
	}
	if len(parts) == 0 {
		return "Nothing was measured."
	}
	return "This machine holds " + strings.Join(parts, "; ") + "."
}

// stopped says why the ramp of clients went no further.
func (r *result) stopped() string {
	if r.Ended != "" {
		return r.Ended
	}
	var smallest *reading
	for _, m := range append(slices.Clone(r.Clients), r.Pushed...) {
		if full.over(&m) != "" && (r.Held == nil || m.Rate > r.Held.Rate) && (smallest == nil || m.Rate <= smallest.Rate) {
			smallest = &m
		}
	}
	if smallest == nil {
		return "-"
	}
	return full.over(smallest)
}

// grouped is a number for a reader: 10,000.
func grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// short is a duration in two or three digits.
func short(d time.Duration) string {
	unit, name := time.Microsecond, "µs"
	switch {
	case d >= time.Second:
		unit, name = time.Second, "s"
	case d >= time.Millisecond:
		unit, name = time.Millisecond, "ms"
	}
	return digits(float64(d)/float64(unit)) + " " + name
}

// memory is an amount of memory in two or three digits.
func memory(n float64) string {
	switch {
	case n <= 0:
		return "-"
	case n >= 1<<20:
		return digits(n/(1<<20)) + " MB"
	}
	return digits(n/(1<<10)) + " KB"
}

func digits(v float64) string {
	if v >= 9.95 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

func percent(part float64) string { return fmt.Sprintf("%.0f %%", math.Round(100*part)) }

func plural(n int, what string) string {
	if n == 1 {
		return what
	}
	return what + "s"
}

// perSecond says how often, with one event as the unit.
func perSecond(rate float64) string {
	switch {
	case rate == 1:
		return "one event a second"
	case rate > 1:
		return fmt.Sprintf("%.3g events a second", rate)
	}
	return fmt.Sprintf("one event every %.3g seconds", 1/rate)
}
