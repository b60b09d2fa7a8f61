package chat

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crier-go/crier/hub/backplanetest"
)

// start returns a chat on an engine, and what kills it: it says nothing to
// anybody.
func start(t *testing.T, memory *backplanetest.Memory) (c chat, kill func()) {
	c = openChat(t, bytes.Repeat([]byte("k"), keySize), memory.Handle())
	return c, func() {
		c.close()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		c.hub.Shutdown(ctx)
	}
}

// knows returns what a person's page shows: texts, and who is online.
func (c chat) knows(name string) (texts, online []string) {
	st := c.stateFor(mustPerson(c.t, name))
	for _, m := range st.Messages {
		_, text, _ := strings.Cut(string(m.Data), `"text":"`)
		text, _, _ = strings.Cut(text, `"`)
		texts = append(texts, text)
	}
	slices.Sort(texts) // conversations come in any order
	for _, p := range st.Online {
		online = append(online, p.Name)
	}
	return texts, online
}

func (c chat) say(as *http.Cookie, to, text string) {
	c.t.Helper()
	if resp := c.do("POST", "/messages", fmt.Sprintf(`{"text":%q,"to":%q}`, text, to), asJSON, cookie(as)); resp.StatusCode != http.StatusAccepted {
		c.t.Fatalf("%q to %q: %s", text, to, resp.Status)
	}
}

// Processes know the same people and messages, also one that starts late, and
// one that takes the place of one that was killed.
func TestProcessesKnowTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := backplanetest.NewMemory()
		one, killOne := start(t, memory)
		two, killTwo := start(t, memory)
		defer killTwo()
		ada, ben := one.login("Ada"), two.login("Ben")
		one.say(ada, "Ben", "1 direct") // Ben is known at two only a moment before
		two.say(ben, "", "2 lobby")
		two.say(ben, "ADA", "3 direct")
		killOne()
		two.say(ben, "Ada", "4 nobody hears")
		one, killOne = start(t, memory)
		late, killLate := start(t, memory)
		defer killOne()
		defer killLate()
		synctest.Wait()
		for i, c := range []chat{one, two, late} {
			for name, want := range map[string][]string{
				"Ada": {"1 direct", "2 lobby", "3 direct", "4 nobody hears"},
				"Ben": {"1 direct", "2 lobby", "3 direct", "4 nobody hears"},
				"Eve": {"2 lobby"},
			} {
				if got, _ := c.knows(name); !slices.Equal(got, want) {
					t.Errorf("process %d shows %s %q, want %q", i, name, got, want)
				}
			}
			if _, ok := c.people.named("ben"); !ok {
				t.Errorf("process %d does not know Ben", i)
			}
		}
		if resp := late.do("POST", "/messages", `{"text":"a","to":"Nobody"}`, asJSON, cookie(ada)); resp.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("to nobody: %s", resp.Status)
		}
		late.say(ada, "ben", "5 from a late process")
		synctest.Wait()
		if got, _ := two.knows("Ben"); len(got) != 5 {
			t.Errorf("Ben sees %q", got)
		}
	})
}

// When the engine has lost its records, all processes know the same again, which
// is nothing.
func TestProcessesKnowTheSameAfterALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := backplanetest.NewMemory()
		one, killOne := start(t, memory)
		defer killOne()
		ada := one.login("Ada")
		one.say(ada, "", "lost")
		synctest.Wait()
		memory.Reset(0)
		time.Sleep(30 * time.Second)
		two, killTwo := start(t, memory)
		defer killTwo()
		one.say(ada, "", "kept")
		synctest.Wait()
		for i, c := range []chat{one, two} {
			if got, _ := c.knows("Ada"); !slices.Equal(got, []string{"kept"}) {
				t.Errorf("process %d shows %q", i, got)
			}
		}
	})
}

// Somebody is online as long as any process has a stream of theirs.
func TestPresenceOverProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := backplanetest.NewMemory()
		one, killOne := start(t, memory)
		two, killTwo := start(t, memory)
		defer killTwo()
		ada, ben := one.login("Ada"), two.login("Ben")
		time.Sleep(time.Second)
		watching := two.listen(ben)
		defer watching.Close()
		time.Sleep(3 * reportEvery)
		heard(t, watching)
		expect := func(when string, announced []string, online ...string) {
			t.Helper()
			var got []string
			for _, m := range heard(t, watching) {
				switch {
				case !strings.Contains(m, "Ada"):
				case strings.HasPrefix(m, "presence.user.joined"):
					got = append(got, "joined")
				case strings.HasPrefix(m, "presence.user.left"):
					got = append(got, "left")
				default:
					t.Errorf("%s: heard %s", when, m)
				}
			}
			if !slices.Equal(got, announced) {
				t.Errorf("%s: announced %q, want %q", when, got, announced)
			}
			if _, got := two.knows("Ben"); !slices.Equal(got, online) {
				t.Errorf("%s: online at two %q, want %q", when, got, online)
			}
		}

		here := one.listen(ada)
		time.Sleep(3 * reportEvery)
		expect("Ada came to one", []string{"joined"}, "Ada", "Ben")
		if _, got := one.knows("Ada"); !slices.Equal(got, []string{"Ada", "Ben"}) {
			t.Errorf("online at one: %q", got)
		}

		here.Close()
		there := two.listen(ada)
		time.Sleep(time.Minute)
		expect("Ada moved to two", nil, "Ada", "Ben")

		here = one.listen(ada)
		there.Close()
		time.Sleep(time.Minute)
		expect("Ada moved to one", nil, "Ada", "Ben")

		killOne()
		here.Close()
		time.Sleep(time.Minute)
		expect("one was killed", []string{"left"}, "Ben")
	})
}

// While the engine is away, nothing hangs, and it is said.
func TestEngineAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := backplanetest.NewMemory()
		one, killOne := start(t, memory)
		two, killTwo := start(t, memory)
		defer killOne()
		defer killTwo()
		ada, ben := one.login("Ada"), two.login("Ben")
		here, there := one.listen(ada), two.listen(ben)
		defer here.Close()
		defer there.Close()
		time.Sleep(3 * reportEvery)
		memory.SetAway(true)
		time.Sleep(time.Minute)
		resp := one.do("POST", "/messages", `{"text":"a"}`, asJSON, cookie(ada))
		if says := problemIn(t, resp); resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s, %s", resp.Status, says)
		}
		if resp := two.do("GET", "/state", "", cookie(ada)); resp.StatusCode != http.StatusOK {
			t.Errorf("state of somebody who is known: %s", resp.Status)
		}
		memory.SetAway(false)
		time.Sleep(20 * time.Second)
		if got := strings.Join(heard(t, there), "\n"); strings.Contains(got, "presence.user.left") {
			t.Errorf("nobody left, and heard %q", got)
		}
		one.say(ada, "", "back")
		synctest.Wait()
		if got := strings.Join(heard(t, there), "\n"); !strings.Contains(got, "back") {
			t.Errorf("heard %q", got)
		}
		if _, got := one.knows("Ada"); !slices.Equal(got, []string{"Ada", "Ben"}) {
			t.Errorf("online: %q", got)
		}
	})
}
