package redis_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis"
	"github.com/crier-go/crier/backplane/redis/internal/redistest"
	"github.com/crier-go/crier/hub"
)

// payload is a record of a usual event.
var payload = bytes.Repeat([]byte("x"), 300)

// BenchmarkAppend has 64 goroutines append one record at a time. In turn with
// it, redis-benchmark keeps as many commands under way, as 4 connections with
// pipelines of 16, with the same bytes: "of-redis-benchmark" is the ratio.
func BenchmarkAppend(b *testing.B) {
	const appenders, connections, depth, turns = 64, 4, 16, 5
	program := redistest.Need(b, "redis-benchmark", "redis-tools")
	s := redistest.Start(b)
	bp := connect(b, s, nil)
	mustTail(b, bp)
	id := uuid.New() // making one costs as much as a fifth of the rest
	var ours, theirs time.Duration
	appended := 0
	b.ReportAllocs()
	b.ResetTimer()
	for turn := range turns {
		records := b.N/turns + 1
		var n atomic.Int64
		var all sync.WaitGroup
		begin := time.Now()
		for range appenders {
			all.Go(func() {
				for n.Add(1) <= int64(records) {
					if err := bp.Append(ctx, hub.Record{ID: id, Data: payload}); err != nil {
						b.Error(err)
					}
				}
			})
		}
		all.Wait()
		ours += time.Since(begin)
		appended += records

		b.StopTimer()
		const enough = 50_000
		out, err := exec.Command(program, "-h", "127.0.0.1", "-p", strconv.Itoa(s.Port), "--csv",
			"-n", strconv.Itoa(max(records, enough)), "-c", strconv.Itoa(connections), "-P", strconv.Itoa(depth),
			"XADD", "raw", "MAXLEN", "~", "100000", "0-*", "r", strings.Repeat("x", 16+len(payload))).Output()
		if err != nil {
			b.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(out)).ReadAll()
		if err != nil || len(rows) != 2 {
			b.Fatalf("redis-benchmark said %q (%v)", out, err)
		}
		rate, err := strconv.ParseFloat(rows[1][1], 64)
		if err != nil {
			b.Fatal(err)
		}
		theirs += time.Duration(float64(records) / rate * float64(time.Second))
		if turn < turns-1 {
			b.StartTimer()
		}
	}
	if t := mustTail(b, bp); t.Last != uint64(appended) {
		b.Errorf("%d of %d records were appended", t.Last, appended)
	}
	b.ReportMetric(float64(appended)/ours.Seconds(), "records/s")
	b.ReportMetric(theirs.Seconds()/ours.Seconds(), "of-redis-benchmark")
}

// BenchmarkFollow reads a full stream. "own-ns/record" is the CPU that it takes
// beyond what go-redis takes to read the same replies with XRead.
func BenchmarkFollow(b *testing.B) {
	const records = 50_000
	s := redistest.Start(b)
	bp := connect(b, s, nil)
	mustTail(b, bp)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for range records / 50 {
				if err := bp.Append(ctx, hub.Record{ID: uuid.New(), Data: payload}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	c := goredis.NewClient(&goredis.Options{Addr: s.Addr(), Protocol: 2})
	b.Cleanup(func() { c.Close() })

	b.ReportAllocs()
	var ours, library time.Duration
	for b.Loop() {
		before := cpu(b)
		n := 0
		err := bp.Follow(ctx, 0, func(batch []hub.SequencedRecord) error {
			n += len(batch)
			if n == records {
				return errEnough
			}
			return nil
		})
		ours += cpu(b) - before
		if err != errEnough || n != records {
			b.Fatalf("%d records came: %v", n, err)
		}

		b.StopTimer()
		before = cpu(b)
		for last, n := "0-0", 0; n < records; {
			streams, err := c.XRead(ctx, &goredis.XReadArgs{Streams: []string{"crier", last}, Count: 512, Block: time.Second}).Result()
			if err != nil {
				b.Fatal(err)
			}
			n += len(streams[0].Messages)
			last = streams[0].Messages[len(streams[0].Messages)-1].ID
		}
		library += cpu(b) - before
		b.StartTimer()
	}
	per := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(b.N*records) }
	b.ReportMetric(records*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(per(ours), "cpu-ns/record")
	b.ReportMetric(per(ours-library), "own-cpu-ns/record")
}

// BenchmarkLatency measures from before an Append to apply, and the round trip
// of a PING between one publish and the next.
func BenchmarkLatency(b *testing.B) {
	s := redistest.Start(b)
	c := s.Client(b)
	bp := redis.New(c, nil)
	mustTail(b, bp)
	came := make(chan time.Time, 1)
	f := make(chan error, 1)
	stop := make(chan struct{})
	go func() {
		f <- bp.Follow(ctx, 0, func(batch []hub.SequencedRecord) error {
			for range batch {
				select {
				case came <- time.Now():
				case <-stop:
					return errEnough
				}
			}
			return nil
		})
	}()
	var latencies, trips []time.Duration
	for b.Loop() {
		begin := time.Now()
		if err := bp.Append(ctx, hub.Record{ID: uuid.New(), Data: payload}); err != nil {
			b.Fatal(err)
		}
		latencies = append(latencies, (<-came).Sub(begin))
		begin = time.Now()
		if err := c.Ping(ctx).Err(); err != nil {
			b.Fatal(err)
		}
		trips = append(trips, time.Since(begin))
	}
	b.StopTimer()
	close(stop)
	for range 2 { // one to be taken by nobody, one to be refused
		_ = bp.Append(ctx, record("x"))
	}
	<-f
	p50 := func(d []time.Duration) float64 {
		slices.Sort(d)
		return float64(d[len(d)/2].Microseconds())
	}
	b.ReportMetric(p50(latencies), "p50-us")
	b.ReportMetric(p50(trips), "ping-p50-us")
	b.ReportMetric(p50(latencies)/p50(trips), "round-trips")
}

var errEnough = fmt.Errorf("enough")

// cpu returns the CPU time of this process so far.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
