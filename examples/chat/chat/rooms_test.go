package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/crier-go/crier/hub"
	"github.com/crier-go/crier/hub/backplanetest"
)

// room sends a request about a room, which has to be answered with a status.
func (c chat) room(method string, as *http.Cookie, name string, want int) *http.Response {
	c.t.Helper()
	resp := c.do(method, "/rooms/"+url.PathEscape(name), "", cookie(as))
	if resp.StatusCode != want {
		c.t.Fatalf("%s %q: %s, %s; want %d", method, name, resp.Status, text(resp), want)
	}
	return resp
}

func (c chat) sayIn(as *http.Cookie, room, text string, want int) *http.Response {
	c.t.Helper()
	resp := c.do("POST", "/messages", fmt.Sprintf(`{"text":%q,"room":%q}`, text, room), asJSON, cookie(as))
	if resp.StatusCode != want {
		c.t.Fatalf("%q in %q: %s; want %d", text, room, resp.Status, want)
	}
	return resp
}

// follow opens a subscription that follows rooms, as the cookie's owner.
func (c chat) follow(as *http.Cookie, rooms ...string) (*hub.Subscription, error) {
	c.t.Helper()
	r := httptest.NewRequest("GET", "/events", nil)
	r.AddCookie(as)
	session, err := c.authenticate(r)
	if err != nil {
		c.t.Fatal(err)
	}
	request := hub.Request{Session: session, Filter: hub.Everything(), Transport: "test"}
	for _, room := range rooms {
		request.Topics = append(request.Topics, roomTopic(room))
	}
	return c.hub.Subscribe(request)
}

func (c chat) mustFollow(as *http.Cookie, rooms ...string) *hub.Subscription {
	c.t.Helper()
	s, err := c.follow(as, rooms...)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(s.Close)
	return s
}

