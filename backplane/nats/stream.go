package nats

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/crier-go/crier/hub"
)

// epochKey is where a stream's metadata holds the part of its epoch that can be
// changed.
const epochKey = "crier-epoch"

// dedupWindow is how long the stream drops repetitions of a record by itself.
// The hub drops those that come later.
const dedupWindow = 2 * time.Minute

// Tail is that of [hub.Backplane]. It creates the stream if there is none. The
// first Tail of a Backplane sets the stream's bounds to those of the Options. A
// stream with settings that lose records, or that are not those of a sequence,
// is an error that names them.
//
// The epoch is made of the stream's time of creation and of a random value in
// its metadata, under "crier-epoch". A stream that is restored from a backup
// has the same of both, though acknowledged records are gone: call [NewEpochs],
// or remove that key, after a restore. A Backplane changes it by itself if it
// sees that the stream ends before a position that it knows.
func (b *Backplane) Tail(ctx context.Context) (hub.Tail, error) {
	if b.err != nil {
		return hub.Tail{}, b.err
	}
	bounded, cancel := b.bounded(ctx)
	defer cancel()
	t, err := b.tail(bounded)
	if err == nil {
		return t, nil
	}
	err = b.classify(bounded, "stream "+b.o.Stream, err)
	if bounded.Err() != nil && ctx.Err() == nil {
		b.revive()
	}
	return hub.Tail{}, err
}

func (b *Backplane) tail(ctx context.Context) (hub.Tail, error) {
	known := b.sequence()
	seen := known.seen.Load() // before the question is asked
	info, err := b.info(ctx)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		info, err = b.create(ctx)
	}
	if err != nil {
		return hub.Tail{}, err
	}
	if err := b.check(&info.Config); err != nil {
		return hub.Tail{}, err
	}
	if info, err = b.setBounds(ctx, info); err != nil {
		return hub.Tail{}, err
	}
	if info, err = b.advance(ctx, info, known.epoch, seen); err != nil {
		return hub.Tail{}, err
	}

	t := hub.Tail{Epoch: epochOf(info), First: info.State.FirstSeq, Last: info.State.LastSeq}
	if info.State.Msgs == 0 {
		t.First = t.Last + 1
	}
	if known.epoch != t.Epoch {
		known = &sequence{epoch: t.Epoch}
		b.known.Store(known)
	}
	known.note(t.Last)
	b.noTTL.Store(!info.Config.AllowMsgTTL)
	b.size.Store(max(info.Config.MaxMsgSize, 0))
	return t, nil
}

func (b *Backplane) info(ctx context.Context) (*jetstream.StreamInfo, error) {
	s, err := ask(ctx, func(ctx context.Context) (jetstream.Stream, error) { return b.js.Stream(ctx, b.o.Stream) })
	if err != nil {
		return nil, err
	}
	return s.CachedInfo(), nil
}

// withEpoch returns a configuration with a new epoch.
func withEpoch(c jetstream.StreamConfig) jetstream.StreamConfig {
	c.Metadata = maps.Clone(c.Metadata)
	if c.Metadata == nil {
		c.Metadata = map[string]string{}
	}
	c.Metadata[epochKey] = uuid.NewString()
	return c
}

func epochOf(info *jetstream.StreamInfo) string {
	return fmt.Sprintf("%x.%s", info.Created.UnixNano(), info.Config.Metadata[epochKey])
}

// create creates the stream. If another process does so at the same time with
// other options, that stream is returned.
func (b *Backplane) create(ctx context.Context) (*jetstream.StreamInfo, error) {
	config := b.limited(jetstream.StreamConfig{
		Name:        b.o.Stream,
		Description: "The sequence of events of an application that uses Crier.",
		Subjects:    []string{b.o.Subject},
		Retention:   jetstream.LimitsPolicy,
		Discard:     jetstream.DiscardOld,
		Storage:     jetstream.FileStorage,
		Metadata:    map[string]string{epochKey: uuid.NewString()},
	})
	config.Replicas = max(b.o.Replicas, 1)
	s, err := b.js.CreateStream(ctx, config)
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
		return b.info(ctx)
	}
	if err != nil {
		return nil, err
	}
	return s.CachedInfo(), nil
}

// limited returns a configuration with the bounds of the Options.
func (b *Backplane) limited(c jetstream.StreamConfig) jetstream.StreamConfig {
	c.MaxAge, c.MaxMsgs, c.MaxBytes = b.o.MaxAge, b.o.MaxRecords, b.o.MaxBytes
	if b.o.Replicas > 0 {
		c.Replicas = b.o.Replicas
	}
	c.Duplicates = min(dedupWindow, c.MaxAge)
	c.AllowMsgTTL = true
	return c
}

