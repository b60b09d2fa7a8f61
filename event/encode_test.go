package event_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/crier-go/crier/event"
	"github.com/google/uuid"
)

var (
	someID   = uuid.MustParse("01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4")
	someUser = uuid.MustParse("3f333df6-90a4-4fda-8dd3-9485d27cee36")
	someTime = time.Date(2026, 3, 14, 15, 9, 26, 535_897_000, time.UTC)
)

type posted struct {
	From string `json:"from"`
	Text string `json:"text"`
}

var (
	testRegistry event.Registry

	messagePosted = event.Define[posted](&testRegistry, "chat", "chat.message.posted", "Somebody wrote a message.")
	typingStarted = event.Define[posted](&testRegistry, "typing", "typing.user.started", "Somebody types.", event.Ephemeral())
	rawSent       = event.Define[json.RawMessage](&testRegistry, "chat", "raw.sent", "Any JSON.")
)

// newEvent makes an event with a fixed user, id and time.
func newEvent[T any](t testing.TB, k event.Kind[T], payload T) *event.Event {
	t.Helper()
	e, err := k.New(someUser, payload, event.WithID(someID), event.At(someTime))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// frames is the golden table of AppendSSE.
var frames = []struct {
	name            string
	id, event, data string
	want            string
}{
	{"all", "1", "a.b", `{"x":1}`, "id: 1\nevent: a.b\ndata: {\"x\":1}\n\n"},
	{"no id", "", "a.b", "{}", "event: a.b\ndata: {}\n\n"},
	{"no name", "1", "", "{}", "id: 1\ndata: {}\n\n"},
	{"nothing", "", "", "", "data: \n\n"},
	{"no data", "1", "a.b", "", "id: 1\nevent: a.b\ndata: \n\n"},
	{"LF", "", "", "a\nb", "data: a\ndata: b\n\n"},
	{"CR", "", "", "a\rb", "data: a\ndata: b\n\n"},
	{"CRLF", "", "", "a\r\nb", "data: a\ndata: b\n\n"},
	{"LFCR", "", "", "a\n\rb", "data: a\ndata: \ndata: b\n\n"},
	{"CRCRLFLF", "", "", "\r\r\n\n", "data: \ndata: \ndata: \ndata: \n\n"},
	{"ends with a line end", "", "", "a\n", "data: a\ndata: \n\n"},
	{"a forged event", "", "", "a\n\ndata: b\n\n", "data: a\ndata: \ndata: data: b\ndata: \ndata: \n\n"},
	{"a leading space", "", "", " a", "data:  a\n\n"},
	{"a colon", ":1", ":a", ":", "id: :1\nevent: :a\ndata: :\n\n"},
	{"NUL in data", "", "", "a\x00b", "data: a\x00b\n\n"},
	{"line ends and NUL in the id", "1\r\nevent: x\n\x00\r2", "", "{}", "id: 1event: x2\ndata: {}\n\n"},
	{"line ends and NUL in the name", "", "a\nid: 7\r\x00b", "{}", "event: aid: 7b\ndata: {}\n\n"},
	{"an id of nothing else", "\r\n\x00", "a", "{}", "event: a\ndata: {}\n\n"},
	{"a name of nothing else", "1", "\r\n\x00", "{}", "id: 1\ndata: {}\n\n"},
	{"UTF-8", "é", "日本", "🙂", "id: é\nevent: 日本\ndata: 🙂\n\n"},
	{"a byte order mark", "\ufeff", "", "\ufeff", "id: \ufeff\ndata: \ufeff\n\n"},
	{"not UTF-8", "1\xff\xfe", "a\xc3", "\xe2\x82\n\xac\xed\xa0\x80",
		"id: 1\ufffd\ufffd\nevent: a\ufffd\ndata: \ufffd\ufffd\ndata: \ufffd\ufffd\ufffd\ufffd\n\n"},
	{"UTF-8 only once NUL is gone", "\xc3\x00\xa9", "", "{}", "id: \ufffd\ufffd\ndata: {}\n\n"},
}

func TestAppendSSEMatchesGoldenFrames(t *testing.T) {
	for _, tt := range frames {
		t.Run(tt.name, func(t *testing.T) {
			got := event.AppendSSE([]byte("before"), tt.id, tt.event, []byte(tt.data))
			if string(got) != "before"+tt.want {
				t.Errorf("got  %q\nwant %q", got, "before"+tt.want)
			}
		})
	}
}

// A client's message may consist of line ends only.
func TestAppendSSESplitsInLinearTime(t *testing.T) {
	const n = 1 << 20
	for _, end := range []string{"\r", "\n", "\r\n"} {
		got := event.AppendSSE(nil, "", "", []byte(strings.Repeat(end, n)))
		if want := strings.Repeat("data: \n", n+1) + "\n"; string(got) != want {
			t.Errorf("%d times %q: %d bytes, want %d", n, end, len(got), len(want))
		}
	}
}

func FuzzAppendSSE(f *testing.F) {
	for _, tt := range frames {
		f.Add(tt.id, tt.event, []byte(tt.data))
	}
	f.Fuzz(func(t *testing.T, id, name string, data []byte) {
		unwritable := strings.NewReplacer("\r", "", "\n", "", "\x00", "")
		lines := strings.NewReplacer("\r\n", "\n", "\r", "\n")
		want := received{
			LastID: unwritable.Replace(utf8Of(id)),
			Name:   unwritable.Replace(utf8Of(name)),
			Data:   lines.Replace(utf8Of(string(data))),
		}

		frame := event.AppendSSE(nil, id, name, data)
		if !utf8.Valid(frame) || bytes.Contains(frame, []byte("\r")) {
			t.Fatalf("frame %q: must be UTF-8 with LF only", frame)
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(string(frame), "\n\n"), "\n") {
			if !strings.HasPrefix(line, "id: ") && !strings.HasPrefix(line, "event: ") && !strings.HasPrefix(line, "data: ") {
				t.Fatalf("frame %q: line %q is none of the three", frame, line)
			}
		}
		check := func(stream []byte, want ...received) {
			t.Helper()
			got, other := parseSSE(stream)
			if !reflect.DeepEqual(got, want) || other != nil {
				t.Fatalf("stream %q\nread as %q and %q\nwant    %q", stream, got, other, want)
			}
		}
		check(frame, want)

		// The frame does not affect the frames before and after it, nor they it. A
		// client keeps an id until the next one.
		plain := received{LastID: "7", Name: "plain", Data: "x"}
		after := want
		if after.LastID == "" {
			after.LastID = "7"
		}
		check(event.AppendSSE(event.AppendSSE(nil, "7", "plain", []byte("x")), id, name, data), plain, after)
		check(event.AppendSSE(bytes.Clone(frame), "7", "plain", []byte("x")), want, plain)
	})
}

// utf8Of replaces each byte that is not UTF-8 with U+FFFD.
func utf8Of(s string) string { return string([]rune(s)) }

func TestEventAppendSSEWritesSameFrameAsFunction(t *testing.T) {
	e := newEvent(t, messagePosted, posted{"ada", "one\r\ntwo <b>"})
	const want = "id: 01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4\n" +
		"event: chat.message.posted\n" +
		`data: {"from":"ada","text":"one\r\ntwo \u003cb\u003e"}` + "\n\n"
	if got := e.AppendSSE([]byte("before")); string(got) != "before"+want {
		t.Errorf("got  %q\nwant %q", got, "before"+want)
	}
	if got := event.AppendSSE(nil, e.ID().String(), string(e.Type()), e.Data()); string(got) != want {
		t.Errorf("the function differs from the method: %q", got)
	}
}

// A client must not resume from an event that is never replayed.
func TestEventAppendSSEEphemeralHasNoID(t *testing.T) {
	e := newEvent(t, typingStarted, posted{"ada", ""})
	const want = "event: typing.user.started\n" + `data: {"from":"ada","text":""}` + "\n\n"
	if got := e.AppendSSE(nil); string(got) != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestAppendSSEDoesNotAllocate(t *testing.T) {
	e := newEvent(t, messagePosted, posted{"ada", strings.Repeat("x", 150)})
	id, name, data := e.ID().String(), string(e.Type()), []byte("one\r\ntwo\xff")
	dst := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { dst = e.AppendSSE(dst[:0]) }); n != 0 {
		t.Errorf("Event.AppendSSE: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { dst = event.AppendSSE(dst[:0], id, name, e.Data()) }); n != 0 {
		t.Errorf("AppendSSE: %v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { dst = event.AppendSSE(dst[:0], id+"", name, data) }); n != 0 {
		t.Errorf("AppendSSE of data to be split and repaired: %v allocations", n)
	}
}

func BenchmarkEventAppendSSE(b *testing.B) {
	e := newEvent(b, messagePosted, posted{"ada", strings.Repeat("x", 126)})
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		dst = e.AppendSSE(dst[:0])
	}
}

func BenchmarkAppendSSE(b *testing.B) {
	e := newEvent(b, messagePosted, posted{"ada", strings.Repeat("x", 126)})
	id, name := e.ID().String(), string(e.Type())
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		dst = event.AppendSSE(dst[:0], id, name, e.Data())
	}
}

func TestMarshalJSONWritesStorageForm(t *testing.T) {
	e := newEvent(t, messagePosted, posted{"ada", "hi"})
	const want = `{"event_id":"01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4",` +
		`"event_type":"chat.message.posted",` +
		`"user_id":"3f333df6-90a4-4fda-8dd3-9485d27cee36",` +
		`"data":{"from":"ada","text":"hi"},` +
		`"occurred_at":"2026-03-14T15:09:26.535897Z"}`
	for name, marshal := range map[string]func() ([]byte, error){
		"MarshalJSON":  e.MarshalJSON,
		"json.Marshal": func() ([]byte, error) { return json.Marshal(e) },
	} {
		if got, err := marshal(); err != nil || string(got) != want {
			t.Errorf("%s: got  %s, %v\nwant %s", name, got, err, want)
		}
	}
	if got, err := new(event.Event).MarshalJSON(); err == nil {
		t.Errorf("a zero Event: got %s, want an error", got)
	}
}

func TestMarshalJSONWritesTimeInUTC(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"2026-03-14T15:09:26Z", "2026-03-14T15:09:26.000000Z"},
		{"2026-03-14T15:09:26.5Z", "2026-03-14T15:09:26.500000Z"},
		{"2026-03-14T15:09:26.535897Z", "2026-03-14T15:09:26.535897Z"},
		{"2026-03-14T15:09:26.535897+00:00", "2026-03-14T15:09:26.535897Z"},
		{"2026-03-14T15:09:26.535897-00:00", "2026-03-14T15:09:26.535897Z"},
		{"2026-03-14T15:09:26.535897932Z", "2026-03-14T15:09:26.535897932Z"},
		{"2026-03-14T15:09:26.5358979Z", "2026-03-14T15:09:26.535897900Z"},
		{"2026-03-14T15:09:26.53589793238462643Z", "2026-03-14T15:09:26.535897932Z"},
		{"2026-03-14T23:59:26.535897+05:30", "2026-03-14T18:29:26.535897Z"},
		{"2026-12-31T23:59:26.535897-01:00", "2027-01-01T00:59:26.535897Z"},
		{"0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000000Z"},
		{"9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"},
	} {
		e, err := testRegistry.Decode([]byte(stored(map[string]string{"occurred_at": quoted(tt.in)})))
		if err != nil {
			t.Errorf("%s: %v", tt.in, err)
			continue
		}
		if e.Time().Location() != time.UTC {
			t.Errorf("%s: decoded in %v, want UTC", tt.in, e.Time().Location())
		}
		b, err := e.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if want := `"occurred_at":` + quoted(tt.want) + "}"; !strings.HasSuffix(string(b), want) {
			t.Errorf("%s: got %s, want it to end with %s", tt.in, b, want)
		}
	}
}

