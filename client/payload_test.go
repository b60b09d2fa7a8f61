package client_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/crier-go/crier/client"
	"github.com/crier-go/crier/event"
)

func TestPayload(t *testing.T) {
	if n, err := client.Payload(raised, client.Event{Type: "alert.raised", Data: []byte("7")}); n != 7 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	_, err := client.Payload(raised, client.Event{Type: "note.added", Data: []byte("7")})
	if err == nil || !strings.Contains(err.Error(), `"note.added", not "alert.raised"`) {
		t.Errorf("another type: got %v", err)
	}
	for _, data := range []string{`"x"`, "", "{"} {
		if _, err := client.Payload(raised, client.Event{Type: "alert.raised", Data: []byte(data)}); !errors.Is(err, event.ErrInvalidValue) {
			t.Errorf("data %q: got %v", data, err)
		}
	}
	var zero event.Kind[int]
	if _, err := client.Payload(zero, client.Event{}); err == nil {
		t.Error("a zero kind reads a payload")
	}
}
