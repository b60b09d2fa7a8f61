package event_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/crier-go/crier/event"
)

// typesOf returns the types of a registry, in its order.
func typesOf(r *event.Registry) []event.Type {
	var types []event.Type
	for info := range r.All() {
		types = append(types, info.Type)
	}
	return types
}

func TestRegistryKeepsOrderOfDefinition(t *testing.T) {
	var r event.Registry
	if typesOf(&r) != nil || len(r.Categories()) != 0 {
		t.Error("the zero Registry is not empty")
	}
	if _, err := r.Lookup("b.x"); !errors.Is(err, event.ErrUnknownType) {
		t.Errorf("got %v, want ErrUnknownType", err)
	}

	event.Define[int](&r, "second", "b.x", "One.")
	event.Define[string](&r, "first", "a.x", "Two.", event.Ephemeral())
	event.Define[int](&r, "second", "a.y", "Three.")

	if got, want := typesOf(&r), []event.Type{"b.x", "a.x", "a.y"}; !slices.Equal(got, want) {
		t.Errorf("types: got %q, want %q", got, want)
	}
	categories := r.Categories()
	if want := []event.Category{"second", "first"}; !slices.Equal(categories, want) {
		t.Errorf("categories: got %q, want %q", categories, want)
	}
	categories[0] = "changed"
	if r.Categories()[0] != "second" {
		t.Error("Categories returns the registry's own slice")
	}
	got, err := r.Lookup("a.x")
	want := event.Info{Type: "a.x", Category: "first", Description: "Two.", Ephemeral: true, Payload: reflect.TypeFor[string]()}
	if err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}

	// An iteration has the kinds that were defined when it began, and may stop early.
	var seen int
	for range r.All() {
		event.Define[int](&r, "second", event.Type(fmt.Sprintf("later%d", seen)), "Later.")
		seen++
	}
	for range r.All() {
		seen++
		break
	}
	if seen != 4 {
		t.Errorf("saw %d kinds, want 3 and 1", seen)
	}
}

func TestLookupErrorQuotesBoundedType(t *testing.T) {
	_, err := testRegistry.Lookup(event.Type("a\n" + strings.Repeat("x", 1<<16)))
	if want := `event: unknown type: "a\n` + strings.Repeat("x", 126) + `"...`; !errors.Is(err, event.ErrUnknownType) || err.Error() != want {
		t.Errorf("got  %.999v\nwant %s", err, want)
	}
}

func TestRegistryIsSafeForConcurrentUse(t *testing.T) {
	var r event.Registry
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for i := range 50 {
				typ := event.Type(fmt.Sprintf("t%d.n%d", n, i))
				event.Define[int](&r, event.Category(fmt.Sprintf("c%d", i%10)), typ, "A kind.")
				if _, err := r.Lookup(typ); err != nil {
					t.Error(err)
				}
				if len(typesOf(&r)) <= i || len(r.Categories()) == 0 {
					t.Error("a defined kind is missing")
				}
				if _, err := event.Join(&r, &testRegistry); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(typesOf(&r)); n != 200 {
		t.Errorf("%d types, want 200", n)
	}
}

func TestJoinReturnsIndependentRegistry(t *testing.T) {
	var a, b event.Registry
	kind := event.Define[posted](&a, "chat", "a.one", "A kind.")
	event.Define[int](&a, "other", "a.two", "A kind.")
	event.Define[int](&b, "third", "b.one", "A kind.")
	event.Define[int](&b, "chat", "b.two", "A kind.")
	a.Freeze()

	ab, err := event.Join(&a, &b)
	if err != nil {
		t.Fatal(err)
	}
	again, err := event.Join(&b, ab, &a, &a) // every kind is reached more than once
	if err != nil {
		t.Fatal(err)
	}
	if got, want := typesOf(ab), []event.Type{"a.one", "a.two", "b.one", "b.two"}; !slices.Equal(got, want) {
		t.Errorf("types: got %q, want %q", got, want)
	}
	if got, want := ab.Categories(), []event.Category{"chat", "other", "third"}; !slices.Equal(got, want) {
		t.Errorf("categories: got %q, want %q", got, want)
	}
	if got, want := typesOf(again), []event.Type{"b.one", "b.two", "a.one", "a.two"}; !slices.Equal(got, want) {
		t.Errorf("types: got %q, want %q", got, want)
	}

	// A kind of one registry reads events that the other has decoded.
	e := newEvent(t, kind, posted{"ada", "hi"})
	form, err := e.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := ab.Decode(form)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := kind.Payload(decoded); err != nil || got != (posted{"ada", "hi"}) {
		t.Errorf("got %+v, %v", got, err)
	}

	// The joined registry is independent: it is not frozen although a is, freezing it
	// does not freeze the others, and definitions in one do not reach the others.
	event.Define[int](ab, "chat", "ab.one", "A kind.")
	ab.Freeze()
	event.Define[int](&b, "chat", "b.three", "A kind.")
	event.Define[int](again, "chat", "again.one", "A kind.")
	if got := len(typesOf(ab)); got != 5 {
		t.Errorf("the joined registry has %d kinds, want 5", got)
	}
	if got := len(typesOf(&b)); got != 3 {
		t.Errorf("a joined one has %d kinds, want 3", got)
	}

	if empty, err := event.Join(); err != nil || typesOf(empty) != nil {
		t.Errorf("Join of nothing: %v, %v", empty, err)
	}
}

func TestJoinRefusesConflicts(t *testing.T) {
	var a, b event.Registry
	event.Define[int](&a, "chat", "a.one", "A kind.")
	event.Define[int](&b, "chat", "a.one", "A kind.") // equal, but another definition
	r, err := event.Join(&a, &b)
	if want := `event: Join: type "a.one": the type is defined already`; r != nil || err == nil || err.Error() != want {
		t.Errorf("two definitions: got %v, %v, want %s", r, err, want)
	}

	r, err = event.Join(&a, nil)
	if want := "event: Join: registry 2 of 2 is nil"; r != nil || err == nil || err.Error() != want {
		t.Errorf("a nil registry: got %v, %v, want %s", r, err, want)
	}

	var full event.Registry
	for i := range 64 {
		event.Define[int](&full, event.Category(fmt.Sprintf("c%d", i)), event.Type(fmt.Sprintf("t%d", i)), "A kind.")
	}
	r, err = event.Join(&full, &a)
	if want := `event: Join: type "a.one": category "chat" would be one more than the 64 that a registry can have`; r != nil || err == nil || err.Error() != want {
		t.Errorf("a 65th category: got %v, %v, want %s", r, err, want)
	}
}
