package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/crier-go/crier/event"
)

// JSONSchema returns the JSON Schema (2020-12) of a type's payload. The document
// contains all definitions that it refers to. If the contract does not have the
// type, the error wraps [event.ErrUnknownType].
//
// The schema allows additional properties, because a new optional field must not
// break a client.
func (c *Contract) JSONSchema(t event.Type) ([]byte, error) {
	for _, e := range c.events {
		if e.name == string(t) {
			return indent(struct {
				Schema      string `json:"$schema"`
				Title       string `json:"title"`
				Description string `json:"description,omitempty"`
				*plainNode
				Defs ordered[*node] `json:"$defs,omitempty"`
			}{
				"https://json-schema.org/draft/2020-12/schema", e.name, e.value.Description,
				(*plainNode)(e.value.Payload), c.closure(e.value.Payload),
			})
		}
	}
	return nil, fmt.Errorf("schema: %w: %s", event.ErrUnknownType, quote(string(t)))
}

// A plainNode can be embedded in a JSON document.
type plainNode node

// closure returns the definitions that n needs, in the contract's order.
func (c *Contract) closure(n *node) ordered[*node] {
	needed := make(map[string]bool)
	var visit func(n *node)
	visit = func(n *node) {
		if n == nil {
			return
		}
		if name := strings.TrimPrefix(n.Ref, refPrefix); name != "" && !needed[name] {
			needed[name] = true
			visit(c.byName[name])
		}
		for _, p := range n.Properties {
			visit(p.value)
		}
		for _, below := range slices.Concat(n.AnyOf, []*node{n.Items, n.AdditionalProperties, n.PropertyNames}) {
			visit(below)
		}
	}
	visit(n)
	var defs ordered[*node]
	for _, d := range c.defs {
		if needed[d.name] {
			defs = append(defs, d)
		}
	}
	return defs
}
