package proof

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documents are the pages that show files of the wild bench.
var documents = []string{"README.md", "docs/proxies.md", "docs/clients.md"}

// shown are the directories of files that a document has to show.
var shown = []string{"proof/wild/recipes", "proof/wild/clients/recipes"}

// block is a code block that shows a file, which the comment before it names.
var block = regexp.MustCompile("(?s)<!-- (proof/wild/\\S+) -->\n```[a-z]*\n(.*?)```\n")

// What a document shows of a file is the whole file, which make wild runs.
func TestDocumentsShowWhatRuns(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range documents {
		text := readFile(t, filepath.Join("..", name))
		for _, m := range block.FindAllStringSubmatch(text, -1) {
			seen[m[1]] = true
			if want := readFile(t, filepath.Join("..", m[1])); m[2] != want {
				t.Errorf("%s does not show %s as it is:\n%s", name, m[1], m[2])
			}
		}
		if n := strings.Count(text, "<!-- proof/wild/"); n != len(block.FindAllString(text, -1)) {
			t.Errorf("%s names %d files, but some without a block of code", name, n)
		}
	}
	for _, dir := range shown {
		err := filepath.WalkDir(filepath.Join("..", dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Name() == "bare" { // shows what goes wrong
				return filepath.SkipDir
			}
			if err == nil && !d.IsDir() && !seen[strings.TrimPrefix(filepath.ToSlash(path), "../")] {
				t.Errorf("no document shows %s", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