func roomIn(t *testing.T, resp *http.Response) (r roomState) {
	t.Helper()
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

func namesOf(ps []person) (names []string) {
	for _, p := range ps {
		names = append(names, p.Name)
	}
	return names
}

// only returns those that are about rooms.
func only(got []string) (rooms []string) {
	for _, m := range got {
		if strings.HasPrefix(m, "chat.message.room") || strings.HasPrefix(m, "presence.room.") {
			rooms = append(rooms, m)
		}
	}
	return rooms
}

func TestRoomIsForItsMembers(t *testing.T) {
	c := newChat(t)
	ada, ben, eve := c.login("Ada"), c.login("Ben"), c.login("Eve")
	c.room("POST", ada, "garden", http.StatusOK)
	got := roomIn(t, c.room("POST", ben, "garden", http.StatusOK))
	if got.Name != "garden" || !slices.Equal(namesOf(got.Members), []string{"Ada", "Ben"}) || len(got.Here) != 0 {
		t.Errorf("%+v", got)
	}
	again := roomIn(t, c.room("POST", ben, "garden", http.StatusOK)) // says nothing new to anybody
	if len(again.Members) != 2 {
		t.Errorf("%+v", again)
	}
	follows, plain, outside := c.mustFollow(ada, "garden"), c.listen(ben), c.listen(eve)
	for _, s := range []*hub.Subscription{follows, plain, outside} {
		heard(t, s)
	}
	c.sayIn(ben, "garden", "psst", http.StatusAccepted)
	if got := only(heard(t, follows)); len(got) != 1 || !strings.Contains(got[0], `"room":"garden","text":"psst"`) {
		t.Errorf("who follows the room heard %q", got)
	}
	if got := only(heard(t, plain)); len(got) != 0 {
		t.Errorf("a stream that does not follow the room heard %q", got)
	}
	if got := only(heard(t, outside)); len(got) != 0 {
		t.Errorf("Eve heard %q", got)
	}
	for who, want := range map[*http.Cookie]int{ada: 1, ben: 1, eve: 0} {
		for _, path := range []string{"/", "/state"} {
			if n := strings.Count(text(c.do("GET", path, "", cookie(who))), "psst"); n != want {
				t.Errorf("%s shows the message %d times, want %d", path, n, want)
			}
		}
	}

	// Of a room that exists and of one that does not, Eve learns the same.
	var said []string
	for _, name := range []string{"garden", "none"} {
		said = append(said,
			problemIn(t, c.room("GET", eve, name, http.StatusForbidden))+
				problemIn(t, c.room("DELETE", eve, name, http.StatusForbidden))+
				problemIn(t, c.sayIn(eve, name, "hi", http.StatusForbidden)))
		resp := c.do("POST", "/typing", fmt.Sprintf(`{"room":%q}`, name), asJSON, cookie(eve))
		if says := problemIn(t, resp); resp.StatusCode != http.StatusForbidden || strings.Contains(says, "garden") {
			t.Errorf("typing: %s, %s", resp.Status, says)
		}
		if _, err := c.follow(eve, name); err == nil {
			t.Errorf("Eve follows %q", name)
		}
	}
	if said[0] != said[1] || strings.Contains(said[0], "garden") {
		t.Errorf("Eve is told %q", said)
	}
	if _, err := c.follow(ada, "garden", "none"); err == nil {
		t.Error("Ada follows a room that she is not in")
	}
	if _, err := c.hub.Subscribe(hub.Request{Session: hub.Session{User: mustPerson(t, "Eve").ID, Allowed: hub.Everything()}, Filter: hub.Everything(), Topics: []string{journalTopic}}); err == nil {
		t.Error("Eve follows the journal")
	}
}

// Who joins is heard on all their streams, and who leaves is not, from then on.
func TestJoinAndLeave(t *testing.T) {
	c := newChat(t)
	ada, ben := c.login("Ada"), c.login("Ben")
	c.room("POST", ada, "garden", http.StatusOK)
	watching, plain := c.mustFollow(ada, "garden"), c.listen(ben)
	heard(t, watching)
	heard(t, plain)

	c.room("POST", ben, "garden", http.StatusOK)
	got := only(heard(t, watching))
	if len(got) != 2 || !strings.HasPrefix(got[0], "presence.room.joined") || !strings.Contains(got[0], `"Ben"`) ||
		!strings.HasPrefix(got[1], "presence.room.changed") || !strings.Contains(got[1], `"here":true`) {
		t.Errorf("Ada heard %q", got)
	}
	all := heard(t, plain)
	if !slices.ContainsFunc(all, func(m string) bool {
		return strings.HasPrefix(m, "stream.filter") && strings.Contains(m, "room:garden")
	}) {
		t.Errorf("Ben's stream does not follow the room: %q", all)
	}
	c.sayIn(ada, "garden", "welcome", http.StatusAccepted)
	if got := only(heard(t, plain)); len(got) != 1 {
		t.Errorf("Ben heard %q", got)
	}

	heard(t, watching)
	c.room("DELETE", ben, "garden", http.StatusNoContent)
	if got := strings.Join(only(heard(t, watching)), "\n"); !strings.Contains(got, "presence.room.left") {
		t.Errorf("Ada heard %q", got)
	}
	heard(t, plain)
	c.sayIn(ada, "garden", "he is gone", http.StatusAccepted)
	if got := only(heard(t, plain)); len(got) != 0 {
		t.Errorf("Ben has left and heard %q", got)
	}
	if err := plain.SetTopics(t.Context(), roomTopic("garden")); err == nil {
		t.Error("Ben's stream follows the room again")
	}
	if _, err := c.follow(ben, "garden"); err == nil {
		t.Error("Ben opens a stream on the room that he has left")
	}
	c.sayIn(ben, "garden", "hi", http.StatusForbidden)
	c.room("DELETE", ben, "garden", http.StatusForbidden)
	if strings.Contains(text(c.do("GET", "/state", "", cookie(ben))), "garden") {
		t.Error("the page of who has left shows the room")
	}
	c.room("POST", ben, "garden", http.StatusOK) // and may come back
	if err := plain.SetTopics(t.Context(), roomTopic("garden")); err != nil {
		t.Error(err)
	}
}

func TestBadRooms(t *testing.T) {
	c := newChat(t)
	ada := c.login("Ada")
	for _, name := range []string{
		"", "%20", "...", "a%0ab", "a%00", "%ff", "a%2fb", "a/b", "a,b", "%3Cb%3E", "a%E2%80%AEb",
		strings.Repeat("a", maxName+1), strings.Repeat("a", 10<<10),
	} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			resp := c.do(method, "/rooms/"+name, "", cookie(ada))
			if says := problemIn(t, resp); resp.StatusCode != http.StatusBadRequest || !strings.Contains(says, nameRule) {
				t.Errorf("%s %.20q: %s, %q", method, name, resp.Status, says)
			}
		}
		decoded, err := url.PathUnescape(name)
		if err != nil || decoded == "" || strings.Contains(decoded, "\xff") { // the last is no JSON
			continue
		}
		resp := c.do("POST", "/messages", `{"text":"a","room":`+quoted(t, decoded)+`}`, asJSON, cookie(ada))
		if says := problemIn(t, resp); resp.StatusCode != http.StatusBadRequest || !strings.Contains(says, nameRule) {
			t.Errorf("a message in %.20q: %s, %q", decoded, resp.Status, says)
		}
	}
	for path, body := range map[string]string{"/messages": `{"text":"a","room":"garden","to":"Ada"}`, "/typing": `{"room":"garden","to":"Ada"}`} {
		resp := c.do("POST", path, body, asJSON, cookie(ada))
		if says := problemIn(t, resp); resp.StatusCode != http.StatusBadRequest || !strings.Contains(says, "not both") {
			t.Errorf("%s: %s, %q", path, resp.Status, says)
		}
	}
	if resp := c.do("POST", "/rooms/garden", ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a session: %s", resp.Status)
	}
	for i := range maxRooms {
		c.room("POST", ada, fmt.Sprintf("room %d", i), http.StatusOK)
	}
	c.room("POST", ada, "room 0", http.StatusOK) // is one of them
	if says := problemIn(t, c.room("POST", ada, "one more", http.StatusConflict)); !strings.Contains(says, "50") {
		t.Error(says)
	}
	if got := c.stateFor(mustPerson(t, "Ada")).Rooms; len(got) != maxRooms {
		t.Errorf("%d rooms", len(got))
	}
}

