package ws

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/crier-go/crier/hub"
)

// A Client is the connection that a message came from. It is valid while the
// connection lives; its methods are safe for concurrent use.
type Client struct{ conn *conn }

// Session returns whose connection it is.
func (c *Client) Session() hub.Session { return c.conn.stream.Subscription().Session() }

var eventName = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$`)

// Send sends {"event":name,"data":data} to this connection alone. The message
// has no id and no place in the hub's order: it is an answer, not an event. Send
// waits while the connection is being written to. The name must be one that an
// event's type could have; those that begin with "stream." are the hub's. The
// data is marshalled to JSON.
func (c *Client) Send(name string, data any) error {
	if !eventName.MatchString(name) || strings.HasPrefix(name+".", "stream.") {
		return fmt.Errorf("ws: %.64q is no name for an event: it must be lower case, with dots, and not begin with \"stream.\"", name)
	}
	b, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("ws: cannot send %s: %w", name, err)
	}
	_, err = c.conn.Write(appendMessage(nil, "", name, b))
	return err
}
