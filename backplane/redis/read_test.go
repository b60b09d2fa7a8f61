package redis

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/crier-go/crier/hub"
)

func TestPosition(t *testing.T) {
	for id, want := range map[string]uint64{
		"0-0":                   0,
		"0-1":                   1,
		"0-2305843009213693951": 1<<61 - 1,
	} {
		if p, err := position(id); p != want || err != nil {
			t.Errorf("position(%q) = %d, %v, want %d", id, p, err, want)
		}
	}
	for _, id := range badPositions {
		if p, err := position(id); err == nil {
			t.Errorf("position(%q) = %d, want an error", id, p)
		}
	}
}

var badPositions = []string{"", "0", "1", "0-", "-1", "1-1", "1526919030474-55", "0-x", "0-+1", "0--1", "00-1",
	"0-2305843009213693952", "0-99999999999999999999999", strings.Repeat("9", 1000)}

func FuzzPosition(f *testing.F) {
	for _, id := range append(badPositions, "0-0", "0-17") {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		p, err := position(id)
		if err != nil {
			if len(err.Error()) > 300 {
				t.Errorf("the error repeats %d bytes", len(err.Error()))
			}
			return
		}
		if again, err := position(fmt.Sprintf("0-%d", p)); again != p || err != nil {
			t.Errorf("position(%q) = %d, which reads as %d, %v", id, p, again, err)
		}
	})
}

// Whatever a server, or something in front of it, replies: an error, no panic.
func TestDecodeOddReplies(t *testing.T) {
	entry := func(id string, fields ...any) []any { return []any{id, fields} }
	reply := func(entries ...any) []any { return []any{[]any{"crier", entries}} }
	value := strings.Repeat("x", recordHeader)
	for _, odd := range [][]any{
		{}, {nil}, {"crier"}, {[]any{}}, {[]any{"crier"}}, {[]any{"crier", "x"}}, {[]any{"crier", nil}},
		{[]any{"crier", []any{}}, []any{"other", []any{}}},
		reply(nil), reply("x"), reply([]any{}), reply([]any{"0-1"}), reply([]any{"0-1", nil, nil}),
		reply([]any{int64(1), []any{recordField, value}}),
		reply([]any{"0-1", nil}), // as XREADGROUP replies for what was deleted
		reply(entry("1-1", recordField, value)),
		reply(entry("0-1")), reply(entry("0-1", recordField)), reply(entry("0-1", "x", value)),
		reply(entry("0-1", recordField, int64(7))), reply(entry("0-1", recordField, value[1:])),
		reply(entry("0-1", recordField, value, "more", "")),
	} {
		r := reader{first: true, count: firstCount}
		if got, err := r.decode(odd); err == nil || errors.Is(err, hub.ErrUnavailable) {
			t.Errorf("decode(%v) = %v, %v, want a lasting error", odd, got, err)
		}
	}
	for _, holed := range [][]any{
		reply(entry("0-1", recordField, value), entry("0-3", recordField, value)),
		reply(entry("0-2", recordField, value), entry("0-2", recordField, value)),
		reply(entry("0-2", recordField, value), entry("0-1", recordField, value)),
	} {
		r := reader{first: true, count: firstCount}
		if got, err := r.decode(holed); !errors.Is(err, hub.ErrUnavailable) {
			t.Errorf("decode(%v) = %v, %v, want hub.ErrUnavailable", holed, got, err)
		}
	}
}

// Large records are read few at a time, small ones many.
func TestCountAdapts(t *testing.T) {
	r := reader{first: true, count: firstCount}
	next := func(size int) int {
		entry := []any{fmt.Sprintf("0-%d", r.after+1), []any{recordField, strings.Repeat("x", size)}}
		if _, err := r.decode([]any{[]any{"crier", []any{entry}}}); err != nil {
			t.Fatal(err)
		}
		return r.count
	}
	for range 10 {
		next(100)
	}
	if r.count != maxCount {
		t.Errorf("%d small records at a time, want %d", r.count, maxCount)
	}
	if n := next(replyBytes / 4); n != 4 {
		t.Errorf("%d records of a quarter at a time, want 4", n)
	}
	if n := next(10 * replyBytes); n != 1 {
		t.Errorf("%d large records at a time, want 1", n)
	}
	if n := next(100); n != 2 {
		t.Errorf("%d after that, want 2", n)
	}
}
