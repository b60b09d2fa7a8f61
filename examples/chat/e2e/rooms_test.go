package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// Two people meet in a room. Everybody else learns nothing of it.
func TestRoomTalk(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, set func(*tab)) {
		c := startChat(t)
		ada, grace, eve := c.enter("Ada"), c.enter("Grace"), c.enter("Eve")
		for _, b := range []*tab{ada, grace, eve} {
			set(b)
		}
		ada.join("garden")
		ada.rooms("garden")
		ada.members("+Ada")
		ada.wait("sees an empty room", `document.getElementById('empty').checkVisibility() && document.getElementById('empty').textContent.includes('#garden')`)
		ada.say("is anybody here?")
		ada.sees("is anybody here?")

		grace.join("garden")
		grace.sees("is anybody here?") // from before
		grace.members("+Ada", "+Grace")
		ada.members("+Ada", "+Grace")
		ada.wait("reads how many there are", `document.querySelector('[data-testid=subtitle]').textContent === '2 members, 2 here'`)
		grace.say("I am")
		for _, b := range []*tab{ada, grace} {
			b.sees("is anybody here?", "I am")
		}
		ada.write(`[data-testid=message-input]`, "we")
		grace.wait("sees that Ada types", `document.querySelector('[data-testid=typing]').textContent === 'Ada is typing'`)
		ada.say("lcome")
		grace.sees("is anybody here?", "I am", "welcome")

		// What is unread is counted, also of a room.
		grace.visit("Lobby")
		ada.say("are you still there?")
		grace.unread("#garden", 1)
		grace.visit("#garden")
		grace.unread("#garden", 0)
		grace.sees("is anybody here?", "I am", "welcome", "are you still there?")

		// The lobby is the fence behind all of it.
		ada.visit("Lobby")
		ada.say("for everyone")
		eve.sees("for everyone")
		if eval[bool](eve, `heard.some((f) => JSON.stringify(f).includes('garden')) || document.body.innerText.includes('garden')`) {
			t.Errorf("Eve knows of the room\n%s", eve.describe())
		}
		for _, b := range []*tab{ada, grace, eve} {
			b.noTrouble()
		}
	})
}

// Who goes is no longer here, and who leaves is no member any more.
func TestRoomPresence(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ada, grace := c.enter("Ada"), c.enter("Grace")
	linus := c.script("Linus")
	ada.join("garden")
	linus.room("POST", "garden", http.StatusOK)
	ada.members("+Ada", "Linus") // has no stream
	grace.join("garden")
	ada.members("+Ada", "+Grace", "Linus")
	ada.wait("reads how many there are", `document.querySelector('[data-testid=subtitle]').textContent === '3 members, 2 here'`)
	grace.leave()
	ada.members("+Ada", "Grace", "Linus")
	linus.room("DELETE", "garden", http.StatusNoContent)
	ada.members("+Ada", "Grace")

	// A member is somebody to write to.
	ada.click(`[data-testid=member][data-name=Grace]`)
	ada.in("Grace")
	if eval[bool](ada, `document.getElementById('members').checkVisibility() || document.getElementById('leave').checkVisibility()`) {
		t.Error("a conversation of two shows members")
	}
	ada.visit("#garden")
	for i := range 9 {
		c.script(fmt.Sprintf("Guest %d", i)).room("POST", "garden", http.StatusOK)
	}
	ada.wait("sees that there are more", `document.querySelector('[data-testid=members-more]')?.textContent === '+5'`)
	ada.click(`[data-testid=members-more]`)
	ada.members("+Ada", "Grace", "Guest 0", "Guest 1", "Guest 2", "Guest 3", "Guest 4", "Guest 5", "Guest 6", "Guest 7", "Guest 8")
	ada.noTrouble()
}

