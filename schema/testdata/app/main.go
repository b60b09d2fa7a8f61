// Command app is an application whose registry only it can read, because it is of
// package main. Its go generate runs it.
package main

import (
	"flag"
	"fmt"
	"log"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/schema"
)

//go:generate go run . -schema

type status string

const (
	open   status = "open"
	closed status = "closed"
)

type moved struct {
	From status `json:"from"`
	To   status `json:"to"`
}

var (
	registry event.Registry
	_        = event.Define[moved](&registry, "tickets", "ticket.moved", "A ticket has another status.")
)

func main() {
	writeSchema := flag.Bool("schema", false, "write web/events.ts and contract.json, and exit")
	flag.Parse()
	if *writeSchema {
		err := schema.Write(&registry, schema.Files{
			TypeScript: "web/events.ts",
			Contract:   "contract.json",
		}, &schema.Options{
			Types: []schema.TypeOption{schema.Enum(open, closed)},
		})
		if err != nil {
			log.Fatal(err)
		}
		return
	}
	fmt.Println("serving")
}
