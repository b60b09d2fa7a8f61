package schema_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/crier-go/crier/schema"
	"github.com/crier-go/crier/schema/internal/sample"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares with a file in testdata, or writes it.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what is made now; if that is right, run go test ./schema -update\n%s", path, firstDifference(got, want))
	}
}

// firstDifference returns the first lines that differ.
func firstDifference(got, want []byte) string {
	g, w := bytes.Split(got, []byte("\n")), bytes.Split(want, []byte("\n"))
	for i := range min(len(g), len(w)) {
		if !bytes.Equal(g[i], w[i]) {
			return "got  " + string(g[i]) + "\nwant " + string(w[i])
		}
	}
	return "one ends before the other"
}

func sampleContract(t testing.TB) *schema.Contract {
	t.Helper()
	c, err := schema.New(&sample.Registry, &sample.Options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// indented is a JSON document as a file has it.
func indented(t testing.TB, b []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		t.Fatal(err)
	}
	return append(bytes.TrimSpace(out.Bytes()), '\n')
}

func TestGoldenFiles(t *testing.T) {
	c := sampleContract(t)
	golden(t, "events.ts", c.TypeScript())
	b, err := c.MarshalJSON()
	golden(t, "contract.json", indented(t, b, err))
	b, err = c.AsyncAPI()
	golden(t, "asyncapi.json", indented(t, b, err))
	b, err = c.JSONSchema("named.tree")
	golden(t, "named.tree.json", indented(t, b, err))
}
