package judge

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/google/uuid"
	"github.com/gorilla/websocket"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/schema"
	"github.com/crier-go/crier/transport/poll"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ws"
)

type said struct {
	Text string `json:"text"`
	Mood *mood  `json:"mood" doc:"How it was said."`
}

type mood struct {
	Name string `json:"name"`
}

// A chat is a hub, what happens in it, and the messages of its AsyncAPI document.
type chat struct {
	hub      *hub.Hub
	user     uuid.UUID
	said     event.Kind[said]
	typing   event.Kind[struct{}]
	messages map[string]*jsonschema.Resolved // by name, with its transport before it
	headers  map[string]*jsonschema.Resolved
}

func newChat(t *testing.T) *chat {
	t.Helper()
	var kinds event.Registry
	c := &chat{
		user:     uuid.New(),
		said:     event.Define[said](&kinds, "chat", "chat.said", "Somebody said something."),
		typing:   event.Define[struct{}](&kinds, "typing", "chat.typing", "Somebody types.", event.Ephemeral()),
		messages: make(map[string]*jsonschema.Resolved),
		headers:  make(map[string]*jsonschema.Resolved),
	}
	document, err := contract(t, &kinds, &schema.Options{Poll: "/poll"}).AsyncAPI()
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Components struct {
			Messages map[string]struct{ Headers, Payload json.RawMessage }
			Schemas  json.RawMessage
		}
	}
	if err := json.Unmarshal(document, &d); err != nil {
		t.Fatal(err)
	}
	// As a document of their own, the schemas refer to definitions in themselves.
	standalone := func(s json.RawMessage) *jsonschema.Resolved {
		t.Helper()
		var all struct {
			Ref  string          `json:"$ref"`
			Defs json.RawMessage `json:"$defs"`
		}
		all.Ref = "#/$defs/message"
		all.Defs = append(append(append([]byte(`{"message":`), s...), ','), d.Components.Schemas[1:]...)
		b, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		return resolved(t, []byte(strings.ReplaceAll(string(b), "#/components/schemas/", "#/$defs/")))
	}
	for name, m := range d.Components.Messages {
		c.messages[name] = standalone(m.Payload)
		if m.Headers != nil {
			c.headers[name] = standalone(m.Headers)
		}
	}
	c.hub = hub.New(&kinds, nil)
	return c
}

func (c *chat) authenticate(*http.Request) (hub.Session, error) {
	return hub.Session{User: c.user, Allowed: hub.Everything()}, nil
}

// publish publishes one event of each kind.
func (c *chat) publish(t *testing.T) {
	t.Helper()
	first, err := c.said.New(c.user, said{"hello", &mood{"merry"}})
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.typing.New(c.user, struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []*event.Event{first, second} {
		if err := c.hub.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

// check validates a message and notes that it was seen.
func (c *chat) check(t *testing.T, name string, payload any, headers map[string]any) {
	t.Helper()
	if c.messages[name] == nil {
		t.Errorf("the document has no message %s", name)
		return
	}
	if err := c.messages[name].Validate(payload); err != nil {
		t.Errorf("%s: %v\nis not what the document says: %v", name, payload, err)
	}
	if headers == nil {
		return
	}
	if err := c.headers[name].Validate(headers); err != nil {
		t.Errorf("%s: headers %v\nare not what the document says: %v", name, headers, err)
	}
}

// What is read over SSE is what the document says.
func TestAsyncAPIDescribesSSE(t *testing.T) {
	c := newChat(t)
	server := httptest.NewServer(sse.NewHandler(c.hub, c.authenticate, nil))
	defer server.Close()
	r, err := http.Get(server.URL + "?last_event_id=" + uuid.Must(uuid.NewV7()).String()) // unknown here: a gap
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	c.publish(t)
	var got []string
	var data any
	headers := make(map[string]any)
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		switch field, value, _ := strings.Cut(lines.Text(), ": "); field {
		case "data":
			data = decode(t, []byte(value))
		case "id", "event":
			headers[field] = value
		case "": // the end of a block
			name, _ := headers["event"].(string)
			c.check(t, "sse."+name, data, headers)
			got = append(got, name)
			if name == "chat.typing" {
				go c.hub.Shutdown(t.Context())
			}
			data, headers = nil, make(map[string]any)
		}
	}
	for _, want := range []string{"stream.cursor", "stream.gap", "chat.said", "chat.typing", "stream.end"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s was read, only %q", want, got)
		}
	}
}

// What is read over WebSocket is what the document says.
func TestAsyncAPIDescribesWebSocket(t *testing.T) {
	c := newChat(t)
	server := httptest.NewServer(ws.NewHandler(c.hub, c.authenticate, nil))
	defer server.Close()
	url := strings.Replace(server.URL, "http", "ws", 1) + "?last_event_id=" + uuid.Must(uuid.NewV7()).String()
	client, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, message := range []string{`{"categories":["typing","chat"],"ref":1}`, `{"categories":["none"],"ref":2}`} {
		if err := client.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
			t.Fatal(err)
		}
	}
	c.check(t, "ws.stream.filter.set", decode(t, []byte(`{"categories":["typing","chat"],"ref":1}`)), nil)
	var got []string
	for {
		_, b, err := client.ReadMessage()
		if err != nil {
			break // the stream has ended
		}
		message := decode(t, b)
		name := message.(map[string]any)["event"].(string)
		c.check(t, "ws."+name, message, nil)
		got = append(got, name)
		switch name {
		case "stream.error": // the answer to the last message
			c.publish(t)
		case "chat.typing":
			go c.hub.Shutdown(t.Context())
		}
	}
	for _, want := range []string{"stream.cursor", "stream.gap", "stream.filter", "stream.error", "chat.said", "chat.typing", "stream.end"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s was read, only %q", want, got)
		}
	}
}

// What is read by long-polling is what the document says.
func TestAsyncAPIDescribesPoll(t *testing.T) {
	c := newChat(t)
	server := httptest.NewServer(poll.NewHandler(c.hub, c.authenticate, nil))
	defer server.Close()
	read := func(query string) (answer struct {
		Events []struct{ Event string }
		Cursor string
	}) {
		t.Helper()
		r, err := http.Get(server.URL + query)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		c.check(t, "poll.answer", decode(t, b), nil)
		if err := json.Unmarshal(b, &answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	first := read("")
	c.publish(t)
	second := read("?last_event_id=" + first.Cursor)
	gap := read("?last_event_id=" + uuid.Must(uuid.NewV7()).String()) // unknown here
	var got []string
	for _, e := range append(second.Events, gap.Events...) {
		got = append(got, e.Event)
	}
	for _, want := range []string{"chat.said", "stream.gap"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s was read, only %q", want, got)
		}
	}
	if err := c.messages["poll.answer"].Validate(decode(t, []byte(`{"events":[{"event":"chat.none","data":1}],"cursor":""}`))); err == nil {
		t.Error("an event of no type of the contract is valid")
	}
}
