package e2e

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// What a person does with the chat's page, and sees on it.

// enter opens the chat in a browser of its own, as somebody new.
func (c *chat) enter(name string) *tab {
	c.t.Helper()
	return enter(c.t, c.url(), name)
}

func enter(t *testing.T, url, name string) *tab {
	t.Helper()
	b := newPerson(t, name)
	b.logIn(url, name)
	return b
}

// logIn opens the chat with a name.
func (b *tab) logIn(url, name string) {
	b.t.Helper()
	b.open(url)
	b.write(`[data-testid=login-name]`, name)
	b.click(`[data-testid=login-submit]`)
	b.wait("is in the chat", `document.querySelector('[data-testid=me]')?.textContent === %s`, name)
	b.online()
}

// tab2 opens the chat in one more tab of the same browser.
func (b *tab) tab2(url, name string) *tab {
	b.t.Helper()
	other := b.another(name)
	other.open(url)
	other.online()
	return other
}

// online waits until the stream is open.
func (b *tab) online() { b.t.Helper(); b.state("open") }

func (b *tab) state(want string) {
	b.t.Helper()
	b.wait("the stream is "+want, `document.querySelector('[data-testid=status]')?.dataset.state === %s`, want)
}

// use chooses the transport, "sse" or "ws".
func (b *tab) use(transport string) {
	b.t.Helper()
	b.click(fmt.Sprintf(`label:has([data-testid=transport-%s])`, transport))
	b.wait("uses "+transport, `(({transport, state}) => transport === %s && state === 'open')(document.querySelector('[data-testid=status]').dataset)`, transport)
}

// say writes a message and sends it with the Enter key.
func (b *tab) say(text string) {
	b.t.Helper()
	b.write(`[data-testid=message-input]`, text)
	b.enterKey()
	b.wait("has sent what was written", `document.querySelector('[data-testid=message-input]').value === ''`)
}

// visit opens a conversation from the sidebar: the lobby's, or one of those that exist.
func (b *tab) visit(name string) {
	b.t.Helper()
	b.click(fmt.Sprintf(`[data-testid=conversation][data-name=%q]`, name))
	b.in(name)
}

// approach opens the conversation with somebody who is online.
func (b *tab) approach(name string) {
	b.t.Helper()
	b.click(fmt.Sprintf(`[data-testid=person][data-name=%q]`, name))
	b.in(name)
}

func (b *tab) in(conversation string) {
	b.t.Helper()
	b.wait("is in the conversation "+conversation, `document.querySelector('[data-testid=conversation-title]').textContent === %s`, conversation)
}

// sees waits until the last message in the open conversation is the last of
// want, and then demands that the conversation is exactly want.
func (b *tab) sees(want ...string) {
	b.t.Helper()
	b.wait(fmt.Sprintf("the last message is %q, and none is pending", want[len(want)-1]),
		`(() => {
			const all = [...document.querySelectorAll('[data-testid=message]')];
			return all.at(-1)?.querySelector('[data-testid=message-text]').textContent === %s && !all.some((m) => m.matches('.pending'));
		})()`, want[len(want)-1])
	got := eval[[]string](b, `[...document.querySelectorAll('[data-testid=message-text]')].map((m) => m.textContent)`)
	b.follows()
	if !slices.Equal(got, want) {
		b.t.Fatalf("%s sees %q\nand should see %q", b.name, got, want)
	}
}

// heard are the ids of all chat messages that streams have brought to this
// page, in their order.
func (b *tab) heard() []string {
	b.t.Helper()
	return eval[[]string](b, `heard.filter((f) => f.event.startsWith('chat.message.')).map((f) => f.id)`)
}

// heardOnce demands that streams have brought exactly these messages.
func (b *tab) heardOnce(want []string) {
	b.t.Helper()
	got := b.heard()
	if slices.Equal(got, want) {
		return
	}
	times := map[string]int{}
	for _, id := range got {
		times[id]++
	}
	lost, doubled := 0, 0
	for _, id := range want {
		if times[id] == 0 {
			lost++
		}
	}
	for _, n := range times {
		doubled += n - 1
	}
	b.t.Fatalf("%s: of %d messages the streams brought %d: %d lost, %d doubled, order right: %v\n%s",
		b.name, len(want), len(got), lost, doubled, slices.IsSorted(got), b.describe())
}

// hears waits until a stream has brought the event, count times in all.
func (b *tab) hears(event string, count int) {
	b.t.Helper()
	b.wait(fmt.Sprintf("has heard %d %s", count, event), `heard.filter((f) => f.event === %s).length >= %s`, event, count)
}

// noGap demands that this page was not told of one.
func (b *tab) noGap() {
	b.t.Helper()
	if eval[bool](b, `heard.some((f) => f.event === 'stream.gap') || !document.querySelector('[data-testid=gap]').hidden`) {
		b.t.Fatalf("%s was told of a gap\n%s", b.name, b.describe())
	}
}

// isGap waits for the notice of a gap, and for what the page does about it.
func (b *tab) isGap(reason string) {
	b.t.Helper()
	b.wait("is told of a gap: "+reason, `(({hidden, dataset}) => !hidden && dataset.reason === %s && dataset.reread === 'true')(document.querySelector('[data-testid=gap]'))`, reason)
}

// follows waits until the newest message can be seen, as somebody expects who
// was at the end before.
func (b *tab) follows() {
	b.t.Helper()
	b.waitFor(3*time.Second, "sees the newest message without scrolling", `(({scrollHeight, scrollTop, clientHeight}) => scrollHeight - scrollTop - clientHeight <= 1)(document.getElementById('log'))`)
}

// toggle clicks the check box of a category.
func (b *tab) toggle(category string) {
	b.t.Helper()
	b.click(fmt.Sprintf(`[data-testid=category-%s]`, category))
}

// replayed is how many messages the status line says were replayed.
func (b *tab) replayed() int {
	b.t.Helper()
	return eval[int](b, `Number(document.querySelector('[data-testid=status]').dataset.replayedMessages)`)
}

// leave closes the tab before the test is over.
func (b *tab) leave() { b.t.Helper(); b.do("leave", chromedp.Navigate("about:blank")) }
