package schema

import (
	"cmp"
	"strings"
)

// AsyncAPI returns an AsyncAPI 3.1 document. It has a channel for each transport,
// with the application's events and the stream's own messages. Over SSE, the headers
// of a message are the fields id and event of a frame, and the payload is its data.
// Over WebSocket, the payload is the whole text message. In long-polling, it is the
// whole answer, with the messages in an array.
func (c *Contract) AsyncAPI() ([]byte, error) {
	o := c.options
	d := asyncDocument{
		Version:     "3.1.0",
		Info:        asyncInfo{Title: cmp.Or(o.Title, "Events"), Version: cmp.Or(o.Version, "1.0.0")},
		ContentType: "application/json",
	}
	if o.SSE != "-" {
		c.describeSSE(&d, cmp.Or(o.SSE, "/events"))
	}
	if o.WebSocket != "-" {
		c.describeWebSocket(&d, cmp.Or(o.WebSocket, "/ws"))
	}
	if o.Poll != "" && o.Poll != "-" {
		c.describePoll(&d, o.Poll)
	}
	for _, def := range c.defs {
		d.Components.Schemas.add(def.name, asyncNode(def.value))
	}
	return indent(d)
}

type asyncDocument struct {
	Version     string                  `json:"asyncapi"`
	Info        asyncInfo               `json:"info"`
	ContentType string                  `json:"defaultContentType"`
	Servers     ordered[asyncServer]    `json:"servers,omitempty"`
	Channels    ordered[asyncChannel]   `json:"channels,omitempty"`
	Operations  ordered[asyncOperation] `json:"operations,omitempty"`
	Components  struct {
		Messages ordered[asyncMessage] `json:"messages,omitempty"`
		Schemas  ordered[*node]        `json:"schemas,omitempty"`
	} `json:"components"`
}

type asyncInfo struct {
	Title   string `json:"title"`
	Version string `json:"version"`
}

type asyncServer struct {
	Host     string `json:"host"`
	Protocol string `json:"protocol"`
}

type asyncChannel struct {
	Address     string                  `json:"address"`
	Description string                  `json:"description"`
	Servers     []asyncRef              `json:"servers,omitempty"`
	Messages    ordered[asyncRef]       `json:"messages"`
	Bindings    map[string]asyncBinding `json:"bindings,omitempty"`
}

type asyncOperation struct {
	Action   string                  `json:"action"`
	Channel  asyncRef                `json:"channel"`
	Summary  string                  `json:"summary"`
	Messages []asyncRef              `json:"messages"`
	Bindings map[string]asyncBinding `json:"bindings,omitempty"`
}

type asyncBinding struct {
	Method  string `json:"method"`
	Query   *node  `json:"query"`
	Version string `json:"bindingVersion"`
}

type asyncMessage struct {
	Name      string     `json:"name"`
	Summary   string     `json:"summary,omitempty"`
	Tags      []asyncTag `json:"tags,omitempty"`
	Headers   *node      `json:"headers,omitempty"`
	Payload   *node      `json:"payload"`
	Type      string     `json:"contentType,omitempty"`
	Ephemeral bool       `json:"x-ephemeral,omitempty"`
	Latest    bool       `json:"x-latest,omitempty"`
	RetainFor string     `json:"x-retain-for,omitempty"`
}

type asyncTag struct {
	Name string `json:"name"`
}

type asyncRef struct {
	Ref string `json:"$ref"`
}

// asyncNode converts a schema to AsyncAPI's dialect. Its definitions are in
// components, and it ignores a description beside a $ref, so that is moved out.
func asyncNode(n *node) *node {
	if n == nil {
		return nil
	}
	a := *n
	if name, ok := strings.CutPrefix(n.Ref, refPrefix); ok {
		a.Ref = "#/components/schemas/" + name
		if n.Description != "" {
			return &node{Description: n.Description, AnyOf: []*node{{Ref: a.Ref}}}
		}
	}
	a.Properties = nil
	for _, p := range n.Properties {
		a.Properties.add(p.name, asyncNode(p.value))
	}
	a.AnyOf = nil
	for _, below := range n.AnyOf {
		a.AnyOf = append(a.AnyOf, asyncNode(below))
	}
	a.Items = asyncNode(n.Items)
	a.AdditionalProperties = asyncNode(n.AdditionalProperties)
	a.PropertyNames = asyncNode(n.PropertyNames)
	return &a
}

// A message is an event or one of the stream's own messages, before a transport
// wraps it.
type message struct {
	asyncMessage
	id   idRule
	text bool // over SSE, the data is text and not JSON
}

type idRule int

