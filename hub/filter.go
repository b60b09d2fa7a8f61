package hub

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub/internal/eventlog"
)

// A Filter is a set of categories. The zero value is empty. Filters are immutable
// and may be copied and shared.
type Filter struct {
	everything bool
	categories []event.Category // sorted, each once; unused when everything
}

// Everything returns the filter that includes every category.
func Everything() Filter { return Filter{everything: true} }

// Categories returns the filter that includes the given categories. A name that
// the hub's registry does not have is an error where the filter is used.
func Categories(cs ...event.Category) Filter {
	cs = slices.Clone(cs)
	slices.Sort(cs)
	return Filter{categories: slices.Compact(cs)}
}

// Intersect returns the filter that includes what both f and g include.
func (f Filter) Intersect(g Filter) Filter {
	switch {
	case f.everything:
		return g
	case g.everything:
		return f
	}
	var both []event.Category
	for _, c := range f.categories {
		if _, ok := slices.BinarySearch(g.categories, c); ok {
			both = append(both, c)
		}
	}
	return Filter{categories: both}
}

// Includes reports whether f includes category c.
func (f Filter) Includes(c event.Category) bool {
	_, ok := slices.BinarySearch(f.categories, c)
	return ok || f.everything
}

// Categories returns the categories that f includes, sorted. It reports true, and
// returns none, if f includes every category.
func (f Filter) Categories() (cs []event.Category, everything bool) {
	return slices.Clone(f.categories), f.everything
}

// isZero reports whether f is empty.
func (f Filter) isZero() bool { return !f.everything && len(f.categories) == 0 }

// An UnknownCategoryError names the categories that a filter asked for and the
// registry does not have, and those that it has.
type UnknownCategoryError struct {
	Unknown []event.Category
	Valid   []event.Category
}

func (e *UnknownCategoryError) Error() string {
	return fmt.Sprintf("hub: unknown category %s; valid are %s", list(e.Unknown), list(e.Valid))
}

// list joins category names; unknown ones come from clients and are quoted and
// cut, so that an error never carries a stranger's bytes into a log unchanged.
func list(cs []event.Category) string {
	var b strings.Builder
	for i, c := range cs {
		if i == 8 && len(cs) > 9 {
			fmt.Fprintf(&b, " and %d more", len(cs)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.66q", string(c))
	}
	return b.String()
}

// A set of categories as the hub works with it: bit i is the i-th category of
// the registry. A registry has at most 64.
type categorySet = eventlog.Categories

// compile turns a filter into the hub's bits.
func (h *Hub) compile(f Filter) (categorySet, error) {
	if f.everything {
		return h.kinds.every(), nil
	}
	var set categorySet
	var unknown []event.Category
	for _, c := range f.categories {
		i := slices.Index(h.kinds.categories, c)
		if i < 0 {
			unknown = append(unknown, c)
			continue
		}
		set |= 1 << i
	}
	if unknown != nil {
		return 0, &UnknownCategoryError{Unknown: unknown, Valid: slices.Clone(h.kinds.categories)}
	}
	return set, nil
}

// decompile turns the hub's bits into a filter.
func (h *Hub) decompile(set categorySet) Filter {
	if set == h.kinds.every() {
		return Everything()
	}
	return Categories(h.kinds.names(set)...)
}

// A kindTable is what the hub needs to know of each type, read-only once the
// hub is made.
type kindTable struct {
	categories []event.Category // by bit
	byType     map[event.Type]kind
}

type kind struct {
	category  uint8 // index into categories
	class     eventlog.Class
	retainFor time.Duration // of a short-lived kind
	latest    bool
	rules     *eventlog.Rules // of its events; nil for most kinds
}

func newKindTable(r *event.Registry) kindTable {
	t := kindTable{categories: r.Categories(), byType: map[event.Type]kind{}}
	for info := range r.All() {
		i := slices.Index(t.categories, info.Category)
		k := kind{category: uint8(i), retainFor: info.RetainFor, latest: info.Latest}
		switch {
		case info.Ephemeral:
			k.class = eventlog.Ephemeral
		case info.RetainFor > 0:
			k.class = eventlog.ShortLived
			k.rules = &eventlog.Rules{Life: info.RetainFor}
		}
		t.byType[info.Type] = k
	}
	return t
}

func (t *kindTable) every() categorySet { return 1<<len(t.categories) - 1 }

// names returns the categories in a set, in the registry's order.
func (t *kindTable) names(set categorySet) []event.Category {
	names := make([]event.Category, 0, len(t.categories))
	for i, c := range t.categories {
		if set&(1<<i) != 0 {
			names = append(names, c)
		}
	}
	return names
}
