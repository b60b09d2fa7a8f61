package interleave

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Packages are the directories, below the module's root, of the packages that
// Files copies.
var Packages = []string{"hub", "hub/internal/eventlog"}

// Files returns the sources of the packages with yields, by path below the
// module's root. Test files are left as they are.
func Files(root string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, dir := range Packages {
		names, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			source, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			files[filepath.Join(dir, filepath.Base(name))] = Source(source)
		}
	}
	return files, nil
}

// imports matches the import of sync or of sync/atomic, alone or in a list.
var imports = regexp.MustCompile(`(?m)^(import |\t)"(?:sync/(atomic)|(sync))"$`)

// Source returns a Go source file with yields. A type of sync that package yield
// does not have is an error when the result is compiled.
func Source(file []byte) []byte {
	return imports.ReplaceAll(file, []byte(`$1$2$3 "github.com/crier-go/crier/proof/interleave/yield"`))
}
