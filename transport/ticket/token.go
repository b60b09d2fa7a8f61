package ticket

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// What a token is for is part of what is signed, so that a cookie is never taken
// for a ticket.
const (
	kindTicket = "crier ticket 1\x00"
	kindCookie = "crier ticket cookie 1\x00"
)

// maxToken is the longest token in bytes. A URL of 8 KiB is too long for many
// proxies, and a cookie of 4 KiB for browsers.
const maxToken = 3 << 10

// Claims are what a token says, as JSON. A ticket has all of them; a cookie has
// the purpose, the user, the session and until when it is valid.
type claims struct {
	Purpose    string           `json:"p"`
	ID         uuid.UUID        `json:"i,omitzero"`
	Issued     int64            `json:"n,omitempty"` // in Unix milliseconds, as all times here
	Until      int64            `json:"e"`           // of the token itself
	User       uuid.UUID        `json:"u"`
	Session    string           `json:"s,omitempty"`
	Expires    int64            `json:"x,omitempty"` // of the session; zero means never
	Everything bool             `json:"a,omitempty"`
	Categories []event.Category `json:"c,omitempty"`
	Topics     []string         `json:"t,omitempty"`
}

var (
	errForged  = errors.New("ticket: not signed by any of the keys")
	errTooLong = fmt.Errorf("ticket: a ticket for this session would be longer than %d bytes; give it fewer topics", maxToken)
)

// claim returns the claims for a session.
func claim(purpose string, s hub.Session) (claims, error) {
	c := claims{Purpose: purpose, User: s.User, Session: s.ID, Topics: s.Topics}
	c.Categories, c.Everything = s.Allowed.Categories()
	switch {
	case s.User == uuid.Nil:
		return c, hub.ErrNoUser
	case !c.Everything && len(c.Categories) == 0:
		return c, hub.ErrEmptyFilter
	case !utf8.ValidString(s.ID):
		return c, errors.New("ticket: Session.ID is not valid UTF-8")
	}
	for _, topic := range s.Topics {
		if !utf8.ValidString(topic) {
			return c, errors.New("ticket: a topic of the session is not valid UTF-8")
		}
	}
	if !s.Expires.IsZero() {
		c.Expires = max(s.Expires.UnixMilli(), 1) // zero would mean never
	}
	return c, nil
}

// session returns the session that a ticket was minted for.
func (c *claims) session() hub.Session {
	s := hub.Session{User: c.User, ID: c.Session, Topics: c.Topics, Allowed: hub.Categories(c.Categories...)}
	if c.Everything {
		s.Allowed = hub.Everything()
	}
	if c.Expires != 0 {
		s.Expires = time.UnixMilli(c.Expires)
	}
	return s
}

// sameLogin reports whether two tokens are for one user, session and purpose.
func (c *claims) sameLogin(d *claims) bool {
	return c.User == d.User && c.Session == d.Session && c.Purpose == d.Purpose
}

var encoding = base64.RawURLEncoding.Strict()

// seal returns the token for claims: base64url of the signature and the JSON.
func seal(key []byte, kind string, c claims) (string, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	if encoding.EncodedLen(sha256.Size+len(body)) > maxToken {
		return "", errTooLong
	}
	return encoding.EncodeToString(append(sign(key, kind, body), body...)), nil
}

// unseal returns the claims of a token that was sealed with one of the keys.
// Nothing of the token is interpreted before its signature is known to be valid.
func unseal(keys [][]byte, kind, token string) (*claims, error) {
	if len(token) > maxToken || strings.ContainsAny(token, "\r\n") { // which the decoder would skip
		return nil, errForged
	}
	b, err := encoding.DecodeString(token)
	if err != nil || len(b) < sha256.Size {
		return nil, errForged
	}
	signature, body := b[:sha256.Size], b[sha256.Size:]
	for _, key := range keys {
		if !hmac.Equal(signature, sign(key, kind, body)) { // in constant time
			continue
		}
		c := new(claims)
		if err := json.Unmarshal(body, c); err != nil {
			return nil, errForged // signed by something else that has the key
		}
		return c, nil
	}
	return nil, errForged
}

func sign(key []byte, kind string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(kind))
	mac.Write(body)
	return mac.Sum(nil)
}
