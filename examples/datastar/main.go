// Command datastar is a wall of notes: the server renders each note as HTML and
// publishes it as an event of a Text kind, and Datastar puts it into the page.
//
//	go run ./examples/datastar            # http://localhost:8080
//
// The server is package wall in examples/internal/wall. Read page.html beside this
// file. It says why the page opens the stream itself.
package main

import (
	"embed"
	"html/template"

	"github.com/crier-go/crier/examples/internal/program"
	"github.com/crier-go/crier/examples/internal/wall"
	"github.com/crier-go/crier/hub"
)

//go:embed datastar.js
var scripts embed.FS

//go:embed page.html
var source string

func main() {
	h := hub.New(&wall.Kinds, nil)
	page := template.Must(template.New("page").Parse(source))
	program.Main("the wall", h, wall.NewHandler(h, page, scripts))
}