// slowBackplane takes its time, so that requests overlap.
type slowBackplane struct{ hub.Backplane }

func (b slowBackplane) Append(ctx context.Context, r hub.Record) error {
	time.Sleep(time.Second)
	return b.Backplane.Append(ctx, r)
}

// Nobody gets into more rooms than are allowed by joining many at the same time.
func TestManyJoinsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := openChat(t, bytes.Repeat([]byte("k"), keySize), slowBackplane{backplanetest.NewMemory().Handle()})
		defer func() {
			c.close()
			c.hub.Shutdown(t.Context())
		}()
		ada := c.login("Ada")
		const before = maxRooms - 3
		for i := range before {
			c.room("POST", ada, fmt.Sprintf("room %d", i), http.StatusOK)
		}
		var wg sync.WaitGroup
		answers := make(chan int, 40)
		for i := range cap(answers) {
			wg.Go(func() { // each room twice
				answers <- c.do("POST", fmt.Sprintf("/rooms/more%d", i/2), "", cookie(ada)).StatusCode
			})
		}
		wg.Wait()
		close(answers)
		count := map[int]int{}
		for status := range answers {
			count[status]++
		}
		if got := len(c.stateFor(mustPerson(t, "Ada")).Rooms); got != maxRooms || count[http.StatusConflict] == 0 ||
			count[http.StatusOK]+count[http.StatusConflict] != cap(answers) {
			t.Errorf("in %d rooms, answers %v", got, count)
		}
		// What was reserved is free again.
		c.room("DELETE", ada, "room 0", http.StatusNoContent)
		c.room("POST", ada, "one more", http.StatusOK)
		c.room("POST", ada, "too many", http.StatusConflict)
		if n := len(c.rooms.joining); n != 0 {
			t.Errorf("%d users are still joining", n)
		}
	})
}

