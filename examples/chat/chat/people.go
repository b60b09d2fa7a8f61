package chat

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// A person is somebody who has entered a name.
type person struct {
	ID   uuid.UUID `json:"id"`
	Name string    `json:"name"`
}

// UserID returns the id of whoever enters a name, or uuid.Nil for what is no name.
// It is for programs that embed the chat.
func UserID(name string) uuid.UUID {
	p, _ := newPerson(name)
	return p.ID
}

const (
	maxName  = 32 // characters
	nameRule = "1 to 32 letters, digits, spaces and - _ . '"
)

var errName = problem{http.StatusBadRequest, "A name has " + nameRule + "."}

// peopleNamespace is where user ids come from: a user's id is a UUID made of
// this and of the name. An application whose users have other ids than UUIDs
// does the same with those.
var peopleNamespace = uuid.MustParse("6f1f2f0c-0a0e-5d0e-9b1c-3a1d1c9f6a57")

// newPerson checks a name and returns who that is. "Ada" and "ada" are one
// person; how a name is written is only for display.
func newPerson(name string) (person, error) {
	name, ok := cleanName(name)
	if !ok {
		return person{}, errName
	}
	return person{ID: uuid.NewSHA1(peopleNamespace, []byte(folded(name))), Name: name}, nil
}

// cleanName returns a name of a person or a room without spare spaces, and reports
// whether it keeps to nameRule.
func cleanName(name string) (string, bool) {
	if !utf8.ValidString(name) || len(name) > 4*maxName*utf8.UTFMax {
		return "", false
	}
	// Spaces are forgiven, other white space is not: a line break in a name is
	// an attempt at something.
	name = strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r == ' ' }), " ")
	if n := utf8.RuneCountInString(name); n < 1 || n > maxName {
		return "", false
	}
	if strings.ContainsFunc(name, notInName) || !strings.ContainsFunc(name, isLetterOrDigit) {
		return "", false
	}
	return name, true
}

func isLetterOrDigit(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// notInName also refuses the few letters that are drawn as nothing. Marks are
// needed: many scripts write their vowels with them.
func notInName(r rune) bool {
	return !(isLetterOrDigit(r) || unicode.IsMark(r) || strings.ContainsRune(" -_.'", r)) ||
		unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || unicode.Is(unicode.Variation_Selector, r)
}

// folded returns a form that is equal for names that strings.EqualFold finds equal.
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, name)
}

// people remembers who has been here: those who logged in, and those who came
// back with a cookie, here or at another process. The journal fills it. A real
// application has its users in a database.
type people struct {
	mu   sync.RWMutex
	byID map[uuid.UUID]person
}

// enter notes somebody who logs in. The way they write their name today is the
// one that counts.
func (d *people) enter(p person) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byID == nil {
		d.byID = map[uuid.UUID]person{}
	}
	d.byID[p.ID] = p
}

// recall returns the person as known here, and notes one who is not: someone
// with a cookie from before the program was restarted.
func (d *people) recall(p person) person {
	if known, ok := d.lookup(p.ID); ok {
		return known
	}
	d.enter(p)
	return p
}

func (d *people) lookup(id uuid.UUID) (person, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	p, ok := d.byID[id]
	return p, ok
}

// all returns everybody, sorted.
func (d *people) all() []person {
	d.mu.RLock()
	defer d.mu.RUnlock()
	everybody := slices.AppendSeq([]person{}, maps.Values(d.byID))
	byName(everybody)
	return everybody
}

// named returns the person of that name.
func (d *people) named(name string) (person, bool) {
	p, err := newPerson(name)
	if err != nil {
		return person{}, false
	}
	return d.lookup(p.ID)
}

// byName sorts people for display.
func byName(ps []person) {
	slices.SortFunc(ps, func(a, b person) int { return strings.Compare(folded(a.Name), folded(b.Name)) })
}
