package postgres_test

import (
	"context"
	"testing"

	"github.com/crier-go/crier/backplane/postgres"
	"github.com/crier-go/crier/backplane/postgres/internal/postgrestest"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/hub/backplanetest"
)

const limit = 1 << 20 // Options.MaxRecord in the suite

func TestConformance(t *testing.T) {
	s := postgrestest.Start(t)
	backplanetest.Run(t, func(t testing.TB) backplanetest.Engine { return open(t, s, s.Addr()) })
}

// open returns an engine for the suite: a database of its own, and a proxy before
// the address where it is reached.
func open(t testing.TB, s *postgrestest.Server, addr string) backplanetest.Engine {
	p, err := backplanetest.NewProxy(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	database := s.Database(t)
	connect := func(t testing.TB) *postgres.Backplane {
		return newBackplane(t, postgrestest.URL(p.Addr(), "postgres", database), &postgres.Options{MaxRecord: limit})
	}
	return backplanetest.Engine{
		Connect: func(t testing.TB) hub.Backplane { return connect(t) },
		Limit:   limit,
		Retain: func(t testing.TB, n int) {
			if err := connect(t).RetainNewest(context.Background(), n); err != nil {
				t.Fatal(err)
			}
		},
		Restart:   s.Restart,
		Lose:      func(t testing.TB) { s.Exec(t, database, "TRUNCATE crier.log") },
		Cut:       p.Cut,
		SetAway:   p.SetAway,
		SetSilent: p.SetSilent,
	}
}
