package event

import (
	"strconv"

	"github.com/google/uuid"
)

// UserIDs turn the ids that an application has for its users into the UUIDs by
// which events, sessions and audiences name them. It is the way to use Crier with
// users whose ids are numbers or strings: every service of the application makes
// the same UUID of the same id, and nothing needs to be stored. An application
// whose users have UUIDs uses those.
//
//	var userIDs = event.NewUserIDs("shop.example.com")
//
//	OrderShipped.New(userIDs.FromInt(order.CustomerID), payload)
//	hub.Session{User: userIDs.FromString(claims.Subject)}
//
// Like other values, UserIDs may be copied, compared and used concurrently. The
// zero UserIDs panic when they are used.
//
// A UUID is of version 5 (RFC 9562, section 5.5). Its name is the id, in decimal if
// it is a number. Its namespace is the UUID of version 5 of the application's name
// in the DNS namespace. A service in another language can compute the same. The
// UUID does not hide the id: who guesses the id can compute the UUID.
type UserIDs struct{ namespace uuid.UUID }

// NewUserIDs returns the UserIDs of an application. The name must be the same
// wherever these users occur, and belong to the application alone, such as its
// domain: user 42 of another application is another user. NewUserIDs panics if the
// name is empty.
func NewUserIDs(application string) UserIDs {
	if application == "" {
		panic("event: NewUserIDs: name the application, for instance by its domain")
	}
	return UserIDs{uuid.NewSHA1(uuid.NameSpaceDNS, []byte(application))}
}

// FromInt returns the UUID of the user whose id is a number. FromInt(42) and
// FromString("42") are the same user. FromInt(0) is [uuid.Nil], which is no user: a
// hub refuses it, so that an id that was never set is an error.
func (u UserIDs) FromInt(id int64) uuid.UUID {
	if id == 0 {
		return u.user("")
	}
	return u.user(strconv.FormatInt(id, 10))
}

// FromString returns the UUID of the user whose id is a string. It is used as it
// is: "Ada" and "ada" are two users. FromString("") is [uuid.Nil], which is no user.
func (u UserIDs) FromString(id string) uuid.UUID { return u.user(id) }

func (u UserIDs) user(id string) uuid.UUID {
	switch {
	case u.namespace == uuid.Nil:
		panic("event: the zero UserIDs: they come from NewUserIDs")
	case id == "":
		return uuid.Nil
	}
	return uuid.NewSHA1(u.namespace, []byte(id))
}
