package hub

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub/internal/eventlog"
)

// A saved state is, in this order:
//
//	the line savedMagic, which ends with the version
//	the length of the body, 8 bytes
//	the SHA-256 of the body
//	the body: numbers as uvarints, strings with their length before them
const (
	savedKind    = "crier hub state, version "
	savedVersion = "1"
	savedMagic   = savedKind + savedVersion + "\n"
)

// What an entry of a saved state is.
const (
	stateEvent = iota
	stateSuperseded
	stateGap
)

// Errors of [Options].Restore. The hub logs them and starts empty.
var (
	// ErrNotSaved means that the bytes are not a state that Save has written.
	ErrNotSaved = errors.New("hub: this is not a hub's saved state")
	// ErrSavedVersion means that another release has written the state.
	ErrSavedVersion = errors.New("hub: the saved state has another version than this release writes")
	// ErrSavedTorn means that the state is incomplete or was changed.
	ErrSavedTorn = errors.New("hub: the saved state is incomplete or damaged")
	// ErrSavedOld means that the state was saved longer ago than Options.MaxAge,
	// so that nothing of it would be retained.
	ErrSavedOld = errors.New("hub: the saved state is older than the hub retains events")
)

// Save writes the hub's state: its identity, its logs with their positions, and
// the revocations of the last minutes. A hub that is made with it as
// [Options].Restore goes on where this one stopped, so that a planned restart is
// no gap for anybody. Ephemeral events are not saved. Call it after [Hub.Shutdown],
// so that nothing is published after it. A hub with a backplane needs no Save.
//
// After a crash there is no saved state, and clients are told of a gap. That also
// holds if the state of an earlier restart is restored again: for clients of the
// hub that has crashed, it ends in a gap. Better remove a state once it is restored.
func (h *Hub) Save(w io.Writer) error {
	body := h.appendState(nil)
	sum := sha256.Sum256(body)
	head := append([]byte(savedMagic), make([]byte, 8)...)
	binary.BigEndian.PutUint64(head[len(savedMagic):], uint64(len(body)))
	head = append(head, sum[:]...)
	if _, err := w.Write(head); err != nil {
		return fmt.Errorf("hub: cannot save: %w", err)
	}
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("hub: cannot save: %w", err)
	}
	return nil
}

// SaveFile saves the hub's state to a file, as Save does. It writes to a temporary
// file in the same directory, which only the owner can read, and renames it, so
// that the file is never incomplete.
func (h *Hub) SaveFile(name string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return fmt.Errorf("hub: cannot save: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err := h.Save(f); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("hub: cannot save: %w", err)
	}
	return os.Rename(f.Name(), name)
}

func (h *Hub) appendState(b []byte) []byte {
	snap := h.store.Snapshot()
	b = binary.AppendUvarint(b, uint64(time.Now().UnixMilli()))
	codec := h.cursors.Load()
	b = append(b, codec.incarnation[:]...)
	b = binary.AppendUvarint(b, uint64(len(codec.unused)))
	for _, s := range codec.unused {
		b = binary.AppendUvarint(b, s.after)
		b = binary.AppendUvarint(b, s.until)
	}
	b = binary.AppendUvarint(b, snap.Head)
	b = binary.AppendUvarint(b, uint64(snap.OldestMade))
	b = binary.AppendUvarint(b, uint64(len(h.kinds.categories)))
	for _, c := range h.kinds.categories {
		b = appendString(b, string(c))
	}
	for _, floor := range snap.Floors {
		b = binary.AppendUvarint(b, floor)
	}
	b = binary.AppendUvarint(b, uint64(len(snap.Logs)))
	for _, l := range snap.Logs {
		b = appendAudience(b, l.Key)
		for _, r := range l.Rings {
			b = binary.AppendUvarint(b, r.Floor)
			b = binary.AppendUvarint(b, r.Lost)
			b = binary.AppendUvarint(b, uint64(len(r.Evicted)))
			for _, p := range r.Evicted {
				b = binary.AppendUvarint(b, p)
			}
		}
	}
	b = binary.AppendUvarint(b, uint64(len(snap.Entries)))
	for _, e := range snap.Entries {
		b = binary.AppendUvarint(b, e.Position)
		if e.Item != nil && e.Item.Gap {
			b = append(b, stateGap)
			b = binary.AppendUvarint(b, uint64(h.began.Add(time.Duration(e.Item.Time)).UnixMilli()))
			b = binary.AppendUvarint(b, uint64(len(e.Keys)))
			for _, key := range e.Keys {
				b = appendAudience(b, key)
			}
			continue
		}
		if e.Item == nil {
			b = append(b, stateSuperseded, byte(e.Class))
			b = appendAudience(b, e.Keys[0])
			b = binary.AppendUvarint(b, e.Hash)
			b = binary.AppendUvarint(b, uint64(e.Made))
			continue
		}
		b = append(b, stateEvent)
		b = binary.AppendUvarint(b, uint64(h.began.Add(time.Duration(e.Item.Time)).UnixMilli()))
		b = binary.AppendUvarint(b, uint64(len(e.Keys)))
		for _, key := range e.Keys {
			b = appendAudience(b, key)
		}
		stored, _ := e.Item.Message.event.AppendBinary(nil) // fails only for a zero Event
		b = appendString(b, string(stored))
	}
	recent := h.revocations.recent(time.Now())
	b = binary.AppendUvarint(b, uint64(len(recent)))
	for v, at := range recent {
		b = append(b, v.user[:]...)
		b = appendString(b, v.session)
		b = appendString(b, v.topic)
		// Rounded up, or a session of the same millisecond would be let in again.
		b = binary.AppendUvarint(b, uint64(at.UnixMilli()+1))
	}
	return b
}

