package catalog_test

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"os"
	"testing"

	"github.com/crier-go/crier/event/catalog"
	"github.com/crier-go/crier/schema"
)

const contractFile = "contract.json"

var update = flag.Bool("update", false, "write "+contractFile)

// contract.json is what clients of the catalog rely on. A change that breaks them
// fails here: give the type another name instead, and publish both for a while.
// Other changes go into the file with go generate.
func TestContractIsKept(t *testing.T) {
	now, err := schema.New(&catalog.Registry, nil)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile(contractFile)
	if errors.Is(err, fs.ErrNotExist) && *update {
		committed, err = now.MarshalJSON()
	}
	if err != nil {
		t.Fatal(err)
	}
	before, err := schema.Read(committed)
	if err != nil {
		t.Fatal(err)
	}
	broken := schema.Breaking(schema.Diff(before, now))
	for _, c := range broken {
		t.Errorf("breaks clients: %s", c)
	}
	if len(broken) > 0 {
		return // also with -update: delete the file first if it is meant
	}
	path := contractFile
	if !*update {
		path = t.TempDir() + "/" + contractFile
	}
	if err := schema.Write(&catalog.Registry, schema.Files{Contract: path}, nil); err != nil {
		t.Fatal(err)
	}
	if fresh, err := os.ReadFile(path); err != nil || !*update && !bytes.Equal(fresh, committed) {
		t.Errorf("%s is not what the catalog is now: run go generate ./event/catalog (%v)", contractFile, err)
	}
}
