package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	gorilla "github.com/gorilla/websocket"
)

// firefoxBrowser drives Firefox over WebDriver BiDi, which it speaks itself.
type firefoxBrowser struct {
	conn *gorilla.Conn
	stop func()

	mu      sync.Mutex
	next    int
	waiting map[int]chan bidiAnswer
	err     error
}

type bidiAnswer struct {
	ID      int             `json:"id"`
	Result  json.RawMessage `json:"result"`
	Error   string          `json:"error"`
	Message string          `json:"message"`
}

// firefoxPrefs keep the browser from calling anyone.
const firefoxPrefs = `
user_pref("network.proxy.type", 0);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("app.update.disabledForTesting", true);
user_pref("extensions.update.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.dns.disablePrefetch", true);
user_pref("services.settings.server", "data:,");
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("dom.min_background_timeout_value", 4);
`

var bidiListens = regexp.MustCompile(`WebDriver BiDi listening on (ws://\S+)`)

func startFirefox(dir string) (browser, error) {
	if err := os.WriteFile(filepath.Join(dir, "user.js"), []byte(firefoxPrefs), 0o644); err != nil {
		return nil, err
	}
	output := &tail{}
	stop, err := launch(output, "firefox-esr", "--headless", "--no-remote", "--profile", dir, "--remote-debugging-port", "0", "about:blank")
	if err != nil {
		return nil, err
	}
	var address string
	if !until(context.Background(), 60*time.Second, func() bool {
		if m := bidiListens.FindStringSubmatch(output.String()); m != nil {
			address = m[1]
		}
		return address != ""
	}) {
		stop()
		return nil, fmt.Errorf("does not start: %s", output)
	}
	conn, _, err := gorilla.DefaultDialer.Dial(address+"/session", nil)
	if err != nil {
		stop()
		return nil, err
	}
	b := &firefoxBrowser{conn: conn, stop: stop, waiting: map[int]chan bidiAnswer{}}
	go b.read()
	if err := b.ask("session.new", map[string]any{"capabilities": map[string]any{}}, nil); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *firefoxBrowser) read() {
	for {
		var a bidiAnswer
		err := b.conn.ReadJSON(&a)
		b.mu.Lock()
		if err != nil {
			b.err = err
			for _, c := range b.waiting {
				close(c)
			}
			clear(b.waiting)
			b.mu.Unlock()
			return
		}
		if c := b.waiting[a.ID]; c != nil {
			c <- a
			delete(b.waiting, a.ID)
		}
		b.mu.Unlock()
	}
}

func (b *firefoxBrowser) ask(method string, params, answer any) error {
	c := make(chan bidiAnswer, 1)
	b.mu.Lock()
	err := b.err
	if err == nil {
		b.next++
		b.waiting[b.next] = c
		err = b.conn.WriteJSON(map[string]any{"id": b.next, "method": method, "params": params})
	}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case a := <-c:
		switch {
		case a.Error != "" || a.ID == 0:
			return fmt.Errorf("%s: %s %s", method, a.Error, a.Message)
		case answer == nil:
			return nil
		}
		return json.Unmarshal(a.Result, answer)
	case <-time.After(time.Minute):
		return fmt.Errorf("%s: no answer", method)
	}
}

func (b *firefoxBrowser) open(address string) (func(), error) {
	var tab struct {
		Context string `json:"context"`
	}
	if err := b.ask("browsingContext.create", map[string]any{"type": "tab", "background": true}, &tab); err != nil {
		return nil, err
	}
	closeTab := func() { b.ask("browsingContext.close", map[string]any{"context": tab.Context}, nil) }
	if err := b.ask("browsingContext.navigate", map[string]any{"context": tab.Context, "url": address, "wait": "none"}, nil); err != nil {
		closeTab()
		return nil, err
	}
	return closeTab, nil
}

func (b *firefoxBrowser) close() {
	b.conn.Close()
	b.stop()
}
