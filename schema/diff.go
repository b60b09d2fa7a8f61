package schema

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/crier-go/crier/event"
)

// Diff returns what changed between two contracts: first the changes to types of
// before, in its order, then the types that are new in after.
//
// A change is breaking unless clients of each contract can read the events of the
// other. Both directions count. A client that was loaded before a deploy reads new
// events. A client that was loaded after it reads old events, because these were
// retained, or because another process still makes them. These changes are
// breaking:
//
//   - a type of event was removed, has another category, became ephemeral, or is
//     no longer ephemeral;
//   - a type became a [event.Text] kind or is no longer one, because Server-Sent
//     Events then carry its payload in another form;
//   - a type became a [event.Latest] kind or is no longer one, because clients then
//     receive every event or the latest only;
//   - a field was removed, has another type, became nullable, or is no longer
//     nullable;
//   - a new field is required, a field became optional, or an optional field
//     became required;
//   - an enumeration gained or lost a value.
//
// A new type of event and a new optional field are not breaking, because clients
// ignore what they do not know. Another duration of [event.RetainFor] is not
// breaking, because a client that comes too late is told of a gap. Descriptions, the order of fields and the names of
// Go types are not compared. If a payload uses a Go type in several places, a change
// of that type is reported for the first place only.
func Diff(before, after *Contract) []Change {
	var changes []Change
	now := after.events.index()
	for _, e := range before.events {
		d := differ{before: before, after: after, typ: event.Type(e.name), seen: make(map[[2]string]bool)}
		if n, ok := now[e.name]; ok {
			d.event(e.value, n)
		} else {
			d.report(TypeRemoved, "", "", "")
		}
		changes = append(changes, d.changes...)
	}
	was := before.events.index()
	for _, e := range after.events {
		if _, ok := was[e.name]; !ok {
			changes = append(changes, Change{Kind: TypeAdded, Type: event.Type(e.name)})
		}
	}
	return changes
}

// Breaking returns the breaking ones of the changes.
func Breaking(changes []Change) []Change {
	var breaking []Change
	for _, c := range changes {
		if c.Breaking() {
			breaking = append(breaking, c)
		}
	}
	return breaking
}

// A ChangeKind is a kind of [Change].
type ChangeKind string

// The kinds of changes.
const (
	TypeRemoved         ChangeKind = "type_removed"
	TypeAdded           ChangeKind = "type_added" // not breaking
	CategoryChanged     ChangeKind = "category_changed"
	EphemeralChanged    ChangeKind = "ephemeral_changed"
	TextChanged         ChangeKind = "text_changed"
	LatestChanged       ChangeKind = "latest_changed"
	RetainForChanged    ChangeKind = "retain_for_changed" // not breaking
	FieldRemoved        ChangeKind = "field_removed"
	RequiredFieldAdded  ChangeKind = "required_field_added"
	OptionalFieldAdded  ChangeKind = "optional_field_added" // not breaking
	FieldBecameOptional ChangeKind = "field_became_optional"
	FieldBecameRequired ChangeKind = "field_became_required"
	FieldTypeChanged    ChangeKind = "field_type_changed"
	EnumerationChanged  ChangeKind = "enum_changed" // a value was added or removed
)

// A Change is one difference between two contracts.
type Change struct {
	Kind ChangeKind `json:"change"`
	Type event.Type `json:"type"` // of the event
	// Path leads to the field, from data, which is the payload: "data.from.name",
	// "data.tags[]" for an element, "data.counts{}" for a value of a map and
	// "data.counts{key}" for its keys. It is empty for a change of the type itself.
	Path string `json:"path,omitempty"`
	// Was and Now say what changed, where the kind alone does not.
	Was string `json:"was,omitempty"`
	Now string `json:"now,omitempty"`
}

// Breaking reports whether the change is breaking; see [Diff].
func (c Change) Breaking() bool {
	return c.Kind != TypeAdded && c.Kind != OptionalFieldAdded && c.Kind != RetainForChanged
}

// String describes the change in one line. It does not say whether it is breaking.
func (c Change) String() string {
	where := printable(string(c.Type)) + ": "
	switch c.Kind {
	case TypeRemoved:
		return where + "the type was removed"
	case TypeAdded:
		return where + "new type"
	case CategoryChanged:
		return where + fmt.Sprintf("the category was %s and is %s", printable(c.Was), printable(c.Now))
	case EphemeralChanged, LatestChanged:
		return where + fmt.Sprintf("was %s and is %s", c.Was, c.Now)
	case TextChanged:
		return where + fmt.Sprintf("over SSE, the payload was %s and is %s", c.Was, c.Now)
	case RetainForChanged:
		return where + fmt.Sprintf("was retained %s and is retained %s", printable(c.Was), printable(c.Now))
	}
	where += printable(c.Path) + " "
	switch c.Kind {
	case FieldRemoved:
		return where + "was removed"
	case RequiredFieldAdded:
		return where + "is new and required: events from before do not have it"
	case OptionalFieldAdded:
		return where + "is new and optional"
	case FieldBecameOptional:
		return where + "was always there and can be absent"
	case FieldBecameRequired:
		return where + "could be absent and is required: events from before may not have it"
	}
	return where + fmt.Sprintf("was %s and is %s", printable(c.Was), printable(c.Now))
}

// printable returns a name from a file, in quotes if it could act on a terminal.
func printable(s string) string {
	if strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return strconv.Quote(s)
	}
	return s
}