// stored returns a valid storage form with the given values replaced. A key whose
// value is "" is omitted.
func stored(values map[string]string) string {
	var b strings.Builder
	for _, field := range [][2]string{
		{"event_id", quoted(someID.String())},
		{"event_type", `"raw.sent"`},
		{"user_id", quoted(someUser.String())},
		{"data", `{"a":[1,2]}`},
		{"occurred_at", `"2026-03-14T15:09:26.535897Z"`},
	} {
		value, ok := values[field[0]]
		if !ok {
			value = field[1]
		}
		if value != "" {
			b.WriteString("," + quoted(field[0]) + ":" + value)
		}
	}
	return "{" + strings.TrimPrefix(b.String(), ",") + "}"
}

func quoted(s string) string { return `"` + s + `"` }

func with(key, value string) string { return stored(map[string]string{key: value}) }

// long is longer than any error may quote.
var long = strings.Repeat("x", 1<<16)

var badForms = []struct {
	name, form string
	is         error
	says       string
}{
	{"empty", "", event.ErrInvalidValue, "not JSON: unexpected end of JSON input"},
	{"cut off", `{"event_id":`, event.ErrInvalidValue, "not JSON: unexpected end of JSON input"},
	{"text", "hello " + long, event.ErrInvalidValue, "not JSON: invalid character 'h' looking for beginning of value"},
	{"trailing garbage", stored(nil) + "x", event.ErrInvalidValue, "not JSON: invalid character 'x' after top-level value"},
	{"two", stored(nil) + stored(nil), event.ErrInvalidValue, "not JSON: invalid character '{' after top-level value"},
	{"too deep", with("data", strings.Repeat("[", 1<<16)+strings.Repeat("]", 1<<16)), event.ErrInvalidValue, "not JSON: invalid character '[' exceeded max depth"},
	{"null", "null", event.ErrInvalidValue, "not a JSON object"},
	{"array", "[" + stored(nil) + "]", event.ErrInvalidValue, "not a JSON object"},
	{"string", quoted(long), event.ErrInvalidValue, "not a JSON object"},
	{"number", strings.Repeat("1", 1<<16), event.ErrInvalidValue, "not a JSON object"},

	{"nothing", "{}", event.ErrMissingField, "event_id"},
	{"no id", with("event_id", ""), event.ErrMissingField, "event_id"},
	{"no type", with("event_type", ""), event.ErrMissingField, "event_type"},
	{"no user", with("user_id", ""), event.ErrMissingField, "user_id"},
	{"no data", with("data", ""), event.ErrMissingField, "data"},
	{"no time", with("occurred_at", ""), event.ErrMissingField, "occurred_at"},
	{"null id", with("event_id", "null"), event.ErrMissingField, "event_id"},
	{"null type", with("event_type", " null "), event.ErrMissingField, "event_type"},
	{"null user", with("user_id", "null"), event.ErrMissingField, "user_id"},
	{"null time", with("occurred_at", "null"), event.ErrMissingField, "occurred_at"},
	{"a key in another case", strings.Replace(stored(nil), "data", "Data", 1), event.ErrMissingField, "data"},

	{"unknown type", with("event_type", `"no.such"`), event.ErrUnknownType, `"no.such"`},
	{"empty type", with("event_type", `""`), event.ErrUnknownType, `""`},
	{"type with line ends", with("event_type", `"a\r\n\u001b[2Jb"`), event.ErrUnknownType, `"a\r\n\x1b[2Jb"`},
	{"type not UTF-8", with("event_type", "\"\xff\""), event.ErrUnknownType, `"` + "\ufffd" + `"`},
	{"long type", with("event_type", quoted(long)), event.ErrUnknownType, quoted(long[:128]) + "..."},

	{"type of number", with("event_type", strings.Repeat("1", 1<<16)), event.ErrInvalidValue, "event_type: not a JSON string"},
	{"id of object", with("event_id", "{}"), event.ErrInvalidValue, "event_id: not a JSON string"},
	{"user of bool", with("user_id", "true"), event.ErrInvalidValue, "user_id: not a JSON string"},
	{"time of number", with("occurred_at", "1773500966"), event.ErrInvalidValue, "occurred_at: not a JSON string"},
	{"id of version 4", with("event_id", quoted(someUser.String())), event.ErrInvalidValue, "event_id: not a version 7 UUID"},
	{"id of version 8", with("event_id", `"01980d5e-9d2c-8cc1-8a51-5b2ab0e8f0c4"`), event.ErrInvalidValue, "event_id: not a version 7 UUID"},
	{"id of another variant", with("event_id", `"01980d5e-9d2c-7cc1-0a51-5b2ab0e8f0c4"`), event.ErrInvalidValue, "event_id: not a version 7 UUID"},
	{"nil id", with("event_id", quoted(uuid.Nil.String())), event.ErrInvalidValue, "event_id: not a version 7 UUID"},
	{"empty id", with("event_id", `""`), event.ErrInvalidValue, "event_id: " + notCanonical},
	{"long id", with("event_id", quoted(long)), event.ErrInvalidValue, "event_id: " + notCanonical},
	{"urn", with("event_id", `"urn:uuid:01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4"`), event.ErrInvalidValue, "event_id: " + notCanonical},
	{"braces", with("event_id", `"{01980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4}"`), event.ErrInvalidValue, "event_id: " + notCanonical},
	{"bare digits", with("user_id", `"01980d5e9d2c7cc18a515b2ab0e8f0c4"`), event.ErrInvalidValue, "user_id: " + notCanonical},
	{"not hexadecimal", with("user_id", `"g1980d5e-9d2c-7cc1-8a51-5b2ab0e8f0c4"`), event.ErrInvalidValue, "user_id: " + notCanonical},
	{"no dashes", with("user_id", `"01980d5e+9d2c-7cc1-8a51-5b2ab0e8f0c4"`), event.ErrInvalidValue, "user_id: " + notCanonical},
	{"empty time", with("occurred_at", `""`), event.ErrInvalidValue, "occurred_at: " + notRFC3339},
	{"long time", with("occurred_at", quoted(long)), event.ErrInvalidValue, "occurred_at: " + notRFC3339},
	{"time without offset", with("occurred_at", `"2026-03-14T15:09:26"`), event.ErrInvalidValue, "occurred_at: " + notRFC3339},
	{"time with a blank", with("occurred_at", `"2026-03-14 15:09:26Z"`), event.ErrInvalidValue, "occurred_at: " + notRFC3339},
	{"time with a comma", with("occurred_at", `"2026-03-14T15:09:26,5Z"`), event.ErrInvalidValue, "occurred_at: " + notRFC3339},
	{"time with a short hour", with("occurred_at", `"2026-03-14T5:09:26Z"`), event.ErrInvalidValue, "occurred_at: " + notRFC3339},
	{"no such day", with("occurred_at", `"2026-02-29T15:09:26Z"`), event.ErrInvalidValue, "occurred_at: " + notRFC3339},
	{"five digits of year", with("occurred_at", `"10000-01-01T00:00:00Z"`), event.ErrInvalidValue, "occurred_at: " + notRFC3339},
	{"before year 0 in UTC", with("occurred_at", `"0000-01-01T00:00:00+01:00"`), event.ErrInvalidValue, "occurred_at: in UTC the year is not within 0 to 9999"},
	{"after year 9999 in UTC", with("occurred_at", `"9999-12-31T23:59:59-01:00"`), event.ErrInvalidValue, "occurred_at: in UTC the year is not within 0 to 9999"},
}

