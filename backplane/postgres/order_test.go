package postgres_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/crier-go/crier/backplane/postgres/internal/postgrestest"
)

func begin(t testing.TB, c *pgx.Conn) pgx.Tx {
	t.Helper()
	tx, err := c.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func commit(t testing.TB, tx pgx.Tx) {
	t.Helper()
	if err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
}

// A transaction that inserts first and commits last gets the last position. A
// reader that goes by the ids of the rows never sees it.
func TestLateCommit(t *testing.T) {
	s := postgrestest.Start(t)
	database := s.Database(t)
	b := newBackplane(t, s.URL(database), nil)
	mustTail(t, b)
	f := follow(t, b, 0)

	admin := s.Connect(t, database)
	execute(t, admin, `CREATE TABLE naive (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, data text)`)
	var naive []string
	last := 0
	read := func() {
		rows, err := admin.Query(ctx, `SELECT id, data FROM naive WHERE id > $1 ORDER BY id`, last)
		if err != nil {
			t.Fatal(err)
		}
		var data string
		if _, err := pgx.ForEachRow(rows, []any{&last, &data}, func() error { naive = append(naive, data); return nil }); err != nil {
			t.Fatal(err)
		}
	}

	late := begin(t, s.Connect(t, database))
	execute(t, late, `INSERT INTO naive (data) VALUES ('late')`)
	if err := b.InsertTx(ctx, late, record("late")); err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 3; i++ {
		execute(t, admin, `INSERT INTO naive (data) VALUES ($1)`, fmt.Sprint("early ", i))
		mustAppend(t, b, fmt.Sprint("early ", i))
		read()
	}
	f.until(t, "early 1", "early 2", "early 3") // nobody waits for the late one
	commit(t, late)
	f.until(t, "early 1", "early 2", "early 3", "late")
	mustAppend(t, b, "next")
	f.until(t, "early 1", "early 2", "early 3", "late", "next")

	if read(); slices.Contains(naive, "late") {
		t.Error("the way that this test warns of has lost nothing")
	}
}

// A transaction that somebody else holds open delays nothing, whether it has
// written or only reads. A reader that waits for the oldest transaction sees
// nothing until it ends.
func TestForeignTransaction(t *testing.T) {
	s := postgrestest.Start(t)
	database := s.Database(t)
	b := newBackplane(t, s.URL(database), nil)
	mustTail(t, b)
	f := follow(t, b, 0)
	admin := s.Connect(t, database)
	execute(t, admin, `CREATE TABLE naive (xid xid8 DEFAULT pg_current_xact_id())`)

	writing := begin(t, s.Connect(t, database))
	execute(t, writing, `CREATE TABLE foreign_table (id int)`)
	reading, err := s.Connect(t, database).BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	ask[int](t, reading, `SELECT count(*) FROM crier.outbox`)

	var want []string
	for i := range 300 {
		want = append(want, fmt.Sprint(i))
		mustAppend(t, b, want[i])
	}
	f.until(t, want...)
	if tail := mustTail(t, b); tail.Last != uint64(len(want)) {
		t.Errorf("the last position is %d, want %d", tail.Last, len(want))
	}

	execute(t, admin, `INSERT INTO naive DEFAULT VALUES`)
	visible := `SELECT count(*) FROM naive WHERE xid < pg_snapshot_xmin(pg_current_snapshot())`
	if n := ask[int](t, admin, visible); n != 0 {
		t.Error("the way that this test warns of has not waited")
	}
	commit(t, writing)
	if n := ask[int](t, admin, visible); n != 1 {
		t.Error("the way that this test warns of still waits")
	}
}

// The outbox is not read again and again where everything was deleted, though
// VACUUM cannot remove it.
func TestForeignTransactionDoesNotSlowNumbering(t *testing.T) {
	s := postgrestest.Start(t, "autovacuum=off")
	database := s.Database(t)
	b := newBackplane(t, s.URL(database), nil)
	mustTail(t, b)
	writing := begin(t, s.Connect(t, database))
	execute(t, writing, `CREATE TABLE foreign_table (id int)`)

	const n = 20_000
	fill(t, s, database, n)
	mustTail(t, b) // numbers them
	admin := s.Connect(t, database)
	execute(t, admin, `UPDATE crier.state SET saved = 'epoch'`)
	mustAppend(t, b, "one more") // with which it is saved up to where all have a position
	mustTail(t, b)

	execute(t, admin, `SET enable_seqscan = off`)
	execute(t, admin, `INSERT INTO crier.outbox (record, data) VALUES (gen_random_uuid(), '')`)
	buffers := func(sql string) (n int) {
		rows, err := admin.Query(ctx, `EXPLAIN (ANALYZE, BUFFERS, FORMAT TEXT) `+sql)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			var hit, read int
			if _, err := fmt.Sscanf(line, "  Buffers: shared hit=%d read=%d", &hit, &read); err == nil || hit > 0 {
				return hit + read
			}
			if _, err := fmt.Sscanf(line, "Buffers: shared hit=%d read=%d", &hit, &read); err == nil || hit > 0 {
				return hit + read
			}
		}
		t.Fatalf("no buffers in %q", lines)
		return 0
	}
	naive := buffers(`SELECT ctid FROM crier.outbox ORDER BY xid, ordinal LIMIT 10`)
	if naive < n/100 {
		t.Errorf("the way that this test warns of reads only %d pages", naive)
	}
	execute(t, admin, `VACUUM crier.state`)
	if ours := buffers(b.PendingSQL()); ours > naive/10 {
		t.Errorf("looking for what is pending reads %d pages, and all of the outbox takes %d", ours, naive)
	}
	commit(t, writing)
}