// A differ compares one type of event.
type differ struct {
	before, after *Contract
	typ           event.Type
	seen          map[[2]string]bool // pairs of definitions that were compared
	changes       []Change
}

func (d *differ) report(k ChangeKind, path, was, now string) {
	d.changes = append(d.changes, Change{Kind: k, Type: d.typ, Path: path, Was: was, Now: now})
}

func (d *differ) event(was, now *eventType) {
	if was.Category != now.Category {
		d.report(CategoryChanged, "", string(was.Category), string(now.Category))
	}
	if was.Ephemeral != now.Ephemeral {
		d.report(EphemeralChanged, "", lifetime(was.Ephemeral), lifetime(now.Ephemeral))
	}
	if was.Text != now.Text {
		d.report(TextChanged, "", form(was.Text), form(now.Text))
	}
	if was.Latest != now.Latest {
		d.report(LatestChanged, "", kept(was.Latest), kept(now.Latest))
	}
	if was.RetainFor != now.RetainFor {
		d.report(RetainForChanged, "", retained(was.RetainFor), retained(now.RetainFor))
	}
	d.value("data", was.Payload, now.Payload)
}

func form(text bool) string {
	if text {
		return "text"
	}
	return "JSON"
}

func kept(latest bool) string {
	if latest {
		return "the latest event of each key"
	}
	return "every event"
}

func retained(d string) string {
	if d == "" {
		return "as long as the hub does"
	}
	return "for " + d
}

func lifetime(ephemeral bool) string {
	if ephemeral {
		return "ephemeral"
	}
	return "retained"
}

// value compares what stands at a path.
func (d *differ) value(path string, wasNode, nowNode *node) {
	// Both contracts were checked, or made by New: references lead somewhere.
	was, _ := d.before.resolve(wasNode)
	now, _ := d.after.resolve(nowNode)
	if w, n := summary(was), summary(now); w != n {
		d.report(FieldTypeChanged, path, w, n)
	}
	if len(was.Enum) > 0 && len(now.Enum) > 0 && !sameStrings(was.Enum, now.Enum) {
		d.report(EnumerationChanged, path, strings.Join(was.Enum, ", "), strings.Join(now.Enum, ", "))
	}
	if was.name != "" && now.name != "" {
		pair := [2]string{was.name, now.name}
		if d.seen[pair] {
			return
		}
		d.seen[pair] = true
	}
	switch {
	case isObject(was.node) && isObject(now.node):
		d.fields(path, was.node, now.node)
	case was.AdditionalProperties != nil && now.AdditionalProperties != nil:
		d.value(path+"{}", was.AdditionalProperties, now.AdditionalProperties)
		if was.PropertyNames != nil && now.PropertyNames != nil {
			d.value(path+"{key}", was.PropertyNames, now.PropertyNames)
		}
	case was.Items != nil && now.Items != nil:
		d.value(path+"[]", was.Items, now.Items)
	}
}

func (d *differ) fields(path string, was, now *node) {
	required := func(n *node) map[string]bool {
		set := make(map[string]bool, len(n.Required))
		for _, name := range n.Required {
			set[name] = true
		}
		return set
	}
	wasRequired, nowRequired := required(was), required(now)
	old, current := was.Properties.index(), now.Properties.index()
	for _, p := range was.Properties {
		below := path + "." + pathName(p.name)
		n, ok := current[p.name]
		if !ok {
			d.report(FieldRemoved, below, "", "")
			continue
		}
		if wasRequired[p.name] && !nowRequired[p.name] {
			d.report(FieldBecameOptional, below, "", "")
		}
		if !wasRequired[p.name] && nowRequired[p.name] {
			d.report(FieldBecameRequired, below, "", "")
		}
		d.value(below, p.value, n)
	}
	for _, p := range now.Properties {
		if _, ok := old[p.name]; ok {
			continue
		}
		k := OptionalFieldAdded
		if nowRequired[p.name] {
			k = RequiredFieldAdded
		}
		d.report(k, path+"."+pathName(p.name), "", "")
	}
}

// summary says in words what a value is, except what stands below it and what an
// enumeration lists.
func summary(r resolved) string {
	var b strings.Builder
	switch n := r.node; {
	case n.isAny():
		return "anything"
	case len(n.Enum) > 0:
		b.WriteString("enumeration")
	case n.AdditionalProperties != nil && n.PropertyNames != nil:
		b.WriteString("map with an enumeration as keys")
	case n.AdditionalProperties != nil:
		b.WriteString("map")
	default:
		b.WriteString(n.Type[0])
		for _, detail := range []string{n.Format, n.Encoding} {
			if detail != "" {
				fmt.Fprintf(&b, " (%s)", detail)
			}
		}
		if n.Minimum != nil {
			fmt.Fprintf(&b, " from %d", *n.Minimum)
		}
		if n.Maximum != nil {
			fmt.Fprintf(&b, " to %d", *n.Maximum)
		}
		if n.MinItems != nil && n.MaxItems != nil {
			fmt.Fprintf(&b, " of %d to %d elements", *n.MinItems, *n.MaxItems)
		}
	}
	if r.null {
		b.WriteString(" or null")
	}
	return b.String()
}

func sameStrings(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

var pathPattern = regexp.MustCompile(`^[\pL\pN_$-]+$`)

// pathName returns the name of a field in a path, in quotes where it would read
// as something else.
func pathName(name string) string {
	if pathPattern.MatchString(name) {
		return name
	}
	return fmt.Sprintf("%q", name)
}
