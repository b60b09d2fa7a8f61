package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestRoomLook shows rooms, and demands what can be measured.
func TestRoomLook(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ada := c.enter("Ada")
	ada.do("be on a desktop", chromedp.EmulateViewport(1280, 800))
	ada.join("garden")
	ada.shot("room-empty")
	ada.join("release 2.4")
	grace, linus := c.enter("Grace"), c.script("Linus")
	for _, name := range []string{"Barbara", "Margaret"} {
		c.script(name).room("POST", "garden", http.StatusOK)
	}
	linus.room("POST", "garden", http.StatusOK)
	linus.room("POST", "release 2.4", http.StatusOK)
	linus.listen()
	grace.join("garden")
	ada.visit("#garden")
	grace.say("The tomatoes are out. Who waters them next week?")
	ada.sees("The tomatoes are out. Who waters them next week?")
	linus.postIn("garden", "I can, from Tuesday on.")
	ada.say("Then I take the weekend.\nThe key is where it always is.")
	linus.postIn("release 2.4", "Tagged.")
	linus.postIn("release 2.4", "And the notes are online.")
	linus.post("", "Good morning!")
	ada.unread("#release 2.4", 2)
	ada.unread("Lobby", 1)
	grace.write(`[data-testid=message-input]`, "Tha")
	ada.wait("sees that Grace types", `document.querySelector('[data-testid=typing]').textContent === 'Grace is typing'`)
	ada.members("+Ada", "+Grace", "Barbara", "Linus", "Margaret")
	ada.fits()
	ada.shot("room-light")
	ada.legible()
	ada.dark(true)
	ada.shot("room-dark")
	ada.legible()
	ada.dark(false)
	if n := eval[int](ada, `document.querySelectorAll('#sidebar [aria-current=true]').length`); n != 1 {
		t.Errorf("%d conversations are marked as the open one", n)
	}
	if got := eval[string](ada, `document.getElementById('leave').getAttribute('aria-label')`); got != "Leave #garden" {
		t.Errorf("the button to leave says %q", got)
	}

	// A full room, with names of all lengths.
	for i := range 30 {
		c.script(fmt.Sprintf("%s %d", strings.Repeat("W", 1+i%28), i)).room("POST", "garden", http.StatusOK)
	}
	ada.wait("sees that there are more", `document.querySelector('[data-testid=members-more]')?.textContent === '+29'`)
	ada.fits()
	ada.shot("room-full")
	ada.click(`[data-testid=members-more]`)
	ada.wait("sees all", `document.querySelectorAll('[data-testid=member]').length === 35`)
	ada.fits()
	ada.shot("room-full-open")

	phone := c.enter("Katherine")
	phone.do("be a phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulateTouch))
	phone.tap(`[data-testid=open-sidebar]`)
	phone.write(`[data-testid=join-name]`, "release 2.4")
	phone.shot("room-phone-join")
	phone.tap(`[data-testid=join-button]`)
	phone.in("#release 2.4")
	phone.wait("the drawer is closed", `!document.getElementById('sidebar').classList.contains('is-open')`)
	phone.write(`[data-testid=message-input]`, "Read them. Well done!")
	phone.tap(`[data-testid=send]`)
	phone.sees("Tagged.", "And the notes are online.", "Read them. Well done!")
	phone.members("+Ada", "+Katherine", "Linus")
	phone.fits()
	phone.shot("room-phone-light")
	phone.legible()
	phone.dark(true)
	phone.shot("room-phone-dark")
	phone.legible()
	phone.tap(`[data-testid=open-sidebar]`)
	phone.wait("sees the rooms", `document.querySelector('[data-testid=rooms] [data-testid=conversation]').checkVisibility({visibilityProperty: true})`)
	phone.fits()
	phone.shot("room-phone-sidebar")
	for _, part := range []string{"join-name", "join-button"} {
		if size := eval[float64](phone, `document.querySelector(%s).getBoundingClientRect().height`, "[data-testid="+part+"]"); size < 34 {
			t.Errorf("on a phone, %s is only %v px high", part, size)
		}
	}
	phone.do("be a small phone", chromedp.EmulateViewport(320, 568, chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulateTouch))
	phone.tap(`#sidebar .drawer-close`)
	phone.fits()
	phone.shot("room-phone-small")
	phone.tap(`[data-testid=leave]`)
	phone.in("Lobby")
}