const (
	always idRule = iota
	perhaps
	never
)

// messages returns the application's events.
func (c *Contract) messages() []message {
	var all []message
	for _, e := range c.events {
		m := message{asyncMessage: asyncMessage{
			Name:      e.name,
			Summary:   e.value.Description,
			Tags:      []asyncTag{{string(e.value.Category)}},
			Payload:   asyncNode(e.value.Payload),
			Ephemeral: e.value.Ephemeral,
			Latest:    e.value.Latest,
			RetainFor: e.value.RetainFor,
		}, text: e.value.Text}
		if e.value.Ephemeral {
			m.id = never
		}
		all = append(all, m)
	}
	return all
}

// own returns one of the stream's own messages.
func own(name, summary string, data *node) message {
	return message{asyncMessage: asyncMessage{Name: name, Summary: summary, Payload: data}}
}

func (c *Contract) describeSSE(d *asyncDocument, address string) {
	channel := asyncChannel{
		Address: address,
		Description: "Server-Sent Events. A client resumes with the header Last-Event-ID, or last_event_id in the query, " +
			"narrows what it receives with categories in the query, and follows topics with topics in the query.",
	}
	c.addServer(d, &channel, "sse", "https")
	messages := append(c.messages(),
		own("stream.cursor", "The opening of the stream, and heartbeats. The id is a position to resume from.", object()),
		gapMessage(),
		c.filterMessage(),
		endMessage(),
	)
	for _, m := range messages {
		m.Headers = object(property{"event", true, constant(m.Name)})
		if m.id != never {
			m.Headers = object(property{"event", true, constant(m.Name)}, property{"id", m.id == always, id()})
		}
		if m.text {
			m.Type = "text/plain"
		}
		c.addMessage(d, &channel, "sse", m)
	}
	d.Channels.add("sse", channel)
	d.Operations.add("sendOverSSE", asyncOperation{
		Action:   "send",
		Channel:  asyncRef{"#/channels/sse"},
		Summary:  "The application tells its users what happened.",
		Messages: channel.refs("sse"),
		Bindings: map[string]asyncBinding{"http": {"GET", c.query(), "0.3.0"}},
	})
}

func (c *Contract) describeWebSocket(d *asyncDocument, address string) {
	channel := asyncChannel{
		Address: address,
		Description: "WebSocket. Each text message is one JSON object. A client resumes with last_event_id in the query, " +
			"and chooses what it receives with categories and topics in the query or with a message.",
		Bindings: map[string]asyncBinding{"ws": {"GET", c.query(), "0.1.0"}},
	}
	c.addServer(d, &channel, "ws", "wss")
	retry := retryNode()
	failed := own("stream.error", "Answers a message of the client that was wrong.",
		object(property{"error", true, text("What was wrong.")}, property{"ref", false, &node{Description: `The member "ref" of that message.`}}))
	failed.id = never
	messages := append(c.messages(),
		own("stream.cursor", "The opening of the stream, with retry, and heartbeats. The id is a position to resume from.",
			object(property{"retry", false, retry})),
		gapMessage(),
		c.filterMessage(),
		failed,
		endMessage(property{"retry", true, retry}),
	)
	for _, m := range messages {
		m.Payload = m.envelope()
		c.addMessage(d, &channel, "ws", m)
	}
	d.Operations.add("sendOverWebSocket", asyncOperation{
		Action:   "send",
		Channel:  asyncRef{"#/channels/ws"},
		Summary:  "The application tells its users what happened.",
		Messages: channel.refs("ws"),
	})
	const filter = "stream.filter.set" // no application can have a type of this name
	c.addMessage(d, &channel, "ws", message{asyncMessage: asyncMessage{
		Name:    filter,
		Summary: "Changes the filter or the topics of the stream, each as a whole. Other messages go to the application.",
		Payload: object(property{"categories", false, c.categories()}, property{"topics", false, topics()}, property{"ref", false, &node{Description: "Comes back in a stream.error."}}),
	}})
	d.Operations.add("receiveFilter", asyncOperation{
		Action:   "receive",
		Channel:  asyncRef{"#/channels/ws"},
		Summary:  "A client changes what it receives.",
		Messages: []asyncRef{{"#/channels/ws/messages/" + filter}},
	})
	d.Channels.add("ws", channel)
}

