package chat

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
)

func TestPresence(t *testing.T) {
	ada, ben := uuid.New(), uuid.New()
	names := map[uuid.UUID]string{ada: "ada", ben: "ben"}
	const short, long = grace / 2, grace + time.Millisecond
	type step struct {
		do   func(*presence)
		want []string
	}
	began := func(u uuid.UUID) func(*presence) { return func(p *presence) { p.began(u) } }
	ended := func(u uuid.UUID) func(*presence) { return func(p *presence) { p.ended(u) } }
	wait := func(d time.Duration) func(*presence) { return func(*presence) { time.Sleep(d) } }
	for name, steps := range map[string][]step{
		"comes and goes": {
			{began(ada), []string{"+ada"}},
			{ended(ada), nil},
			{wait(long), []string{"-ada"}},
			{began(ada), []string{"+ada"}},
		},
		"reloads": {
			{began(ada), []string{"+ada"}},
			{ended(ada), nil},
			{wait(short), nil},
			{began(ada), nil},
			{wait(long), nil},
			{ended(ada), nil},
			{wait(short), nil}, // the grace starts anew
			{began(ada), nil},
			{ended(ada), nil},
			{wait(long), []string{"-ada"}},
		},
		"has several tabs": {
			{began(ada), []string{"+ada"}},
			{began(ada), nil},
			{began(ben), []string{"+ben"}},
			{ended(ada), nil},
			{wait(long), nil},
			{ended(ada), nil},
			{wait(long), []string{"-ada"}},
		},
		"is not announced after close": {
			{began(ada), []string{"+ada"}},
			{ended(ada), nil},
			{(*presence).close, nil},
			{wait(long), nil},
			{began(ben), []string{"+ben"}},
			{ended(ben), nil},
			{wait(long), nil},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				announced := make(chan string, 8)
				p := newPresence(grace, func(at stay, here bool) {
					announced <- map[bool]string{true: "+", false: "-"}[here] + names[at.User]
				})
				defer p.close()
				for i, s := range steps {
					s.do(p)
					synctest.Wait()
					var got []string
					for len(announced) > 0 {
						got = append(got, <-announced)
					}
					if !slices.Equal(got, s.want) {
						t.Errorf("step %d: announced %q, want %q", i, got, s.want)
					}
				}
			})
		})
	}
}

// Presence follows the hub's streams, and reaches the others.
func TestPresenceOverTheHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChat(t)
		defer c.presence.close()
		ada, ben := c.login("Ada"), c.login("Ben")
		watching := c.listen(ada)
		defer watching.Close()
		heard(t, watching)

		first, second := c.listen(ben), c.listen(ben)
		if got := fmt.Sprint(heard(t, watching)); strings.Count(got, "presence.user.joined") != 1 || !strings.Contains(got, "Ben") {
			t.Errorf("Ben opened two streams: %s", got)
		}
		if st := c.stateFor(mustPerson(t, "Ada")); len(st.Online) != 2 || st.Online[0].Name != "Ada" || st.Online[1].Name != "Ben" {
			t.Errorf("online: %v", st.Online)
		}
		first.Close()
		second.Close()
		third := c.listen(ben) // a reload
		time.Sleep(2 * grace)
		if got := heard(t, watching); len(got) != 0 {
			t.Errorf("Ben reloaded: %q", got)
		}
		third.Close()
		time.Sleep(2 * grace)
		if got := fmt.Sprint(heard(t, watching)); strings.Count(got, "presence.user.left") != 1 {
			t.Errorf("Ben left: %s", got)
		}
		if st := c.stateFor(mustPerson(t, "Ada")); len(st.Online) != 1 {
			t.Errorf("online: %v", st.Online)
		}
	})
}
