package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestClients runs the tests in clients, of npm packages, against a chat.
func TestClients(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, "there is no Node.js: install version 20 or later (Debian: apt install nodejs npm)")
	}
	for _, name := range []string{"eventsource", "undici", "ws"} {
		if _, err := os.Stat(filepath.Join("clients", "node_modules", name, "package.json")); err != nil {
			missing(t, "the npm package %s is not installed: run npm ci in examples/chat/e2e/clients", name)
		}
	}
	c := startChat(t)
	ctx, cancel := context.WithTimeout(t.Context(), 80*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "--test", "--test-reporter=spec")
	cmd.Dir = "clients"
	cmd.Env = append(os.Environ(), "CHAT_URL="+c.url())
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("the clients: %v", err)
	}
}
