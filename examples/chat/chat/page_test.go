package chat

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/crier-go/crier/examples/chat/page"
	"github.com/crier-go/crier/examples/chat/static"
)

var stateScript = regexp.MustCompile(`(?s)<script id="state" type="application/json">(.*?)</script>`)

// The state in the page is JSON whatever people write, and ends no script.
func TestPageState(t *testing.T) {
	c := newChat(t)
	ada := c.login("Ada")
	const nasty = `</script><script>alert(1)</script> <!-- "'` + "\u2028."
	if resp := c.do("POST", "/messages", `{"text":`+quoted(t, nasty)+`}`, asJSON, cookie(ada)); resp.StatusCode != http.StatusAccepted {
		t.Fatal(text(resp))
	}
	resp := c.do("GET", "/", "", cookie(ada))
	found := stateScript.FindStringSubmatch(text(resp))
	if found == nil || strings.Contains(found[1], "<") {
		t.Fatalf("no state in the page: %q", found)
	}
	var st state
	if err := json.Unmarshal([]byte(found[1]), &st); err != nil {
		t.Fatal(err)
	}
	if st.Me.Name != "Ada" || len(st.Messages) != 1 || len(st.Cursor) != 36 {
		t.Errorf("state %+v", st)
	}
	var p posted
	if err := json.Unmarshal(st.Messages[0].Data, &p); err != nil || p.Text != nasty {
		t.Errorf("%q, %v", p.Text, err)
	}
	csp := resp.Header.Get("Content-Security-Policy")
	if strings.Contains(csp, "unsafe") || !strings.Contains(csp, "default-src 'none'") || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", resp.Header)
	}
}

// Everything the pages ask for is there, is local, and nothing is inline.
func TestPageAssets(t *testing.T) {
	c := newChat(t)
	reference := regexp.MustCompile(`(?:src|href)="([^"]*)"|from '([^']*)'`)
	inline := regexp.MustCompile(`\s(style|on[a-z]+)="`)
	check := func(files fs.FS, name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		if strings.HasSuffix(name, ".html") && inline.Match(b) {
			t.Errorf("%s has inline style or script, which the policy forbids: %q", name, inline.Find(b))
		}
		for _, m := range reference.FindAllStringSubmatch(string(b), -1) {
			ref := m[1] + m[2]
			if strings.HasPrefix(ref, "#") || ref == "/" {
				continue
			}
			if strings.HasPrefix(ref, "./") {
				ref = "/static/" + ref[2:]
			}
			resp := c.do("GET", ref, "")
			if resp.StatusCode != http.StatusOK || !regexp.MustCompile(`javascript|css|svg`).MatchString(resp.Header.Get("Content-Type")) {
				t.Errorf("%s refers to %s: %s, %s", name, ref, resp.Status, resp.Header.Get("Content-Type"))
			}
		}
		return nil
	}
	for _, files := range []fs.FS{page.Files, static.Files} {
		if err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error { return check(files, name, d, err) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"/static/", "/static/../main.go", "/static/none.js", "/static/static.go", "/page/chat.html", "/none"} {
		if resp := c.do("GET", path, ""); resp.StatusCode == http.StatusOK {
			t.Errorf("%s is served", path)
		}
	}
}

func TestHealthAndStats(t *testing.T) {
	c := newChat(t)
	if resp := c.do("GET", "/healthz", ""); resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
	var stats map[string]any
	if err := json.NewDecoder(c.do("GET", "/stats", "").Body).Decode(&stats); err != nil || stats["published"] == nil {
		t.Errorf("%v, %v", stats, err)
	}
}

// TestRun starts the whole program, opens a stream, and interrupts it: the
// stream is told why, and the program is through well within its time.
func TestRun(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	var out lines
	out.ready = make(chan string, 8)
	stopped := make(chan error, 1)
	go func() {
		stopped <- Run(ctx, Options{
			Addr:    "127.0.0.1:0",
			KeyFile: filepath.Join(t.TempDir(), "key"),
			Logger:  slog.New(slog.NewJSONHandler(&out, nil)),
		})
	}()
	var line struct{ URL string }
	if err := json.Unmarshal([]byte(<-out.ready), &line); err != nil || !strings.HasPrefix(line.URL, "http://127.0.0.1:") {
		t.Fatalf("no URL in the log: %+v, %v", line, err)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.PostForm(line.URL+"/login", url.Values{"name": {"Ada"}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	request, err := http.NewRequestWithContext(t.Context(), "GET", line.URL+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.AddCookie(resp.Cookies()[0])
	stream, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	began := time.Now()
	interrupt()
	var last string
	for sc := bufio.NewScanner(stream.Body); sc.Scan(); {
		if sc.Text() != "" {
			last = sc.Text()
		}
	}
	if last != `data: {"reason":"shutdown"}` {
		t.Errorf("the stream ended with %q", last)
	}
	if err := <-stopped; err != nil || time.Since(began) > shutdownTime {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// lines passes on what is logged, line by line.
type lines struct {
	ready chan string
}

func (l *lines) Write(p []byte) (int, error) {
	l.ready <- string(bytes.TrimSpace(p))
	return len(p), nil
}

func TestReachable(t *testing.T) {
	for asked, want := range map[string]string{
		"localhost:8080": "localhost:9", ":8080": "localhost:9", "0.0.0.0:0": "localhost:9", "[::]:0": "localhost:9",
		"127.0.0.1:0": "127.0.0.1:9", "[::1]:0": "[::1]:9", "chat.example:0": "chat.example:9",
	} {
		if got := reachable(address("1.2.3.4:9"), asked); got != want {
			t.Errorf("%s: %s, want %s", asked, got, want)
		}
	}
}

type address string

func (a address) Network() string { return "tcp" }
func (a address) String() string  { return string(a) }
