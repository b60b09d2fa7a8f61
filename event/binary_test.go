package event_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

func binaryRegistry() (*event.Registry, event.Kind[map[string]string]) {
	var r event.Registry
	return &r, event.Define[map[string]string](&r, "notes", "note.added", "A note.")
}

func TestBinaryFormIsReadBack(t *testing.T) {
	r, k := binaryRegistry()
	for _, at := range []time.Time{time.Now(), {}, time.Unix(-5, 999_000), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)} {
		e, err := k.New(uuid.New(), map[string]string{"text": "two\nlines \u2028"}, event.At(at))
		if err != nil {
			t.Fatal(err)
		}
		b, err := e.AppendBinary([]byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		read, err := r.DecodeBinary(b[1:])
		if err != nil {
			t.Fatalf("%v: %v", at, err)
		}
		want, _ := e.MarshalJSON()
		if got, _ := read.MarshalJSON(); !bytes.Equal(got, want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if _, err := new(event.Event).AppendBinary(nil); err == nil {
		t.Error("the zero Event is marshalled")
	}
}

func FuzzDecodeBinary(f *testing.F) {
	r, k := binaryRegistry()
	e, err := k.New(uuid.New(), map[string]string{"text": "x"})
	if err != nil {
		f.Fatal(err)
	}
	whole, err := e.AppendBinary(nil)
	if err != nil {
		f.Fatal(err)
	}
	for n := range whole {
		f.Add(whole[:n])
		f.Add(append(bytes.Clone(whole[:n]), '\n'))
	}
	f.Add(whole)
	f.Add(bytes.Replace(whole, []byte("note.added"), []byte("note.gone!"), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := r.DecodeBinary(b)
		if err != nil {
			if !errors.Is(err, event.ErrInvalidValue) && !errors.Is(err, event.ErrUnknownType) {
				t.Errorf("error %v is of no kind", err)
			}
			return
		}
		again, err := e.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		same, err := r.DecodeBinary(again)
		if err != nil || same.ID() != e.ID() || !bytes.Equal(same.Data(), e.Data()) || !same.Time().Equal(e.Time()) {
			t.Errorf("%x becomes %x: %v", b, again, err)
		}
		if bytes.ContainsAny(e.AppendSSE(nil)[len("id: ")+36+1:], "\r") {
			t.Error("a frame with a CR")
		}
	})
}