const (
	notCanonical = "not a UUID in its canonical form of 36 characters"
	notRFC3339   = "not a time as RFC 3339 writes it"
)

func TestDecodeRefusesBadForms(t *testing.T) {
	for _, tt := range badForms {
		t.Run(tt.name, func(t *testing.T) {
			e, err := testRegistry.Decode([]byte(tt.form))
			if e != nil || !errors.Is(err, tt.is) {
				t.Fatalf("got %v, %.999v\nwant an error that is %q", e, err, tt.is)
			}
			if want := tt.is.Error() + ": " + tt.says; err.Error() != want {
				t.Errorf("got  %.999s\nwant %.999s", err, want)
			}
			for _, other := range []error{event.ErrInvalidValue, event.ErrMissingField, event.ErrUnknownType} {
				if other != tt.is && errors.Is(err, other) {
					t.Errorf("the error is also %q", other)
				}
			}
		})
	}
}

var goodForms = []struct{ name, form, data string }{
	{"plain", stored(nil), `{"a":[1,2]}`},
	{"null data", with("data", "null"), `null`},
	{"string data", with("data", `"x"`), `"x"`},
	{"number data", with("data", `-1.50e+300`), `-1.50e+300`},
	{"loose data", with("data", "{ \"a\" :\r\n[ 1,\t2 ] }"), `{"a":[1,2]}`},
	{"data not UTF-8", with("data", "{\"a\xff\":\"\xed\xa0\x80\"}"), `{"a` + "\ufffd" + `":"` + "\ufffd\ufffd\ufffd" + `"}`},
	{"half a surrogate", with("data", `"\ud800"`), `"\ud800"`},
	{"markup", with("data", `"<b>&`+"\u2028"+`"`), `"<b>&` + "\u2028" + `"`},
	{"loose form", " \n" + strings.ReplaceAll(stored(nil), ",", " ,\r\n") + "\t", `{"a":[1,2]}`},
	{"escaped", strings.Replace(with("event_type", `"r\u0061w.sent"`), "data", `d\u0061ta`, 1), `{"a":[1,2]}`},
	{"unknown keys", `{"x":null,"DATA":1,"category":"nonsense",` + stored(nil)[1:], `{"a":[1,2]}`},
	{"doubled keys", `{"data":1,"event_id":null,` + stored(nil)[1:], `{"a":[1,2]}`},
	{"upper-case id", with("event_id", quoted(strings.ToUpper(someID.String()))), `{"a":[1,2]}`},
}

