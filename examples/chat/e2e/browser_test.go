package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// All tests share one browser. It starts when it is first needed.
var shared struct {
	once    sync.Once
	program string
	ctx     context.Context
	err     error
	none    string // why there is no browser
}

// browser returns the context of the shared browser.
func browser(t *testing.T) context.Context {
	t.Helper()
	shared.once.Do(startBrowser)
	if shared.none != "" {
		missing(t, "%s", shared.none)
	}
	if shared.err != nil {
		t.Fatalf("the browser does not start: %v", shared.err)
	}
	return shared.ctx
}

func startBrowser() {
	program := *chromium
	if program == "" {
		for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
			if found, err := exec.LookPath(name); err == nil {
				program = found
				break
			}
		}
	}
	if program == "" {
		shared.none = "there is no Chromium: install it (Debian: apt install chromium), or say where it is with -chromium"
		return
	}
	shared.program = program
	shared.ctx, shared.err = launch(program, profile())
}

// launch starts a browser with its profile in dir. It ends with its context.
func launch(program, dir string) (context.Context, error) {
	alloc, _ := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(program),
		chromedp.UserDataDir(dir),
		chromedp.Headless,
		chromedp.NoSandbox, // works as root, as in a container
		chromedp.NoFirstRun,
		chromedp.DisableGPU,
		chromedp.WindowSize(1360, 860),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		// The popups of the address bar: two pages in processes of their own for
		// each window, which took a third of the processor time of these tests.
		chromedp.Flag("disable-features", "WebUIOmniboxPopup,WebUIOmniboxAimPopup"),
		chromedp.Flag("disable-breakpad", true),
		chromedp.Flag("disable-dev-shm-usage", true), // small in containers
		// Every tab is somebody's, and that person looks at it.
		chromedp.Flag("disable-background-timer-throttling", true),
		chromedp.Flag("disable-backgrounding-occluded-windows", true),
		chromedp.Flag("disable-renderer-backgrounding", true),
		chromedp.IgnoreCertErrors, // for HTTP/2, which browsers only speak over TLS
	)
	// A browser that is newer than chromedp sends what chromedp does not know.
	ctx, _ := chromedp.NewContext(alloc, chromedp.WithErrorf(func(string, ...any) {}))
	return ctx, chromedp.Do(ctx) // starts it
}

func profile() string { return filepath.Join(tempDir, "profile") }

// closeBrowser ends the browser that all tests share, if it has started.
func closeBrowser() error {
	if shared.ctx == nil || shared.err != nil {
		return nil
	}
	return end(shared.ctx, profile())
}

// end ends a browser, and fails if any of its processes stays.
func end(browser context.Context, profile string) error {
	ctx, cancel := context.WithTimeout(browser, 10*time.Second)
	defer cancel()
	if err := chromedp.Cancel(ctx); err != nil {
		return fmt.Errorf("closing the browser: %w", err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		left := processesOf(profile)
		if len(left) == 0 {
			return nil
		}
		if time.Since(began) < 5*time.Second {
			continue
		}
		for _, p := range left {
			_ = p.Kill() // it may have gone by itself
		}
		return fmt.Errorf("%d processes of the browser were left over", len(left))
	}
}

// processesOf finds the processes that have dir in their command line, as all
// of a browser's have its profile. Where there is no /proc it finds none.
func processesOf(dir string) []*os.Process {
	var found []*os.Process
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range lines {
		line, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(line, []byte(dir)) {
			continue
		}
		var pid int
		fmt.Sscanf(file, "/proc/%d/", &pid)
		if p, err := os.FindProcess(pid); err == nil {
			found = append(found, p)
		}
	}
	return found
}
