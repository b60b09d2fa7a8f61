package event_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/crier-go/crier/event"
	"github.com/google/uuid"
)

// panicOf returns the text of f's panic, or "" if f does not panic.
func panicOf(f func()) (message string) {
	defer func() {
		if v := recover(); v != nil {
			message = fmt.Sprint(v)
		}
	}()
	f()
	return ""
}

func TestDefinePanicsOnMistakes(t *testing.T) {
	full := new(event.Registry)
	for i := range 64 {
		event.Define[int](full, event.Category(fmt.Sprintf("c%d", i)), event.Type(fmt.Sprintf("t%d", i)), "A kind.")
	}
	frozen := new(event.Registry)
	event.Define[int](frozen, "chat", "chat.old", "A kind.")
	frozen.Freeze()
	frozen.Freeze()
	doubled := new(event.Registry)
	event.Define[int](doubled, "chat", "chat.old", "A kind.")

	const (
		typeRule     = `the name must match [a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*`
		categoryRule = `must match [a-z][a-z0-9]*(_[a-z0-9]+)*`
		reserved     = `"stream" and names that begin with "stream." are reserved for the hub`
		fired        = `the name is reserved: an EventSource fires events of this name itself`
	)
	for _, tt := range []struct {
		registry    *event.Registry
		category    event.Category
		typ         event.Type
		description string
		want        string
	}{
		{nil, "chat", "", "A kind.", `type "": ` + typeRule},
		{nil, "chat", "Chat.posted", "A kind.", `type "Chat.posted": ` + typeRule},
		{nil, "chat", "chat.Posted", "A kind.", `type "chat.Posted": ` + typeRule},
		{nil, "chat", ".chat", "A kind.", `type ".chat": ` + typeRule},
		{nil, "chat", "chat.", "A kind.", `type "chat.": ` + typeRule},
		{nil, "chat", "chat..posted", "A kind.", `type "chat..posted": ` + typeRule},
		{nil, "chat", "chat.1", "A kind.", `type "chat.1": ` + typeRule},
		{nil, "chat", "chat._x", "A kind.", `type "chat._x": ` + typeRule},
		{nil, "chat", "chat-posted", "A kind.", `type "chat-posted": ` + typeRule},
		{nil, "chat", "chat posted", "A kind.", `type "chat posted": ` + typeRule},
		{nil, "chat", "chat.posted\n", "A kind.", `type "chat.posted\n": ` + typeRule},
		{nil, "chat", "chät", "A kind.", `type "chät": ` + typeRule},
		{nil, "chat", event.Type(strings.Repeat("a", 129)), "A kind.",
			`type "` + strings.Repeat("a", 128) + `"...: the name has 129 bytes, at most 128 are allowed`},
		{nil, "chat", "stream", "A kind.", `type "stream": ` + reserved},
		{nil, "chat", "stream.cursor", "A kind.", `type "stream.cursor": ` + reserved},
		{nil, "chat", "error", "A kind.", `type "error": ` + fired},
		{nil, "chat", "open", "A kind.", `type "open": ` + fired},
		{nil, "", "chat.posted", "A kind.", `type "chat.posted": category "" ` + categoryRule},
		{nil, "Chat", "chat.posted", "A kind.", `type "chat.posted": category "Chat" ` + categoryRule},
		{nil, "chat.x", "chat.posted", "A kind.", `type "chat.posted": category "chat.x" ` + categoryRule},
		{nil, "chat_", "chat.posted", "A kind.", `type "chat.posted": category "chat_" ` + categoryRule},
		{nil, "_chat", "chat.posted", "A kind.", `type "chat.posted": category "_chat" ` + categoryRule},
		{nil, "a__b", "chat.posted", "A kind.", `type "chat.posted": category "a__b" ` + categoryRule},
		{nil, "1st", "chat.posted", "A kind.", `type "chat.posted": category "1st" ` + categoryRule},
		{nil, "a,b", "chat.posted", "A kind.", `type "chat.posted": category "a,b" ` + categoryRule},
		{nil, event.Category(strings.Repeat("a", 65)), "chat.posted", "A kind.",
			`type "chat.posted": category "` + strings.Repeat("a", 65) + `" has 65 bytes, at most 64 are allowed`},
		{nil, "chat", "chat.posted", "", `type "chat.posted": the description is empty`},
		{nil, "chat", "chat.posted", " \n", `type "chat.posted": the description is empty`},
		{nil, "chat", "chat.posted", "A kind.", `type "chat.posted": the registry is nil`},
		{doubled, "other", "chat.old", "A kind.", `type "chat.old": the type is defined already`},
		{frozen, "chat", "chat.posted", "A kind.",
			`type "chat.posted": the registry is frozen because a hub uses it: define every kind before the hub is made`},
		{full, "chat", "chat.posted", "A kind.",
			`type "chat.posted": category "chat" would be one more than the 64 that a registry can have`},
	} {
		got := panicOf(func() { event.Define[int](tt.registry, tt.category, tt.typ, tt.description) })
		if want := "event: Define: " + tt.want; got != want {
			t.Errorf("Define(%q, %q, %q):\ngot  %s\nwant %s", tt.category, tt.typ, tt.description, got, want)
		}
	}
	// A definition that fails does not change the registry.
	if got := doubled.Categories(); !reflect.DeepEqual(got, []event.Category{"chat"}) {
		t.Errorf("categories after a doubled type: %q", got)
	}
	// An existing category accepts another type.
	event.Define[int](full, "c63", "one.more", "A kind.")
}