// minMessage is the smallest MaxMsgSize of a stream that the backplane accepts:
// an event of 64 KiB fits into it.
const minMessage = 68 << 10

// check returns an error if a stream that exists would lose records, or is not
// one sequence. It names all that is wrong.
func (b *Backplane) check(c *jetstream.StreamConfig) error {
	var wrong []error
	expect := func(ok bool, setting string, is, want any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf("%s is %v, and must be %v", setting, is, want))
		}
	}
	expect(len(c.Subjects) == 1 && c.Subjects[0] == b.o.Subject, "Subjects", c.Subjects, []string{b.o.Subject})
	expect(c.Retention == jetstream.LimitsPolicy, "Retention", c.Retention, jetstream.LimitsPolicy)
	expect(c.Discard == jetstream.DiscardOld, "Discard", c.Discard, jetstream.DiscardOld)
	expect(c.Storage == jetstream.FileStorage, "Storage", c.Storage, jetstream.FileStorage)
	expect(c.PersistMode == jetstream.DefaultPersistMode, "PersistMode", c.PersistMode, jetstream.DefaultPersistMode)
	expect(c.MaxMsgsPerSubject <= 0, "MaxMsgsPerSubject", c.MaxMsgsPerSubject, -1)
	expect(c.MaxMsgSize <= 0 || c.MaxMsgSize >= minMessage, "MaxMsgSize", c.MaxMsgSize, fmt.Sprintf("-1, or at least %d", minMessage))
	expect(!c.NoAck, "NoAck", c.NoAck, false)
	expect(!c.Sealed, "Sealed", c.Sealed, false)
	expect(c.Mirror == nil, "Mirror", c.Mirror != nil, "absent")
	expect(len(c.Sources) == 0, "Sources", len(c.Sources), 0)
	expect(c.SubjectTransform == nil, "SubjectTransform", c.SubjectTransform != nil, "absent")
	if len(wrong) == 0 {
		return nil
	}
	return &StreamError{Stream: b.o.Stream, Wrong: wrong}
}

// A StreamError says that a stream exists with settings that do not serve a
// backplane. It is not retried: change the settings, or use another stream.
type StreamError struct {
	Stream string
	Wrong  []error // one for each setting
}

func (e *StreamError) Error() string {
	var settings []string
	for _, err := range e.Wrong {
		settings = append(settings, err.Error())
	}
	return fmt.Sprintf("nats: stream %s exists with settings that do not serve a backplane: %s", e.Stream, strings.Join(settings, "; "))
}

// Unwrap returns the errors of the settings.
func (e *StreamError) Unwrap() []error { return e.Wrong }

// setBounds sets the stream's bounds, once for each Backplane, so that processes
// with different options do not overwrite each other's again and again.
func (b *Backplane) setBounds(ctx context.Context, info *jetstream.StreamInfo) (*jetstream.StreamInfo, error) {
	config := b.limited(info.Config)
	same := config.MaxAge == info.Config.MaxAge && config.MaxMsgs == info.Config.MaxMsgs &&
		config.MaxBytes == info.Config.MaxBytes && config.Duplicates == info.Config.Duplicates &&
		config.Replicas == info.Config.Replicas && config.AllowMsgTTL == info.Config.AllowMsgTTL
	if !b.bound.Load() && !same {
		s, err := b.js.UpdateStream(ctx, config)
		if err != nil {
			return nil, fmt.Errorf("setting its bounds: %w", err)
		}
		info = s.CachedInfo()
	}
	b.bound.Store(true)
	return info, nil
}

// advance gives the stream a new epoch if it has none, or if it ends before a
// position that this process has seen in its epoch: then a server has lost
// acknowledged records, or was restored from a backup.
func (b *Backplane) advance(ctx context.Context, info *jetstream.StreamInfo, epoch string, seen uint64) (*jetstream.StreamInfo, error) {
	for try := 0; epochOf(info) == epoch && info.State.LastSeq < seen; try++ {
		// A server that has just become the leader may not have applied all
		// that it has. It gets two seconds.
		if try == 8 {
			info.Config.Metadata[epochKey] = ""
			break
		}
		if err := sleep(ctx, 2*time.Second/8); err != nil {
			return nil, err
		}
		var err error
		if info, err = b.info(ctx); err != nil {
			return nil, err
		}
	}
	if info.Config.Metadata[epochKey] != "" {
		return info, nil
	}
	if _, err := b.js.UpdateStream(ctx, withEpoch(info.Config)); err != nil {
		return nil, fmt.Errorf("setting its epoch: %w", err)
	}
	return b.info(ctx) // another process may have set it, too: the last one counts
}
