package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/crier-go/crier/event"
)

// format is the version of the contract file. Raise it when a file gains a
// keyword that older versions of this package would refuse. Read also accepts the
// formats before it. Format 2 has the keywords text, latest and retain_for.
const format = 2

// maxDepth bounds how deeply the values of a contract file may nest. Types with
// a name are definitions, which do not nest, so real files stay far below it.
const maxDepth = 100

// A Contract is what clients can rely on. For each type of event it has the
// category, how long events are kept and whether only the latest is, whether the
// payload is written as text, and its exact form.
//
// [New] makes a Contract from a registry, and [Read] from a file. A Contract is
// immutable and safe for concurrent use. The zero Contract has no events.
type Contract struct {
	events  ordered[*eventType] // by type, in the registry's order
	defs    ordered[*node]      // by name, in order of first use
	byName  map[string]*node    // the same
	options Options             // for AsyncAPI
}

// An eventType is one kind of event, as the contract file holds it.
type eventType struct {
	Category    event.Category `json:"category"`
	Ephemeral   bool           `json:"ephemeral,omitempty"`
	Text        bool           `json:"text,omitempty"`
	Latest      bool           `json:"latest,omitempty"`
	RetainFor   string         `json:"retain_for,omitempty"` // as time.Duration.String has it
	Description string         `json:"description,omitempty"`
	Payload     *node          `json:"payload"`
}

// A file is the contract file.
type file struct {
	Format int                 `json:"crier_contract"`
	Events ordered[*eventType] `json:"events"`
	Defs   ordered[*node]      `json:"$defs,omitempty"`
}

// New makes the contract of the kinds that r has now. Nil options mean the defaults.
//
// New returns an error if encoding/json cannot marshal a payload, or would not call
// a method of it; see "How Go types are read" in the package documentation. The
// error names the type of event and the field.
func New(r *event.Registry, o *Options) (*Contract, error) {
	if r == nil {
		return nil, errors.New("schema: the registry is nil")
	}
	c := &Contract{}
	if o != nil {
		c.options = *o
	}
	b := newBuilder()
	for _, t := range c.options.Types {
		if err := t.apply(b); err != nil {
			return nil, fmt.Errorf("schema: Options.Types: %w", err)
		}
	}
	for info := range r.All() {
		payload, err := b.payload(info.Payload)
		if err != nil {
			return nil, fmt.Errorf("schema: payload of %s: %w", info.Type, err)
		}
		e := &eventType{
			Category:    info.Category,
			Ephemeral:   info.Ephemeral,
			Text:        info.Text,
			Latest:      info.Latest,
			Description: info.Description,
			Payload:     payload,
		}
		if info.RetainFor > 0 {
			e.RetainFor = info.RetainFor.String()
		}
		c.events.add(string(info.Type), e)
	}
	c.defs = b.defs
	c.byName = c.defs.index()
	return c, nil
}

// MarshalJSON returns the content of a contract file, which [Read] and the command
// crier-schema read. The payloads in it are in JSON Schema 2020-12.
func (c *Contract) MarshalJSON() ([]byte, error) {
	return marshal(file{Format: format, Events: c.events, Defs: c.defs})
}

// Read reads a contract file, which [Contract.MarshalJSON] and [Write] make. The
// bytes may come from an untrusted source. If they are not a contract file, the
// error says where and why.
func Read(b []byte) (*Contract, error) {
	c, err := read(b)
	if err != nil {
		return nil, fmt.Errorf("schema: not a contract file: %w", err)
	}
	return c, nil
}

func read(b []byte) (*Contract, error) {
	if err := checkSyntax(b); err != nil {
		return nil, err
	}
	// The format is checked first, because a file of a later format would be refused
	// for its first unknown keyword.
	var version struct {
		Format json.RawMessage `json:"crier_contract"`
	}
	if err := json.Unmarshal(b, &version); err != nil {
		return nil, errors.New("it is not a JSON object")
	}
	switch {
	case version.Format == nil:
		return nil, errors.New(`it has no "crier_contract" with the version of its format`)
	case string(version.Format) != "1" && string(version.Format) != fmt.Sprint(format):
		return nil, fmt.Errorf("its format %.20q is not known, only 1 to %d are", version.Format, format)
	}
	var f file
	if err := unmarshal(b, &f); err != nil {
		return nil, err
	}
	c := &Contract{events: f.Events, defs: f.Defs, byName: f.Defs.index()}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

// checkSyntax returns an error unless b is one JSON value that nests no deeper
// than maxDepth. The depth bounds the work of the decoders in node.go, each of
// which scans its value again.
func checkSyntax(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // a number that no float64 holds is still JSON
	depth, values := 0, 0
	for {
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF) && values == 1 && depth == 0:
			return nil
		case errors.Is(err, io.EOF) && depth == 0:
			return errors.New("it is empty")
		case errors.Is(err, io.EOF):
			return errors.New("it ends in the middle")
		case err != nil:
			return fmt.Errorf("it is not JSON: byte %d: %w", d.InputOffset(), err)
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > maxDepth {
				return fmt.Errorf("it nests deeper than %d levels at byte %d", maxDepth, d.InputOffset())
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			if values++; values > 1 {
				return fmt.Errorf("something follows its end at byte %d", d.InputOffset())
			}
		}
	}
}

