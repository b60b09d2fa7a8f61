package ws_test

import (
	"net/http"
	"testing"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport/internal/fixture"
)

// A client changes its topics while it listens, and learns from which position.
func TestClientChangesItsTopics(t *testing.T) {
	bubble(t, nil, func(t *testing.T, f *fixture.Fixture, connect func(query string) *raw) {
		f.Authenticate(func(*http.Request) (hub.Session, error) {
			return hub.Session{User: fixture.Alice, Allowed: hub.Everything(), Topics: []string{"a", "b"}}, nil
		})
		publish := func(topic, text string) { f.PublishTo(hub.Topic(topic), text) }
		c := connect("?topics=a")
		c.want(opening)
		publish("a", "1")
		c.want(note("1"))
		c.send(text(`{"topics":["b"]}`))
		c.want(`{"id":"ID","event":"stream.filter","data":{"categories":["notes","alerts"],"topics":["b"]}}`)
		publish("a", "2")
		publish("b", "3")
		c.want(note("3"))
		c.send(text(`{"topics":["b","a"],"categories":["notes"],"ref":{"n":1}}`))
		c.want(`{"id":"ID","event":"stream.filter","data":{"categories":["notes"],"topics":["b","a"],"ref":{"n":1}}}`)
		c.send(text(`{"topics":["secret"],"ref":1}`))
		c.want(`{"event":"stream.error","data":{"error":"this session may not follow one of these topics","ref":1}}`)
		c.send(text(`{"topics":[""]}`))
		c.want(`{"event":"stream.error","data":{"error":"a topic's name must have 1 to 128 bytes of UTF-8 without control characters; this one is empty"}}`)
		f.Hub.Leave(t.Context(), fixture.Alice, "a")
		c.want(`{"id":"ID","event":"stream.filter","data":{"categories":["notes"],"topics":["b"]}}`)
		c.send(text(`{"topics":[]}`))
		c.want(`{"id":"ID","event":"stream.filter","data":{"categories":["notes"],"topics":[]}}`)
		publish("b", "4")
		f.Publish("5")
		c.want(note("5"))
	})
}
