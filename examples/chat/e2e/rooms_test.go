package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// join joins a room by the form in the sidebar, and is in it.
func (b *tab) join(room string) {
	b.t.Helper()
	b.write(`[data-testid=join-name]`, room)
	b.enterKey()
	b.in("#" + room)
}

// rooms waits until the sidebar lists exactly these rooms.
func (b *tab) rooms(want ...string) {
	b.t.Helper()
	b.wait(fmt.Sprintf("the rooms are %q", want),
		`JSON.stringify([...document.querySelectorAll('[data-testid=rooms] [data-testid=conversation]')].map((r) => r.dataset.name.slice(1))) === %s`, asJSON(want))
}

// members waits until the open room has exactly these members; of those with a
// plus sign the page says that they are here.
func (b *tab) members(want ...string) {
	b.t.Helper()
	b.wait(fmt.Sprintf("the members are %q", want),
		`JSON.stringify([...document.querySelectorAll('[data-testid=member]')].map((m) => (m.dataset.here === 'true' ? '+' : '') + m.dataset.name)) === %s`, asJSON(want))
}

func asJSON(names []string) string {
	if names == nil {
		names = []string{}
	}
	b, err := json.Marshal(names)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// unread waits until the sidebar says how many messages are unread.
func (b *tab) unread(conversation string, want int) {
	b.t.Helper()
	b.wait(fmt.Sprintf("%s has %d unread messages", conversation, want),
		`document.querySelector('[data-testid=conversation][data-name=' + JSON.stringify(%s) + ']')?.dataset.unread === %s`, conversation, fmt.Sprint(want))
}

// noTrouble demands that no stream has ended or lost anything, and that the server
// has refused nothing.
func (b *tab) noTrouble() {
	b.t.Helper()
	b.noGap()
	if trouble := eval[string](b, `JSON.stringify([
		...heard.filter((f) => f.event === 'stream.error' || f.event === 'stream.end'),
		...performance.getEntriesByType('resource').filter((r) => r.responseStatus === 403).map((r) => r.name),
	])`); trouble != "[]" {
		b.t.Errorf("%s: the stream had trouble: %s\n%s", b.name, trouble, b.describe())
	}
}

// room sends a request about a room.
func (s *script) room(method, name string, want int) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.chat.url()+"/rooms/"+url.PathEscape(name), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != want {
		s.t.Fatalf("%s %q: %s", method, name, resp.Status)
	}
}

// share makes all tabs of a person use one connection.
func (b *tab) share() {
	b.t.Helper()
	b.click(`[data-testid=shared]`)
	b.online()
}

// eachWay runs a test for each way in which a page can have its stream: with each
// transport, alone and shared with other tabs.
func eachWay(t *testing.T, f func(t *testing.T, set func(*tab))) {
	for _, transport := range []string{"sse", "ws"} {
		for _, shared := range []bool{false, true} {
			name := transport
			if shared {
				name += "-shared"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f(t, func(b *tab) {
					b.t.Helper()
					b.use(transport)
					if shared {
						b.share()
					}
				})
			})
		}
	}
}

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

// Somebody joins a room, leaves it and joins it again while another one writes there
// without a pause. Every message shows once, in every tab.
func TestRoomJoinedWhileOthersWrite(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, set func(*tab)) {
		c := startChat(t)
		ada, grace := c.script("Ada"), c.enter("Grace")
		other := grace.tab2(c.url(), "Grace's second tab")
		set(grace)
		set(other)
		ada.room("POST", "garden", http.StatusOK)
		var said []string
		stop, stopped := make(chan struct{}), make(chan error, 1)
		go func() {
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for i := 1; i < 200; i++ { // the server keeps as many
				text := fmt.Sprintf("message %d", i)
				if _, err := ada.tryPostIn("garden", text); err != nil {
					stopped <- err
					return
				}
				said = append(said, text)
				select {
				case <-stop:
					stopped <- nil
					return
				case <-tick.C:
				}
			}
			stopped <- nil
		}()
		for range 2 {
			grace.join("garden")
			other.visit("#garden")
			grace.click(`[data-testid=leave]`)
			grace.in("Lobby")
			other.in("Lobby")
		}
		other.join("garden")
		grace.visit("#garden")
		close(stop)
		if err := <-stopped; err != nil {
			t.Fatal(err)
		}
		for _, b := range []*tab{grace, other} {
			b.members("+Grace", "Ada") // the state has been read
			b.wait("has the last message", `[...document.querySelectorAll('[data-testid=message-text]')].at(-1)?.textContent === %s`, said[len(said)-1])
			b.sees(said...)
			b.noGap()
		}
		t.Logf("%d messages", len(said))
	})
}

