package ws_test

import (
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
		t.Run(name, func(t *testing.T) {
			transporttest.Run(t, transporttest.Transport{
				Handler: func(h *hub.Hub, auth transport.Authenticator, o *transport.Options) http.Handler {
					return over(ws.NewHandler(h, auth, &ws.Options{Common: *o}))
				},
				RefusesOverload: true,
				Open: func(conn net.Conn, r *http.Request) (func() (transporttest.Frame, error), error) {
					c, err := dial(conn, r)
					if err != nil {
						return nil, err
					}
					return func() (transporttest.Frame, error) { return readFrame(c) }, nil
				},
			})
		})
	}
}
