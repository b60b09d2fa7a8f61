package hub

import (
	"cmp"
	"slices"
)

// A LogSize says what the hub retains for an audience.
type LogSize struct {
	Audience Audience
	Bytes    int64
}

// Largest returns the n audiences for which the hub retains most, the largest first.
// A message that several audiences share counts for each. It looks at every log, and
// lets publishes go on meanwhile. It is for a person who looks.
func (h *Hub) Largest(n int) []LogSize {
	sizes := h.store.Sizes()
	all := make([]LogSize, len(sizes))
	for i, s := range sizes {
		all[i] = LogSize{audienceOf(s.Key), s.Bytes}
	}
	slices.SortFunc(all, func(a, b LogSize) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return all[:min(max(n, 0), len(all))]
}