// Both transports follow rooms, over real connections.
func TestRoomOverBothTransports(t *testing.T) {
	c := newChat(t)
	srv := httptest.NewServer(c.h)
	defer srv.Close()
	ada, eve := c.login("Ada"), c.login("Eve")
	c.room("POST", ada, "my garden", http.StatusOK)
	query := "?topics=" + url.QueryEscape("room:my garden")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel() // before the server is closed
	open := func(as *http.Cookie) *http.Response {
		r, _ := http.NewRequestWithContext(ctx, "GET", srv.URL+"/events"+query, nil)
		r.AddCookie(as)
		resp, err := srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	dial := func(as *http.Cookie) (*websocket.Conn, *http.Response, error) {
		return websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(srv.URL, "http")+"/ws"+query, http.Header{"Cookie": {as.String()}})
	}
	if resp := open(eve); resp.StatusCode != http.StatusForbidden || strings.Contains(text(resp), "garden") {
		t.Errorf("Eve over SSE: %s", resp.Status)
	}
	if _, resp, err := dial(eve); err == nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("Eve over WebSocket: %v", err)
	}

	stream := open(ada)
	socket, _, err := dial(ada)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	if err := socket.WriteMessage(websocket.TextMessage, []byte(`{"text":"from the socket","room":"my garden"}`)); err != nil {
		t.Fatal(err)
	}
	for got := ""; !strings.Contains(got, "from the socket"); {
		_, b, err := socket.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		got = string(b)
	}
	var got strings.Builder
	for b := make([]byte, 1<<12); !strings.Contains(got.String(), "from the socket"); {
		n, err := stream.Body.Read(b)
		got.Write(b[:n])
		if err != nil {
			t.Fatalf("%v after %q", err, got.String())
		}
	}
}

// Who is in a room is whoever follows it, with a grace.
func TestWhoIsInARoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChat(t)
		defer c.hub.Shutdown(t.Context())
		defer c.close()
		ada, ben := c.login("Ada"), c.login("Ben")
		c.room("POST", ada, "garden", http.StatusOK)
		c.room("POST", ben, "garden", http.StatusOK)
		watching := c.mustFollow(ada, "garden")
		defer watching.Close()
		outside := c.listen(ben) // does not follow it
		defer outside.Close()
		heard(t, watching)
		here := func() (names []string) {
			t.Helper()
			r := roomIn(t, c.room("GET", ada, "garden", http.StatusOK))
			for _, p := range r.Members {
				if slices.Contains(r.Here, p.ID) {
					names = append(names, p.Name)
				}
			}
			return names
		}
		expect := func(when, announced string, want ...string) {
			t.Helper()
			synctest.Wait()
			if got := strings.Join(only(heard(t, watching)), "\n"); strings.Count(got, "presence.room.changed") != strings.Count(announced, "here") || !strings.Contains(got, announced) {
				t.Errorf("%s: heard %q, want %q", when, got, announced)
			}
			if got := here(); !slices.Equal(got, want) {
				t.Errorf("%s: in the room are %q, want %q", when, got, want)
			}
		}
		expect("Ben does not follow it", "", "Ada")
		first, second := c.mustFollow(ben, "garden"), c.mustFollow(ben, "garden")
		expect("Ben opened it twice", `"here":true`, "Ada", "Ben")
		first.Close()
		second.Close()
		expect("Ben's streams are just gone", "", "Ada", "Ben")
		time.Sleep(grace / 2)
		third := c.mustFollow(ben, "garden")
		time.Sleep(2 * grace)
		expect("Ben came back", "", "Ada", "Ben")
		third.Close()
		time.Sleep(2 * grace)
		expect("Ben has gone", `"here":false`, "Ada")
	})
}

