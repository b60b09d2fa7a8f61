package ticket

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
)

// parameter is where a ticket stands in the query.
const parameter = "ticket"

var (
	errStale   = unauthenticated("ticket: the ticket has expired or was used, and no cookie came with it")
	errPurpose = unauthenticated("ticket: the ticket was minted for another purpose")
	errSeveral = unauthenticated("ticket: the query has more than one ticket")
	errExpired = unauthenticated("ticket: the session of the ticket has expired")
	errNone    = unauthenticated("ticket: there is no ticket")
)

func unauthenticated(text string) error {
	return fmt.Errorf("%w: %w", transport.ErrUnauthenticated, errors.New(text))
}

// Authenticator returns a [transport.Authenticator] for the streams of one
// purpose. A request with a ticket parameter in the query is decided by the ticket
// alone. Every other request is left to next; if next is nil, it is
// unauthenticated.
//
// Only GET uses up a ticket (see Options.Once) and sets the cookie.
func (i *Issuer) Authenticator(purpose string, next transport.Authenticator) transport.Authenticator {
	checkPurpose(purpose)
	return func(r *http.Request) (hub.Session, error) {
		switch tickets := r.URL.Query()[parameter]; {
		case len(tickets) == 1:
			return i.authenticate(r, purpose, tickets[0])
		case len(tickets) > 1:
			return hub.Session{}, errSeveral
		case next != nil:
			return next(r)
		}
		return hub.Session{}, errNone
	}
}

func (i *Issuer) authenticate(r *http.Request, purpose, token string) (hub.Session, error) {
	c, err := unseal(i.keys, kindTicket, token)
	switch {
	case err != nil:
		return hub.Session{}, fmt.Errorf("%w: %w", transport.ErrUnauthenticated, err)
	case c.Purpose != purpose:
		return hub.Session{}, errPurpose
	}
	if open, ok := transport.OpenSession(r); ok { // the life of a ticket does not bound that of a stream
		return i.checked(r, c, open)
	}
	fresh, known := i.opens(c, time.Now()), i.hasCookie(r, c)
	if !fresh && !known {
		return hub.Session{}, errStale
	}
	session, err := i.checked(r, c, c.session())
	if err != nil {
		return hub.Session{}, err
	}
	if fresh && i.options.Once && r.Method == http.MethodGet {
		// Last, so that what fails before does not use the ticket up.
		if fresh, err = i.first(r, c); err != nil {
			return hub.Session{}, err
		}
	}
	if !fresh && !known {
		return hub.Session{}, errStale
	}
	if r.Method == http.MethodGet {
		return session, i.setCookie(r, c)
	}
	return session, nil
}

// checked asks Check about a session.
func (i *Issuer) checked(r *http.Request, c *claims, s hub.Session) (hub.Session, error) {
	s, err := i.check(r.Context(), s)
	switch {
	case err != nil:
		return hub.Session{}, err
	case s.User != c.User:
		return hub.Session{}, errors.New("ticket: Check has returned a session of another user")
	case !s.Expires.IsZero() && !s.Expires.After(time.Now()):
		return hub.Session{}, errExpired
	}
	return s, nil
}

// first uses a ticket up, and reports whether it was unused.
func (i *Issuer) first(r *http.Request, c *claims) (bool, error) {
	if time.UnixMilli(c.Issued).Before(i.began) {
		return false, nil
	}
	return i.options.Claim(r.Context(), c.ID, time.UnixMilli(c.Until))
}
