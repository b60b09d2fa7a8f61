package e2e

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/crier-go/crier/hub"
)

// closeAfter closes a hub and its server when the test has ended. It fails if the hub
// does not close in time.
func closeAfter(t *testing.T, h *hub.Hub, server *httptest.Server) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			t.Errorf("closing the hub: %v", err)
		}
		server.CloseClientConnections()
		server.Close()
	})
}
