package natsembedded_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	backplane "github.com/crier-go/crier/backplane/nats"
	"github.com/crier-go/crier/backplane/nats/natsembedded"
	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/hub/backplanetest"
)

const patience = 60 * time.Second

// bounded returns a context for what must happen in a test.
func bounded(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func record(text string) hub.Record {
	return hub.Record{ID: uuid.Must(uuid.NewV7()), Data: []byte(text)}
}

// persist appends a record, and tries again while the servers are unavailable.
func persist(ctx context.Context, b hub.Backplane, r hub.Record) error {
	for {
		err := b.Append(ctx, r)
		if err == nil || ctx.Err() != nil || !errors.Is(err, hub.ErrUnavailable) {
			return err
		}
	}
}

// tail calls Tail, and tries again while the servers are unavailable.
func tail(t testing.TB, b hub.Backplane) hub.Tail {
	t.Helper()
	ctx := bounded(t)
	for {
		end, err := b.Tail(ctx)
		if err == nil {
			return end
		}
		if ctx.Err() != nil || !errors.Is(err, hub.ErrUnavailable) {
			t.Fatal(err)
		}
	}
}

// read returns what the sequence retains up to its end.
func read(t testing.TB, b hub.Backplane) []hub.SequencedRecord {
	t.Helper()
	end := tail(t, b)
	var got []hub.SequencedRecord
	if end.First > end.Last {
		return nil
	}
	errEnd := errors.New("the end")
	err := b.Follow(bounded(t), 0, func(batch []hub.SequencedRecord) error {
		got = append(got, batch...)
		if got[len(got)-1].Position >= end.Last {
			return errEnd
		}
		return nil
	})
	if !errors.Is(err, errEnd) {
		t.Fatal(err)
	}
	return got
}

func createdBy(t testing.TB, nc *nats.Conn, config jetstream.StreamConfig) jetstream.Stream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.CreateStream(bounded(t), config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func streamOf(t testing.TB, nc *nats.Conn, o *backplane.Options) jetstream.Stream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(bounded(t), o.Stream)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The conformance suite over three servers, and then faults that only a cluster
// has.
func TestCluster(t *testing.T) {
	servers := startCluster(t)
	nc := connect(t, urls(servers))
	tail(t, backplane.New(nc, newStream(3))) // the cluster is complete
	t.Run("suite", func(t *testing.T) {
		backplanetest.Run(t, func(t testing.TB) backplanetest.Engine {
			e := engineOn(nc, newStream(3), func(t testing.TB) *nats.Conn { return connect(t, urls(servers)) })
			return e
		})
	})
	t.Run("leader killed", func(t *testing.T) { leaderKilled(t, servers) })
}

// leaderKilled: three processes append and follow while the stream's leader is
// killed, three times. Everybody sees the same, and nothing that was
// acknowledged is lost.
func leaderKilled(t *testing.T, servers []*child) {
	const processes, kills = 3, 3
	o := newStream(3)
	var backplanes []hub.Backplane
	for range processes {
		backplanes = append(backplanes, newBackplane(t, urls(servers), o))
	}
	before := tail(t, backplanes[0])

	ctx := bounded(t)
	stop := make(chan struct{})
	var appending, following sync.WaitGroup
	acknowledged := make([][]uuid.UUID, processes)
	slowest := make([]time.Duration, processes)
	for i, b := range backplanes {
		appending.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				r := record(fmt.Sprint(i, n))
				start := time.Now()
				if err := persist(ctx, b, r); err != nil {
					t.Errorf("process %d: %v", i, err)
					return
				}
				slowest[i] = max(slowest[i], time.Since(start))
				acknowledged[i] = append(acknowledged[i], r.ID)
			}
		})
	}
	// Each process follows as a hub does.
	applied := make([][]hub.SequencedRecord, processes)
	follows := make([]int, processes)
	errEnd := errors.New("the end")
	var last uuid.UUID
	var ended sync.Mutex
	for i, b := range backplanes {
		following.Go(func() {
			after := uint64(0)
			for ctx.Err() == nil {
				follows[i]++
				err := b.Follow(ctx, after, func(batch []hub.SequencedRecord) error {
					applied[i] = append(applied[i], batch...)
					after = batch[len(batch)-1].Position
					ended.Lock()
					defer ended.Unlock()
					for _, r := range batch {
						if r.ID == last && last != uuid.Nil {
							return errEnd
						}
					}
					return nil
				})
				if errors.Is(err, errEnd) {
					return
				}
				if !errors.Is(err, hub.ErrUnavailable) {
					t.Errorf("process %d: %v", i, err)
					return
				}
				for ctx.Err() == nil {
					if end, err := b.Tail(ctx); err == nil {
						if end.Epoch != before.Epoch || end.Last < after {
							t.Errorf("process %d: Tail returned %+v after position %d in epoch %s", i, end, after, before.Epoch)
						}
						break
					}
				}
			}
		})
	}
	nc := connect(t, urls(servers))
	for range kills {
		leader := complete(t, nc, o, servers)
		start := time.Now()
		leader.restart(t)
		complete(t, nc, o, servers)
		t.Logf("killed %s; all replicas are current after %v", leader.Name, time.Since(start))
	}
	close(stop)
	appending.Wait()
	final := record("final")
	ended.Lock()
	last = final.ID
	ended.Unlock()
	if err := persist(ctx, backplanes[0], final); err != nil {
		t.Fatal(err)
	}
	following.Wait()

	total := 1
	for i := range backplanes {
		total += len(acknowledged[i])
		position := map[uuid.UUID]int{}
		for at, r := range applied[i] {
			if _, ok := position[r.ID]; !ok {
				position[r.ID] = at
			}
			if at > 0 && r.Position <= applied[i][at-1].Position {
				t.Errorf("process %d: position %d came after %d", i, r.Position, applied[i][at-1].Position)
			}
			if at < len(applied[0]) && r.ID != applied[0][at].ID {
				t.Fatalf("process %d has another record at position %d than process 0", i, r.Position)
			}
		}
		for process, ids := range acknowledged {
			previous := -1
			for n, id := range ids {
				at, ok := position[id]
				if !ok || at < previous {
					t.Fatalf("process %d: record %d of process %d is at %d, after %d (there: %v)", i, n, process, at, previous, ok)
				}
				previous = at
			}
		}
	}
	t.Logf("%d records, %d kills of the leader, %v Follows, slowest Append %v", total, kills, follows, slowest)
}

