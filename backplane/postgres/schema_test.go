package postgres_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/crier-go/crier/backplane/postgres"
	"github.com/crier-go/crier/backplane/postgres/internal/postgrestest"
	"github.com/crier-go/crier/hub"
)

// What Tail refuses cannot be mended by trying again, and says what to do.
func TestRefused(t *testing.T) {
	s := postgrestest.Start(t)
	s.Exec(t, "postgres", `CREATE ROLE app LOGIN`)
	const grant = `GRANT USAGE ON SCHEMA crier TO app; GRANT SELECT, INSERT, UPDATE, DELETE ON crier.outbox, crier.log, crier.state TO app`
	for _, test := range []struct {
		name  string
		setup []string
		says  string // empty if it is not refused
	}{
		{"nothing exists", nil, "run what postgres.Schema returns"},
		{"no privilege on the schema", []string{postgres.Schema("")}, "permission denied for schema crier"},
		{"no privileges", []string{postgres.Schema(""), `GRANT USAGE ON SCHEMA crier TO app`}, "permission denied"},
		{"one privilege is missing", []string{postgres.Schema(""), grant, `REVOKE DELETE ON crier.outbox FROM app`},
			"lacks privileges: DELETE on crier.outbox"},
		{"another version", []string{postgres.Schema(""), grant,
			`INSERT INTO crier.state VALUES (true, 2, '', 1, '1:1:', now())`}, "have version 2, and this package knows 1"},
		{"not logged", []string{postgres.Schema(""), grant, `ALTER TABLE crier.outbox SET UNLOGGED`}, "not logged: crier.outbox"},
		{"all is well", []string{postgres.Schema(""), postgres.Schema(""), grant}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			database := s.Database(t)
			c := s.Connect(t, database)
			for _, sql := range test.setup {
				if _, err := c.Exec(ctx, sql); err != nil {
					t.Fatal(err)
				}
			}
			b := newBackplane(t, postgrestest.URL(s.Addr(), "app", database), nil)
			_, err := b.Tail(ctx)
			switch {
			case test.says == "" && err == nil:
				f := follow(t, b, 0)
				mustAppend(t, b, "hello")
				f.until(t, "hello")
			case test.says == "" || err == nil || !strings.Contains(err.Error(), test.says) || errors.Is(err, hub.ErrUnavailable):
				t.Errorf("Tail returned %v, want an error that says %q and does not wrap hub.ErrUnavailable", err, test.says)
			default:
				t.Log(err)
			}
		})
	}
}

// A role that only publishes in its transactions needs INSERT on one table.
func TestRoleThatInserts(t *testing.T) {
	s := postgrestest.Start(t)
	database := s.Database(t)
	b := newBackplane(t, s.URL(database), nil)
	mustTail(t, b)
	s.Exec(t, database, `CREATE ROLE worker LOGIN`, `GRANT USAGE ON SCHEMA crier TO worker`, `GRANT INSERT ON crier.outbox TO worker`)
	worker := newBackplane(t, postgrestest.URL(s.Addr(), "worker", database), nil)
	c := s.Connect(t, database)
	execute(t, c, `SET ROLE worker`)
	if err := worker.InsertTx(ctx, c, record("by a worker")); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, worker, "appended")
	follow(t, b, 0).until(t, "by a worker", "appended")
}

// Sequences in several schemas of a database do not know each other.
func TestSchemas(t *testing.T) {
	s := postgrestest.Start(t)
	database := s.Database(t)
	one := newBackplane(t, s.URL(database), nil)
	two := newBackplane(t, s.URL(database), &postgres.Options{Schema: "crier_two"})
	a, b := mustTail(t, one), mustTail(t, two)
	if a.Epoch == b.Epoch {
		t.Errorf("both have the epoch %q", a.Epoch)
	}
	f, g := follow(t, one, 0), follow(t, two, 0)
	mustAppend(t, one, "one")
	mustAppend(t, two, "two")
	f.until(t, "one")
	g.until(t, "two")
}

// However the tables are emptied or made anew, the epoch is another one and
// positions begin again.
func TestRecreated(t *testing.T) {
	s := postgrestest.Start(t)
	for _, sql := range []string{
		`TRUNCATE crier.log`,
		`TRUNCATE crier.log, crier.outbox, crier.state`,
		`DROP SCHEMA crier CASCADE`,
		`DROP TABLE crier.log`,
		`DELETE FROM crier.log`,
	} {
		t.Run(sql, func(t *testing.T) {
			database := s.Database(t)
			b := newBackplane(t, s.URL(database), nil)
			before := mustTail(t, b)
			mustAppend(t, b, "one", "two")
			f := follow(t, b, 0)
			f.until(t, "one", "two")
			s.Exec(t, database, sql)
			f.ended(t)
			after := mustTail(t, b)
			if before.Epoch == after.Epoch || after.First != 1 || after.Last != 0 {
				t.Errorf("Tail returned %v before and %v after", before, after)
			}
			f = follow(t, b, 0)
			mustAppend(t, b, "three")
			f.until(t, "three")
		})
	}
}

// A dump that is restored into another database goes on there, with what had no
// position yet, in another epoch.
func TestRestoredDump(t *testing.T) {
	s := postgrestest.Start(t)
	database := s.Database(t)
	b := newBackplane(t, s.URL(database), nil)
	before := mustTail(t, b)
	mustAppend(t, b, "one")
	mustTail(t, b)
	// Transaction ids of the future, and of the past, with regard to numbered.
	s.Exec(t, database, `INSERT INTO crier.outbox (xid, record, data) VALUES ('1000000000', gen_random_uuid(), 'two'), ('3', gen_random_uuid(), 'three')`)

	file := postgrestest.TempDir(t) + "/dump"
	postgrestest.Run(t, postgrestest.Need(t, "pg_dump", "postgresql-client"), "-f", file, "-d", s.URL(database))
	restored := s.Database(t)
	postgrestest.Run(t, postgrestest.Need(t, "psql", "postgresql-client"), "-q", "-v", "ON_ERROR_STOP=1", "-f", file, "-d", s.URL(restored))

	c := newBackplane(t, s.URL(restored), nil)
	if after := mustTail(t, c); after.Epoch == before.Epoch || after.Last != 3 {
		t.Errorf("Tail returned %v before and %v after", before, after)
	}
	f := follow(t, c, 0)
	f.until(t, "one", "two", "three")
	mustAppend(t, c, "four")
	f.until(t, "one", "two", "three", "four")
}

func TestOptions(t *testing.T) {
	for says, o := range map[string]*postgres.Options{
		"Options.Schema":     {Schema: `crier"; DROP TABLE users; --`},
		"Options.MaxRecords": {MaxRecords: -1},
		"Options.MaxRecord ": {MaxRecord: 65 << 20},
		"Options.MaxAge":     {MaxAge: 1},
		"Options.Poll is 1n": {Poll: 1},
		"Options.Poll is 2s": {Poll: 2 * time.Second},
		"Options.Direct":     {Direct: "postgres://%"},
	} {
		if _, err := postgres.New("postgres://127.0.0.1/", o); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("New with %+v returned %v", o, err)
		}
	}
	if _, err := postgres.New("host", nil); err == nil {
		t.Error("New takes any connection string")
	}
	b := newBackplane(t, "postgres://127.0.0.1:1/?sslmode=disable&pool_max_conns=2", nil)
	if _, err := b.Tail(ctx); !errors.Is(err, hub.ErrUnavailable) {
		t.Errorf("Tail without a server returned %v", err)
	}
}