// restore puts a saved state into a hub that was just made. After an error, the
// hub is empty.
func (h *Hub) restore(r io.Reader) error {
	body, err := readSaved(r)
	if err != nil {
		return err
	}
	return h.applyState(body)
}

// readSaved returns the body of a saved state.
func readSaved(r io.Reader) ([]byte, error) {
	in := bufio.NewReader(r)
	line, err := in.ReadSlice('\n')
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("hub: cannot read the saved state: %w", err)
	}
	switch {
	case string(line) == savedMagic:
	case bytes.HasPrefix([]byte(savedMagic), line):
		return nil, ErrSavedTorn
	case bytes.HasPrefix(line, []byte(savedKind)):
		return nil, ErrSavedVersion
	default:
		return nil, ErrNotSaved
	}
	head := make([]byte, 8+sha256.Size)
	if _, err := io.ReadFull(in, head); err != nil {
		return nil, ErrSavedTorn
	}
	size := binary.BigEndian.Uint64(head)
	body, err := io.ReadAll(io.LimitReader(in, int64(min(size, 1<<40))+1))
	if err != nil {
		return nil, fmt.Errorf("hub: cannot read the saved state: %w", err)
	}
	if uint64(len(body)) != size || sha256.Sum256(body) != [32]byte(head[8:]) {
		return nil, ErrSavedTorn
	}
	return body, nil
}

// applyState reads the body of a saved state. It changes the hub only once it has
// read everything.
func (h *Hub) applyState(body []byte) error {
	in := recordReader{data: body}
	saved := time.UnixMilli(int64(in.number()))
	if in.err == nil && time.Since(saved) > h.options.MaxAge {
		return fmt.Errorf("%w: it was saved at %s", ErrSavedOld, saved.UTC().Format(time.RFC3339))
	}
	var codec cursorCodec
	copy(codec.incarnation[:], in.take(8))
	for n := in.number(); n > 0 && in.err == nil; n-- {
		codec.unused = append(codec.unused, span{in.number(), in.number()})
	}
	snap := eventlog.Snapshot[*Message]{Head: in.number(), OldestMade: int64(in.number())}
	var categories []event.Category
	for n := in.number(); n > 0 && in.err == nil; n-- {
		categories = append(categories, event.Category(in.string()))
	}
	for i := range snap.Floors {
		snap.Floors[i] = in.number()
	}
	for n := in.number(); n > 0 && in.err == nil; n-- {
		l := eventlog.LogSnapshot{Key: in.key()}
		for i := range l.Rings {
			l.Rings[i] = h.readRing(&in, categories)
		}
		snap.Logs = append(snap.Logs, l)
	}
	for n := in.number(); n > 0 && in.err == nil; n-- {
		e := eventlog.EntrySnapshot[*Message]{Position: in.number()}
		switch in.byte() {
		case stateSuperseded:
			e.Class, e.Keys = eventlog.Class(in.byte()), []eventlog.Key{in.key()}
			e.Hash, e.Made = in.number(), int64(in.number())
			if e.Class > eventlog.ShortLived {
				in.err = errRecord
			}
			snap.Entries = append(snap.Entries, e)
			continue
		case stateGap:
			at := time.UnixMilli(int64(in.number()))
			e.Item = eventlog.NewGap[*Message](at, int64(at.Sub(h.began)))
			e.Keys = in.keys(nil)
			snap.Entries = append(snap.Entries, e)
			continue
		case stateEvent:
		default:
			in.err = errRecord
		}
		published := time.UnixMilli(int64(in.number()))
		e.Keys = in.keys(nil)
		stored := in.take(in.number())
		if in.err != nil {
			break
		}
		decoded, err := h.registry.DecodeBinary(stored)
		if errors.Is(err, event.ErrUnknownType) {
			continue // this release of the application has no such event any more
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrSavedTorn, err)
		}
		m, err := h.wrap(decoded)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrSavedTorn, err)
		}
		m.item.Time = min(m.item.Time, int64(published.Sub(h.began)))
		e.Item = &m.item
		snap.Entries = append(snap.Entries, e)
	}
	revoked := map[revocation]time.Time{}
	for n := in.number(); n > 0 && in.err == nil; n-- {
		v := revocation{user: in.user(), session: in.string(), topic: in.string()}
		revoked[v] = time.UnixMilli(int64(in.number()))
	}
	if in.err != nil {
		return ErrSavedTorn
	}
	next, head := codec.leaveOut(snap.Head)
	h.cursors.Store(next)
	h.store.Restore(snap)
	h.store.Skip(head)
	for v, at := range revoked {
		h.revocations.note(v, at)
	}
	return nil
}

// readRing reads what a ring had lost, by the categories that this registry has.
func (h *Hub) readRing(in *recordReader, categories []event.Category) (r eventlog.RingSnapshot) {
	r.Floor, r.Lost = in.number(), in.number()
	n := in.number()
	if n > 0 {
		r.Evicted = make([]position, len(h.kinds.categories))
	}
	for i := range n {
		p := in.number()
		if in.err != nil || i >= uint64(len(categories)) {
			in.err = errRecord
			return r
		}
		if c := slices.Index(h.kinds.categories, categories[i]); c >= 0 {
			r.Evicted[c] = p
		}
	}
	return r
}