// complete waits until all replicas of a stream are current, and returns the
// server that leads.
func complete(t testing.TB, nc *nats.Conn, o *backplane.Options, servers []*child) *child {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	var last any
	for ctx := bounded(t); ctx.Err() == nil; {
		request, cancel := context.WithTimeout(ctx, time.Second)
		s, err := js.Stream(request, o.Stream)
		cancel()
		if last = err; err != nil {
			continue
		}
		cluster := s.CachedInfo().Cluster
		last = cluster
		current := 0
		for _, r := range cluster.Replicas {
			if r.Current && !r.Offline {
				current++
			}
		}
		for _, s := range servers {
			if s.Name == cluster.Leader && current == len(servers)-1 {
				return s
			}
		}
	}
	t.Fatalf("the replicas of %s are not current: %+v", o.Stream, last)
	return nil
}

// A server that loses what it had acknowledged, as by power failure, because an
// acknowledgement comes before fsync. Or it was restored from a backup.
func TestLostTail(t *testing.T) {
	s := startServer(t)
	o := newStream(0)
	one, two := newBackplane(t, s.URL, o), newBackplane(t, s.URL, o)
	before := tail(t, one)
	for i := range 10 {
		if err := one.Append(bounded(t), record(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	s.kill()
	backup := t.TempDir()
	if err := os.CopyFS(backup, os.DirFS(s.Dir)); err != nil {
		t.Fatal(err)
	}
	s.start(t)
	if got := tail(t, two); got.Epoch != before.Epoch || got.Last != 10 {
		t.Fatalf("after a kill, Tail returned %+v; before %+v", got, before)
	}
	for i := range 10 {
		if err := persist(bounded(t), one, record(fmt.Sprint("lost", i))); err != nil {
			t.Fatal(err)
		}
	}
	s.kill()
	s.Dir = backup
	s.start(t)

	// The process that has seen the lost positions says so to everybody.
	after := tail(t, one)
	if after.Epoch == before.Epoch {
		t.Errorf("10 acknowledged records are gone, and the epoch is still %q", after.Epoch)
	}
	if after.Last != 10 {
		t.Errorf("the last position is %d, want 10", after.Last)
	}
	if got := tail(t, two); got.Epoch != after.Epoch {
		t.Errorf("another process sees epoch %q, not %q", got.Epoch, after.Epoch)
	}

	// Nobody was there to see it: an operator says so.
	if err := backplane.NewEpochs(bounded(t), connect(t, s.URL)); err != nil {
		t.Fatal(err)
	}
	if got := tail(t, two); got.Epoch == after.Epoch {
		t.Errorf("the epoch is still %q after NewEpochs", got.Epoch)
	}
}

// Settings that lose records are refused, and named.
func TestStreamThatLoses(t *testing.T) {
	s := startServer(t)
	nc := connect(t, s.URL)
	for setting, set := range map[string]func(*jetstream.StreamConfig){
		"Retention":         func(c *jetstream.StreamConfig) { c.Retention = jetstream.WorkQueuePolicy },
		"Discard":           func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardNew },
		"Storage":           func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
		"PersistMode":       func(c *jetstream.StreamConfig) { c.PersistMode = jetstream.AsyncPersistMode },
		"MaxMsgSize":        func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1000 },
		"MaxMsgsPerSubject": func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 100 },
		"NoAck":             func(c *jetstream.StreamConfig) { c.NoAck = true },
		"Subjects":          func(c *jetstream.StreamConfig) { c.Subjects = append(c.Subjects, c.Name+".other") },
		"SubjectTransform": func(c *jetstream.StreamConfig) {
			c.SubjectTransform = &jetstream.SubjectTransformConfig{Source: c.Subjects[0], Destination: "x"}
		},
		"Sources": func(c *jetstream.StreamConfig) { c.Sources = []*jetstream.StreamSource{{Name: "elsewhere"}} },
		"Retention, Storage": func(c *jetstream.StreamConfig) {
			c.Retention, c.Storage = jetstream.InterestPolicy, jetstream.MemoryStorage
		},
	} {
		t.Run(setting, func(t *testing.T) {
			o := newStream(0)
			config := jetstream.StreamConfig{Name: o.Stream, Subjects: []string{o.Stream + ".records"}}
			set(&config)
			createdBy(t, nc, config)
			_, err := backplane.New(nc, o).Tail(bounded(t))
			wrong, ok := errors.AsType[*backplane.StreamError](err)
			if !ok || errors.Is(err, hub.ErrUnavailable) {
				t.Fatalf("Tail returned %v", err)
			}
			names := strings.Split(setting, ", ")
			if len(wrong.Wrong) != len(names) {
				t.Errorf("%v, want only %s", err, setting)
			}
			for _, name := range names {
				if !strings.Contains(err.Error(), name+" is ") {
					t.Errorf("%q does not name %s", err, name)
				}
			}
		})
	}
}