// check returns what is wrong with a contract that was read.
func (c *Contract) check() error {
	for _, d := range c.defs {
		where := "$defs/" + quote(d.name)
		if !definitionName.MatchString(d.name) {
			return fmt.Errorf("%s: the name must match %s", where, definitionName)
		}
		if err := c.checkNode(d.value, where); err != nil {
			return err
		}
		if _, err := c.resolve(d.value); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
	}
	for _, e := range c.events {
		where := "events/" + quote(e.name)
		switch {
		case e.name == "":
			return errors.New("an event's type is empty")
		case e.value == nil:
			return fmt.Errorf("%s: it is null", where)
		case e.value.Category == "":
			return fmt.Errorf("%s: it has no category", where)
		case e.value.Payload == nil:
			return fmt.Errorf("%s: it has no payload", where)
		}
		if err := c.checkNode(e.value.Payload, where+"/payload"); err != nil {
			return err
		}
	}
	return nil
}

// checkNode returns what is wrong with a schema. The rest of this package relies on
// what it checks.
func (c *Contract) checkNode(n *node, where string) error {
	if n == nil {
		return fmt.Errorf("%s: it is null", where)
	}
	if err := n.check(); err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	if n.Ref != "" {
		if _, err := c.def(n.Ref); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
	}
	for _, p := range n.Properties {
		if err := c.checkNode(p.value, where+"/properties/"+quote(p.name)); err != nil {
			return err
		}
	}
	for _, below := range []struct {
		keyword string
		node    *node
	}{{"items", n.Items}, {"additionalProperties", n.AdditionalProperties}, {"propertyNames", n.PropertyNames}} {
		if below.node != nil {
			if err := c.checkNode(below.node, where+"/"+below.keyword); err != nil {
				return err
			}
		}
	}
	for i, below := range n.AnyOf {
		if err := c.checkNode(below, fmt.Sprintf("%s/anyOf/%d", where, i)); err != nil {
			return err
		}
	}
	return nil
}

// definitionName is what a definition's name must be in TypeScript and AsyncAPI.
var definitionName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// def returns the definition that a $ref names.
func (c *Contract) def(ref string) (*node, error) {
	name, ok := strings.CutPrefix(ref, refPrefix)
	if !ok {
		return nil, fmt.Errorf("$ref %s does not begin with %s", quote(ref), refPrefix)
	}
	n, ok := c.byName[name]
	if !ok {
		return nil, fmt.Errorf("there is no definition %s", quote(name))
	}
	return n, nil
}

// A resolved is a node without references, and without null, which is kept apart.
type resolved struct {
	*node
	name string // of the last definition on the way, if any
	null bool   // the value may also be null
}

// resolve follows references and separates null from the rest.
func (c *Contract) resolve(n *node) (resolved, error) {
	r := resolved{node: n}
	for range len(c.defs) + 1 {
		if len(r.node.AnyOf) > 0 {
			r.null, r.node = true, r.node.AnyOf[0]
		}
		if r.node.Ref == "" {
			if base, null := r.node.withoutNull(); null {
				r.null, r.node = true, base
			}
			return r, nil
		}
		d, err := c.def(r.node.Ref)
		if err != nil {
			return resolved{}, err
		}
		r.name = strings.TrimPrefix(r.node.Ref, refPrefix)
		r.node = d
	}
	return resolved{}, errors.New("it refers to itself and to nothing else")
}

// quote returns a name from a file for use in a message. The result is bounded and
// has no control characters.
func quote(name string) string {
	const most = 64
	if len(name) > most {
		return fmt.Sprintf("%q...", name[:most])
	}
	return fmt.Sprintf("%q", name)
}
