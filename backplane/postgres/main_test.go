package postgres_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/crier-go/crier/backplane/postgres/internal/postgrestest"
)

// Everything here needs a server, the examples too.
func TestMain(m *testing.M) {
	if url := os.Getenv(childEnv); url != "" {
		asChild(url)
	}
	if _, ok := postgrestest.Find("initdb"); !ok {
		fmt.Println("not run here: initdb is missing (Debian's package postgresql)")
		if os.Getenv("CI") != "" || os.Getenv("REQUIRE") != "" {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}
