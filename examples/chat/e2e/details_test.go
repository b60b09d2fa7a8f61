package e2e

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// TestQuickMessages sends two messages, the first over a slower connection.
// They arrive in the order in which they were written.
func TestQuickMessages(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	grace, ada := c.enter("Grace"), c.enter("Ada")
	eval[bool](ada, `(() => {
		const real = fetch;
		let posts = 0;
		window.fetch = async (url, options) => {
			if (url === '/messages' && posts++ === 0) await new Promise((later) => setTimeout(later, 500));
			return real(url, options);
		};
		return true;
	})()`)
	ada.say("one")
	ada.say("two")
	grace.wait("has both", `document.querySelectorAll('[data-testid=message]').length === 2`)
	grace.sees("one", "two")
	ada.sees("one", "two")
}

// TestUnsentMessages loses the server under two messages. Both come back to the
// writer, in their order and before what has been written since.
func TestUnsentMessages(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ada := c.enter("Ada")
	eval[bool](ada, `(() => {
		const real = fetch;
		let fail;
		window.failPosts = () => fail(new TypeError('no network'));
		window.fetch = (url, options) => (url === '/messages' ? new Promise((_, no) => { fail = no; }) : real(url, options));
		return true;
	})()`)
	ada.say("one")
	ada.say("two")
	ada.write(`[data-testid=message-input]`, "three")
	eval[bool](ada, `(failPosts(), true)`)
	ada.wait("has everything back", `document.querySelector('[data-testid=message-input]').value === 'one\ntwo\nthree'`)
	ada.wait("is told", `document.querySelector('[data-testid=send-error]').textContent.includes('cannot be reached')`)
}

// TestDrawerHoldsFocus walks through a drawer by keyboard: the page behind the
// veil is not part of the way.
func TestDrawerHoldsFocus(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ada := c.enter("Ada")
	ada.do("be a phone", chromedp.EmulateViewport(390, 844))
	for _, drawer := range []string{"sidebar", "panel"} {
		ada.click(`[data-testid=open-` + drawer + `]`)
		inside := 0
		for range 12 {
			ada.tabKey()
			if at := eval[string](ada, `document.activeElement === document.body ? 'body' : document.activeElement.closest('#' + %s) ? 'drawer' : document.activeElement.outerHTML`, drawer); at == "drawer" {
				inside++
			} else if at != "body" { // where the browser's own buttons follow
				t.Errorf("with the %s open, the focus is on %s", drawer, at)
			}
		}
		if inside < 3 {
			t.Errorf("in the %s, %d of 12 steps were inside", drawer, inside)
		}
		ada.click(`#` + drawer + ` .drawer-close`)
		ada.wait("is back at the button", `document.activeElement === document.querySelector('[data-open=' + %s + ']')`, drawer)
	}
}

// TestClickWhileMessagesArrive presses the mouse on a conversation, and lets it go
// after the list has changed.
func TestClickWhileMessagesArrive(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ada, grace := c.script("Ada"), c.enter("Grace")
	ada.post("Grace", "one")
	grace.unread("Ada", 1)
	const item = `[data-testid=conversation][data-name="Ada"]`
	x, y := grace.find(item)
	mouse := func(kind input.DispatchMouseEventType) {
		t.Helper()
		_, err := chromedp.Call(grace.ctx, input.DispatchMouseEvent, input.DispatchMouseEventParams{
			Type: kind, X: x, Y: y, Button: input.MouseButtonLeft, ClickCount: 1,
		})
		grace.try("use the mouse", err)
	}
	mouse(input.DispatchMouseEventTypeMousePressed)
	ada.post("Grace", "two")
	grace.unread("Ada", 2)
	c.script("Linus").listen()
	grace.wait("sees Linus come", `document.querySelector('[data-testid=person][data-name="Linus"]')`)
	if !eval[bool](grace, `document.activeElement.matches('`+item+`')`) {
		t.Error("the focus has been lost to what is drawn anew")
	}
	mouse(input.DispatchMouseEventTypeMouseReleased)
	grace.in("Ada")
	grace.sees("one", "two")
}

func (b *tab) tabKey() {
	b.t.Helper()
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown, input.DispatchKeyEventTypeKeyUp} {
		_, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{
			Type: kind, Key: "Tab", Code: "Tab", WindowsVirtualKeyCode: 9, NativeVirtualKeyCode: 9,
		})
		b.try("press Tab", err)
	}
}

// TestPeopleNotLive logs out in another tab. The first one no longer hears who
// is online, and says so.
func TestPeopleNotLive(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ada := c.enter("Ada")
	const paused = `!document.getElementById('people-paused').hidden`
	if eval[bool](ada, paused) {
		t.Error("the list of people is not live from the beginning")
	}
	ada.click(`[data-testid=plug]`)
	ada.state("cut")
	ada.wait("says that the list is not live", paused)
	ada.online()
	ada.wait("says no longer that the list is not live", `!(`+paused+`)`)
	other := ada.tab2(c.url(), "Ada's second")
	other.click(`[data-testid=logout]`)
	ada.state("ended")
	ada.wait("says that the list is not live", paused)
}

// TestPhoneFooter looks at what the status line shows where there is little room.
func TestPhoneFooter(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ada := c.enter("Ada")
	ada.do("be a phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateTouch))
	text := eval[string](ada, `document.querySelector('[data-testid=status]').innerText`)
	id := eval[string](ada, `document.querySelector('[data-testid=status]').dataset.lastId`)
	if strings.Contains(text, id) || !strings.Contains(text, "Open") {
		t.Errorf("on a phone, the status line says %q", text)
	}
	if height := eval[float64](ada, `document.querySelector('[data-testid=status]').getBoundingClientRect().height`); height > 44 {
		t.Errorf("on a phone, the status line is %v px high", height)
	}
}

// TestCorners demands that nothing that scrolls has round corners: Firefox's
// scroll bar covers them.
func TestCorners(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ada := c.enter("Ada")
	grace := c.script("Grace")
	for range 30 {
		grace.post("", "Hello")
	}
	ada.wait("has much on the wire", `document.querySelectorAll('[data-testid=wire] li').length > 30`)
	got := eval[[]string](ada, `[...document.querySelectorAll('body *')].filter((e) => {
		const style = getComputedStyle(e);
		return e.scrollHeight > e.clientHeight && style.overflowY === 'auto' && parseFloat(style.borderTopRightRadius) > 0;
	}).map((e) => e.id || e.className)`)
	if len(got) > 0 {
		t.Errorf("these scroll and have round corners: %q", got)
	}
	if !eval[bool](ada, `(({scrollHeight, clientHeight}) => scrollHeight > clientHeight)(document.querySelector('[data-testid=wire]'))`) {
		t.Error("the list of what came over the wire does not scroll")
	}
}
