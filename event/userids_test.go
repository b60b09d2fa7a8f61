package event_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

// The users of an application whose ids are numbers, or strings.
func ExampleUserIDs() {
	userIDs := event.NewUserIDs("shop.example.com")
	fmt.Println(userIDs.FromInt(42))
	fmt.Println(userIDs.FromString("42"))
	fmt.Println(userIDs.FromString("ada"))
	fmt.Println(event.NewUserIDs("forum.example.com").FromInt(42))
	// Output:
	// d20114a7-6045-5d2c-b622-73ca9703fe16
	// d20114a7-6045-5d2c-b622-73ca9703fe16
	// 7e50fb56-91a6-5f56-977a-5bc641276ca5
	// ea558038-070d-5440-983f-518eeb460073
}

func ExampleMustJoin() {
	var invoices event.Registry
	event.Define[int](&invoices, "billing", "invoice.sent", "An invoice was sent.")

	kinds := event.MustJoin(&orders, &invoices)
	fmt.Println(kinds.Categories())
	// Output: [orders billing]
}

func TestMustJoinPanics(t *testing.T) {
	var again event.Registry
	event.Define[int](&again, "orders", "order.shipped", "Another definition.")
	if got := panicOf(func() { event.MustJoin(&orders, &again) }); got != `event: Join: type "order.shipped": the type is defined already` {
		t.Errorf("got %s", got)
	}
}

func TestUserIDs(t *testing.T) {
	u := event.NewUserIDs("shop.example.com")
	seen := map[uuid.UUID]string{}
	note := func(id uuid.UUID, what string) {
		if was, ok := seen[id]; ok {
			t.Errorf("%s and %s are one user", was, what)
		}
		if seen[id] = what; id.Version() != 5 || id.Variant() != uuid.RFC4122 {
			t.Errorf("%s: %s is no UUID of version 5", what, id)
		}
	}
	for _, n := range []int64{1, 42, -42, 420, math.MaxInt64, math.MinInt64} {
		note(u.FromInt(n), fmt.Sprint(n))
		if u.FromInt(n) != u.FromString(fmt.Sprint(n)) {
			t.Errorf("%d and its text are two users", n)
		}
	}
	for _, s := range []string{"0", "042", " 42", "ada", "Ada", "ada\x00", "\xff"} {
		note(u.FromString(s), fmt.Sprintf("%q", s))
	}
	note(event.NewUserIDs("forum.example.com").FromInt(42), "42 elsewhere")
	if u.FromInt(0) != uuid.Nil || u.FromString("") != uuid.Nil {
		t.Error("an id that was never set is a user")
	}
	if u != event.NewUserIDs("shop.example.com") {
		t.Error("two UserIDs of one application differ")
	}
	for what, f := range map[string]func(){
		"event: NewUserIDs: name the application, for instance by its domain": func() { event.NewUserIDs("") },
		"event: the zero UserIDs: they come from NewUserIDs":                  func() { event.UserIDs{}.FromInt(1) },
	} {
		if got := panicOf(f); got != what {
			t.Errorf("got %s\nwant %s", got, what)
		}
	}
}