// Processes know the same rooms, and who is in them.
func TestRoomsOverProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := backplanetest.NewMemory()
		one, killOne := start(t, memory)
		two, killTwo := start(t, memory)
		defer killTwo()
		ada, ben := one.login("Ada"), two.login("Ben")
		one.room("POST", ada, "garden", http.StatusOK)
		// At once, at the other process.
		watching := two.mustFollow(ada, "garden")
		defer watching.Close()
		two.room("POST", ben, "garden", http.StatusOK)
		one.sayIn(ben, "garden", "hello", http.StatusAccepted)
		time.Sleep(3 * reportEvery)
		if got := strings.Join(only(heard(t, watching)), "\n"); strings.Count(got, "hello") != 1 {
			t.Errorf("Ada heard %q", got)
		}
		expect := func(when string, c chat, announced int, want ...string) {
			t.Helper()
			if got := strings.Join(only(heard(t, watching)), "\n"); strings.Count(got, "presence.room.changed") != announced {
				t.Errorf("%s: heard %q, want %d", when, got, announced)
			}
			r := roomIn(t, c.room("GET", ada, "garden", http.StatusOK))
			var names []string
			for _, p := range r.Members {
				if slices.Contains(r.Here, p.ID) {
					names = append(names, p.Name)
				}
			}
			if !slices.Equal(names, want) {
				t.Errorf("%s: in the room are %q, want %q", when, names, want)
			}
		}
		expect("Ada is at two", one, 0, "Ada")
		here := one.mustFollow(ben, "garden")
		time.Sleep(3 * reportEvery)
		expect("Ben came to one", two, 1, "Ada", "Ben")
		there := two.mustFollow(ben, "garden")
		here.Close()
		time.Sleep(time.Minute)
		expect("Ben moved to two", one, 0, "Ada", "Ben")
		here = one.mustFollow(ben, "garden")
		there.Close()
		time.Sleep(time.Minute)
		expect("Ben moved to one", two, 0, "Ada", "Ben")
		killOne()
		here.Close()
		time.Sleep(time.Minute)
		expect("one was killed", two, 1, "Ada")

		late, killLate := start(t, memory)
		defer killLate()
		synctest.Wait()
		if st := late.stateFor(mustPerson(t, "Ben")); len(st.Rooms) != 1 || len(st.Rooms[0].Members) != 2 || len(st.Messages) != 1 {
			t.Errorf("a late process shows Ben %+v", st)
		}
		two.room("DELETE", ben, "garden", http.StatusNoContent)
		if _, err := late.follow(ben, "garden"); err == nil {
			t.Error("Ben has left, and a late process lets him in")
		}
		late.sayIn(ben, "garden", "hi", http.StatusForbidden)
	})
}

// A membership is renewed by whoever comes, and lapses otherwise, at all processes.
func TestMembershipLapses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := backplanetest.NewMemory()
		one, killOne := start(t, memory)
		defer killOne()
		ada, ben := one.login("Ada"), one.login("Ben")
		one.room("POST", ada, "garden", http.StatusOK)
		one.room("POST", ben, "garden", http.StatusOK)
		for range 3 {
			time.Sleep(Retention * 2 / 3)
			one.mustFollow(ada, "garden").Close()
		}
		late, killLate := start(t, memory)
		defer killLate()
		synctest.Wait()
		for i, c := range []chat{one, late} {
			if got := namesOf(c.roomFor("garden").Members); !slices.Equal(got, []string{"Ada"}) {
				t.Errorf("process %d: members %q", i, got)
			}
			if _, err := c.follow(ben, "garden"); err == nil {
				t.Errorf("process %d lets Ben in", i)
			}
		}
	})
}
