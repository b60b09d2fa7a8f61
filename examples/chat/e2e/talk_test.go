package e2e

import (
	"fmt"
	"strings"
	"testing"
)

func TestTwoPeopleTalk(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ada, grace := c.enter("Ada"), c.enter("Grace")
	grace.use("ws")

	var want []string
	for i := 1; i <= 3; i++ {
		ada.say(fmt.Sprintf("Ada says %d", i))
		want = append(want, fmt.Sprintf("Ada says %d", i))
		grace.sees(want...)
		grace.say(fmt.Sprintf("Grace says %d", i))
		want = append(want, fmt.Sprintf("Grace says %d", i))
		ada.sees(want...)
	}
	grace.sees(want...)
	if a, g := ada.heard(), grace.heard(); len(a) != len(want) || strings.Join(a, " ") != strings.Join(g, " ") {
		t.Errorf("Ada has heard %v, Grace %v; both should have heard the same %d messages", a, g, len(want))
	}
	for name, b := range map[string]*tab{"sse": ada, "ws": grace} {
		if eval[bool](b, `heard.some((f) => f.event.startsWith('chat.') && f.via !== %s)`, name) {
			t.Errorf("%s has heard messages over another transport than %s", b.name, name)
		}
	}
	// What was said before somebody came is there, too, but not from the stream.
	linus := c.enter("Linus")
	linus.sees(want...)
	linus.heardOnce([]string{})
}

func TestDirectMessage(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ada, grace, eve := c.enter("Ada"), c.enter("Grace"), c.enter("Eve")
	ada2 := ada.tab2(c.url(), "Ada's second tab")
	grace.use("ws")

	ada.approach("Grace")
	ada.say("for you alone")
	ada.sees("for you alone")
	// Both tabs of the sender have it, and the recipient is told that it is there.
	ada2.visit("Grace")
	ada2.sees("for you alone")
	grace.wait("has one unread message of Ada's",
		`document.querySelector('[data-testid=conversation][data-name="Ada"]')?.dataset.unread === '1'`)
	grace.visit("Ada")
	grace.sees("for you alone")
	grace.say("nobody else knows")
	for _, b := range []*tab{ada, ada2, grace} {
		b.sees("for you alone", "nobody else knows")
	}

	// What comes in the lobby now comes after the direct messages, so whoever
	// has it and not them will not get them.
	ada.visit("Lobby")
	ada.say("for everyone")
	eve.sees("for everyone")
	if n := len(eve.heard()); n != 1 {
		t.Errorf("Eve has heard %d messages; only one was for her", n)
	}
	if eval[bool](eve, `['for you alone', 'nobody else knows'].some((text) => (JSON.stringify(heard) + document.body.innerText).includes(text))`) {
		t.Error("Eve knows what Ada has told Grace")
	}
	for _, b := range []*tab{ada2, grace} {
		b.visit("Lobby")
		b.sees("for everyone")
	}
}

