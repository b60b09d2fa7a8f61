package hub

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub/internal/eventlog"
)

// The data of a record begins with the version of its form and with what it says:
//
//	event       audiences, time of publishing, the event's binary form
//	revocation  user, session
//	join, leave user, topic
//
// Numbers are uvarints; strings have their length before them; users are 16
// bytes; an audience is its kind (everyone, user, topic) and what names it. A
// process that does not know a version or a kind reports the record and goes on
// behind it, so that processes of two releases can share a backplane.
const recordVersion = 1

type recordKind byte

const (
	recordEvent recordKind = iota + 1
	recordRevocation
	recordJoin
	recordLeave
)

const (
	audienceEveryone = iota
	audienceUser
	audienceTopic
)

// ephemeralLife is how long a backplane has to keep an ephemeral event.
const ephemeralLife = time.Minute

// NewRecord returns the record that publishes e to audiences through a
// backplane, for one that can append records within a transaction of the
// application. Without audiences, it is for e's own user.
//
// The id of the record depends on the event's id and the audiences alone, so
// that publishing the same event to the same audiences twice delivers it once.
// Errors: [ErrNoUser], a [TopicError], and [ErrTooManyAudiences] for more than
// 256 audiences, which need several records.
func NewRecord(e *event.Event, to ...Audience) (Record, error) {
	if len(to) == 0 {
		to = []Audience{User(e.User())}
	}
	keys := make([]eventlog.Key, len(to))
	for i, a := range to {
		if err := a.check(); err != nil {
			return Record{}, err
		}
		keys[i] = a.key
	}
	if keys = unique(keys); len(keys) > eventlog.AppendAtOnce {
		return Record{}, ErrTooManyAudiences
	}
	return eventRecord(e, keys)
}

func eventRecord(e *event.Event, keys []eventlog.Key) (Record, error) {
	data := []byte{recordVersion, byte(recordEvent)}
	data = binary.AppendUvarint(data, uint64(len(keys)))
	for _, key := range keys {
		data = appendAudience(data, key)
	}
	audiences := data[2:]
	id := e.ID()
	r := Record{ID: uuid.NewSHA1(id, audiences)}
	data = binary.AppendUvarint(data, uint64(time.Now().UnixMilli()))
	data, err := e.AppendBinary(data)
	if err != nil {
		return Record{}, err
	}
	r.Data = data
	switch info := e.Info(); {
	case info.Ephemeral:
		r.Life = ephemeralLife
	case info.RetainFor > 0:
		r.Life = info.RetainFor
	}
	return r, nil
}

func appendAudience(data []byte, key eventlog.Key) []byte {
	switch {
	case key.Name != "":
		return appendString(append(data, audienceTopic), key.Name)
	case key.ID != uuid.Nil:
		return append(append(data, audienceUser), key.ID[:]...)
	}
	return append(data, audienceEveryone)
}

func appendString(data []byte, s string) []byte {
	return append(binary.AppendUvarint(data, uint64(len(s))), s...)
}

// userRecord returns a record about a user and a name: a session or a topic.
func userRecord(kind recordKind, user uuid.UUID, name string) (Record, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Record{}, err
	}
	data := append([]byte{recordVersion, byte(kind)}, user[:]...)
	return Record{ID: id, Data: appendString(data, name)}, nil
}

// errRecord says that a record cannot be read.
var errRecord = errors.New("hub: a record of the backplane cannot be read")

// A recordReader reads a record's data. After an error, it returns zeros.
type recordReader struct {
	data []byte
	err  error
}

func (r *recordReader) take(n uint64) []byte {
	if r.err != nil || n > uint64(len(r.data)) {
		r.err = errRecord
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *recordReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *recordReader) number() uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 {
		r.err = errRecord
		return 0
	}
	r.take(uint64(n))
	return v
}

func (r *recordReader) string() string { return string(r.take(r.number())) }

func (r *recordReader) user() (id uuid.UUID) {
	copy(id[:], r.take(16))
	return id
}

// kind reads the beginning of a record.
func (r *recordReader) kind() recordKind {
	if v := r.byte(); r.err == nil && v != recordVersion {
		r.err = fmt.Errorf("%w: it has version %d, and this process knows %d: is it an older release?", errRecord, v, recordVersion)
	}
	return recordKind(r.byte())
}

// keys reads the audiences of an event, and appends them to dst.
func (r *recordReader) keys(dst []eventlog.Key) []eventlog.Key {
	n := r.number()
	if n > eventlog.AppendAtOnce {
		r.err = errRecord
	}
	for ; n > 0 && r.err == nil; n-- {
		dst = append(dst, r.key())
	}
	return dst
}

// key reads an audience.
func (r *recordReader) key() (key eventlog.Key) {
	switch r.byte() {
	case audienceEveryone:
	case audienceUser:
		key.ID = r.user()
	case audienceTopic:
		key.Name = r.string()
	default:
		r.err = errRecord
	}
	return key
}
