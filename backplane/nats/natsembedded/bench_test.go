//go:build unix

package natsembedded_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	backplane "github.com/crier-go/crier/backplane/nats"
	"github.com/crier-go/crier/backplane/nats/natsembedded"
	"github.com/crier-go/crier/hub"
)

// payload is the size of a record in benchmarks: an event of a chat.
const payload = 256

// The rate of Append with as many on their way as the reference below has.
// Compare with BenchmarkPublishAsync in the same run.
func BenchmarkAppend(b *testing.B) {
	for _, pending := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("pending=%d", pending), func(b *testing.B) {
			s := startServer(b)
			bp := newBackplane(b, s.URL, newStream(0))
			tail(b, bp)
			appendMany(b, bp, pending)
		})
	}
}

// appendMany appends b.N records from a number of goroutines.
func appendMany(b *testing.B, bp hub.Backplane, goroutines int) {
	data := make([]byte, payload)
	ctx := context.Background()
	before := cpu(b)
	b.ResetTimer()
	var all sync.WaitGroup
	for i := range goroutines {
		all.Go(func() {
			for n := i; n < b.N; n += goroutines {
				if err := bp.Append(ctx, hub.Record{ID: uuid.New(), Data: data}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/record")
}

// What nats bench js pub --async does: one goroutine publishes batches and waits
// for their acknowledgements, to a stream with the same settings.
func BenchmarkPublishAsync(b *testing.B) {
	for _, header := range []string{"", ",Nats-Msg-Id"} {
		for _, pending := range []int{1, 64, 512} {
			b.Run(fmt.Sprintf("pending=%d%s", pending, header), func(b *testing.B) {
				s := startServer(b)
				nc := connect(b, s.URL)
				o := newStream(0)
				tail(b, backplane.New(nc, o))
				js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(pending))
				if err != nil {
					b.Fatal(err)
				}
				data := make([]byte, payload)
				before := cpu(b)
				b.ResetTimer()
				futures := make([]jetstream.PubAckFuture, 0, pending)
				for n := range b.N {
					m := &nats.Msg{Subject: o.Stream + ".records", Data: data}
					if header != "" {
						m.Header = nats.Header{jetstream.MsgIDHeader: []string{uuid.NewString()}}
					}
					future, err := js.PublishMsgAsync(m)
					if err != nil {
						b.Fatal(err)
					}
					futures = append(futures, future)
					if len(futures) < pending && n < b.N-1 {
						continue
					}
					<-js.PublishAsyncComplete()
					for _, f := range futures {
						select {
						case <-f.Ok():
						case err := <-f.Err():
							b.Fatal(err)
						}
					}
					futures = futures[:0]
				}
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
				b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/record")
			})
		}
	}
}

// Durability costs an fsync for each record, or none.
func BenchmarkEmbeddedAppend(b *testing.B) {
	for _, always := range []bool{false, true} {
		for _, pending := range []int{1, 64} {
			b.Run(fmt.Sprintf("SyncAlways=%v/pending=%d", always, pending), func(b *testing.B) {
				s, err := natsembedded.Open(b.TempDir(), &natsembedded.Options{SyncAlways: always})
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				bp := backplane.New(s.Conn(), nil)
				tail(b, bp)
				appendMany(b, bp, pending)
			})
		}
	}
}

// The cost of a record to a process that follows: replaying what is retained.
func BenchmarkFollow(b *testing.B) {
	const n = 50_000
	s := startServer(b)
	bp := newBackplane(b, s.URL, newStream(0))
	fill(b, bp, n)
	errEnd := errors.New("the end")
	before := cpu(b)
	for b.Loop() {
		got := 0
		err := bp.Follow(context.Background(), 0, func(batch []hub.SequencedRecord) error {
			if got += len(batch); got == n {
				return errEnd
			}
			return nil
		})
		if !errors.Is(err, errEnd) {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/record")
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/float64(b.N*n), "cpu-ns/record")
}

// The client library's own cost of the same: an ordered consumer that counts.
func BenchmarkOrderedConsumer(b *testing.B) {
	const n = 50_000
	s := startServer(b)
	nc := connect(b, s.URL)
	o := newStream(0)
	fill(b, backplane.New(nc, o), n)
	js, err := jetstream.New(nc)
	if err != nil {
		b.Fatal(err)
	}
	before := cpu(b)
	for b.Loop() {
		consumer, err := js.OrderedConsumer(context.Background(), o.Stream, jetstream.OrderedConsumerConfig{})
		if err != nil {
			b.Fatal(err)
		}
		done, got := make(chan struct{}), 0
		consuming, err := consumer.Consume(func(jetstream.Msg) {
			if got++; got == n {
				close(done)
			}
		}, jetstream.PullMaxMessages(4096))
		if err != nil {
			b.Fatal(err)
		}
		<-done
		consuming.Stop()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/record")
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/float64(b.N*n), "cpu-ns/record")
}

// cpu returns the CPU time of this process; the server has its own.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func fill(b *testing.B, bp hub.Backplane, n int) {
	tail(b, bp)
	data := make([]byte, payload)
	var all sync.WaitGroup
	const goroutines = 200
	for range goroutines {
		all.Go(func() {
			for range n / goroutines {
				if err := bp.Append(context.Background(), hub.Record{ID: uuid.New(), Data: data}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// From Append to another process's apply, one record at a time, beside the
// server's own round trip: a synchronous publish.
func BenchmarkLatency(b *testing.B) {
	s := startServer(b)
	o := newStream(0)
	one, two := newBackplane(b, s.URL, o), newBackplane(b, s.URL, o)
	tail(b, one)
	tail(b, two)
	b.Run("delivery", func(b *testing.B) {
		applied := make(chan time.Time, 1)
		ctx, cancel := context.WithCancel(context.Background())
		followed := make(chan error, 1)
		end := tail(b, two)
		go func() {
			followed <- two.Follow(ctx, end.Last, func([]hub.SequencedRecord) error {
				applied <- time.Now()
				return nil
			})
		}()
		var took []time.Duration
		for b.Loop() {
			start := time.Now()
			if err := one.Append(ctx, hub.Record{ID: uuid.New(), Data: make([]byte, payload)}); err != nil {
				b.Fatal(err)
			}
			took = append(took, (<-applied).Sub(start))
		}
		cancel()
		<-followed
		percentiles(b, took)
	})
	b.Run("acknowledgement", func(b *testing.B) {
		var took []time.Duration
		for b.Loop() {
			start := time.Now()
			if err := one.Append(context.Background(), hub.Record{ID: uuid.New(), Data: make([]byte, payload)}); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(start))
		}
		percentiles(b, took)
	})
	b.Run("publish", func(b *testing.B) {
		js, err := jetstream.New(connect(b, s.URL))
		if err != nil {
			b.Fatal(err)
		}
		var took []time.Duration
		for b.Loop() {
			start := time.Now()
			if _, err := js.Publish(context.Background(), o.Stream+".records", make([]byte, payload)); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(start))
		}
		percentiles(b, took)
	})
}

func percentiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
}