// What is done in one tab shows in all others.
func TestRoomInTwoTabs(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, set func(*tab)) {
		c := startChat(t)
		grace := c.script("Grace")
		grace.room("POST", "garden", http.StatusOK)
		grace.postIn("garden", "from before")
		ada := c.enter("Ada")
		other := ada.tab2(c.url(), "Ada's second tab")
		set(ada)
		set(other)
		ada.join("garden")
		other.rooms("garden")
		grace.postIn("garden", "hello")
		other.unread("#garden", 1) // not what was written before
		other.visit("#garden")
		other.members("+Ada", "Grace")
		other.sees("from before", "hello")
		other.say("from the second tab")
		ada.sees("from before", "hello", "from the second tab")

		// The second tab was about to write there.
		other.write(`[data-testid=message-input]`, "not for the lobby")
		ada.click(`[data-testid=leave]`)
		ada.in("Lobby")
		ada.rooms()
		other.in("Lobby")
		other.rooms()
		other.wait("is told why", `document.querySelector('[data-testid=put-out]').checkVisibility() && document.querySelector('[data-testid=put-out]').textContent.includes('#garden')`)
		if eval[bool](ada, `document.querySelector('[data-testid=put-out]').checkVisibility()`) {
			t.Error("Ada is told that she is no longer in the room that she has just left")
		}
		if eval[bool](other, `document.activeElement === document.querySelector('[data-testid=message-input]') || document.querySelector('[data-testid=message-input]').value !== ''`) {
			t.Error("what Ada types for the room goes on in the lobby")
		}
		grace.postIn("garden", "she is gone")
		grace.post("", "the fence")
		for _, b := range []*tab{ada, other} {
			b.sees("the fence")
			if eval[bool](b, `JSON.stringify(heard).includes('she is gone')`) {
				t.Errorf("%s hears the room that was left", b.name)
			}
		}

		// In another room, nothing is asked of the one that was left.
		ada.join("attic")
		other.rooms("attic")
		grace.room("POST", "attic", http.StatusOK)
		grace.postIn("attic", "up here")
		other.unread("#attic", 1)

		// Back, from the other tab: with everything that was written meanwhile.
		other.join("garden")
		other.sees("from before", "hello", "from the second tab", "she is gone")
		if got := eval[string](other, `document.querySelector('[data-testid=message-input]').value`); got != "not for the lobby" {
			t.Errorf("the draft for the room is %q", got)
		}
		ada.rooms("attic", "garden")
		ada.visit("#garden")
		ada.members("+Ada", "Grace")
		grace.postIn("garden", "welcome back")
		for _, b := range []*tab{ada, other} {
			b.sees("from before", "hello", "from the second tab", "she is gone", "welcome back")
			b.noTrouble()
		}
	})
}

// A name that no room can have is answered with the rule, where it was written.
func TestRoomNames(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	ada := c.enter("Ada")
	for _, bad := range []string{"...", ".", "..", "a,b", "a/b", "?", "<b>bold</b>", strings.Repeat("a", 33)} {
		ada.write(`[data-testid=join-name]`, bad)
		ada.enterKey()
		ada.wait(fmt.Sprintf("is told what %q lacks", bad), `document.querySelector('[data-testid=join-error]').textContent.startsWith('A room\'s name has 1 to 32')`)
		if eval[string](ada, `document.querySelector('[data-testid=join-name]').getAttribute('aria-invalid')`) != "true" {
			t.Errorf("the field with %q is not marked", bad)
		}
		if bad == "a,b" {
			ada.shot("room-refused")
		}
		if got := eval[string](ada, `document.querySelector('[data-testid=join-name]').value`); got != bad {
			t.Errorf("%q is offered for correction as %q", bad, got)
		}
		eval[bool](ada, `(document.querySelector('[data-testid=join-name]').select(), true)`)
	}
	ada.write(`[data-testid=join-name]`, "  O'Brien's  room_1-2. ")
	ada.wait("is no longer told", `document.querySelector('[data-testid=join-error]').textContent === ''`)
	ada.click(`[data-testid=join-button]`)
	ada.in("#O'Brien's room_1-2.")
	ada.say("names with signs in them work")
	ada.sees("names with signs in them work")
	ada.join("Łódź 東京")
	ada.say("these too")
	ada.sees("these too")
	ada.do("load the page anew", chromedp.Reload())
	ada.online()
	ada.rooms("Łódź 東京", "O'Brien's room_1-2.")
	ada.visit("#Łódź 東京")
	ada.sees("these too")
	ada.noTrouble()
}

// Without the category presence, the page still follows the rooms that its user
// is in.
func TestRoomsWithoutPresence(t *testing.T) {
	t.Parallel()
	bothTransports(t, func(t *testing.T, transport string) {
		c := startChat(t)
		ada, grace := c.script("Ada"), c.enter("Grace")
		again := c.script("Grace")
		grace.use(transport)
		cursors := `heard.filter((f) => f.event === 'stream.cursor').length`
		before := eval[int](grace, cursors)
		grace.toggle("presence")
		if transport == "ws" {
			grace.hears("stream.filter", 1)
		} else {
			grace.wait("has a new stream", cursors+` > %s`, before)
		}
		grace.online()
		ada.room("POST", "garden", http.StatusOK)
		ada.postIn("garden", "before")
		again.room("POST", "garden", http.StatusOK)
		grace.rooms("garden")
		ada.postIn("garden", "hello")
		grace.visit("#garden")
		grace.sees("before", "hello")
		again.room("DELETE", "garden", http.StatusNoContent)
		grace.in("Lobby")
		grace.rooms()
		grace.noTrouble()
	})
}
