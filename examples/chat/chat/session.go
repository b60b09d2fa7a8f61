package chat

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/transport"
)

const (
	cookieName  = "crier_chat"
	sessionTime = 30 * 24 * time.Hour
	maxCookie   = 1 << 10 // bytes; ours have about 200
)

// A session is what the cookie says. It is signed and not encrypted: there is
// nothing secret in it.
type session struct {
	ID      string `json:"id"` // this login, among others of the same person
	Name    string `json:"name"`
	Expires int64  `json:"expires"` // Unix seconds
}

// A signer makes and reads session cookies: base64(JSON) "." base64(HMAC).
type signer struct{ key []byte }

func (s signer) mac(payload string) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte("crier-chat session\n" + payload)) // this key signs nothing else by accident
	return h.Sum(nil)
}

func (s signer) sign(v session) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	payload := base64.RawURLEncoding.EncodeToString(b)
	return payload + "." + base64.RawURLEncoding.EncodeToString(s.mac(payload)), nil
}

var errSession = errors.New("no valid session cookie")

func (s signer) verify(cookie string) (session, person, error) {
	payload, sig, ok := strings.Cut(cookie, ".")
	mac, err := base64.RawURLEncoding.DecodeString(sig)
	if !ok || err != nil || len(cookie) > maxCookie || !hmac.Equal(mac, s.mac(payload)) {
		return session{}, person{}, errSession
	}
	var v session
	b, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(b, &v) != nil || !time.Now().Before(time.Unix(v.Expires, 0)) {
		return session{}, person{}, errSession
	}
	p, err := newPerson(v.Name) // the rule may have changed since it was signed
	if err != nil {
		return session{}, person{}, errSession
	}
	return v, p, nil
}

// session returns the valid session of a request, and whose it is.
func (s *server) session(r *http.Request) (session, person, error) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return session{}, person{}, errSession
	}
	v, p, err := s.signer.verify(c.Value)
	if err != nil {
		return session{}, person{}, err
	}
	return v, s.recall(p), nil
}

// enter tells every process of somebody who enters.
func (s *server) enter(ctx context.Context, p person) error {
	e, err := userEntered.New(p.ID, presenceChange{User: p})
	if err != nil {
		return err
	}
	return s.hub.PublishTo(ctx, e, hub.Topic(journalTopic))
}

// enterTime is how long a request may wait for the backplane only because
// somebody is not known yet.
const enterTime = 2 * time.Second

// recall returns the person as known here. Somebody with a cookie who is not
// known enters again: the cookie is older than what the hub retains.
func (s *server) recall(p person) person {
	if known, ok := s.people.lookup(p.ID); ok {
		return known
	}
	s.journal.catchUp()
	if known, ok := s.people.lookup(p.ID); ok {
		return known
	}
	ctx, cancel := context.WithTimeout(context.Background(), enterTime)
	defer cancel()
	if err := s.enter(ctx, p); err != nil && !errors.Is(err, hub.ErrClosed) {
		s.log.Warn("other processes do not know somebody who is here", "error", err)
	}
	return s.people.recall(p)
}

// authenticate tells the transports whose stream a request opens.
func (s *server) authenticate(r *http.Request) (hub.Session, error) {
	v, p, err := s.session(r)
	if err != nil {
		return hub.Session{}, transport.ErrUnauthenticated
	}
	s.renew(r.Context(), p)
	s.journal.catchUp()
	topics := []string{}
	for _, room := range s.rooms.of(p.ID) {
		topics = append(topics, roomTopic(room))
	}
	return hub.Session{User: p.ID, ID: v.ID, Expires: time.Unix(v.Expires, 0), Topics: topics, Meta: p, Allowed: hub.Everything()}, nil
}

// loggedIn runs next for a person, and answers 401 to anybody else.
func (s *server) loggedIn(next func(http.ResponseWriter, *http.Request, person)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, p, err := s.session(r)
		if err != nil {
			writeProblem(w, problem{http.StatusUnauthorized, "No valid session. Log in first: POST /login with the form field \"name\"."})
			return
		}
		next(w, r, p)
	}
}

// login answers POST /login, for the page's form and for scripts.
func (s *server) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	// Reads both kinds of form. What cannot be read has no name, and is answered
	// with what would be right.
	_ = r.ParseMultipartForm(maxBody)
	name := r.PostFormValue("name")
	p, err := newPerson(name)
	if err != nil {
		if !strings.Contains(r.Header.Get("Accept"), "text/html") {
			writeProblem(w, problem{http.StatusBadRequest, err.Error() + " Send it as the form field \"name\"."})
			return
		}
		if !utf8.ValidString(name) || len(name) > 200 {
			name = "" // not worth correcting
		}
		s.loginPage(w, http.StatusBadRequest, loginData{Name: name, Error: err.Error()})
		return
	}
	if v, before, err := s.session(r); err == nil && before.ID != p.ID {
		s.revoke(r, before.ID, v.ID) // this browser's tabs belong to somebody else from now on
	}
	if err := s.enter(r.Context(), p); err != nil {
		s.fail(w, r, err)
		return
	}
	expires := time.Now().Add(sessionTime)
	cookie, err := s.signer.sign(session{ID: uuid.NewString(), Name: p.Name, Expires: expires.Unix()})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.setCookie(w, r, cookie, expires)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// logout answers POST /logout. A signed cookie cannot be taken back, only
// deleted; an application that must be able to keeps its sessions in a database.
func (s *server) logout(w http.ResponseWriter, r *http.Request) {
	if v, p, err := s.session(r); err == nil {
		s.revoke(r, p.ID, v.ID) // every tab's stream ends and is told why
	}
	s.setCookie(w, r, "", time.Unix(1, 0))
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// revoke ends the streams of a session. The cookie goes in any case, so a
// failure is logged and does not keep anybody from leaving.
func (s *server) revoke(r *http.Request, user uuid.UUID, id string) {
	if _, err := s.hub.RevokeSession(r.Context(), user, id); err != nil {
		s.log.Error("chat: cannot revoke a session", "error", err)
	}
}

func (s *server) setCookie(w http.ResponseWriter, r *http.Request, value string, expires time.Time) {
	http.SetCookie(w, &http.Cookie{
		Name:     cookieName,
		Value:    value,
		Path:     "/",
		Expires:  expires,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
		Secure:   r.TLS != nil,
	})
}
