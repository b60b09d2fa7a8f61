package chat

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
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

// A running chat is the whole program, in this process.
type running struct {
	t         *testing.T
	url       string
	interrupt func()
	stopped   chan error
	client    *http.Client
}

// run starts the whole program. Nothing but its URL is in the log until it stops.
func run(t *testing.T, o Options) *running {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	out := lines{ready: make(chan string, 64)}
	o.Logger = slog.New(slog.NewJSONHandler(&out, nil))
	r := &running{t: t, interrupt: interrupt, stopped: make(chan error, 1)}
	r.client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	go func() { r.stopped <- Run(ctx, o) }()
	for {
		select {
		case text := <-out.ready:
			var line struct{ URL string }
			if json.Unmarshal([]byte(text), &line) == nil && strings.HasPrefix(line.URL, "http://127.0.0.1:") {
				r.url = line.URL
				return r
			}
		case err := <-r.stopped:
			t.Fatalf("it does not start: %v", err)
		}
	}
}

// do sends a request; set may change it first.
func (r *running) do(method, path, body string, set ...func(*http.Request)) *http.Response {
	r.t.Helper()
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range set {
		f(request)
	}
	resp, err := r.client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func (r *running) login(name string) *http.Cookie {
	r.t.Helper()
	return r.do("POST", "/login", url.Values{"name": {name}}.Encode(), asForm).Cookies()[0]
}

func (r *running) say(as *http.Cookie, text string) {
	r.t.Helper()
	if resp := r.do("POST", "/messages", fmt.Sprintf(`{"text":%q}`, text), asJSON, cookie(as)); resp.StatusCode != http.StatusAccepted {
		r.t.Fatal(resp.Status)
	}
}

// listen opens a stream over SSE, which goes on after an id.
func (r *running) listen(as *http.Cookie, after string) *eventStream {
	r.t.Helper()
	return &eventStream{lines: bufio.NewScanner(r.do("GET", "/events", "", cookie(as), header("Last-Event-ID", after)).Body)}
}

// An eventStream is read line by line.
type eventStream struct {
	lines *bufio.Scanner
	last  string // id
}

// until reads up to a line that contains a text, or to the end of the stream if the
// text is empty, and returns the lines that say what has happened.
func (s *eventStream) until(text string) (got []string) {
	for s.lines.Scan() {
		line := s.lines.Text()
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			s.last = id
		}
		if line != "" && !strings.HasPrefix(line, ":") && !strings.HasPrefix(line, "id:") && !strings.HasPrefix(line, "retry:") {
			got = append(got, line)
		}
		if text != "" && strings.Contains(line, text) {
			break
		}
	}
	return got
}

// TestRun starts the whole program, opens a stream, and interrupts it: the
// stream is told why, and the program is through well within its time. A connection
// that has asked for nothing yet, as browsers open them in advance, is no trouble.
func TestRun(t *testing.T) {
	r := run(t, Options{Addr: "127.0.0.1:0", KeyFile: filepath.Join(t.TempDir(), "key")})
	stream := r.listen(r.login("Ada"), "")
	idle, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	began := time.Now()
	r.interrupt()
	if got := stream.until(""); len(got) == 0 || got[len(got)-1] != `data: {"reason":"shutdown"}` {
		t.Errorf("the stream ended with %q", got)
	}
	if err := <-r.stopped; err != nil || time.Since(began) > shutdownTime {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// The program is stopped and started: a stream goes on without a gap, and nobody has
// gone or come. As soon as the address is free, the state can be had; who does not get
// the address takes nothing.
func TestRunAgain(t *testing.T) {
	o := Options{Addr: "127.0.0.1:0", KeyFile: filepath.Join(t.TempDir(), "key")}
	r := run(t, o)
	ada := r.login("Ada")
	stream := r.listen(ada, "")
	r.say(ada, "before")
	stream.until("before")
	o.Addr = strings.TrimPrefix(r.url, "http://")
	for i := range 2 {
		r.interrupt()
		taken, err := net.Listen("tcp", o.Addr)
		for err != nil && t.Context().Err() == nil {
			taken, err = net.Listen("tcp", o.Addr)
		}
		if _, err := os.Stat(o.KeyFile + ".state"); err != nil {
			t.Fatal(err)
		}
		if f, err := openStateFile(o.KeyFile + ".state"); err != nil || f.close() != nil {
			t.Fatal(err)
		}
		stream.until("")
		if err := <-r.stopped; err != nil {
			t.Fatal(err)
		}
		if err := Run(t.Context(), o); err == nil {
			t.Error("two have the same address")
		}
		taken.Close()
		r = run(t, o)
		r.say(ada, fmt.Sprintf("after %d", i))
		stream = r.listen(ada, stream.last)
		got := strings.Join(stream.until(fmt.Sprintf("after %d", i)), "\n")
		if strings.Contains(got, "gap") || strings.Contains(got, "presence") || strings.Count(got, "chat.message.posted") != 1 {
			t.Errorf("after restart %d: %s", i, got)
		}
	}
	if page := text(r.do("GET", "/state", "", cookie(ada))); strings.Count(page, `"text":"before"`) != 1 || strings.Count(page, `"text":"after 0"`) != 1 {
		t.Errorf("a page shows %s", page)
	}
	r.interrupt()
	<-r.stopped
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
