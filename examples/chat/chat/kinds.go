package chat

import (
	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

// Everything that can happen in the chat. A type's name, category, payload and
// meaning stand here and nowhere else.

var registry event.Registry

var (
	messagePosted = event.Define[posted](&registry, "chat", "chat.message.posted",
		"Somebody wrote in the lobby.")
	messageDirect = event.Define[direct](&registry, "chat", "chat.message.direct",
		"Somebody wrote to one other person.")
	messageRoom = event.Define[roomMessage](&registry, "chat", "chat.message.room",
		"Somebody wrote in a room.")
	userJoined = event.Define[presenceChange](&registry, "presence", "presence.user.joined",
		"Somebody has opened their first stream.")
	userLeft = event.Define[presenceChange](&registry, "presence", "presence.user.left",
		"Somebody has closed their last stream, and has not come back at once.")
	userEntered = event.Define[presenceChange](&registry, "presence", "presence.user.entered",
		"Somebody has entered a name. Only processes receive it.")
	roomJoined = event.Define[membership](&registry, "presence", "presence.room.joined",
		"Somebody has become a member of a room.")
	roomLeft = event.Define[membership](&registry, "presence", "presence.room.left",
		"Somebody is no longer a member of a room.")
	roomPresence = event.Define[roomVisit](&registry, "presence", "presence.room.changed",
		"A member of a room has opened the first stream that follows it, or closed the last.",
		event.Latest(func(v roomVisit) string { return v.User.ID.String() }))
	processReported = event.Define[processReport](&registry, "presence", "presence.process.reported",
		"Who has a stream at one of several processes. Only processes receive it.", event.Ephemeral())
	typingStarted = event.Define[typing](&registry, "typing", "typing.user.started",
		"Somebody is typing.", event.Ephemeral())
)

type posted struct {
	From person `json:"from"`
	Text string `json:"text"`
}

type direct struct {
	From person `json:"from"`
	To   person `json:"to"`
	Text string `json:"text"`
}

type roomMessage struct {
	From person `json:"from"`
	Room string `json:"room"`
	Text string `json:"text"`
}

type membership struct {
	Room string `json:"room"`
	User person `json:"user"`
}

type roomVisit struct {
	Room string `json:"room"`
	User person `json:"user"`
	Here bool   `json:"here"`
}

type presenceChange struct {
	User person `json:"user"`
}

type processReport struct {
	Process uuid.UUID `json:"process"`
	Online  []person  `json:"online"`
	// Rooms are the users who are in each room.
	Rooms map[string][]uuid.UUID `json:"rooms,omitempty"`
}

type typing struct {
	From person  `json:"from"`
	To   *person `json:"to,omitempty"`   // nil: in a room, or in the lobby
	Room string  `json:"room,omitempty"` // empty: to a person, or in the lobby
}
