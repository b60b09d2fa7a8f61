package dashtam

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

// The names in Redis.
const (
	userChannels     = "sse:user:*"
	userChannel      = "sse:user:" // and the user
	broadcastChannel = "sse:broadcast"
	userStream       = "sse:stream:user:" // and the user
)

// The fields of an event, in both forms.
const (
	fieldID   = "event_id"
	fieldType = "event_type"
	fieldUser = "user_id"
	fieldData = "data"
	fieldTime = "occurred_at"
)

// A dropped is an error that says why a message cannot be published.
type dropped struct {
	kind string
	err  error
}

func (d *dropped) Error() string { return d.err.Error() }
func (d *dropped) Unwrap() error { return d.err }

func drop(err error) error {
	if errors.Is(err, event.ErrUnknownType) {
		return &dropped{DroppedUnknownType, err}
	}
	return &dropped{DroppedMalformed, err}
}

// decodeMessage reads a message of Pub/Sub. broadcast says that it is for
// everyone.
func decodeMessage(r *event.Registry, channel, payload string) (e *event.Event, broadcast bool, err error) {
	if channel == broadcastChannel {
		e, err := r.Decode(withUser([]byte(payload)))
		if err != nil {
			return nil, true, drop(err)
		}
		return e, true, nil
	}
	user, err := parseUser(strings.TrimPrefix(channel, userChannel))
	if err != nil {
		return nil, false, &dropped{DroppedChannel, err}
	}
	e, err = r.Decode([]byte(payload))
	if err != nil {
		return nil, false, drop(err)
	}
	if e.User() != user {
		return nil, false, &dropped{DroppedUser, errors.New("the event's user is not the channel's")}
	}
	return e, false, nil
}

// withUser gives a broadcast that has no user, or null, the nil user: Decode
// wants one, and a broadcast is for nobody in particular.
func withUser(payload []byte) []byte {
	var fields map[string]json.RawMessage
	if json.Unmarshal(payload, &fields) != nil || fields == nil {
		return payload // Decode says what is wrong
	}
	if user, ok := fields[fieldUser]; ok && string(user) != "null" {
		return payload
	}
	fields[fieldUser] = json.RawMessage(`"` + uuid.Nil.String() + `"`)
	with, err := json.Marshal(fields)
	if err != nil {
		return payload
	}
	return with
}

func parseUser(s string) (uuid.UUID, error) {
	user, err := uuid.Parse(s)
	if err != nil || len(s) != 36 || user == uuid.Nil {
		return uuid.Nil, errors.New("the channel does not name a user by a UUID of 36 characters")
	}
	return user, nil
}

// decodeEntry reads an entry of a user's stream.
func decodeEntry(r *event.Registry, user uuid.UUID, values map[string]any) (*event.Event, error) {
	fields := map[string]json.RawMessage{}
	for _, key := range []string{fieldID, fieldType, fieldTime} {
		if s, ok := values[key].(string); ok {
			quoted, err := json.Marshal(s)
			if err != nil {
				return nil, drop(err)
			}
			fields[key] = quoted
		}
	}
	if data, ok := values[fieldData].(string); ok {
		if !json.Valid([]byte(data)) {
			return nil, drop(fmt.Errorf("%w: %s: not JSON", event.ErrInvalidValue, fieldData))
		}
		fields[fieldData] = json.RawMessage(data)
	}
	fields[fieldUser] = json.RawMessage(`"` + user.String() + `"`)
	b, err := json.Marshal(fields)
	if err != nil {
		return nil, drop(err)
	}
	e, err := r.Decode(b)
	if err != nil {
		return nil, drop(err)
	}
	return e, nil
}

// pythonTime is what datetime.isoformat writes of a time in UTC. Before Python
// 3.11, fromisoformat reads neither Z nor nanoseconds.
const pythonTime = "2006-01-02T15:04:05.000000-07:00"

// encodeMessage returns an event in the form of Pub/Sub.
func encodeMessage(e *event.Event) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(struct {
		ID   uuid.UUID       `json:"event_id"`
		Type event.Type      `json:"event_type"`
		User uuid.UUID       `json:"user_id"`
		Data json.RawMessage `json:"data"`
		Time string          `json:"occurred_at"`
	}{e.ID(), e.Type(), e.User(), e.Data(), e.Time().Format(pythonTime)})
	return bytes.TrimRight(b.Bytes(), "\n"), err
}
