// Package section replaces what programs write into a Markdown document of
// which people write the rest, and the picture that goes with it. A generated
// section stands between two lines:
//
//	<!-- name: who generates it -->
//	<!-- /name -->
package section

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A Section is the generated section of a document in a file.
type Section struct {
	File string
	Name string
}

// Check returns the error with which Replace would refuse the document: for
// those who measure for a quarter of an hour what is to go into it.
func (s Section) Check() error {
	_, err := s.read()
	return err
}

// A Picture is a file that a section shows.
type Picture struct {
	File    string
	Content []byte
}

// Replace writes the picture, and the section anew; the rest of the document
// stays as it is. The content is asked for with the level that its headings
// are to have, one below that of the heading under which the section stands,
// and with how the document links to the picture. If the document is not fit
// for it, nothing is written.
func (s Section) Replace(p Picture, content func(level int, link string) string) error {
	around, err := s.read()
	if err != nil {
		return err
	}
	link, err := s.link(p.File)
	if err != nil {
		return err
	}
	text := strings.Trim(content(around.level, link), "\n")
	if begin, end := markers(lines(text), s.Name); len(begin)+len(end) > 0 {
		return fmt.Errorf("%s: what is to be written contains the markers of section %q", s.File, s.Name)
	}
	if err := os.MkdirAll(filepath.Dir(p.File), 0o777); err != nil {
		return err
	}
	if err := os.WriteFile(p.File, p.Content, 0o666); err != nil {
		return err
	}
	// Markdown wants an empty line after a comment.
	return os.WriteFile(s.File, []byte(around.before+"\n"+text+"\n\n"+around.after), 0o666)
}

// link returns how the document names another file.
func (s Section) link(to string) (string, error) {
	from, err := filepath.Abs(filepath.Dir(s.File))
	if err != nil {
		return "", err
	}
	if to, err = filepath.Abs(to); err != nil {
		return "", err
	}
	path, err := filepath.Rel(from, to)
	return filepath.ToSlash(path), err
}

func (s Section) read() (parts, error) {
	text, err := os.ReadFile(s.File)
	if err != nil {
		return parts{}, err
	}
	p, err := split(string(text), s.Name)
	if err != nil {
		return parts{}, fmt.Errorf("%s: %w", s.File, err)
	}
	return p, nil
}

// parts are what stands around a section, the markers included.
type parts struct {
	before, after string
	level         int // of headings in the section
}

func split(text, name string) (parts, error) {
	all := lines(text)
	begin, end := markers(all, name)
	opening, closing := fmt.Sprintf(`"<!-- %s: ... -->"`, name), fmt.Sprintf(`"<!-- /%s -->"`, name)
	switch {
	case len(begin) == 0 && len(end) == 0:
		return parts{}, fmt.Errorf("there is no section %q: the lines %s and %s are missing", name, opening, closing)
	case len(begin) == 0:
		return parts{}, fmt.Errorf("section %q does not begin: the line %s is missing", name, opening)
	case len(end) == 0:
		return parts{}, fmt.Errorf("section %q does not end: the line %s is missing", name, closing)
	case len(begin) > 1:
		return parts{}, fmt.Errorf("section %q begins in line %d and again in line %d", name, begin[0]+1, begin[1]+1)
	case len(end) > 1:
		return parts{}, fmt.Errorf("section %q ends in line %d and again in line %d", name, end[0]+1, end[1]+1)
	case end[0] < begin[0]:
		return parts{}, fmt.Errorf("section %q ends in line %d, before it begins in line %d", name, end[0]+1, begin[0]+1)
	}
	level, err := level(all[:begin[0]])
	return parts{strings.Join(all[:begin[0]+1], ""), strings.Join(all[end[0]:], ""), level + 1}, err
}

// markers returns the indices of the lines that begin and end a section. Only
// a line of its own is a marker, so that prose can speak of them.
func markers(all []string, name string) (begin, end []int) {
	for i, line := range all {
		comment, opened := strings.CutPrefix(strings.TrimSpace(line), "<!--")
		comment, closed := strings.CutSuffix(comment, "-->")
		if !opened || !closed {
			continue
		}
		switch comment = strings.TrimSpace(comment); {
		case strings.HasPrefix(comment, name+":"):
			begin = append(begin, i)
		case comment == "/"+name:
			end = append(end, i)
		}
	}
	return begin, end
}

// level returns that of the last heading; 0 if there is none.
func level(all []string) (level int, err error) {
	const deepest = 6
	fence := ""
	for _, line := range all {
		line = strings.TrimRight(line, "\r\n")
		if fence != "" { // what looks like a heading in a block of code may be a shell's comment
			if strings.TrimSpace(line) == fence {
				fence = ""
			}
			continue
		}
		for _, f := range []string{"```", "~~~"} {
			if strings.HasPrefix(line, f) {
				fence = f
			}
		}
		n := len(line) - len(strings.TrimLeft(line, "#"))
		if n >= 1 && n <= deepest && (len(line) == n || line[n] == ' ') {
			level = n
		}
	}
	if level == deepest {
		return 0, errors.New("the section stands under a heading of the deepest level, and has headings of its own")
	}
	return level, nil
}

// lines cuts a text into its lines, with their ends.
func lines(text string) []string { return strings.SplitAfter(text, "\n") }
