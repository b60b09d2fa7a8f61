package schema

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"time"

	"github.com/crier-go/crier/event"
)

// Handler returns a handler that serves the contract, under any prefix:
//
//	http.Handle("GET /schema/", contract.Handler())
//
// The last segment of the path is the file: events.ts, contract.json, asyncapi.json,
// or the JSON Schema of a type, for instance chat.message.posted.json. A path that
// ends with a slash is a page that lists the files. Clients revalidate cached
// responses with the ETag.
//
// A contract describes the events of the application to everyone who can read it.
// If it is not public, put the handler behind the application's authentication.
func (c *Contract) Handler() http.Handler {
	h := &handler{files: make(map[string]served)}
	add := func(name, contentType string, b []byte, err error) {
		if err != nil { // what is in a contract always marshals
			panic(err)
		}
		h.names = append(h.names, name)
		h.files[name] = served{contentType, fmt.Sprintf(`"%x"`, sha256.Sum256(b)), b}
	}
	add("events.ts", "text/plain; charset=utf-8", c.TypeScript(), nil)
	b, err := indent(c)
	add("contract.json", "application/json", b, err)
	b, err = c.AsyncAPI()
	add("asyncapi.json", "application/vnd.aai.asyncapi+json;version=3.1.0", b, err)
	for _, e := range c.events {
		// The type "asyncapi" must not replace asyncapi.json.
		if name := e.name + ".json"; h.files[name].body == nil {
			b, err := c.JSONSchema(event.Type(e.name))
			add(name, "application/schema+json", b, err)
		}
	}
	return h
}

type handler struct {
	names []string
	files map[string]served
}

type served struct {
	contentType string
	tag         string
	body        []byte
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "a contract is read with GET", http.StatusMethodNotAllowed)
		return
	}
	header := w.Header()
	header.Set("Cache-Control", "no-cache") // revalidate
	header.Set("X-Content-Type-Options", "nosniff")
	dir, name := path.Split(r.URL.Path)
	if name == "" && dir != "" {
		header.Set("Content-Type", "text/html; charset=utf-8")
		if err := list.Execute(w, h.names); err != nil {
			panic(http.ErrAbortHandler) // the client has gone
		}
		return
	}
	f, ok := h.files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	header.Set("Content-Type", f.contentType)
	header.Set("ETag", f.tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}

var list = template.Must(template.New("").Parse(`<!doctype html>
<meta charset="utf-8">
<title>Events</title>
<ul>
{{range .}}<li><a href="{{.}}">{{.}}</a></li>
{{end}}</ul>
`))