// describePoll adds the channel of long-polling: each request has one answer.
func (c *Contract) describePoll(d *asyncDocument, address string) {
	channel := asyncChannel{
		Address: address,
		Description: "Long-polling. Each answer is one JSON object with the messages that are new. A client sends " +
			"the cursor of the last answer as last_event_id in the query, and categories and topics with every request.",
	}
	c.addServer(d, &channel, "poll", "https")
	events := &node{Type: types{"array"}, Items: &node{}}
	for _, m := range append(c.messages(), gapMessage(), c.filterMessage(), endMessage()) {
		events.Items.AnyOf = append(events.Items.AnyOf, m.envelope())
	}
	c.addMessage(d, &channel, "poll", message{asyncMessage: asyncMessage{
		Name:    "answer",
		Summary: "The messages since the cursor of the request, or none when the wait is over.",
		Payload: object(property{"events", true, events}, property{"cursor", true, text("The position to send with the next request.")},
			property{"retry", false, retryNode()}),
	}})
	d.Channels.add("poll", channel)
	d.Operations.add("sendOverPoll", asyncOperation{
		Action:   "send",
		Channel:  asyncRef{"#/channels/poll"},
		Summary:  "The application tells its users what happened.",
		Messages: channel.refs("poll"),
		Bindings: map[string]asyncBinding{"http": {"GET", c.query(), "0.3.0"}},
	})
}

// envelope describes the JSON object that WebSocket and long-polling carry.
func (m message) envelope() *node {
	members := []property{{"event", true, constant(m.Name)}, {"data", true, m.Payload}}
	if m.id != never {
		members = append([]property{{"id", m.id == always, id()}}, members...)
	}
	return object(members...)
}

// addServer adds the server of a transport, if the host is known.
func (c *Contract) addServer(d *asyncDocument, channel *asyncChannel, name, protocol string) {
	if c.options.Host != "" {
		d.Servers.add(name, asyncServer{c.options.Host, protocol})
		channel.Servers = []asyncRef{{"#/servers/" + name}}
	}
}

func (c *Contract) addMessage(d *asyncDocument, channel *asyncChannel, transport string, m message) {
	name := transport + "." + m.Name
	d.Components.Messages.add(name, m.asyncMessage)
	channel.Messages.add(m.Name, asyncRef{"#/components/messages/" + name})
}

// refs returns references to the messages that the channel has now.
func (channel asyncChannel) refs(name string) []asyncRef {
	var refs []asyncRef
	for _, m := range channel.Messages {
		refs = append(refs, asyncRef{"#/channels/" + name + "/messages/" + m.name})
	}
	return refs
}

func gapMessage() message {
	reason := &node{Type: types{"string"}, Enum: []string{"evicted", "unknown"}, Description: "Why the events are gone."}
	return own("stream.gap", "Events for this client are gone: read the state anew. The id is the position after the gap.",
		object(property{"reason", true, reason}))
}

func (c *Contract) filterMessage() message {
	return own("stream.filter", "The filter or the topics were changed. The id is the position from which this holds.",
		object(property{"categories", true, c.categories()}, property{"topics", false, topics()}))
}

// endMessage describes stream.end. One that ends a stream before its opening has
// no id.
func endMessage(more ...property) message {
	m := own("stream.end", "The stream ends.", object(append([]property{{"reason", true, text("Why the stream ends.")}}, more...)...))
	m.id = perhaps
	return m
}

func retryNode() *node {
	return &node{Type: types{"integer"}, Description: "After how many milliseconds to reconnect."}
}

func (c *Contract) categories() *node { return &node{Type: types{"array"}, Items: c.category()} }

func topics() *node { return &node{Type: types{"array"}, Items: text("A topic.")} }

// query describes the query of the request that opens a stream.
func (c *Contract) query() *node {
	return object(
		property{"categories", false, text("The categories to receive, joined by commas. Default: all that the session allows.")},
		property{"topics", false, text("The topics to follow, joined by commas. Default: none.")},
		property{"last_event_id", false, id()},
	)
}

// category describes one category of the contract.
func (c *Contract) category() *node {
	n := &node{Type: types{"string"}}
	seen := make(map[string]bool)
	for _, e := range c.events {
		if category := string(e.value.Category); !seen[category] {
			seen[category] = true
			n.Enum = append(n.Enum, category)
		}
	}
	return n
}

// A property is a member of an object that this file describes.
type property struct {
	name     string
	required bool
	value    *node
}

func object(properties ...property) *node {
	n := &node{Type: types{"object"}}
	for _, p := range properties {
		n.Properties.add(p.name, p.value)
		if p.required {
			n.Required = append(n.Required, p.name)
		}
	}
	return n
}

func text(description string) *node { return &node{Type: types{"string"}, Description: description} }

func constant(value string) *node { return &node{Type: types{"string"}, Enum: []string{value}} }

func id() *node { return &node{Type: types{"string"}, Format: "uuid"} }
