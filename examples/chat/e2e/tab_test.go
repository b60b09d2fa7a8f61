package e2e

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long something may take that happens by itself at once. It is
// long since nothing waits for it to pass; only a failure does.
const patience = 20 * time.Second

// tap is put into every page before the page's own scripts: see there.
//
//go:embed tap.js
var tap string

// A tab is one page in the browser, with the cookies of whom it belongs to.
type tab struct {
	t    *testing.T
	name string
	ctx  context.Context

	expected string // a trouble that the test makes on purpose has this in it

	mu       sync.Mutex
	troubles []string // uncaught exceptions, and what the content security policy blocked
}

// newPerson opens a tab that shares nothing with those of others.
func newPerson(t *testing.T, name string) *tab {
	t.Helper()
	return newTab(t, name, browser(t), chromedp.WithNewBrowserContext())
}

// another opens one more tab of the same person.
func (b *tab) another(name string) *tab {
	b.t.Helper()
	return newTab(b.t, name, b.ctx)
}

func newTab(t *testing.T, name string, parent context.Context, opts ...chromedp.ContextOption) *tab {
	t.Helper()
	b := &tab{t: t, name: name}
	var cancel context.CancelFunc
	b.ctx, cancel = chromedp.NewContext(parent, opts...)
	t.Cleanup(cancel)
	b.try("open a tab", chromedp.Do(b.ctx))
	_, err := chromedp.Call(b.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: tap})
	b.try("prepare a tab", err)
	b.try("listen to a tab", chromedp.Listen(b.ctx, b.notice))
	t.Cleanup(func() {
		b.mu.Lock()
		troubles := b.troubles
		b.mu.Unlock()
		for _, s := range troubles {
			if b.expected == "" || !strings.Contains(s, b.expected) {
				t.Errorf("%s's page: %s", name, s)
			}
		}
		if t.Failed() {
			b.shot("failed-" + t.Name() + "-" + name)
		}
	})
	return b
}

func (b *tab) notice(event any) {
	trouble := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		trouble = (&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error()
	case *log.EventEntryAdded:
		// Network errors are expected: lines break here.
		if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
			trouble = e.Entry.Text
		}
	}
	if trouble != "" {
		b.mu.Lock()
		b.troubles = append(b.troubles, trouble)
		b.mu.Unlock()
	}
}

// try ends the test if what the tab was to do has failed.
func (b *tab) try(what string, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatalf("%s: cannot %s: %v", b.name, what, err)
	}
}

func (b *tab) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	b.try(what, chromedp.Do(ctx, actions...))
}

func (b *tab) open(url string) { b.t.Helper(); b.do("open "+url, chromedp.Navigate(url)) }

// click clicks with the mouse on an element, as soon as it can be hit.
func (b *tab) click(selector string) {
	b.t.Helper()
	x, y := b.find(selector)
	b.do("click "+selector, chromedp.MouseClickXY(x, y))
}

// tap touches an element with a finger.
func (b *tab) tap(selector string) {
	b.t.Helper()
	x, y := b.find(selector)
	b.do("tap "+selector, chromedp.TapXY(x, y))
}

// find waits until an element is in view, uncovered and no longer moving, and
// returns where its middle is. (chromedp's own way to find elements follows
// every change of the document, and there are many here.)
func (b *tab) find(selector string) (x, y float64) {
	b.t.Helper()
	b.wait("can hit "+selector, `((selector) => {
		const e = document.querySelector(selector);
		e?.scrollIntoView({block: 'nearest'});
		const box = e?.getBoundingClientRect();
		const here = box?.width > 0 && !e.disabled && e.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2));
		const at = here ? JSON.stringify(box) : '';
		const still = at && at === window.foundAt;
		window.foundAt = at;
		return still;
	})(%s)`, selector)
	at := eval[[]float64](b, `(({x, y, width, height}) => [x + width / 2, y + height / 2])(JSON.parse(foundAt))`)
	return at[0], at[1]
}

// write puts text into an element, all at once, as an input method does.
func (b *tab) write(selector, text string) {
	b.t.Helper()
	b.wait("can write into "+selector, `((e) => { e?.focus(); return e && document.activeElement === e; })(document.querySelector(%s))`, selector)
	_, err := chromedp.Call(b.ctx, input.InsertText, input.InsertTextParams{Text: text})
	b.try("write", err)
}

// enterKey presses the Enter key. (chromedp's own would send the character
// even if the page has prevented that.)
func (b *tab) enterKey() {
	b.t.Helper()
	for _, event := range []input.DispatchKeyEventParams{
		{Type: input.DispatchKeyEventTypeKeyDown, Text: "\r"},
		{Type: input.DispatchKeyEventTypeKeyUp},
	} {
		event.Key, event.Code, event.WindowsVirtualKeyCode, event.NativeVirtualKeyCode = "Enter", "Enter", 13, 13
		_, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, event)
		b.try("press Enter", err)
	}
}

// eval evaluates an expression in the page. Each %s in it stands for one of
// args, as a JavaScript literal.
func eval[T any](b *tab, expression string, args ...any) T {
	b.t.Helper()
	v, err := tryEval[T](b, format(expression, args))
	b.try("evaluate "+expression, err)
	return v
}

func tryEval[T any](b *tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

func format(expression string, args []any) string {
	if len(args) == 0 {
		return expression
	}
	literals := make([]any, len(args))
	for i, arg := range args {
		b, err := json.Marshal(arg) // is JavaScript, too
		if err != nil {
			panic(err)
		}
		literals[i] = string(b)
	}
	return fmt.Sprintf(expression, literals...)
}

// wait waits until an expression is true in the page. (Not with chromedp.Poll,
// which makes a function from a string: the chat's content security policy
// forbids that.)
func (b *tab) wait(what, expression string, args ...any) {
	b.t.Helper()
	b.waitFor(patience, what, expression, args...)
}

func (b *tab) waitFor(longest time.Duration, what, expression string, args ...any) {
	b.t.Helper()
	expression = "Boolean(" + format(expression, args) + ")"
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		// An error is none yet: the page may just be loading.
		ok, err := tryEval[bool](b, expression)
		if ok {
			return
		}
		if time.Since(began) > longest || errors.Is(err, context.Canceled) {
			b.t.Fatalf("%s: %s: still not so after %v (%v)\n%s", b.name, what, longest, err, b.describe())
		}
	}
}

// describe says what the page shows, for messages of failure.
func (b *tab) describe() string {
	s, err := tryEval[string](b, `JSON.stringify({
		url: location.href,
		status: {...document.querySelector('#status')?.dataset},
		text: document.body.innerText.slice(0, 1500),
		last: (window.heard ?? []).slice(-12),
	}, null, ' ')`)
	if err != nil {
		return fmt.Sprintf("(and the page cannot be asked: %v)", err)
	}
	return s
}

// shot writes a screenshot, once whatever moves has come to rest, but for what
// moves for ever.
func (b *tab) shot(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`(async () => {
		const ends = (a) => a.effect?.getComputedTiming().endTime !== Infinity;
		const rest = Promise.allSettled(document.getAnimations().filter(ends).map((a) => a.finished));
		await Promise.race([rest, new Promise((late) => setTimeout(late, 2000))]);
		return true;
	})()`, chromedp.EvalAwaitPromise))
	var png []byte
	if err == nil {
		png, err = chromedp.Run(ctx, chromedp.CaptureScreenshot())
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(shots, strings.NewReplacer("/", "-", " ", "-").Replace(name)+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Errorf("%s: no screenshot %s: %v", b.name, name, err)
	}
}
