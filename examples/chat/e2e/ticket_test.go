package e2e

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
	"github.com/crier-go/crier/transport/sse"
	"github.com/crier-go/crier/transport/ticket"
)

//go:embed ticket.html
var ticketPage []byte

// An EventSource that was opened by a ticket is cut after the ticket has expired.
// A page of the same site comes back by the cookie, without a line of script; a
// page of another site gets no cookie, fetches a new ticket, and opens anew behind
// the last id. Neither loses anything or is told of a gap.
func TestTickets(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(t *testing.T, page string){"chromium": runChromium, "firefox": runFirefox} {
		t.Run(name, func(t *testing.T) {
			t.Run("same site", func(t *testing.T) {
				s := newTicketSite(t)
				run(t, s.url)
				before := s.cutAndResume(t)
				minted, withCookie := s.requests()
				if minted != before || withCookie == 0 || s.count("closed") != before-1 {
					t.Errorf("%d tickets (%d before the cut), %d requests with a cookie, closed %d times; the EventSource should have come back by itself",
						minted, before, withCookie, s.count("closed"))
				}
			})
			t.Run("another site", func(t *testing.T) {
				s := newTicketSite(t)
				run(t, s.foreign()+"/?api="+url.QueryEscape(s.url))
				before := s.cutAndResume(t)
				minted, withCookie := s.requests()
				if minted <= before || withCookie > 0 || s.count("closed") != minted-1 {
					t.Errorf("%d tickets (%d before the cut), %d requests with a cookie, closed %d times; the page should have fetched another ticket",
						minted, before, withCookie, s.count("closed"))
				}
			})
		})
	}
}

// A ticketSite serves the page, tickets and a stream, under two names: for a
// browser, 127.0.0.1 and localhost are two sites.
type ticketSite struct {
	hub    *hub.Hub
	server *httptest.Server
	url    string

	reports

	mu         sync.Mutex
	minted     int
	withCookie int
	ticket     string   // the first
	stream     net.Conn // of the last stream
}

type connKey struct{}

func newTicketSite(t *testing.T) *ticketSite {
	s := &ticketSite{hub: hub.New(&registry, nil)}
	check := func(_ context.Context, s hub.Session) (hub.Session, error) { return s, nil }
	tickets := ticket.New(check, &ticket.Options{Life: 2 * time.Second, Once: true}, bytes.Repeat([]byte("k"), 32))
	s.server = httptest.NewUnstartedServer(nil)
	s.server.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, c)
	}
	// The listener is open already and its address known, but the server starts
	// with its handler only: a browser may still call the last test's port.
	s.url = "http://" + s.server.Listener.Addr().String()
	stream := sse.NewHandler(s.hub, tickets.Authenticator("sse", nil), &sse.Options{Common: transport.Options{
		Retry:          50 * time.Millisecond,
		AllowedOrigins: []string{s.foreign()},
	}})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Write(ticketPage)
	})
	mux.HandleFunc("GET /events", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		if r.Header.Get("Cookie") != "" {
			s.withCookie++
		}
		s.stream = r.Context().Value(connKey{}).(net.Conn)
		s.mu.Unlock()
		stream.ServeHTTP(w, r)
	})
	mux.HandleFunc("OPTIONS /ticket", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", s.foreign())
		w.Header().Set("Access-Control-Allow-Headers", "Authorization")
	})
	mux.HandleFunc("POST /ticket", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", s.foreign())
		if r.Header.Get("Authorization") != "Bearer ada" {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		token, err := tickets.Mint("sse", hub.Session{User: user, ID: "login", Allowed: hub.Everything()})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		s.mu.Lock()
		s.minted++
		s.ticket = cmp.Or(s.ticket, token)
		s.mu.Unlock()
		json.NewEncoder(w).Encode(map[string]string{"ticket": token})
	})
	mux.Handle("POST /report", &s.reports)
	s.server.Config.Handler = mux
	s.server.Start()
	closeAfter(t, s.hub, s.server)
	return s
}

// foreign returns the server's other name.
func (s *ticketSite) foreign() string {
	return strings.Replace(s.url, "127.0.0.1", "localhost", 1)
}

// requests returns how many tickets the page has fetched, and how many of its
// requests for the stream brought a cookie.
func (s *ticketSite) requests() (minted, withCookie int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.minted, s.withCookie
}

func (s *ticketSite) publish(t *testing.T, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		e, err := tick.New(user, n)
		if err == nil {
			err = s.hub.Publish(t.Context(), e)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// cutAndResume cuts the page's stream once its ticket has expired, and checks that
// the page has everything all the same, once and in order. It returns how many
// tickets the page had fetched before: more than one if a slow browser let the
// first expire before it opened the stream.
func (s *ticketSite) cutAndResume(t *testing.T) (before int) {
	t.Helper()
	s.wait(t, "stream.cursor", 1)
	before, _ = s.requests()
	s.publish(t, 1, 3)
	s.wait(t, "test.tick", 3)
	s.mu.Lock()
	stream, expired := s.stream, s.ticket
	s.mu.Unlock()
	time.Sleep(2100 * time.Millisecond) // the ticket's life
	resp, err := http.Get(s.url + "/events?ticket=" + expired)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Fatalf("the ticket has expired, and opens a stream: %s", resp.Status)
	}
	stream.Close()
	s.publish(t, 4, 6)
	s.wait(t, "stream.cursor", 2)
	s.publish(t, 7, 9)
	s.wait(t, "test.tick", 9)
	got := s.data("test.tick")
	if want := "123456789"; strings.Join(got, "") != want || s.count("stream.gap") > 0 {
		t.Errorf("the page has heard %q and %d gaps, want %s and none", got, s.count("stream.gap"), want)
	}
	return before
}

func runChromium(t *testing.T, page string) {
	program := *chromium
	if program == "" {
		program = "chromium"
	}
	runBrowser(t, program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--remote-debugging-port=0", "--user-data-dir="+emptyDir(t), page)
}

// quietFirefox keeps Firefox from calling anyone.
const quietFirefox = `
user_pref("network.proxy.type", 0);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("services.settings.server", "data:,");
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
`

func runFirefox(t *testing.T, page string) {
	profile := emptyDir(t)
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(quietFirefox), 0o644); err != nil {
		t.Fatal(err)
	}
	runBrowser(t, "firefox-esr", "--headless", "--no-remote", "--profile", profile, page)
}

// emptyDir returns a directory that is removed after all tests: a browser that was
// killed may still write to it when its test ends.
func emptyDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(tempDir, "")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// runBrowser shows a page in a browser of its own until the test ends.
func runBrowser(t *testing.T, program string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, "%s is missing: install it (Debian: apt install %[1]s)", program)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "HOME="+emptyDir(t), "MOZ_CRASHREPORTER_DISABLE=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that its children end with it
	cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
	cmd.WaitDelay = patience
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait() // it was killed
	})
}