// What is written in a room while the plug is out comes once, and so do rooms that
// were joined and left meanwhile.
func TestRoomPulledPlug(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, set func(*tab)) {
		c := startChat(t)
		ada, grace := c.script("Ada"), c.enter("Grace")
		set(grace)
		ada.room("POST", "garden", http.StatusOK)
		grace.join("garden")
		ids := []string{ada.postIn("garden", "before")}
		grace.sees("before")

		grace.click(`[data-testid=plug]`)
		grace.state("cut")
		for _, text := range texts("meanwhile", 1, 5) {
			ids = append(ids, ada.postIn("garden", text))
		}
		ids = append(ids, ada.post("", "in the lobby"))
		grace.sees("before")
		grace.click(`[data-testid=plug]`)
		grace.online()
		grace.sees(append([]string{"before"}, texts("meanwhile", 1, 5)...)...)
		if n := grace.replayed(); n != 6 {
			t.Errorf("the status line says that %d messages were replayed; 6 were missed", n)
		}
		grace.unread("Lobby", 1)
		ids = append(ids, ada.postIn("garden", "after"))
		grace.sees(append(append([]string{"before"}, texts("meanwhile", 1, 5)...), "after")...)
		grace.heardOnce(ids)
		grace.noTrouble()

		// She joins a room with the plug out, and reads it at once.
		ada.room("POST", "attic", http.StatusOK)
		ada.postIn("attic", "up here")
		grace.click(`[data-testid=plug]`)
		grace.state("cut")
		grace.join("attic")
		grace.sees("up here")
		late := ada.postIn("attic", "and later")
		grace.click(`[data-testid=plug]`)
		grace.online()
		grace.sees("up here", "and later")
		live := ada.postIn("attic", "now")
		grace.sees("up here", "and later", "now")
		grace.hears("chat.message.room", 8)
		if got := grace.heard(); !slices.Contains(got, live) || slices.Index(got, live) != len(got)-1 {
			t.Errorf("Grace has heard %q; the last should be %s, after %s", got, live, late)
		}
		grace.noTrouble()
	})
}

// Somebody is put out of a room while nothing reaches their page. The stream that
// asks for the room is refused, and the page finds out.
func TestRoomLeftMeanwhile(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, set func(*tab)) {
		c := startChat(t)
		line := newLine(t, c.addr)
		ada, grace := c.script("Ada"), enter(t, line.url(), "Grace")
		again := c.script("Grace")
		set(grace)
		grace.join("attic")
		grace.join("garden")
		ada.room("POST", "garden", http.StatusOK)
		grace.members("+Grace", "Ada")
		ada.post("", "before") // what Grace hears last is not of the room, where nobody would find it again
		grace.unread("Lobby", 1)

		line.cut()
		grace.state("retrying")
		again.room("DELETE", "garden", http.StatusNoContent)
		ada.postIn("garden", "she is gone")
		ada.post("", "meanwhile")
		line.mend()
		grace.in("Lobby")
		grace.rooms("attic")
		grace.wait("is told why", `document.querySelector('[data-testid=put-out]').checkVisibility()`)
		grace.online()
		ada.post("", "after")
		grace.sees("before", "meanwhile", "after")
		grace.noGap()
		if eval[bool](grace, `JSON.stringify(heard).includes('she is gone') || document.body.innerText.includes('she is gone')`) {
			t.Error("Grace hears the room that she has left")
		}
		ada.room("POST", "attic", http.StatusOK)
		ada.postIn("attic", "and the other room goes on")
		grace.unread("#attic", 1)
	})
}

// After the server has ended, the page shows the rooms that the new one knows.
func TestRoomAfterRestart(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*chat){"stop": (*chat).stop, "crash": (*chat).kill} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startChat(t)
			ada, grace := c.enter("Ada"), c.enter("Grace")
			grace.use("ws")
			both := []*tab{ada, grace}
			for _, b := range both {
				b.join("garden")
			}
			ada.say("before")
			grace.sees("before")
			end(c)
			for _, b := range both {
				b.state("retrying")
			}
			c.start()
			for _, b := range both {
				b.online()
				known := eval[[]string](b, `fetch('/state').then((answer) => answer.json()).then(({rooms}) => rooms.map((r) => r.name))`)
				if name == "crash" && len(known) > 0 {
					t.Errorf("after a crash, the server knows %q", known)
				}
				b.rooms(known...)
			}
			// They may be in it still, if the server has kept that. Else they join again.
			for _, b := range both {
				b.join("garden")
			}
			ada.say("after")
			for _, b := range both {
				b.members("+Ada", "+Grace")
				b.wait("sees the message", `[...document.querySelectorAll('[data-testid=message-text]')].at(-1)?.textContent === 'after'`)
			}
		})
	}
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
