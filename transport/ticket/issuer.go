package ticket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
)

// A Check says whether the session that a ticket was minted for is still valid,
// and returns it. It is called for each stream that a ticket, or the cookie that
// came of one, is about to open, and for each open stream that is rechecked. It is
// safe for concurrent use.
//
// The session that it is given has the user, id, expiry, categories and topics
// that the ticket was minted with. The session that it returns is the stream's:
// Check may change all of that but the user, and set Meta. Errors are as those of
// a [transport.Authenticator]. A Check that always returns what it is given lets a
// session that was revoked open streams until it expires.
type Check func(ctx context.Context, s hub.Session) (hub.Session, error)

// Options are the options of an [Issuer]. The zero value of every field means its
// default.
type Options struct {
	// Life is how long a ticket can open a stream, at most 10 minutes. Default
	// 30 s.
	Life time.Duration
	// Once lets each ticket open one stream only. The ids of used tickets are
	// remembered until these expire, at most about a million of them; beyond
	// that, clients are asked to come back later. Tickets that were minted before
	// the Issuer was made count as used.
	//
	// Several processes do not share this memory: see Claim.
	Once bool
	// Claim replaces the memory of Once, for several processes that accept each
	// other's tickets. It records that a ticket is used, and reports whether it
	// was the first to do so; it may forget a ticket after until. With Redis that
	// is SET id "" NX PXAT until. An error that is not
	// transport.ErrUnauthenticated asks the client to come back later. Default:
	// the memory of this process.
	Claim func(ctx context.Context, id uuid.UUID, until time.Time) (first bool, err error)
	// CookieLife is how long after a stream was opened the cookie lets the same
	// browser open it again; each opening sets the cookie anew. The session's
	// expiry and Check hold all the same. Negative means no cookie. Default 24 h.
	CookieLife time.Duration
	// CookiePath is the path of the cookie. It is needed if a proxy changes the
	// path of requests. Default: the path of the request that opens the stream.
	CookiePath string
	// Secure marks the cookie Secure also if the request did not come over TLS.
	// Set it behind a proxy that ends TLS.
	Secure bool
}

// maxLife is the longest that Options.Life may be.
const maxLife = 10 * time.Minute

// An Issuer mints tickets, and opens streams by them. It is safe for concurrent
// use.
type Issuer struct {
	check   Check
	options Options // resolved
	keys    [][]byte
	began   time.Time // tickets that are older count as used, if this process remembers those
}

// minKey is the shortest key in bytes: as long as what SHA-256 returns.
const minKey = 32

// New returns an issuer. Tickets are signed with the first key (HMAC-SHA256) and
// accepted with any. To replace a key, put the new one first, at all processes,
// and remove the old one after CookieLife. With other keys, clients fetch new
// tickets.
//
// New panics without a check or a key, if a key has less than 32 bytes, and for
// options that cannot work. Use a key for nothing else.
func New(check Check, o *Options, keys ...[]byte) *Issuer {
	i := &Issuer{check: check, began: time.Now().Truncate(time.Millisecond)}
	if o != nil {
		i.options = *o
	}
	if i.options.Life == 0 {
		i.options.Life = 30 * time.Second
	}
	if i.options.CookieLife == 0 {
		i.options.CookieLife = 24 * time.Hour
	}
	switch {
	case check == nil:
		panic("ticket: New needs a Check; without one, a revoked session would open streams by its tickets")
	case len(keys) == 0:
		panic("ticket: New needs a key")
	case i.options.Life < 0 || i.options.Life > maxLife:
		panic(fmt.Sprintf("ticket: Options.Life is %v; it must be positive and at most %v, or zero for the default", i.options.Life, maxLife))
	case i.options.CookiePath != "" && !validPath(i.options.CookiePath):
		panic(fmt.Sprintf("ticket: Options.CookiePath is %q; it must begin with a slash and have no semicolon, space or control character", i.options.CookiePath))
	}
	for n, key := range keys {
		if len(key) < minKey {
			panic(fmt.Sprintf("ticket: key %d has %d bytes; it needs %d random ones at least", n+1, len(key), minKey))
		}
		i.keys = append(i.keys, slices.Clone(key))
	}
	if i.options.Claim == nil {
		// Clocks of processes may differ by as much as a ticket lives: see opens.
		i.options.Claim = (&used{period: 2 * i.options.Life, max: maxUsed}).claim
	} else {
		i.began = time.Time{}
	}
	return i
}

// Mint returns a ticket that opens streams for a session, at the Authenticator of
// the same purpose. A purpose is a name of the application's own, such as "sse" or
// "ws". The session's Meta is not part of the ticket.
//
// It fails for a session without a user or without allowed categories, and if the
// ticket would be too long for a URL (3 KiB), which takes dozens of topics.
func (i *Issuer) Mint(purpose string, s hub.Session) (string, error) {
	checkPurpose(purpose)
	c, err := claim(purpose, s)
	if err != nil {
		return "", err
	}
	if c.ID, err = uuid.NewRandom(); err != nil {
		return "", err
	}
	now := time.Now()
	if !s.Expires.IsZero() && !s.Expires.After(now) {
		return "", errors.New("ticket: the session has expired")
	}
	c.Issued, c.Until = now.UnixMilli(), now.Add(i.options.Life).UnixMilli()
	return seal(i.keys[0], kindTicket, c)
}

// checkPurpose panics for a purpose that is not a name: it is part of the program.
func checkPurpose(purpose string) {
	for n := range len(purpose) {
		if c := purpose[n]; c <= ' ' || c > '~' {
			panic(fmt.Sprintf("ticket: %q is no purpose; it must be of printable ASCII without spaces", purpose))
		}
	}
	if purpose == "" || len(purpose) > 64 {
		panic(fmt.Sprintf("ticket: a purpose has 1 to 64 bytes, and not %d", len(purpose)))
	}
}

// opens reports whether a ticket is of an age to open a stream. A ticket that a
// process with a longer Life has minted is held to this one's.
func (i *Issuer) opens(c *claims, now time.Time) bool {
	issued := time.UnixMilli(c.Issued)
	return now.Before(time.UnixMilli(c.Until)) && now.Before(issued.Add(i.options.Life)) && !issued.After(now.Add(i.options.Life))
}
