package chat

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestSessionCookie(t *testing.T) {
	c := newChat(t)
	good := c.login("Ada")
	payload, sig, _ := strings.Cut(good.Value, ".")
	eve, err := json.Marshal(session{ID: "x", Name: "Eve", Expires: time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	other, err := signer{[]byte("another key")}.sign(session{ID: "x", Name: "Ada", Expires: time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"none":            "",
		"no signature":    payload,
		"empty signature": payload + ".",
		"other payload":   base64.RawURLEncoding.EncodeToString(eve) + "." + sig,
		"cut":             good.Value[:len(good.Value)-4],
		"other key":       other,
		"garbage":         "....",
		"long":            strings.Repeat("a", 3000) + "." + sig,
	} {
		bad := &http.Cookie{Name: cookieName, Value: value}
		for _, request := range [][2]string{{"GET", "/state"}, {"GET", "/events"}, {"POST", "/messages"}, {"POST", "/typing"}} {
			resp := c.do(request[0], request[1], `{"text":"hi"}`, asJSON, cookie(bad))
			if problemIn(t, resp); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s, %s: %s", name, request[1], resp.Status)
			}
		}
		if page := text(c.do("GET", "/", "", cookie(bad))); !strings.Contains(page, "Who are you?") {
			t.Errorf("%s: not asked for a name", name)
		}
	}
	if resp := c.do("GET", "/state", "", cookie(good)); resp.StatusCode != http.StatusOK {
		t.Errorf("the good one: %s", resp.Status)
	}
}

func TestWebSocketNeedsSession(t *testing.T) {
	resp := newChat(t).do("GET", "/ws", "", header("Connection", "Upgrade"), header("Upgrade", "websocket"),
		header("Sec-WebSocket-Version", "13"), header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="))
	if problemIn(t, resp); resp.StatusCode != http.StatusUnauthorized {
		t.Error(resp.Status)
	}
}

func TestSessionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChat(t)
		ada := c.login("Ada")
		stream := c.listen(ada)
		time.Sleep(sessionTime + time.Second)
		if got := heard(t, stream); len(got) == 0 || !strings.Contains(got[len(got)-1], "expired") {
			t.Errorf("the stream got %q", got)
		}
		if resp := c.do("GET", "/state", "", cookie(ada)); resp.StatusCode != http.StatusUnauthorized {
			t.Error(resp.Status)
		}
		stream.Close()
	})
}

// A program that was restarted with the same key file knows everyone, also as
// a recipient, as soon as they are back.
func TestRestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "key")
	load := func() []byte {
		key, err := loadKey(file)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	ada := newChatWithKey(t, load()).login("Ada")
	c := newChatWithKey(t, load())
	if resp := c.do("POST", "/messages", `{"text":"hi"}`, asJSON, cookie(ada)); resp.StatusCode != http.StatusAccepted {
		t.Fatal(resp.Status)
	}
	ben := c.login("Ben")
	if resp := c.do("POST", "/messages", `{"text":"hi","to":"ada"}`, asJSON, cookie(ben)); resp.StatusCode != http.StatusAccepted {
		t.Error(resp.Status)
	}
}

func TestKeyFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a", "key")
	keys := make([]string, 8)
	var wg sync.WaitGroup
	for i := range keys { // all at once: one of them makes it, the others find it
		wg.Go(func() {
			key, err := loadKey(file)
			if err != nil {
				t.Error(err)
			}
			keys[i] = string(key)
		})
	}
	wg.Wait()
	for _, key := range keys {
		if key != keys[0] || len(key) != keySize {
			t.Fatalf("keys differ: %x and %x", keys[0], key)
		}
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v; want mode 0600", info.Mode(), err)
	}
	if files, _ := os.ReadDir(filepath.Dir(file)); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
	if err := os.WriteFile(file, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := loadKey(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a short key: %v; want an error that names the file", err)
	}
}

func TestLogout(t *testing.T) {
	c := newChat(t)
	ada := c.login("Ada")
	elsewhere := c.login("Ada") // another browser of hers
	here, there := c.listen(ada), c.listen(elsewhere)
	resp := c.do("POST", "/logout", "", cookie(ada))
	if resp.StatusCode != http.StatusSeeOther || resp.Cookies()[0].Value != "" || !resp.Cookies()[0].Expires.Before(time.Now()) {
		t.Errorf("%s, %v", resp.Status, resp.Cookies())
	}
	if got := heard(t, here); len(got) == 0 || !strings.Contains(got[len(got)-1], "revoked") {
		t.Errorf("the session's own stream got %q", got)
	}
	if got := heard(t, there); strings.Contains(strings.Join(got, "\n"), "revoked") {
		t.Errorf("another session's stream got %q", got)
	}
}

// When a browser enters as somebody else, its other tabs are not silently theirs.
func TestLoginAsSomebodyElse(t *testing.T) {
	c := newChat(t)
	ada := c.login("Ada")
	stream := c.listen(ada)
	c.do("POST", "/login", "name=Ben", asForm, cookie(ada))
	if got := heard(t, stream); !strings.Contains(strings.Join(got, "\n"), "revoked") {
		t.Errorf("the stream got %q", got)
	}
}

func TestCrossOriginPosts(t *testing.T) {
	c := newChat(t)
	ada := c.login("Ada")
	for _, path := range []string{"/login", "/logout", "/messages", "/typing", "/rooms/garden"} {
		for _, foreign := range []func(*http.Request){header("Sec-Fetch-Site", "cross-site"), header("Origin", "https://evil.example")} {
			resp := c.do("POST", path, `{"text":"hi"}`, asJSON, cookie(ada), foreign)
			if problemIn(t, resp); resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %s", path, resp.Status)
			}
		}
	}
	if got := len(c.history.of(mustPerson(t, "Ada").ID, nil)); got != 0 {
		t.Errorf("%d messages were sent", got)
	}
}

func mustPerson(t *testing.T, name string) person {
	t.Helper()
	p, err := newPerson(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
