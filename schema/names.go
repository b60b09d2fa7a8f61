package schema

import (
	"path"
	"reflect"
	"strconv"
	"strings"
	"unicode"
)

// names gives each Go type a name that no other has. It is the name of the type,
// with a capital first letter; where two packages have types of the same name,
// the second has the name of its package before it; where that is taken as well,
// a number follows.
type names struct {
	byType map[reflect.Type]string
	taken  map[string]bool
}

func newNames() names {
	return names{
		byType: make(map[reflect.Type]string),
		// What the TypeScript file declares itself.
		taken: map[string]bool{"Events": true, "AnyEvent": true, "Category": true},
	}
}

// of returns the name of a type, and whether it is new.
func (n names) of(t reflect.Type) (string, bool) {
	if name, ok := n.byType[t]; ok {
		return name, false
	}
	plain := identifier(t.Name())
	qualified := identifier(path.Base(t.PkgPath())) + plain
	name := plain
	for i := 2; n.taken[name]; i++ {
		if name = qualified; n.taken[name] {
			name = qualified + strconv.Itoa(i)
		}
	}
	n.taken[name], n.byType[t] = true, name
	return name, true
}

// identifier makes of a Go type's name one that definitionName allows. The name
// of a generic type holds the paths of the packages of its arguments:
// "Page[example.com/shop.Item]" becomes "PageItem". Letters beyond ASCII become
// underscores.
func identifier(name string) string {
	var b strings.Builder
	for word := range strings.FieldsFuncSeq(name, func(c rune) bool { return strings.ContainsRune("[],*{}; ", c) }) {
		if i := strings.LastIndexAny(word, "./"); i >= 0 {
			word = word[i+1:]
		}
		for i, c := range word {
			switch {
			case c > unicode.MaxASCII || c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c):
				c = '_'
			case i == 0:
				c = unicode.ToUpper(c)
			}
			b.WriteRune(c)
		}
	}
	return b.String()
}
