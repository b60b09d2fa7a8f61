package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
)

// What a person does with rooms, and sees of them.

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
