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

// TestRestart stops the server under open streams and starts it again. Pages go on as
// if nothing had been: each message once, no gap, and nobody who has gone or come.
func TestRestart(t *testing.T) {
	t.Parallel()
	bothTransports(t, func(t *testing.T, transport string) {
		c := startChat(t)
		eve := c.script("Eve")
		ada, grace := c.enter("Ada"), c.enter("Grace")
		both := []*tab{ada, grace}
		ids := []string{eve.post("", "before")}
		for _, b := range both {
			b.sees("before")
			b.use(transport)
			b.wait("sees both online", `document.querySelectorAll('[data-testid=person]').length === 2`)
		}
		const presence = `heard.filter((f) => f.event.startsWith('presence.')).length`
		said := []string{"before"}
		for restart := range 2 {
			var known []int
			for _, b := range both {
				known = append(known, eval[int](b, presence))
			}
			c.stop()
			for _, b := range both {
				b.state("retrying")
				b.wait("was told why", `heard.filter((f) => f.event === 'stream.end' && f.data.reason === 'shutdown').length > %s`, restart)
			}
			c.start()
			missed := texts(fmt.Sprintf("missed %d.", restart), 1, 3)
			for _, text := range missed { // before the pages are back
				ids = append(ids, eve.post("", text))
			}
			said = append(said, missed...)
			for i, b := range both {
				b.online()
				b.sees(said...)
				b.heardOnce(ids)
				b.noGap()
				if n := b.replayed(); n != len(missed) {
					t.Errorf("%s: the status line says that %d messages were replayed; %d were missed", b.name, n, len(missed))
				}
				b.wait("sees both online", `document.querySelectorAll('[data-testid=person]').length === 2`)
				if n := eval[int](b, presence); n != known[i] {
					t.Errorf("%s was told of somebody who has gone or come: %s", b.name, eval[string](b, `JSON.stringify(heard.filter((f) => f.event.startsWith('presence.')))`))
				}
			}
		}
		late := c.enter("Late") // a page that is loaded now has the history
		late.sees(said...)
	})
}

// TestCrash kills the server. What it knew is gone, also what an earlier restart had
// kept, and pages are told so.
func TestCrash(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ada := c.enter("Ada")
	ada.say("before")
	ada.sees("before") // it has been posted
	c.stop()
	c.start()
	ada.online()
	grace := c.enter("Grace")
	grace.use("ws")
	both := []*tab{ada, grace}
	for _, b := range both {
		b.sees("before")
		b.noGap()
	}
	c.kill()
	for _, b := range both {
		b.state("retrying")
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
}
