package e2e

import (
	"fmt"
	"slices"
	"testing"
)

// TestOverrun cuts somebody off for longer than the hub's memory is.
func TestOverrun(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		transport string
		last      string // the conversation of the last message that is heard before
		reason    string
	}{
		// The broadcasts are still retained, so the place in them is known, and
		// that something is missing behind it.
		"sse": {"sse", "", "evicted"},
		"ws":  {"ws", "", "evicted"},
		// The very event that was heard last is gone.
		"unknown": {"sse", "Grace", "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startChat(t)
			line := newLine(t, c.addr)
			ada, grace := c.script("Ada"), enter(t, line.url(), "Grace")
			grace.use(x.transport)
			ada.post("Grace", "before")
			ada.post(x.last, "the last before")
			grace.wait("has heard both", `heard.at(-1).data.text === 'the last before'`)
			grace.visit("Ada")
			grace.wait("sees what was said before", `document.querySelectorAll('[data-testid=message]').length > 0`)

			line.cut()
			grace.state("retrying")
			const many = 1100 // the hub keeps 1000 for each user, the chat 200 of a conversation
			for i := range many {
				ada.post("Grace", fmt.Sprintf("message %d", i))
			}
			line.mend()
			grace.online()
			grace.isGap(x.reason)
			ada.post("Grace", "the last")
			grace.wait("has the last message", `[...document.querySelectorAll('[data-testid=message-text]')].at(-1)?.textContent === 'the last'`)
			shown := eval[[]string](grace, `[...document.querySelectorAll('[data-testid=message]')].map((m) => m.dataset.id)`)
			if !slices.IsSorted(shown) { // as ids are, of messages that were posted one after the other
				t.Errorf("after the gap, the %d messages are not in order", len(shown))
			}
			if len(shown) < 200 || len(slices.Compact(slices.Sorted(slices.Values(shown)))) != len(shown) {
				t.Errorf("after the gap, the page shows %d messages, and some twice", len(shown))
			}
			grace.shot("gap-" + name)
			grace.follows()
			grace.click(`[data-testid=gap-close]`)
			grace.wait("no longer sees the notice", `!document.querySelector('[data-testid=gap]').checkVisibility()`)
		})
	}
}

// TestRestart ends the server under open streams, in good order and not.
func TestRestart(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*chat){"stop": (*chat).stop, "crash": (*chat).kill} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startChat(t)
			ada, grace := c.enter("Ada"), c.enter("Grace")
			grace.use("ws")
			both := []*tab{ada, grace}
			ada.say("before")
			grace.sees("before")

			end(c)
			for _, b := range both {
				b.state("retrying")
				if name == "stop" {
					b.wait("was told why", `heard.some((f) => f.event === 'stream.end' && f.data.reason === 'shutdown')`)
				}
			}
			c.start()
			for _, b := range both {
				b.online()
				// The new server knows nothing of the old one's events, and says so.
				b.isGap("unknown")
				b.wait("is still logged in", `document.querySelector('[data-testid=ended]').hidden`)
			}
			ada.say("after")
			for _, b := range both {
				b.sees("before", "after")
				b.wait("sees both online", `document.querySelectorAll('[data-testid=person]').length === 2`)
			}
			grace.say("still me")
			ada.sees("before", "after", "still me")
		})
	}
}
