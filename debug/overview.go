package debug

import (
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"
)

// A card is one number of the overview and how it has changed.
type card struct {
	Name, Value, Note string
	Spark             template.HTML
}

// A size says who fills the memory.
type size struct {
	Audience string `json:"audience"`
	User     string `json:"user,omitempty"`
	Bytes    int64  `json:"bytes"`
}

func (d *Handler) overview() view {
	stats := d.hub.Stats()
	v := view{View: "overview", Stats: &stats, Samples: d.samples.samples(), Kinds: d.samples.rates()}
	for _, l := range d.hub.Largest(20) {
		one := size{Audience: l.Audience.String(), Bytes: l.Bytes}
		if id, ok := strings.CutPrefix(one.Audience, "user:"); ok {
			one.User = id
		}
		v.Largest = append(v.Largest, one)
	}
	v.Cards = cards(v)
	return v
}

func cards(v view) []card {
	var last sample
	if n := len(v.Samples); n > 0 {
		last = v.Samples[n-1]
	}
	streams, by := 0, ""
	for _, transport := range slices.Sorted(maps.Keys(v.Stats.Streams)) {
		n := v.Stats.Streams[transport]
		streams += n
		by += fmt.Sprintf("%s %s, ", count(n), transport)
	}
	keepUp := "all streams keep up"
	if v.Stats.Behind > 0 {
		keepUp = "the furthest stream is " + count(v.Stats.Behind) + " publishes behind"
	}
	return []card{
		{"streams open", count(streams), by + plural(v.Stats.Users, "user"), sparkline(v.Samples, func(s sample) float64 { return float64(s.Streams) })},
		{"published a second", rate(last.Published), count(v.Stats.Published) + " in all", sparkline(v.Samples, func(s sample) float64 { return s.Published })},
		{"delivered a second", rate(last.Delivered), count(v.Stats.Delivered) + " in all; " + keepUp, sparkline(v.Samples, func(s sample) float64 { return s.Delivered })},
		{"retained for replay", byteSize(v.Stats.Bytes), plural(v.Stats.Retained, "entry", "entries"), sparkline(v.Samples, func(s sample) float64 { return float64(s.Bytes) })},
	}
}
