package debug_test

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
)

// Chromium shows the answer under the page's policy.
func TestBrowser(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" || os.Getenv("REQUIRE") != "" {
			t.Fatal(err)
		}
		t.Skip("chromium is not installed")
	}
	h, k, d := start(t, nil)
	user := uuid.New()
	open(t, h, user, hub.Categories("alerts"), "<b>markup</b>")
	e := publish(t, h, k, user, "secret")
	srv := httptest.NewServer(d)
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, browser, "--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(), "--dump-dom",
		srv.URL+"/?view=user&user="+user.String()+"&event="+e.ID().String()).Output()
	if dom := string(out); err != nil || !strings.Contains(dom, "<b>filtered</b>") || !strings.Contains(dom, "&lt;b&gt;markup") || strings.Contains(dom, "secret") {
		t.Errorf("%v:\n%s", err, dom)
	}
}
