package swarm

import (
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
