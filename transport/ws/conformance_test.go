package ws_test

import (
	"fmt"
	"net"
	"net/http"
	"testing"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/transporttest"
	"github.com/crier-go/crier/transport/ws"
)

func TestConformance(t *testing.T) {
	for name, over := range ways {
		for _, compress := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, compress=%t", name, compress), func(t *testing.T) { conforms(t, over, compress) })
		}
	}
}

func conforms(t *testing.T, over func(http.Handler) http.Handler, compress bool) {
	transporttest.Run(t, transporttest.Transport{
		Handler: func(h *hub.Hub, auth transport.Authenticator, o *transport.Options) http.Handler {
			return over(ws.NewHandler(h, auth, &ws.Options{Common: *o, Compress: true}))
		},
		RefusesOverload: true,
		Open: func(conn net.Conn, r *http.Request) (func() (transporttest.Frame, error), error) {
			c, err := dial(conn, r, compress)
			if err != nil {
				return nil, err
			}
			return func() (transporttest.Frame, error) { return readFrame(c) }, nil
		},
	})
}