// A stream that serves, but has other bounds, gets those of the options, and
// keeps what the backplane has no opinion of.
func TestBoundsAreSet(t *testing.T) {
	s := startServer(t)
	nc := connect(t, s.URL)
	o := newStream(0)
	o.MaxAge, o.MaxRecords, o.MaxBytes = time.Minute, 1000, 1<<20
	createdBy(t, nc, jetstream.StreamConfig{Name: o.Stream, Description: "ours", Subjects: []string{o.Stream + ".records"}, Metadata: map[string]string{"a": "b"}})
	b := backplane.New(nc, o)
	first := tail(t, b)
	got := streamOf(t, nc, o).CachedInfo().Config
	if got.MaxAge != o.MaxAge || got.MaxMsgs != o.MaxRecords || got.MaxBytes != o.MaxBytes || !got.AllowMsgTTL || got.Description != "ours" || got.Metadata["a"] != "b" {
		t.Errorf("the stream is %+v", got)
	}
	if again := tail(t, newBackplane(t, s.URL, o)); again.Epoch != first.Epoch {
		t.Errorf("the epoch was %q, and is %q", first.Epoch, again.Epoch)
	}

	// Another process has other options: they hold from its start on, and the
	// first one does not fight for its own.
	p := *o
	p.MaxAge = time.Hour
	tail(t, newBackplane(t, s.URL, &p))
	tail(t, b)
	if got := streamOf(t, nc, o).CachedInfo().Config; got.MaxAge != time.Hour {
		t.Errorf("MaxAge is %v", got.MaxAge)
	}
}

