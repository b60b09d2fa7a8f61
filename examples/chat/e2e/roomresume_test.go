package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"
)

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
			want := []string{"before", "after"}
			for _, b := range both {
				b.online()
				if name == "stop" { // the server has kept everything
					b.rooms("garden")
					b.in("#garden")
					continue
				}
				b.isGap("unknown")
				b.in("Lobby")
				b.rooms()
				want = []string{"after"}
			}
			if name == "crash" {
				for _, b := range both {
					b.join("garden")
				}
			}
			ada.say("after")
			for _, b := range both {
				b.members("+Ada", "+Grace")
				b.sees(want...)
				if name == "stop" {
					b.noGap()
				}
			}
		})
	}
}