func TestDefineAcceptsValidNames(t *testing.T) {
	var r event.Registry
	for _, typ := range []event.Type{
		"a", "a.b", "a_b", "a_", "a1.b2_c", "streams.x", "stream_x", "streaming", "a.stream", "errors", "chat.error", "opened",
		event.Type(strings.Repeat("a", 128)),
	} {
		k := event.Define[*posted](&r, "c", typ, "A kind.")
		want := event.Info{Type: typ, Category: "c", Description: "A kind.", Payload: reflect.TypeFor[*posted]()}
		if got := k.Info(); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	for _, c := range []event.Category{"c", "a1", "a_1", "data_sync", event.Category(strings.Repeat("a", 64))} {
		event.Define[any](&r, c, event.Type("in_"+c), "A kind.", event.Ephemeral())
	}
}

func TestZeroKindReturnsErrors(t *testing.T) {
	var k event.Kind[posted]
	if got := k.Info(); got != (event.Info{}) {
		t.Errorf("Info: got %+v", got)
	}
	_, err := k.New(someUser, posted{})
	if want := "event: New of a zero Kind[event_test.posted]: a Kind comes from Define"; err == nil || err.Error() != want {
		t.Errorf("New: got %v, want %s", err, want)
	}
	_, err = k.Payload(newEvent(t, messagePosted, posted{}))
	if want := "event: Payload of a zero Kind[event_test.posted]: a Kind comes from Define"; err == nil || err.Error() != want {
		t.Errorf("Payload: got %v, want %s", err, want)
	}
}

func TestNewSetsDefaults(t *testing.T) {
	before := time.Now().Add(-time.Microsecond)
	e, err := typingStarted.New(someUser, posted{"ada", "hi"})
	if err != nil {
		t.Fatal(err)
	}
	if id := e.ID(); id.Version() != 7 || id.Variant() != uuid.RFC4122 {
		t.Errorf("id %s: not of version 7", id)
	}
	if e.Type() != "typing.user.started" || e.Category() != "typing" || !e.Ephemeral() || e.User() != someUser {
		t.Errorf("got %+v", e)
	}
	if at := e.Time(); at.Location() != time.UTC || at.Nanosecond()%1000 != 0 || at.Before(before) || at.After(time.Now()) {
		t.Errorf("time %v: not now, in UTC, in microseconds", at)
	}
	if got := string(e.Data()); got != `{"from":"ada","text":"hi"}` {
		t.Errorf("data %s", got)
	}
	other, err := messagePosted.New(uuid.Nil, posted{})
	if err != nil {
		t.Fatal(err)
	}
	if other.ID() == e.ID() || other.Ephemeral() || other.User() != uuid.Nil {
		t.Errorf("got %+v", other)
	}
}

func TestNewAppliesOptions(t *testing.T) {
	east := time.FixedZone("east", 2*60*60)
	for _, tt := range []struct {
		at   time.Time
		want time.Time
		err  string
	}{
		{at: time.Time{}, want: time.Time{}},
		{at: time.Date(2026, 3, 14, 15, 9, 26, 535_897_932, east), want: time.Date(2026, 3, 14, 13, 9, 26, 535_897_000, time.UTC)},
		{at: time.Date(0, 1, 1, 2, 0, 0, 0, east), want: time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)},
		{at: time.Date(0, 1, 1, 1, 0, 0, 0, east), err: "event: invalid value: At: year -1 is not within 0 to 9999"},
		{at: time.Date(10000, 1, 1, 1, 0, 0, 0, east), want: time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC)},
		{at: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), err: "event: invalid value: At: year 10000 is not within 0 to 9999"},
	} {
		e, err := messagePosted.New(someUser, posted{}, event.At(tt.at))
		if tt.err != "" {
			if e != nil || !errors.Is(err, event.ErrInvalidValue) || err.Error() != tt.err {
				t.Errorf("At(%v): got %v, %v, want %s", tt.at, e, err, tt.err)
			}
			continue
		}
		if err != nil || e.Time() != tt.want {
			t.Errorf("At(%v): got %v, %v, want %v", tt.at, e.Time(), err, tt.want)
		}
	}

	if e := newEvent(t, messagePosted, posted{}); e.ID() != someID || e.Time() != someTime {
		t.Errorf("got %+v", e)
	}
	for _, id := range []uuid.UUID{uuid.Nil, uuid.Max, someUser, uuid.MustParse("01980d5e-9d2c-7cc1-0a51-5b2ab0e8f0c4")} {
		e, err := messagePosted.New(someUser, posted{}, event.WithID(id))
		want := "event: invalid value: WithID: " + id.String() + " is not a version 7 UUID"
		if e != nil || !errors.Is(err, event.ErrInvalidValue) || err.Error() != want {
			t.Errorf("WithID: got %v, %v, want %s", e, err, want)
		}
	}
}

