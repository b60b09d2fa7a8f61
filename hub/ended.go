package hub

import (
	"sync"
	"time"
	intern "unique"

	"github.com/google/uuid"
)

// ended remembers the streams that have ended last, for [Hub.Streams] and
// [Hub.Explain]: a ring that grows up to its bound.
type ended struct {
	most int

	mu     sync.Mutex
	all    []endedStream
	oldest int       // index in all, once the ring is full
	since  time.Time // end of the last stream that was forgotten; zero if none was
}

// An endedStream is what is remembered of a stream. A stream has the same strings
// as many others, or none, except for its session and its address.
type endedStream struct {
	id, delivered    uint64
	user             uuid.UUID
	session, address string
	transport, agent intern.Handle[string]
	started, ended   time.Time
	allowed          categorySet
	position         position // up to which everything was taken
	until            position // the head when it ended
	gaps             uint64
	reason           Reason
	start            Start
	cursor           uuid.UUID // as the client could have presented it
	lastWrite        int64     // as in Subscription
	trail            trail
	filter           categorySet
	topics           []string
	sessionTopics    []string
}

// add remembers a stream and forgets the oldest if there are too many.
func (e *ended) add(one endedStream) {
	if e.most <= 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.all) < e.most {
		e.all = append(e.all, one)
		return
	}
	e.since = e.all[e.oldest].ended
	e.all[e.oldest] = one
	e.oldest = (e.oldest + 1) % len(e.all)
}

// of returns the ended streams of a user, the latest first, and the time before
// which streams may have been forgotten. Ten thousand take some 50 us.
func (e *ended) of(user uuid.UUID) (found []endedStream, since time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.all {
		one := &e.all[(e.oldest+len(e.all)-1-i)%len(e.all)]
		if one.user == user {
			found = append(found, *one)
		}
	}
	return found, e.since
}

// each calls f with every ended stream, in no order. It must return quickly.
func (e *ended) each(f func(*endedStream)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.all {
		f(&e.all[i])
	}
}
