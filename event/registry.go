package event

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"sync"
)

// A Registry is the set of kinds that an application defines: which types exist,
// and the category of each.
//
// The zero Registry is empty and ready to use. A Registry is safe for concurrent
// use. It must not be copied after first use.
type Registry struct {
	mu         sync.RWMutex
	kinds      []*Info        // in order of definition; only ever appended to
	byType     map[Type]*Info // the same kinds
	categories []Category     // in order of first use
	frozen     bool
}

// define adds a definition, which must not be changed afterwards. Its errors do
// not name the type, because the callers add it.
func (r *Registry) define(info *Info) error {
	if err := info.check(); err != nil {
		return err
	}
	if r == nil {
		return errors.New("the registry is nil")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.frozen {
		return errors.New("the registry is frozen because a hub uses it: define every kind before the hub is made")
	}
	return r.addLocked(info)
}

func (r *Registry) addLocked(info *Info) error {
	if _, ok := r.byType[info.Type]; ok {
		return errors.New("the type is defined already")
	}
	if !slices.Contains(r.categories, info.Category) {
		if len(r.categories) == maxCategories {
			return fmt.Errorf("category %q would be one more than the %d that a registry can have",
				info.Category, maxCategories)
		}
		r.categories = append(r.categories, info.Category)
	}
	if r.byType == nil {
		r.byType = make(map[Type]*Info)
	}
	r.byType[info.Type] = info
	r.kinds = append(r.kinds, info)
	return nil
}

// snapshot returns the kinds defined so far. It needs no copy, because elements
// below the slice's length never change.
func (r *Registry) snapshot() []*Info {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.kinds
}

func (r *Registry) lookup(t Type) (*Info, error) {
	r.mu.RLock()
	info := r.byType[t]
	r.mu.RUnlock()
	if info == nil {
		return nil, fmt.Errorf("%w: %s", ErrUnknownType, quote(string(t)))
	}
	return info, nil
}

// Lookup describes a type. If the type is not in the registry, the error wraps
// [ErrUnknownType]. The error quotes at most the first 128 bytes of the type, which
// may come from a client.
func (r *Registry) Lookup(t Type) (Info, error) {
	info, err := r.lookup(t)
	if err != nil {
		return Info{}, err
	}
	return *info, nil
}

// All returns every kind, in order of definition. Kinds that are defined during the
// iteration are not part of it.
func (r *Registry) All() iter.Seq[Info] {
	return func(yield func(Info) bool) {
		for _, info := range r.snapshot() {
			if !yield(*info) {
				return
			}
		}
	}
}

// Categories returns the categories of the registry's kinds, in order of first use.
// The caller owns the slice.
func (r *Registry) Categories() []Category {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Clone(r.categories)
}

// Freeze makes every later [Define] in this registry panic. A hub freezes its
// registry, because it would not know kinds that are defined later. A registry
// stays frozen. Freezing it again has no effect. Freeze does not affect registries
// that were joined into or made from this one.
func (r *Registry) Freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frozen = true
}

// Join makes a registry of all kinds of several registries, in the order of the
// arguments and, within each, in order of definition. The kinds work with both
// registries, and so do their events. The joined registry is independent: it does
// not contain kinds that are defined in the others later, kinds can be defined in
// it, and freezing it does not freeze the others.
//
// If registries overlap, a definition that is in several of them counts once. Join
// returns an error for a nil registry, for two definitions of one type, and for
// more than 64 categories.
func Join(rs ...*Registry) (*Registry, error) {
	joined := new(Registry)
	for n, r := range rs {
		if r == nil {
			return nil, fmt.Errorf("event: Join: registry %d of %d is nil", n+1, len(rs))
		}
		for _, info := range r.snapshot() {
			// joined is not shared yet, so it needs no lock.
			if joined.byType[info.Type] == info {
				continue
			}
			if err := joined.addLocked(info); err != nil {
				return nil, fmt.Errorf("event: Join: type %q: %w", info.Type, err)
			}
		}
	}
	return joined, nil
}

// MustJoin is [Join] for package variables. It panics where Join returns an error,
// as Define does: both are mistakes in the program.
//
//	var kinds = event.MustJoin(&catalog.Registry, &orders)
func MustJoin(rs ...*Registry) *Registry {
	joined, err := Join(rs...)
	if err != nil {
		panic(err)
	}
	return joined
}

// quote returns a name from outside for use in an error message. The result is
// bounded and has no control characters.
func quote(name string) string {
	if len(name) > maxType {
		return strconv.Quote(name[:maxType]) + "..."
	}
	return strconv.Quote(name)
}
