package swarm

import (
	"fmt"
	"slices"
	"testing"
)

// However the bytes are cut, the same stamps are found in them.
func TestScanner(t *testing.T) {
	for in, want := range map[string][]int64{
		"": nil,
		"id: a\ndata: {\"n\":\"~#17\"}\n\nid: b\ndata: {\"n\":\"~#0018\"}\n\n": {17, 18},
		"~~#00x~#~x~~#~#19~#20~ #21 ":                                          {0, 19, 20},
		"~#20}~#2":                                                             {20}, // the last has not ended yet
	} {
		for _, step := range []int{1, 2, 3, 7, 1 << 20} {
			var s scanner
			var stamps []int64
			for piece := range slices.Chunk([]byte(in), step) {
				s.feed(piece, func(n int64) { stamps = append(stamps, n) })
			}
			if !slices.Equal(stamps, want) {
				t.Errorf("%q, %d bytes at a time: %v, want %v", in, step, stamps, want)
			}
		}
	}
}

// BenchmarkReceive measures what a client spends on an event. The server does not get that time.
func BenchmarkReceive(b *testing.B) {
	var events []byte
	for n := range 100 {
		events = fmt.Appendf(events, "id: 0190b6a0-7c1f-7d3a-9c55-00%010d\nevent: portfolio.balance.updated\ndata: {\"seq\":\"~#%010d\",\"note\":\"%0110d\"}\n\n", n, n, n)
	}
	in := []byte(chunk(string(events)))
	var p parser
	var s scanner
	if err := p.feed([]byte(chunked), nil); err != nil {
		b.Fatal(err)
	}
	found, turns := 0, 0
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if err := p.feed(in, func(b []byte) { s.feed(b, func(int64) { found++ }) }); err != nil {
			b.Fatal(err)
		}
		turns++
	}
	if found != 100*turns {
		b.Fatalf("found %d events of %d", found, 100*turns)
	}
	b.ReportMetric(float64(b.Elapsed())/float64(found), "ns/event")
}
