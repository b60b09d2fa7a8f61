package chat

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// A saved state is, in this order:
//
//	the line savedMagic, which ends with the version
//	the length of the chat's own part, 8 bytes
//	the SHA-256 of that part
//	the chat's own part: a savedChat as JSON
//	what hub.Save writes, which has a checksum of its own
const (
	savedKind  = "crier chat state, version "
	savedMagic = savedKind + "1\n"
)

// A savedChat is what the chat itself knows beside the hub. A real application has
// it in a database.
type savedChat struct {
	People []person                           `json:"people"`
	Rooms  map[string]map[uuid.UUID]time.Time `json:"rooms"` // by room: when each member has entered
	// Here is who was online, and who was in which room.
	Here []stay `json:"here"`
	// Messages are events in their storage form. Those of one conversation are in
	// their order.
	Messages []json.RawMessage `json:"messages"`
}

// Errors of readSaved.
var (
	errSavedForeign = errors.New("this is not a saved state of the chat")
	errSavedVersion = errors.New("the saved state has another version than this release writes")
	errSavedDamaged = errors.New("the saved state is incomplete or damaged")
)

// A saved is a state that was read, up to the hub's part.
type saved struct {
	chat     savedChat
	messages []*event.Event // of chat.Messages
	hub      io.Reader      // what hub.Options.Restore takes
}

// save writes the state of a server whose hub was shut down.
func (s *server) save(w io.Writer) error {
	s.journal.catchUp()
	if !s.journal.complete() {
		return errors.New("the messages are incomplete")
	}
	chat := savedChat{People: s.people.all(), Rooms: s.rooms.all(), Here: s.presence.stays(), Messages: []json.RawMessage{}}
	for _, e := range s.history.where(func(conversation) bool { return true }) {
		stored, err := e.MarshalJSON()
		if err != nil {
			return err
		}
		chat.Messages = append(chat.Messages, stored)
	}
	if err := writeSaved(w, chat); err != nil {
		return err
	}
	return s.hub.Save(w)
}

// writeSaved writes everything but the hub's part.
func writeSaved(w io.Writer, chat savedChat) error {
	body, err := json.Marshal(chat)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	head := binary.BigEndian.AppendUint64([]byte(savedMagic), uint64(len(body)))
	for _, part := range [][]byte{append(head, sum[:]...), body} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// readSaved reads a saved state up to the hub's part.
func readSaved(r io.Reader) (*saved, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	line, err := in.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case string(line) == savedMagic:
	case bytes.HasPrefix([]byte(savedMagic), line):
		return nil, errSavedDamaged
	case bytes.HasPrefix(line, []byte(savedKind)):
		return nil, errSavedVersion
	default:
		return nil, errSavedForeign
	}
	head := make([]byte, 8+sha256.Size)
	if err := readFull(in, head); err != nil {
		return nil, err
	}
	// The length may lie: what is allocated grows with what is there.
	size := binary.BigEndian.Uint64(head)
	body, err := io.ReadAll(io.LimitReader(in, int64(min(size, 1<<40))))
	switch {
	case err != nil:
		return nil, err
	case uint64(len(body)) != size || sha256.Sum256(body) != [sha256.Size]byte(head[8:]):
		return nil, errSavedDamaged
	}
	read := &saved{hub: in}
	if err := json.Unmarshal(body, &read.chat); err != nil {
		return nil, fmt.Errorf("%w: %w", errSavedDamaged, err)
	}
	for _, stored := range read.chat.Messages {
		e, err := registry.Decode(stored)
		if errors.Is(err, event.ErrUnknownType) {
			continue // this release has no such message any more
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errSavedDamaged, err)
		}
		read.messages = append(read.messages, e)
	}
	return read, nil
}

// readFull is io.ReadFull for what must be there.
func readFull(r io.Reader, b []byte) error {
	_, err := io.ReadFull(r, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errSavedDamaged
	}
	return err
}

// restore puts a saved state into a server that was just made. refused is why its
// hub could not use its part, if so.
//
// A hub whose part is too old starts empty, and clients are told of a gap. What the
// chat itself knows is as true as it was, so it is restored all the same, except for
// who was here. Any other error means that nothing of the state can be trusted.
func (s *server) restore(from *saved, refused error) error {
	if refused != nil && !errors.Is(refused, hub.ErrSavedOld) {
		return fmt.Errorf("%w: %w", errSavedDamaged, refused)
	}
	for _, e := range from.messages {
		s.journal.apply(e)
	}
	for _, p := range from.chat.People { // last, because the messages may have older spellings of names
		s.people.enter(p)
	}
	for room, members := range from.chat.Rooms {
		for user, since := range members {
			s.rooms.enter(room, user, since)
		}
	}
	s.journal.restored = true
	if refused != nil {
		s.log.Warn("clients are told of a gap", "error", refused)
		return nil
	}
	s.presence.expect(from.chat.Here)
	return nil
}
