package chat

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

func TestBadMessages(t *testing.T) {
	c := newChat(t)
	ada := c.login("Ada")
	stream := c.listen(ada)
	heard(t, stream)
	long := strings.Repeat("é", maxText/2+1)
	for _, test := range []struct {
		name, path, contentType, body string
		status                        int
		says                          string
	}{
		{"empty body", "/messages", "application/json", ``, 400, `{"text"`},
		{"empty text", "/messages", "application/json", `{"text":""}`, 422, `{"text"`},
		{"white space", "/messages", "application/json", `{"text":" \n "}`, 422, `{"text"`},
		{"no text", "/messages", "application/json", `{}`, 422, `{"text"`},
		{"over 4 KB", "/messages", "application/json", `{"text":"` + long + `"}`, 413, "4096"},
		{"far over 4 KB", "/messages", "application/json", `{"text":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "4096"},
		{"not JSON", "/messages", "application/json", `hello`, 400, `{"text"`},
		{"not an object", "/messages", "application/json", `["hello"]`, 400, `{"text"`},
		{"null", "/messages", "application/json", `null`, 422, `{"text"`},
		{"two objects", "/messages", "application/json", `{"text":"a"}{"text":"b"}`, 400, "one at a time"},
		{"misspelled", "/messages", "application/json", `{"text":"a","too":"Ben"}`, 400, "too"},
		{"not UTF-8", "/messages", "application/json", "{\"text\":\"a\xff\"}", 400, "UTF-8"},
		{"a form", "/messages", "application/x-www-form-urlencoded", `text=hello`, 415, "application/json"},
		{"no content type", "/messages", "", `{"text":"hello"}`, 415, "application/json"},
		{"unknown recipient", "/messages", "application/json", `{"text":"a","to":"Nobody"}`, 422, "name"},
		{"impossible recipient", "/messages", "application/json", `{"text":"a","to":"<\u0000>"}`, 422, "name"},
		{"typing to nobody", "/typing", "application/json", `{"to":"Nobody"}`, 422, "name"},
		{"typing not JSON", "/typing", "application/json", `x`, 400, "JSON"},
	} {
		t.Run(test.name, func(t *testing.T) {
			resp := c.do("POST", test.path, test.body, header("Content-Type", test.contentType), cookie(ada))
			if says := problemIn(t, resp); resp.StatusCode != test.status || !strings.Contains(says, test.says) {
				t.Errorf("%s, %q; want %d and %q", resp.Status, says, test.status, test.says)
			}
		})
	}
	if got := heard(t, stream); len(got) > 0 {
		t.Errorf("something was published: %q", got)
	}
	if got := text(c.do("GET", "/messages", "", cookie(ada))); !strings.Contains(got, "Method Not Allowed") {
		t.Errorf("GET /messages: %q", got)
	}
}

func TestLobbyMessage(t *testing.T) {
	c := newChat(t)
	ada, ben := c.login("Ada"), c.login("Ben")
	streams := []func() []string{}
	for _, who := range []*http.Cookie{ada, ada, ben} { // two tabs of Ada's
		s := c.listen(who)
		heard(t, s)
		streams = append(streams, func() []string { return heard(t, s) })
	}
	longest := strings.Repeat("é", maxText/2)
	for _, text := range []string{`hi`, longest, `<script>\u0000 "`} {
		resp := c.do("POST", "/messages", `{"text":`+quoted(t, text)+`,"to":""}`, asJSON, cookie(ada))
		var answer struct{ ID string }
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusAccepted || len(answer.ID) != 36 {
			t.Fatalf("%s, %+v, %v", resp.Status, answer, err)
		}
	}
	for i, s := range streams {
		var lobby []string
		for _, m := range s() {
			if strings.HasPrefix(m, "chat.") {
				lobby = append(lobby, m)
			}
		}
		if len(lobby) != 3 || !strings.Contains(lobby[0], `"text":"hi"`) || !strings.Contains(lobby[0], `"name":"Ada"`) || !strings.Contains(lobby[1], longest) {
			t.Errorf("stream %d heard %.200q", i, lobby)
		}
	}
}

func TestDirectMessagesAreForTwo(t *testing.T) {
	c := newChat(t)
	ada, ben, eve := c.login("Ada"), c.login("Ben"), c.login("Eve")
	var got [4]func() string
	for i, who := range []*http.Cookie{ada, ben, ben, eve} {
		s := c.listen(who)
		heard(t, s)
		got[i] = func() string { return strings.Join(heard(t, s), "\n") }
	}
	for _, body := range []string{`{"text":"psst","to":"BEN"}`} {
		if resp := c.do("POST", "/messages", body, asJSON, cookie(ada)); resp.StatusCode != http.StatusAccepted {
			t.Fatal(text(resp))
		}
	}
	if resp := c.do("POST", "/typing", `{"to":"Ben"}`, asJSON, cookie(ada)); resp.StatusCode != http.StatusNoContent {
		t.Fatal(text(resp))
	}
	for i, wants := range [][]string{{"psst"}, {"psst", "typing."}, {"psst", "typing."}, {}} {
		heard := got[i]()
		if strings.Count(heard, "psst")+strings.Count(heard, "typing.") != len(wants) {
			t.Errorf("stream %d heard %q, want %q", i, heard, wants)
		}
	}
	for _, test := range []struct {
		who  *http.Cookie
		want int
	}{{ada, 1}, {ben, 1}, {eve, 0}} {
		for _, path := range []string{"/", "/state"} {
			if n := strings.Count(text(c.do("GET", path, "", cookie(test.who))), "psst"); n != test.want {
				t.Errorf("%s shows the message %d times, want %d", path, n, test.want)
			}
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	c := newChat(t)
	ada := c.login("Ada")
	c.login("Ben")
	for i := range keptMessages + 5 {
		for _, to := range []string{"", "Ben"} {
			c.do("POST", "/messages", fmt.Sprintf(`{"text":"%d","to":%q}`, i, to), asJSON, cookie(ada))
		}
	}
	var st struct{ Messages []message }
	if err := json.NewDecoder(c.do("GET", "/state", "", cookie(ada)).Body).Decode(&st); err != nil {
		t.Fatal(err)
	}
	if len(st.Messages) != 2*keptMessages || !strings.Contains(string(st.Messages[0].Data), `"text":"5"`) {
		t.Errorf("%d messages, the first %s", len(st.Messages), st.Messages[0].Data)
	}
}

// TestSocketSends goes over a real connection: a mistake is answered and the
// connection stays.
func TestSocketSends(t *testing.T) {
	c := newChat(t)
	srv := httptest.NewServer(c.h)
	defer srv.Close()
	ada := c.login("Ada")
	socket, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(srv.URL, "http")+"/ws?categories=chat,typing",
		http.Header{"Cookie": {ada.String()}})
	if err != nil {
		t.Fatal(err, resp)
	}
	defer socket.Close()
	next := func() string {
		_, b, err := socket.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	next() // the opening cursor
	for _, test := range []struct{ send, want string }{
		{`{"text":"hello"}`, `"text":"hello"`},
		{`{"text":"","ref":7}`, `"ref":7`},
		{`hello`, `stream.error`},
		{`{"text":"psst","to":"Nobody"}`, `stream.error`},
		{`{"text":"` + strings.Repeat("x", maxText+1) + `"}`, `4096`},
		{`{"typing":true}`, `typing.user.started`},
		{`{"text":"to myself","to":"Ada"}`, `chat.message.direct`},
	} {
		if err := socket.WriteMessage(websocket.TextMessage, []byte(test.send)); err != nil {
			t.Fatal(err)
		}
		if got := next(); !strings.Contains(got, test.want) {
			t.Errorf("after %.40q: %.200q, want %q", test.send, got, test.want)
		}
	}
}

func quoted(t *testing.T, s string) string {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