// Retention that overtakes a Follow is not passed over.
func TestRetentionByCount(t *testing.T) {
	s := startServer(t)
	o := newStream(0)
	o.MaxRecords = 100
	b := newBackplane(t, s.URL, o)
	tail(t, b)
	entered, leave := make(chan struct{}, 1), make(chan struct{})
	done := make(chan error, 1)
	var got []uint64
	go func() {
		done <- b.Follow(bounded(t), 0, func(batch []hub.SequencedRecord) error {
			for _, r := range batch {
				got = append(got, r.Position)
			}
			select {
			case entered <- struct{}{}:
			default:
			}
			<-leave
			return nil
		})
	}()
	// More than waits for apply, and than the server sends ahead.
	data := strings.Repeat("x", 256<<10)
	for i := range 300 {
		if err := b.Append(bounded(t), record(data)); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			<-entered
		}
	}
	close(leave)
	if err := <-done; !errors.Is(err, hub.ErrUnavailable) || !strings.Contains(err.Error(), "removed records") {
		t.Errorf("Follow returned %v", err)
	}
	for i, position := range got {
		if position != uint64(i+1) {
			t.Fatalf("position %d came after %d", position, i)
		}
	}
}

// A record with a life is removed after it; the others stay.
func TestLife(t *testing.T) {
	s := startServer(t)
	o := newStream(0)
	b := newBackplane(t, s.URL, o)
	tail(t, b)
	short := record("short")
	short.Life = time.Millisecond
	for _, r := range []hub.Record{record("one"), short, record("two"), short} {
		r.ID = uuid.New()
		if err := b.Append(bounded(t), r); err != nil {
			t.Fatal(err)
		}
	}
	nc := connect(t, s.URL)
	for ctx := bounded(t); streamOf(t, nc, o).CachedInfo().State.Msgs > 2; {
		if ctx.Err() != nil {
			t.Fatal("the records with a life of a millisecond are still there")
		}
	}
	var got []string
	for _, r := range read(t, b) {
		got = append(got, fmt.Sprintf("%d %s", r.Position, r.Data))
	}
	if want := "[1 one 3 two 4 ]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// What somebody else publishes to the subject is no record, and stops nothing.
func TestForeignMessage(t *testing.T) {
	s := startServer(t)
	o := newStream(0)
	b := newBackplane(t, s.URL, o)
	tail(t, b)
	nc := connect(t, s.URL)
	if _, err := nc.Request(o.Stream+".records", []byte("hello"), patience); err != nil {
		t.Fatal(err)
	}
	r := record("ours")
	if err := b.Append(bounded(t), r); err != nil {
		t.Fatal(err)
	}
	got := read(t, b)
	if len(got) != 2 || got[0].ID != uuid.Nil || len(got[0].Data) > 0 || got[1].ID != r.ID {
		t.Errorf("got %v", got)
	}
}

// A subject that belongs to another stream is an error that says so.
func TestSubjectIsTaken(t *testing.T) {
	s := startServer(t)
	nc := connect(t, s.URL)
	createdBy(t, nc, jetstream.StreamConfig{Name: "other", Subjects: []string{"taken.>"}})
	_, err := backplane.New(nc, &backplane.Options{Stream: "mine", Subject: "taken.records"}).Tail(bounded(t))
	if err == nil || errors.Is(err, hub.ErrUnavailable) || !strings.Contains(err.Error(), "overlap") {
		t.Errorf("Tail returned %v", err)
	}
	_, err = backplane.New(nc, &backplane.Options{Stream: "three", Replicas: 3}).Tail(bounded(t))
	if err == nil || errors.Is(err, hub.ErrUnavailable) || !strings.Contains(err.Error(), "replicas") {
		t.Errorf("Tail of three replicas on one server returned %v", err)
	}
}

// The stream drops repetitions itself, and acknowledges them.
func TestRepetition(t *testing.T) {
	s := startServer(t)
	b := newBackplane(t, s.URL, newStream(0))
	tail(t, b)
	r := record("once")
	for range 3 {
		if err := b.Append(bounded(t), r); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, b); len(got) != 1 {
		t.Errorf("%d records for one ID", len(got))
	}
}

// More Appends than may be pending wait for each other.
func TestPendingIsBounded(t *testing.T) {
	s := startServer(t)
	o := newStream(0)
	o.MaxPending = 2
	b := newBackplane(t, s.URL, o)
	tail(t, b)
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			if err := b.Append(bounded(t), record(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := read(t, b); len(got) != 200 {
		t.Errorf("got %d records", len(got))
	}
}

// A closed connection is not coming back.
func TestClosedConnection(t *testing.T) {
	s := startServer(t)
	nc := connect(t, s.URL)
	b := backplane.New(nc, newStream(0))
	tail(t, b)
	nc.Close()
	_, err := b.Tail(bounded(t))
	for name, err := range map[string]error{"Tail": err, "Append": b.Append(bounded(t), record("")), "Follow": b.Follow(bounded(t), 0, nil)} {
		if !errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, hub.ErrUnavailable) {
			t.Errorf("%s returned %v", name, err)
		}
	}
}

// The embedded server survives the crash of its process, and knows a crash of
// the machine.
func TestCrash(t *testing.T) {
	s := &child{Dir: t.TempDir()}
	t.Cleanup(s.kill)
	s.start(t)
	o := newStream(0)
	b := newBackplane(t, s.URL, o)
	before := tail(t, b)
	r := record("kept")
	if err := b.Append(bounded(t), r); err != nil {
		t.Fatal(err)
	}
	if _, err := natsembedded.Open(s.Dir, nil); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("Open of a directory in use returned %v", err)
	}
	s.kill()

	reopen := func() hub.Tail {
		t.Helper()
		server, err := natsembedded.Open(s.Dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		b := backplane.New(server.Conn(), o)
		if got := read(t, b); len(got) != 1 || got[0].ID != r.ID || string(got[0].Data) != "kept" {
			t.Errorf("got %v", got)
		}
		return tail(t, b)
	}
	if after := reopen(); after != before && after.Epoch != before.Epoch {
		t.Errorf("the epoch was %q, and is %q after the process was killed", before.Epoch, after.Epoch)
	}
	if after := reopen(); after.Epoch != before.Epoch {
		t.Errorf("the epoch was %q, and is %q after Close", before.Epoch, after.Epoch)
	}
	if err := os.WriteFile(s.Dir+"/crier.boot", []byte("another start of the machine"), 0o600); err != nil {
		t.Fatal(err)
	}
	after := reopen()
	if after.Epoch == before.Epoch {
		t.Errorf("the epoch is still %q after the machine went down under the server", after.Epoch)
	}
	if again := reopen(); again.Epoch != after.Epoch {
		t.Errorf("the epoch was %q, and is %q after Close", after.Epoch, again.Epoch)
	}
}

func TestEmbeddedOptions(t *testing.T) {
	if _, err := natsembedded.Open(t.TempDir(), &natsembedded.Options{SyncInterval: -1}); err == nil {
		t.Error("Open accepts a negative interval")
	}
	if _, err := natsembedded.Open(t.TempDir(), &natsembedded.Options{Listen: "nonsense"}); err == nil {
		t.Error("Open accepts an address without a port")
	}
	s, err := natsembedded.Open(t.TempDir(), &natsembedded.Options{SyncAlways: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.URL() != "" {
		t.Errorf("the server listens on %s", s.URL())
	}
	b := backplane.New(s.Conn(), nil)
	tail(t, b)
	if err := b.Append(bounded(t), record("")); err != nil {
		t.Error(err)
	}
}

// A record larger than what a consumer pulls ahead still comes.
func TestHugeRecord(t *testing.T) {
	s, err := natsembedded.Open(t.TempDir(), &natsembedded.Options{MaxPayload: 24 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b := backplane.New(s.Conn(), nil)
	tail(t, b)
	huge := hub.Record{ID: uuid.New(), Data: make([]byte, 20<<20)}
	if err := b.Append(bounded(t), huge); err != nil {
		t.Fatal(err)
	}
	if got := read(t, b); len(got) != 1 || len(got[0].Data) != len(huge.Data) {
		t.Errorf("got %d records", len(got))
	}
}
