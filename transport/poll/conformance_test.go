package poll_test

import (
	"net/http"
	"testing"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/poll"
	"github.com/crier-go/crier/transport/transporttest"
)

func TestConformance(t *testing.T) {
	transporttest.Run(t, transporttest.Transport{
		Handler: func(h *hub.Hub, auth transport.Authenticator, o *transport.Options) http.Handler {
			return poll.NewHandler(h, auth, &poll.Options{Common: *o})
		},
		Open:            open,
		RefusesOverload: true,
		Answers:         true,
	})
}
