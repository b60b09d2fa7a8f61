package section

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// document writes a file and returns the section "peers" of it.
func document(t *testing.T, text string) Section {
	t.Helper()
	s := Section{File: filepath.Join(t.TempDir(), "DOC.md"), Name: "peers"}
	if err := os.WriteFile(s.File, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return s
}

func read(t *testing.T, s Section) string {
	t.Helper()
	text, err := os.ReadFile(s.File)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// picture returns one beside the document.
func picture(s Section) Picture {
	return Picture{File: filepath.Join(filepath.Dir(s.File), "bench", "a.svg"), Content: []byte("<svg/>")}
}

func tell(level int, link string) string { return strings.Repeat("#", level) + " new " + link }

func TestReplace(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"empty": {
			"# A\n\n<!-- peers: by make -->\n<!-- /peers -->\n",
			"# A\n\n<!-- peers: by make -->\n\n## new bench/a.svg\n\n<!-- /peers -->\n",
		},
		"full, and others about it": {
			"# A\n## B\n<!-- capacity: x -->\none\n<!-- /capacity -->\n<!-- peers: x -->\ntwo\n<!-- /peers -->\nthree",
			"# A\n## B\n<!-- capacity: x -->\none\n<!-- /capacity -->\n<!-- peers: x -->\n\n### new bench/a.svg\n\n<!-- /peers -->\nthree",
		},
		"no heading": {
			"<!-- peers: -->\n<!-- /peers -->",
			"<!-- peers: -->\n\n# new bench/a.svg\n\n<!-- /peers -->",
		},
		"spoken of in prose": {
			"It is between `<!-- peers: -->` and `<!-- /peers -->`.\n<!--peers: x-->\n<!--/peers-->\n",
			"It is between `<!-- peers: -->` and `<!-- /peers -->`.\n<!--peers: x-->\n\n# new bench/a.svg\n\n<!--/peers-->\n",
		},
		"what is no heading": {
			"# A\n/peers -->\n```sh\n# a comment\n### another\n```\n    ### code\n#hash\n<!-- peers: x -->\n<!-- /peers -->\n",
			"# A\n/peers -->\n```sh\n# a comment\n### another\n```\n    ### code\n#hash\n<!-- peers: x -->\n\n## new bench/a.svg\n\n<!-- /peers -->\n",
		},
		"lines of Windows": {
			"# A\r\n## B\r\n<!-- peers: x -->\r\nold\r\n<!-- /peers -->\r\n",
			"# A\r\n## B\r\n<!-- peers: x -->\r\n\n### new bench/a.svg\n\n<!-- /peers -->\r\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := document(t, c.in)
			for range 2 { // again changes nothing
				if err := s.Replace(picture(s), tell); err != nil {
					t.Fatal(err)
				}
				if got := read(t, s); got != c.want {
					t.Errorf("the document is\n%s\nwant\n%s", got, c.want)
				}
				if got, err := os.ReadFile(picture(s).File); err != nil || string(got) != "<svg/>" {
					t.Errorf("the picture: %q, %v", got, err)
				}
			}
		})
	}
}

func TestRefuses(t *testing.T) {
	const begin, end = "<!-- peers: x -->\n", "<!-- /peers -->\n"
	for in, want := range map[string]string{
		"":                         "there is no section",
		"<!-- peer: x -->\n" + end: "does not begin",
		begin:                      "does not end",
		begin + begin + end:        "begins in line 1 and again in line 2",
		begin + end + end:          "ends in line 2 and again in line 3",
		end + begin:                "ends in line 1, before it begins in line 2",
		"###### A\n" + begin + end: "deepest level",
	} {
		t.Run(fmt.Sprintf("%q", in), func(t *testing.T) {
			s := document(t, in)
			for what, err := range map[string]error{"Check": s.Check(), "Replace": s.Replace(picture(s), tell)} {
				if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), s.File) {
					t.Errorf("%s: %v; want an error with %q and the file's name", what, err, want)
				}
			}
			unchanged(t, s, in)
		})
	}
	if err := (Section{File: filepath.Join(t.TempDir(), "none.md"), Name: "peers"}).Check(); !os.IsNotExist(err) {
		t.Errorf("of a file that does not exist: %v", err)
	}
}

// What would make the next Replace fail is not written.
func TestRefusesMarkersInContent(t *testing.T) {
	const in = "<!-- peers: x -->\n<!-- /peers -->\n"
	s := document(t, in)
	if err := s.Replace(picture(s), func(int, string) string { return "a\n<!-- /peers -->\nb" }); err == nil {
		t.Error("a marker in the content is accepted")
	}
	unchanged(t, s, in)
}

func unchanged(t *testing.T, s Section, was string) {
	t.Helper()
	if got := read(t, s); got != was {
		t.Errorf("the document has become %q", got)
	}
	if _, err := os.Stat(picture(s).File); !os.IsNotExist(err) {
		t.Errorf("there is a picture, or: %v", err)
	}
}

func TestLink(t *testing.T) {
	s := Section{File: filepath.Join("..", "..", "DOC.md")}
	for to, want := range map[string]string{
		filepath.Join("..", "..", "a.svg"):       "a.svg",
		filepath.Join("..", "..", "b", "a.svg"):  "b/a.svg",
		filepath.Join("..", "..", "..", "a.svg"): "../a.svg",
	} {
		if got, err := s.link(to); err != nil || got != want {
			t.Errorf("link(%q) = %q, %v; want %q", to, got, err, want)
		}
	}
}