// A counted counts its calls of MarshalJSON, which returns json.
type counted struct {
	calls *int
	json  string
}

func (c counted) MarshalJSON() ([]byte, error) {
	*c.calls++
	return []byte(c.json), nil
}

func TestNewMarshalsPayloadOnce(t *testing.T) {
	var r event.Registry
	kind := event.Define[counted](&r, "c", "a.counted", "A kind.")
	for _, tt := range []struct{ in, want string }{
		{`null`, `null`},
		{" { \"a\" : [ 1 ,\r\n 2 ] }\n", `{"a":[1,2]}`},
		{`"\r\n"`, `"\r\n"`},
		{"\"a\xffb\"", `"a` + "\ufffd" + `b"`},
		{"{\"\xff\":\"\xed\xa0\x80\"}", "{\"\ufffd\":\"\ufffd\ufffd\ufffd\"}"},
	} {
		var calls int
		e, err := kind.New(someUser, counted{&calls, tt.in})
		if err != nil {
			t.Errorf("%q: %v", tt.in, err)
			continue
		}
		e.AppendSSE(nil)
		if _, err := e.MarshalJSON(); err != nil {
			t.Fatal(err)
		}
		if string(e.Data()) != tt.want || calls != 1 {
			t.Errorf("%q: got %q, marshalled %d times, want %q, once", tt.in, e.Data(), calls, tt.want)
		}
		if n := cap(e.Data()) - len(e.Data()); n != 0 {
			t.Errorf("%q: the data has room for %d bytes that an append would write into", tt.in, n)
		}
	}

	var calls int
	e, err := kind.New(someUser, counted{&calls, "\"a\nb\""}) // a raw LF within a string is not JSON
	var marshaler *json.MarshalerError
	if e != nil || !errors.As(err, &marshaler) || !strings.HasPrefix(err.Error(), "event: cannot marshal the payload of a.counted: ") {
		t.Errorf("a payload that is not JSON: got %v, %v", e, err)
	}
}

