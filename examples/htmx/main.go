// Command htmx is a wall of notes whose page has almost no script: the server
// renders each note as HTML and publishes it as an event of a Text kind, and htmx
// with its extension sse puts it into the page.
//
//	go run ./examples/htmx            # http://localhost:8080
//
// The server is package wall in examples/internal/wall. Read page.html beside this
// file. It says how the page resumes after a cut.
package main

import (
	"embed"
	"html/template"

	"github.com/crier-go/crier/examples/internal/program"
	"github.com/crier-go/crier/examples/internal/wall"
	"github.com/crier-go/crier/hub"
)

//go:embed htmx.min.js htmx-ext-sse.min.js
var scripts embed.FS

//go:embed page.html
var source string

func main() {
	h := hub.New(&wall.Kinds, nil)
	page := template.Must(template.New("page").Parse(source))
	program.Main("the wall", h, wall.NewHandler(h, page, scripts))
}