func TestDecodeAcceptsGoodForms(t *testing.T) {
	for _, tt := range goodForms {
		t.Run(tt.name, func(t *testing.T) {
			form := []byte(tt.form)
			e, err := testRegistry.Decode(form)
			if err != nil {
				t.Fatal(err)
			}
			clear(form) // Decode must not retain it
			want, err := rawSent.New(someUser, nil, event.WithID(someID), event.At(someTime))
			if err != nil {
				t.Fatal(err)
			}
			if string(e.Data()) != tt.data {
				t.Errorf("data: got %s, want %s", e.Data(), tt.data)
			}
			if e.ID() != want.ID() || e.Type() != want.Type() || e.Category() != "chat" ||
				e.User() != want.User() || !e.Time().Equal(want.Time()) {
				t.Errorf("got %+v, want %+v", e, want)
			}
			if n := cap(e.Data()) - len(e.Data()); n != 0 {
				t.Errorf("the data has room for %d bytes that an append would write into", n)
			}
		})
	}
}

func TestDecodeReturnsWhatWasMarshalled(t *testing.T) {
	for _, e := range []*event.Event{
		newEvent(t, messagePosted, posted{"ada", "<b>\u2028\xff\r\n"}),
		newEvent(t, typingStarted, posted{}),
		newEvent(t, rawSent, json.RawMessage("{ \"a\": \"\xff\" }")),
		newEvent(t, rawSent, nil),
		fresh(t),
	} {
		for name, marshal := range map[string]func() ([]byte, error){
			"MarshalJSON":  e.MarshalJSON,
			"json.Marshal": func() ([]byte, error) { return json.Marshal(e) },
		} {
			b, err := marshal()
			if err != nil {
				t.Fatal(err)
			}
			got, err := testRegistry.Decode(b)
			if err != nil {
				t.Fatalf("%s: %s: %v", name, b, err)
			}
			if !reflect.DeepEqual(got, e) {
				t.Errorf("%s: got %+v, want %+v", name, got, e)
			}
		}
	}
}

