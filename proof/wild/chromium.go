package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// chromiumBrowser drives Chromium through the HTTP part of its DevTools.
type chromiumBrowser struct {
	devtools string
	stop     func()
}

func startChromium(dir string) (browser, error) {
	var output tail
	stop, err := launch(&output, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
		"--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows",
		"--remote-debugging-port=0", "--remote-allow-origins=*", "--user-data-dir="+dir, "about:blank")
	if err != nil {
		return nil, err
	}
	b := &chromiumBrowser{stop: stop}
	if !until(context.Background(), 30*time.Second, func() bool {
		file, err := os.ReadFile(filepath.Join(dir, "DevToolsActivePort"))
		port, rest, _ := strings.Cut(string(file), "\n")
		b.devtools = "http://127.0.0.1:" + port
		return err == nil && rest != ""
	}) {
		stop()
		return nil, fmt.Errorf("does not start: %s", &output)
	}
	return b, nil
}

func (b *chromiumBrowser) ask(method, path string, answer any) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, b.devtools+path, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}

func (b *chromiumBrowser) open(address string) (func(), error) {
	var tab struct{ ID string }
	if err := b.ask("PUT", "/json/new?"+url.QueryEscape(address), &tab); err != nil {
		return nil, err
	}
	return func() { b.ask("GET", "/json/close/"+tab.ID, nil) }, nil
}

func (b *chromiumBrowser) close() { b.stop() }