func TestTypingAndPresence(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ada, grace := c.enter("Ada"), c.enter("Grace")
	grace.use("ws")
	ada.wait("sees Grace online", `document.querySelector('[data-testid=person][data-name="Grace"]')`)

	// Over SSE a sign of typing is posted, over WebSocket it takes the socket.
	typing := func(b *tab, want string) {
		t.Helper()
		b.wait(fmt.Sprintf("is told %q", want), `document.querySelector('[data-testid=typing]').textContent === %s`, want)
	}
	ada.write(`[data-testid=message-input]`, "h")
	typing(grace, "Ada is typing")
	ada.say("i")
	grace.sees("hi")
	typing(grace, "") // at once, and not when the sign has faded
	grace.write(`[data-testid=message-input]`, "ho")
	typing(ada, "Grace is typing")
	typing(ada, "") // faded

	// A third person learns nothing of what is typed in a direct conversation.
	linus := c.script("Linus")
	leave := linus.listen()
	ada.wait("sees Linus come", `document.querySelector('[data-testid=person][data-name="Linus"]')`)
	eve := c.enter("Eve")
	grace.approach("Ada")
	ada.approach("Grace")
	grace.write(`[data-testid=message-input]`, "psst")
	typing(ada, "Grace is typing")
	leave()
	eve.wait("sees Linus gone", `!document.querySelector('[data-testid=person][data-name="Linus"]')`) // the fence
	if eval[bool](eve, `heard.some((f) => f.event.startsWith('typing.'))`) {
		t.Error("Eve has heard that Grace types to Ada")
	}

	// A change of transport is no farewell, a closed page is.
	grace.use("sse")
	grace.leave()
	ada.wait("sees Grace gone", `!document.querySelector('[data-testid=person][data-name="Grace"]')`)
	if n := eval[int](ada, `heard.filter((f) => f.event === 'presence.user.left' && f.data.user.name === 'Grace').length`); n != 1 {
		t.Errorf("Ada has heard %d times that Grace has left", n)
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"sse", "ws"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			c := startChat(t)
			ada, grace := c.script("Ada"), c.enter("Grace")
			grace.use(transport)
			ada.post("", "one")
			grace.sees("one")

			// Without the category chat: Linus's arrival is the fence behind the message.
			grace.toggle("chat")
			grace.online()
			if transport == "ws" {
				grace.hears("stream.filter", 1)
			} else {
				grace.wait("has a new stream", `heard.filter((f) => f.event === 'stream.cursor').length >= 2`)
			}
			ada.post("", "two")
			leave := c.script("Linus").listen()
			grace.wait("sees Linus come", `document.querySelector('[data-testid=person][data-name="Linus"]')`)
			grace.sees("one")

			// Again with it: what was said meanwhile is read, what comes is heard.
			grace.toggle("chat")
			grace.sees("one", "two")
			three := ada.post("", "three")
			grace.sees("one", "two", "three")

			// Without presence, nobody leaves.
			grace.toggle("presence")
			grace.wait("says that presence is not live", `document.getElementById('people-paused').checkVisibility()`)
			grace.online()
			other := c.enter("Margaret")
			other.wait("sees Linus", `document.querySelector('[data-testid=person][data-name="Linus"]')`)
			leave()
			other.wait("sees Linus gone", `!document.querySelector('[data-testid=person][data-name="Linus"]')`)
			four := ada.post("", "four")
			grace.sees("one", "two", "three", "four")
			if !eval[bool](grace, `Boolean(document.querySelector('[data-testid=person][data-name="Linus"]'))`) {
				t.Error("Grace does not listen to presence, and yet has heard that Linus left")
			}
			if got := grace.heard(); len(got) != 3 || got[1] != three || got[2] != four {
				t.Errorf("Grace has heard %v; not three messages of which the last are %s and %s", got, three, four)
			}
			grace.toggle("presence")
			grace.wait("knows that Linus has gone", `!document.querySelector('[data-testid=person][data-name="Linus"]')`)
			grace.noGap()
		})
	}
}

// Who logs out in one tab has logged out in all of them, and nobody comes back
// by themselves.
func TestLogout(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ada := c.enter("Ada")
	onSSE, onWS := ada.tab2(c.url(), "Ada on SSE"), ada.tab2(c.url(), "Ada on WebSocket")
	onWS.use("ws")
	grace := c.script("Grace")
	grace.post("", "bye")
	for _, b := range []*tab{onSSE, onWS} {
		b.sees("bye")
	}
	ada.click(`[data-testid=logout]`)
	for _, b := range []*tab{onSSE, onWS} {
		b.wait("is told that the stream has ended", `document.querySelector('[data-testid=ended]').checkVisibility()`)
		b.state("ended")
		if !eval[bool](b, `heard.at(-1).event === 'stream.end' && heard.at(-1).data.reason === 'revoked'`) {
			t.Errorf("%s was not told why\n%s", b.name, b.describe())
		}
	}
	onWS.shot("ended")
	onWS.click(`[data-testid=ended-action]`)
	onWS.wait("is asked for a name", `document.querySelector('[data-testid=login-name]')`)
}

func TestFiveTabs(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ada := c.enter("Ada")
	tabs := []*tab{ada}
	for i := 2; i <= 5; i++ {
		tabs = append(tabs, ada.tab2(c.url(), fmt.Sprintf("Ada's tab %d", i)))
	}
	// A browser opens six connections to one server that speaks HTTP/1.1. Five
	// are taken by streams; the sixth must do for everything else.
	for i, b := range tabs {
		b.say(fmt.Sprintf("from tab %d", i+1))
	}
	for _, b := range tabs {
		b.sees(texts("from tab", 1, 5)...)
		if n := len(b.heard()); n == 0 || n > 5 {
			t.Errorf("%s has heard %d messages", b.name, n)
		}
	}
}