// fresh makes an event without options.
func fresh(t *testing.T) *event.Event {
	e, err := messagePosted.New(uuid.Nil, posted{"ada", "hi"})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func FuzzDecode(f *testing.F) {
	for _, tt := range goodForms {
		f.Add([]byte(tt.form))
	}
	for _, tt := range badForms {
		if len(tt.form) < 1<<10 {
			f.Add([]byte(tt.form))
		}
	}
	f.Fuzz(func(t *testing.T, form []byte) {
		e, err := testRegistry.Decode(form)
		if err != nil {
			if !errors.Is(err, event.ErrInvalidValue) && !errors.Is(err, event.ErrMissingField) && !errors.Is(err, event.ErrUnknownType) {
				t.Fatalf("the error wraps none of the three: %v", err)
			}
			if len(err.Error()) > 1<<10 {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if !json.Valid(e.Data()) || !utf8.Valid(e.Data()) || bytes.ContainsAny(e.Data(), "\r\n") {
			t.Fatalf("data %q", e.Data())
		}
		b, err := e.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(b) {
			t.Fatalf("not JSON: %s", b)
		}
		again, err := testRegistry.Decode(b)
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if !reflect.DeepEqual(e, again) {
			t.Fatalf("decoded %+v, then %+v", e, again)
		}
		events, other := parseSSE(e.AppendSSE(nil))
		id := e.ID().String()
		if e.Ephemeral() {
			id = ""
		}
		want := []received{{id, string(e.Type()), string(e.Data())}}
		if !reflect.DeepEqual(events, want) || other != nil {
			t.Fatalf("its frame reads as %q and %q, want %q", events, other, want)
		}
	})
}
