package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/crier-go/crier/backplane/postgres"
	"github.com/crier-go/crier/backplane/postgres/internal/postgrestest"
	"github.com/crier-go/crier/hub"
)

var payload = bytes.Repeat([]byte("0123456789abcdef"), 16)

func benchmarkRecord() hub.Record { return hub.Record{ID: uuid.New(), Data: payload} }

// BenchmarkAppend is the rate of Appends by 16 or 64 goroutines, while a follower
// of the same process reads everything. "vs-pgbench" compares it with as many
// clients of pgbench that insert one row each, into a table with a primary key and
// the same payload, and nothing else going on.
func BenchmarkAppend(b *testing.B) {
	for _, clients := range []int{16, 64} {
		b.Run(strconv.Itoa(clients), func(b *testing.B) { benchmarkAppend(b, clients) })
	}
}

func benchmarkAppend(b *testing.B, clients int) {
	s := postgrestest.Start(b)
	database := s.Database(b)
	s.Exec(b, database, `CREATE TABLE plain (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, record uuid NOT NULL, data bytea NOT NULL)`)
	engine := pgbench(b, s, database, clients, fmt.Sprintf(`INSERT INTO plain (record, data) VALUES (gen_random_uuid(), '\x%x')`, payload))

	back := newBackplane(b, s.URL(database), nil)
	n := 0
	var mu sync.Mutex
	var all sync.WaitGroup
	followed := make(chan int, 1)
	stop := followCounting(b, back, followed)
	defer stop()
	warm(b, back)
	b.ResetTimer()
	start := time.Now()
	for range clients {
		all.Go(func() {
			for {
				mu.Lock()
				n++
				mine := n
				mu.Unlock()
				if mine > b.N {
					return
				}
				if err := back.Append(context.Background(), benchmarkRecord()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	rate := float64(b.N) / time.Since(start).Seconds()
	b.StopTimer()
	b.ReportMetric(rate, "records/s")
	b.ReportMetric(engine, "pgbench/s")
	b.ReportMetric(rate/engine, "vs-pgbench")
	for got := range followed {
		if got >= b.N {
			break
		}
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "followed/s")
}

// followCounting follows, and tells how many records came since the beginning.
func followCounting(b testing.TB, back *postgres.Backplane, count chan int) (stop func()) {
	if _, err := back.Tail(context.Background()); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		n := 0
		err := back.Follow(ctx, 0, func(batch []hub.SequencedRecord) error {
			n += len(batch)
			select {
			case <-count:
			default:
			}
			count <- n
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			b.Error(err)
		}
	})
	return func() {
		cancel()
		done.Wait()
	}
}

// warm appends until this process numbers.
func warm(b testing.TB, back *postgres.Backplane) {
	for range 10 {
		if err := back.Append(context.Background(), benchmarkRecord()); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := back.Tail(context.Background()); err != nil {
		b.Fatal(err)
	}
}

var tps = regexp.MustCompile(`tps = ([0-9.]+)`)

func pgbench(b *testing.B, s *postgrestest.Server, database string, clients int, sql string) float64 {
	file := filepath.Join(postgrestest.TempDir(b), "script.sql")
	if err := os.WriteFile(file, []byte(sql+";\n"), 0o644); err != nil {
		b.Fatal(err)
	}
	out := postgrestest.Run(b, postgrestest.Need(b, "pgbench", "postgresql"), "-h", "127.0.0.1", "-p", strconv.Itoa(s.Port), "-U", "postgres",
		"-n", "-M", "prepared", "-c", strconv.Itoa(clients), "-j", "2", "-T", "3", "-f", file, database)
	m := tps.FindSubmatch(out)
	if m == nil {
		b.Fatalf("pgbench printed %s", out)
	}
	rate, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return rate
}

// BenchmarkLatency is the time from the call of Append to the record in apply,
// one record at a time, at intervals in which the poll slows down again. In
// "same" the process that appends is the one that numbers, in "other" it is not.
func BenchmarkLatency(b *testing.B) {
	s := postgrestest.Start(b)
	for _, name := range []string{"same", "other", "transaction"} {
		b.Run(name, func(b *testing.B) {
			database := s.Database(b)
			back := newBackplane(b, s.URL(database), nil)
			if _, err := back.Tail(context.Background()); err != nil {
				b.Fatal(err)
			}
			arrived := make(chan time.Time, 100)
			ctx, cancel := context.WithCancel(context.Background())
			var done sync.WaitGroup
			done.Go(func() {
				back.Follow(ctx, 0, func(batch []hub.SequencedRecord) error {
					for range batch {
						arrived <- time.Now()
					}
					return nil
				})
			})
			defer done.Wait()
			defer cancel()
			from := back
			if name != "same" {
				from = newBackplane(b, s.URL(database), nil)
			}
			conn := s.Connect(b, database)
			publish := func() {
				if name != "transaction" {
					if err := from.Append(ctx, benchmarkRecord()); err != nil {
						b.Fatal(err)
					}
					return
				}
				err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return from.InsertTx(ctx, tx, benchmarkRecord()) })
				if err != nil {
					b.Fatal(err)
				}
			}
			publish()
			<-arrived
			<-time.After(time.Second) // somebody numbers
			var latencies []time.Duration
			for range b.N {
				<-time.After(time.Duration(20+len(latencies)*7%13) * time.Millisecond)
				start := time.Now()
				publish()
				latencies = append(latencies, (<-arrived).Sub(start))
			}
			slices.Sort(latencies)
			b.ReportMetric(float64(latencies[len(latencies)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(latencies[len(latencies)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkFollow is what a process needs for each record that it follows, all
// client code included.
func BenchmarkFollow(b *testing.B) {
	const records = 50_000
	s := postgrestest.Start(b)
	database := s.Database(b)
	back := newBackplane(b, s.URL(database), nil)
	if _, err := back.Tail(context.Background()); err != nil {
		b.Fatal(err)
	}
	fill(b, s, database, records)
	if _, err := back.Tail(context.Background()); err != nil {
		b.Fatal(err)
	}
	enough := errors.New("enough")
	b.ResetTimer()
	before := cpu()
	for range b.N {
		n := 0
		err := back.Follow(context.Background(), 0, func(batch []hub.SequencedRecord) error {
			if n += len(batch); n == records {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64((cpu()-before).Nanoseconds())/float64(b.N*records), "cpu-ns/record")
	b.ReportMetric(float64(b.N*records)/b.Elapsed().Seconds(), "records/s")
}

// fill inserts records as a transaction would.
func fill(b testing.TB, s *postgrestest.Server, database string, n int) {
	s.Exec(b, database, fmt.Sprintf(
		`INSERT INTO crier.outbox (record, data) SELECT gen_random_uuid(), '\x%x' FROM generate_series(1, %d)`, payload, n))
}

// cpu returns the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkIdle is what following costs while nothing happens, with the one
// process that numbers, in processor time of the process and of the server.
func BenchmarkIdle(b *testing.B) {
	s := postgrestest.Start(b)
	back := newBackplane(b, s.URL(s.Database(b)), nil)
	stop := followCounting(b, back, make(chan int, 1))
	defer stop()
	warm(b, back)
	<-time.After(2 * time.Second)
	before, server := cpu(), s.CPU(b)
	b.ResetTimer()
	for range b.N {
		<-time.After(time.Second)
	}
	b.ReportMetric(float64((cpu()-before).Microseconds())/1000/float64(b.N), "process-cpu-ms/s")
	b.ReportMetric(float64((s.CPU(b)-server).Microseconds())/1000/float64(b.N), "server-cpu-ms/s")
	b.ReportMetric(0, "ns/op")
}
