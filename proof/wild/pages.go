package main

import (
	"cmp"
	"fmt"
	"html"
	"net/http"
	"os"
	"os/exec"
	"path"
	"strings"
	"sync"

	"github.com/google/uuid"
)

// pages serves what browsers load, below /events/page/: scripts, bundled with
// the npm packages that they import, and pages around the HTML recipes. Without
// npm there are no pages, and no clients that need them.
type pages struct {
	files map[string][]byte // the bundles, by path
	mux   *http.ServeMux

	mu        sync.Mutex
	published map[uuid.UUID][]int // the state that pages show
}

// scriptsOf names the libraries of each HTML recipe, below node_modules.
var scriptsOf = map[string]string{
	"htmx2":    `<script src="lib/htmx.org/dist/htmx.js"></script><script src="lib/htmx-ext-sse/sse.js"></script>`,
	"htmx4":    `<script src="lib/htmx4/dist/htmx.js"></script><script src="lib/htmx4/dist/ext/hx-sse.js"></script>`,
	"htmx-ws":  `<script src="lib/htmx.org/dist/htmx.js"></script><script src="lib/htmx-ext-ws/ws.js"></script>`,
	"turbo":    `<script type="module" src="lib/@hotwired/turbo/dist/turbo.es2017-esm.js"></script>`,
	"datastar": `<script type="module" src="lib/@starfederation/datastar/dist/datastar.js"></script>`,
}

func newPages() (*pages, error) {
	p := &pages{files: map[string][]byte{}, mux: http.NewServeMux(), published: map[uuid.UUID][]int{}}
	if _, err := os.Stat("clients/node_modules"); err != nil {
		return p, nil
	}
	dir, err := os.MkdirTemp("", "crier-wild-pages-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"app.js", "state.js"} {
		out := path.Join(dir, name)
		cmd := exec.Command("node_modules/.bin/esbuild", "page/"+name, "--bundle", "--log-level=warning", "--outfile="+out,
			"--alias:react-native-sse=react-native-sse/src/EventSource.js") // what its CommonJS wrapper exports, esbuild misreads
		cmd.Dir = "clients"
		if b, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("esbuild: %w\n%s", err, b)
		}
		if p.files["/"+name], err = os.ReadFile(out); err != nil {
			return nil, err
		}
		p.mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/javascript")
			w.Write(p.files[r.URL.Path])
		})
	}
	p.mux.Handle("GET /lib/", http.StripPrefix("/lib/", http.FileServer(http.Dir("clients/node_modules"))))
	p.mux.HandleFunc("GET /messages", p.messages)
	p.mux.HandleFunc("GET /{$}", p.index)
	return p, nil
}

func (p *pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	p.mux.ServeHTTP(w, r)
}

// index serves the page of a client: a script, or an HTML recipe.
func (p *pages) index(w http.ResponseWriter, r *http.Request) {
	client, user := r.FormValue("client"), html.EscapeString(r.FormValue("user"))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprint(w, `<!DOCTYPE html><meta charset="utf-8"><title>wild</title><link rel="icon" href="data:,">`)
	scripts, ok := scriptsOf[client]
	if !ok {
		fmt.Fprint(w, `<body><script src="app.js"></script>`)
		return
	}
	recipe, err := os.ReadFile("clients/recipes/" + client + ".html")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	text := strings.NewReplacer(
		"/messages", "/events/page/messages?user="+user,
		`"/events"`, `"/events?user=`+user+`"`, `'/events'`, `'/events?user=`+user+`'`,
		`"/ws"`, `"/ws?user=`+user+`"`, "/ws?", "/ws?user="+user+"&",
		"chat.message.posted", "wild.counted",
	).Replace(string(recipe))
	fmt.Fprintf(w, `<body><script src="state.js"></script>%s%s`, scripts, text)
}

// add notes what has been published to a user.
func (p *pages) add(user uuid.UUID, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.published[user] = append(p.published[user], n)
}

// messages answers with all that has been published to a user, in the form that
// the client's library wants.
func (p *pages) messages(w http.ResponseWriter, r *http.Request) {
	user, _ := uuid.Parse(r.FormValue("user"))
	p.mu.Lock()
	var items strings.Builder
	for _, n := range p.published[user] {
		fmt.Fprintf(&items, `<li data-n="%d">%[1]d</li>`, n)
	}
	p.mu.Unlock()
	switch {
	case r.Header.Get("Turbo-Frame") != "":
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<turbo-frame id="messages">%s</turbo-frame>`, &items)
	case r.URL.Query().Has("datastar") || r.Header.Get("Datastar-Request") != "":
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "event: datastar-merge-fragments\ndata: selector #messages\ndata: mergeMode inner\ndata: fragments <ul>%s</ul>\n\n", &items)
	default:
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, cmp.Or(items.String(), " "))
	}
}
