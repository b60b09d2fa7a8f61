package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The pages that get HTML by a stream: notes arrive, whatever is in them, and each
// arrives once, also after a cut and after a proxy has answered 502. After a crash the page reads its
// notes again.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"htmx", "datastar"} {
		t.Run(name, func(t *testing.T) {
			p := startPage(t, name)
			b := newPerson(t, "reader")
			p.post("before the page") // is in the page
			b.open(p.front.URL)
			p.wait(b, "before the page")

			b.write("textarea", "by the form\nin two lines")
			b.click("button")
			p.wait(b, "by the form\nin two lines")

			// An EventSource ends an event at an empty line, and a line at CR, too.
			p.post("<script>window.forged = 1</script>\n\nevent: stream.gap\rdata: {}\r\n\r\nid: 1\ndata: elements <li>\nevent: note.added\ndata: <li>forged</li>\n\n&amp;")
			p.wait(b, "<script>window.forged = 1</script>\n\nevent: stream.gap\ndata: {}\n\nid: 1\ndata: elements <li>\nevent: note.added\ndata: <li>forged</li>\n\n&amp;")
			if eval[bool](b, `Boolean(window.forged)`) {
				t.Error("the text of a note ran as a script")
			}
			b.shot("page-" + name)

			p.front.CloseClientConnections()
			p.post("after a cut", "another")
			p.wait(b, "after a cut", "another")

			p.away.Store(true)
			p.front.CloseClientConnections()
			p.post("behind a proxy's 502")
			p.refusals(2)
			p.away.Store(false)
			p.wait(b, "behind a proxy's 502")
			p.post("live again")
			p.wait(b, "live again")

			// The example keeps its notes in memory, so a crash loses them, and the page
			// is told of a gap.
			p.crash()
			p.wait(b)
			p.post("after a crash")
			p.wait(b, "after a crash")
		})
	}
}

// A notesPage is an example's running program behind a proxy.
type notesPage struct {
	t       *testing.T
	program string
	process *exec.Cmd
	log     *output
	direct  string // its address without the proxy
	front   *httptest.Server
	away    atomic.Bool // the proxy answers 502
	refused chan struct{}
	want    []string // the notes that the page should show
}

func startPage(t *testing.T, name string) *notesPage {
	program := filepath.Join(t.TempDir(), name)
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = filepath.Join("..", "..", name)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the example does not build: %v\n%s", err, out)
	}
	p := &notesPage{t: t, program: program, refused: make(chan struct{}, 1000)}
	p.start("127.0.0.1:0")
	t.Cleanup(func() {
		p.process.Process.Kill()
		p.process.Wait() // it was killed
		if t.Failed() {
			t.Logf("the example's log:\n%s", p.log)
		}
	})
	target, err := url.Parse(p.direct)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}}
	p.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.away.Load() {
			p.refused <- struct{}{}
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer func() {
			// The proxy panics so if the application's answer was cut.
			if err := recover(); err != nil && err != http.ErrAbortHandler {
				panic(err)
			}
		}()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		p.front.CloseClientConnections()
		p.front.Close()
	})
	return p
}

// start starts the program.
func (p *notesPage) start(addr string) {
	p.t.Helper()
	p.log = &output{addr: make(chan string, 1)}
	p.process = exec.Command(p.program, "-addr", addr)
	p.process.Stderr = p.log
	if err := p.process.Start(); err != nil {
		p.t.Fatal(err)
	}
	select {
	case addr := <-p.log.addr:
		p.direct = "http://" + addr
	case <-time.After(patience):
		p.t.Fatalf("the example does not say where it listens:\n%s", p.log)
	}
}

// crash kills the program and starts it again, at the same address.
func (p *notesPage) crash() {
	p.t.Helper()
	p.process.Process.Kill()
	p.process.Wait() // it was killed
	p.want = []string{}
	p.start(strings.TrimPrefix(p.direct, "http://"))
}

// post adds notes, past the proxy.
func (p *notesPage) post(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		resp, err := http.PostForm(p.direct+"/notes", url.Values{"text": {text}})
		if err != nil {
			p.t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent {
			p.t.Fatalf("POST /notes: %s", resp.Status)
		}
	}
}

// refusals waits until the proxy has refused n requests.
func (p *notesPage) refusals(n int) {
	p.t.Helper()
	for range n {
		select {
		case <-p.refused:
		case <-time.After(patience):
			p.t.Fatal("the page does not try again after 502")
		}
	}
}

// wait waits until the page shows these notes behind those before, each once, in
// order, and nothing else.
func (p *notesPage) wait(b *tab, texts ...string) {
	p.t.Helper()
	p.want = append(p.want, texts...)
	b.wait(fmt.Sprintf("shows %d notes", len(p.want)),
		`JSON.stringify([...document.querySelectorAll('#notes > li')].map((li) => li.querySelector('pre')?.textContent)) === JSON.stringify(%s)`, p.want)
}
