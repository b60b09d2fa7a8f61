package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// webkitBrowser drives WebKitGTK's MiniBrowser over WebDriver, on a display
// that nobody sees.
type webkitBrowser struct {
	session string // its URL
	first   string // the window that stays open, from which others are opened
	stop    func()
	mu      sync.Mutex // a session has one current window
}

func startWebKit(dir string) (browser, error) {
	browsers, _ := filepath.Glob("/usr/lib/*/webkit2gtk-4*/MiniBrowser")
	if len(browsers) == 0 {
		return nil, missing{"MiniBrowser", "Debian's package webkit2gtk-driver"}
	}
	number := filepath.Join(dir, "display")
	file, err := os.Create(number)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var output tail
	stopDisplay, err := launch(&output, "bash", "-c", `exec Xvfb -displayfd 3 -screen 0 800x600x24 -nolisten tcp 3>"$0"`, number)
	if err != nil {
		return nil, err
	}
	var display string
	until(context.Background(), 20*time.Second, func() bool {
		b, err := os.ReadFile(number)
		display = ":" + string(bytes.TrimSpace(b))
		return err == nil && len(display) > 1
	})
	address, err := freeAddress()
	if err != nil {
		stopDisplay()
		return nil, err
	}
	_, port, _ := net.SplitHostPort(address)
	stopDriver, err := launch(&output, "env", "DISPLAY="+display, "HOME="+dir, "GDK_BACKEND=x11", "GTK_A11Y=none", "NO_AT_BRIDGE=1",
		"LIBGL_ALWAYS_SOFTWARE=1", "WEBKIT_DISABLE_COMPOSITING_MODE=1", "WebKitWebDriver", "--host=127.0.0.1", "--port="+port)
	if err != nil {
		stopDisplay()
		return nil, err
	}
	b := &webkitBrowser{stop: func() { stopDriver(); stopDisplay() }}
	until(context.Background(), 20*time.Second, func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	var answer struct{ SessionID string }
	b.session = "http://" + address + "/session"
	err = b.ask("POST", "", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"webkitgtk:browserOptions": map[string]any{"binary": browsers[len(browsers)-1], "args": []string{"--automation"}},
	}}}, &answer)
	if err != nil {
		b.stop()
		return nil, fmt.Errorf("%w: %s", err, &output)
	}
	b.session += "/" + answer.SessionID
	if err := b.ask("GET", "/window", nil, &b.first); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *webkitBrowser) ask(method, path string, body, value any) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var text []byte
	if method == "POST" {
		text = []byte("{}")
	}
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, b.session+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(string(answer))
	}
	if value == nil {
		return nil
	}
	return json.Unmarshal(answer, &struct{ Value any }{value})
}

func (b *webkitBrowser) open(address string) (func(), error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var window struct{ Handle string }
	err := b.ask("POST", "/window/new", map[string]any{"type": "window"}, &window)
	if err == nil {
		err = b.switchTo(window.Handle)
	}
	if err == nil {
		err = b.ask("POST", "/url", map[string]any{"url": address}, nil)
	}
	b.switchTo(b.first)
	if err != nil {
		return nil, err
	}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.switchTo(window.Handle) == nil {
			b.ask("DELETE", "/window", nil, nil)
		}
		b.switchTo(b.first)
	}, nil
}

func (b *webkitBrowser) switchTo(handle string) error {
	return b.ask("POST", "/window", map[string]any{"handle": handle}, nil)
}

func (b *webkitBrowser) close() {
	b.ask("DELETE", "", nil, nil)
	b.stop()
}
