package event_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/crier-go/crier/event"
)

type balance struct {
	Account string `json:"account"`
	Amount  string `json:"amount"`
}

func TestDefineRefusesOptionsThatCannotWork(t *testing.T) {
	for want, define := range map[string]func(r *event.Registry){
		"must be positive": func(r *event.Registry) {
			event.Define[string](r, "a", "a.b", "x", event.RetainFor(0))
		},
		"must be a string": func(r *event.Registry) {
			event.Define[int](r, "a", "a.b", "x", event.Text())
		},
		"is nil": func(r *event.Registry) {
			event.Define[int](r, "a", "a.b", "x", event.Latest[int](nil))
		},
		"the payload is a event_test.balance": func(r *event.Registry) {
			event.Define[balance](r, "a", "a.b", "x", event.Latest(func(string) string { return "" }))
		},
		"both Ephemeral and RetainFor": func(r *event.Registry) {
			event.Define[int](r, "a", "a.b", "x", event.Ephemeral(), event.RetainFor(time.Minute))
		},
		"both Ephemeral and Latest": func(r *event.Registry) {
			event.Define[int](r, "a", "a.b", "x", event.Ephemeral(), event.Latest(func(int) string { return "" }))
		},
	} {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if p, _ := recover().(string); !strings.Contains(p, want) {
					t.Errorf("got the panic %q", p)
				}
			}()
			define(new(event.Registry))
		})
	}
}

func TestLatestKeySurvivesTheStorageForm(t *testing.T) {
	var r event.Registry
	k := event.Define[balance](&r, "accounts", "balance.updated", "A balance.", event.Latest(func(b balance) string { return b.Account }))
	e, err := k.New(uuid.New(), balance{"checking", "12.50"})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := e.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	read, err := r.Decode(stored)
	if err != nil {
		t.Fatal(err)
	}
	if e.Key() != "checking" || read.Key() != e.Key() {
		t.Errorf("the keys are %q and %q", e.Key(), read.Key())
	}
	odd, err := r.Decode([]byte(strings.Replace(string(stored), `{"account"`, `[{"account"`, 1)))
	if err == nil {
		t.Errorf("broken JSON is decoded: %v", odd)
	}
	if odd, err = r.Decode([]byte(strings.Replace(string(stored), `{"account":"checking","amount":"12.50"}`, `7`, 1))); err != nil || odd.Key() != "" {
		t.Errorf("data of another type: %v", err)
	}
}

func TestTextIsWrittenAsItIs(t *testing.T) {
	var r event.Registry
	k := event.Define[string](&r, "page", "page.fragment", "A fragment.", event.Text())
	for text, want := range map[string]string{
		"<p>hi</p>":            "data: <p>hi</p>\n\n",
		"":                     "data: \n\n",
		"one\ntwo\r\nthree\rx": "data: one\ndata: two\ndata: three\ndata: x\n\n",
		"x\n\nevent: forged\n": "data: x\ndata: \ndata: event: forged\ndata: \n\n",
		"\u2028 \"quoted\" é":  "data: \u2028 \"quoted\" é\n\n",
	} {
		e, err := k.New(uuid.New(), text)
		if err != nil {
			t.Fatal(err)
		}
		frame := string(e.AppendSSE(nil))
		if _, got, _ := strings.Cut(frame, "event: page.fragment\n"); got != want {
			t.Errorf("%q becomes %q, not %q", text, got, want)
		}
		if back, err := k.Payload(e); err != nil || back != text {
			t.Errorf("%q comes back as %q, %v", text, back, err)
		}
	}
}