// Whatever transactions do, what one commits before another inserts comes first,
// nothing is lost and nothing comes twice.
func TestTransactions(t *testing.T) {
	const workers, rounds = 8, 40
	s := postgrestest.Start(t)
	database := s.Database(t)
	b := newBackplane(t, s.URL(database), nil)
	mustTail(t, b)
	f := follow(t, b, 0)

	var mu sync.Mutex
	committed := map[string]bool{}
	after := map[string][]string{} // what was committed when one began to insert
	var all sync.WaitGroup
	for w := range workers {
		c := s.Connect(t, database)
		all.Go(func() {
			for round := range rounds {
				name := fmt.Sprintf("%d/%d", w, round)
				mu.Lock()
				var before []string
				for k := range committed {
					before = append(before, k)
				}
				after[name] = before
				mu.Unlock()
				failure := errors.New("rolled back")
				err := pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
					if round%3 == 0 { // takes its transaction id early
						execute(t, tx, `SELECT pg_current_xact_id()`)
					}
					insert := func(tx pgx.Tx) error { return b.InsertTx(ctx, tx, record(name)) }
					var err error
					if round%4 == 1 { // in a subtransaction
						err = pgx.BeginFunc(ctx, tx, insert)
					} else {
						err = insert(tx)
					}
					if err == nil && round%5 == 2 {
						err = failure
					}
					return err
				})
				switch {
				case err == nil:
					mu.Lock()
					committed[name] = true
					mu.Unlock()
				case !errors.Is(err, failure):
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	eventually(t, "everything comes", func() error {
		if n := len(f.data()); n < len(committed) {
			return fmt.Errorf("%d of %d have", n, len(committed))
		}
		return nil
	})
	at := map[string]int{}
	for i, name := range f.data() {
		if !committed[name] {
			t.Fatalf("%s came and was not committed", name)
		}
		if _, ok := at[name]; ok {
			t.Fatalf("%s came twice", name)
		}
		at[name] = i
	}
	for name, i := range at {
		for _, before := range after[name] {
			if at[before] > i {
				t.Fatalf("%s came after %s, and was committed before that was inserted", before, name)
			}
		}
	}
	numbered(t, s.Connect(t, database))
}
