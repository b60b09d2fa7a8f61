package event

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"sync"
)

// A Registry is the set of kinds that an application knows: the single source of
// truth for which types exist and which category each belongs to.
//
// The zero Registry is empty and ready to use. A Registry is safe for concurrent
// use and must not be copied after its first.
type Registry struct {
	mu         sync.RWMutex
	kinds      []*Info        // in order of definition; only ever appended to
	byType     map[Type]*Info // the same
	categories []Category     // in order of first use
	frozen     bool
}

// define adds a definition, which is not changed from now on. Its errors do not
// name the type: the callers do.
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

// snapshot returns the kinds defined so far. What lies below the slice's length
// never changes, so it needs no copy.
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

// Lookup returns what is known about a type. A type that is not in the registry
// is an error that wraps [ErrUnknownType]; it quotes at most the first 128 bytes
// of the type, which may come from outside.
func (r *Registry) Lookup(t Type) (Info, error) {
	info, err := r.lookup(t)
	if err != nil {
		return Info{}, err
	}
	return *info, nil
}

// All returns every kind, in order of definition. Kinds that are defined while
// the sequence runs are not part of it.
func (r *Registry) All() iter.Seq[Info] {
	return func(yield func(Info) bool) {
		for _, info := range r.snapshot() {
			if !yield(*info) {
				return
			}
		}
	}
}

// Categories returns the categories that the registry's kinds belong to, in
// order of first use. The slice is the caller's.
func (r *Registry) Categories() []Category {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Clone(r.categories)
}

// Freeze makes every later [Define] in this registry panic. A hub freezes the
// registry that it is made with, because a kind that appeared later would be one
// that the hub does not know. A registry stays frozen; freezing it twice is
// freezing it once. Registries that it was joined from or into are not affected.
func (r *Registry) Freeze() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frozen = true
}

// Join makes a registry of all kinds of several, in the order given, each in
// order of definition. Kinds made in one of these registries, and events of
// these kinds, are good for the joined one as well. It is a registry of its own:
// kinds can be defined in it, what is defined in the others later is not in it,
// and freezing it freezes none of them.
//
// A definition that is reached twice, because registries overlap, counts once.
// Two definitions of one type are an error that names it, and so are a nil
// registry and more than 64 categories.
func Join(rs ...*Registry) (*Registry, error) {
	joined := new(Registry)
	for n, r := range rs {
		if r == nil {
			return nil, fmt.Errorf("event: Join: registry %d of %d is nil", n+1, len(rs))
		}
		for _, info := range r.snapshot() {
			// Nobody else knows joined yet, so it needs no lock.
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

// quote makes a name from outside fit for a message: bounded, and without
// anything that could act on whoever reads it.
func quote(name string) string {
	if len(name) > maxType {
		return strconv.Quote(name[:maxType]) + "..."
	}
	return strconv.Quote(name)
}