func TestNewRefusesUnsupportedPayload(t *testing.T) {
	var r event.Registry
	channels := event.Define[chan int](&r, "c", "a.channel", "A kind.")
	floats := event.Define[float64](&r, "c", "a.float", "A kind.")

	e, err := channels.New(someUser, nil)
	var unsupportedType *json.UnsupportedTypeError
	if want := "event: cannot marshal the payload of a.channel: json: unsupported type: chan int"; e != nil ||
		!errors.As(err, &unsupportedType) || err.Error() != want {
		t.Errorf("got %v, %v, want %s", e, err, want)
	}
	e, err = floats.New(someUser, math.NaN())
	var unsupportedValue *json.UnsupportedValueError
	if want := "event: cannot marshal the payload of a.float: json: unsupported value: NaN"; e != nil ||
		!errors.As(err, &unsupportedValue) || err.Error() != want {
		t.Errorf("got %v, %v, want %s", e, err, want)
	}
}

// Changes to the values that an event was made from do not change the event.
func TestEventIsImmutable(t *testing.T) {
	payload := json.RawMessage(`[1,2]`)
	e := newEvent(t, rawSent, payload)
	payload[1] = '9'
	_ = append(e.Data(), "and more"...)
	info := rawSent.Info()
	info.Type = "other"
	if got := string(e.AppendSSE(nil)); !strings.Contains(got, "event: raw.sent\ndata: [1,2]\n") {
		t.Errorf("got %s", got)
	}
}

func TestPayloadReadsOwnTypeOnly(t *testing.T) {
	want := posted{"ada", "<b>\r\n\u2028"}
	if got, err := messagePosted.Payload(newEvent(t, messagePosted, want)); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}

	_, err := messagePosted.Payload(newEvent(t, typingStarted, posted{}))
	if want := `event: the event is of type "typing.user.started", not "chat.message.posted"`; err == nil || err.Error() != want {
		t.Errorf("another kind's event: got %v, want %s", err, want)
	}
	if _, err := messagePosted.Payload(new(event.Event)); err == nil {
		t.Error("a zero Event: want an error")
	}

	e, err := testRegistry.Decode([]byte(stored(map[string]string{
		"event_type": `"chat.message.posted"`,
		"data":       `{"from":"ada","text":1}`,
	})))
	if err != nil {
		t.Fatal(err)
	}
	got, err := messagePosted.Payload(e)
	var wrongType *json.UnmarshalTypeError
	if got != (posted{}) || !errors.Is(err, event.ErrInvalidValue) || !errors.As(err, &wrongType) ||
		!strings.HasPrefix(err.Error(), "event: invalid value: payload of chat.message.posted: ") {
		t.Errorf("data that does not fit: got %+v, %v", got, err)
	}
}

func TestZeroEventIsEmpty(t *testing.T) {
	e := new(event.Event)
	if e.Type() != "" || e.Category() != "" || e.Ephemeral() || e.ID() != uuid.Nil || e.User() != uuid.Nil ||
		e.Data() != nil || !e.Time().IsZero() {
		t.Errorf("got %+v", e)
	}
	if events, other := parseSSE(e.AppendSSE(nil)); len(events) != 1 || other != nil {
		t.Errorf("its frame reads as %q and %q", events, other)
	}
}
