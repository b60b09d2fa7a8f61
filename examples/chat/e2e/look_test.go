package e2e

import (
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestLook shows the page in its main states, and demands what can be measured.
func TestLook(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	login := newPerson(t, "a newcomer")
	login.open(c.url())
	login.wait("is asked for a name", `document.activeElement?.matches('[data-testid=login-name]')`)
	login.shot("login")

	grace, linus := c.script("Grace"), c.script("Linus")
	grace.listen()
	linus.listen()
	ada := c.enter("Ada")
	ada.do("be on a desktop", chromedp.EmulateViewport(1360, 860))
	ada.wait("sees three online", `document.querySelectorAll('[data-testid=person]').length === 3`)
	ada.shot("desktop-empty")
	grace.post("", "Morning! Is the import still running?")
	linus.post("", "It finished at six. Two accounts had new statements, the rest was up to date.")
	grace.post("", "Lovely.")
	ada.say("I was on the train and my phone lost the line twice.\nNothing is missing, though: it says 14 were replayed.")
	linus.post("", "That is the idea 🙂 https://example.com/a/rather/long/address/that/has/no/place/to/break/in/it?and=parameters&as=well")
	grace.post("Ada", "Lunch?")
	grace.post("", "Then I publish the numbers this afternoon.")
	ada.wait("has all messages", `document.querySelectorAll('[data-testid=message]').length === 6 && document.querySelector('[data-testid=conversation][data-name=Grace]')?.dataset.unread === '1'`)
	typing, err := linus.client.Post(c.url()+"/typing", "application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	typing.Body.Close()
	ada.wait("sees that Linus types", `document.querySelector('[data-testid=typing]').textContent === 'Linus is typing'`)
	ada.shot("desktop-light")
	ada.legible()
	ada.dark(true)
	ada.shot("desktop-dark")
	ada.legible()
	if !eval[bool](ada, `(() => {`+luminance+`return luminance(getComputedStyle(document.querySelector('[data-testid=message-input]')).color) > 0.5; })()`) {
		t.Error("in the dark, the text of the message box is not light")
	}
	login.dark(true)
	login.shot("login-dark")
	ada.click(`[data-testid=plug]`)
	ada.state("cut")
	ada.shot("cut-dark")
	ada.dark(false)
	ada.shot("cut-light")
	ada.online()
	ada.visit("Grace")
	ada.sees("Lunch?")
	ada.shot("direct")

	// A window between a phone and a desktop: the panel is a drawer, the rest stays.
	ada.do("have a smaller window", chromedp.EmulateViewport(1000, 700))
	ada.visit("Lobby")
	ada.fits()
	ada.shot("medium")
}

func TestPhone(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	grace := c.script("Grace")
	grace.listen()
	grace.post("", "Morning! Is the import still running?")

	ada := newPerson(t, "Ada")
	ada.do("be a phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulateTouch))
	ada.open(c.url())
	ada.fits()
	ada.shot("phone-login")
	ada.write(`[data-testid=login-name]`, "Ada")
	ada.tap(`[data-testid=login-submit]`)
	ada.online()
	ada.write(`[data-testid=message-input]`, "It finished at six.")
	ada.tap(`[data-testid=send]`)
	ada.sees("Morning! Is the import still running?", "It finished at six.")
	long := "https://example.com/a/rather/long/address/that/has/no/place/to/break/in/it?and=parameters&as=well"
	grace.post("", long)
	ada.sees("Morning! Is the import still running?", "It finished at six.", long)
	ada.fits()
	for _, part := range []string{"message-input", "send", "status-state", "open-sidebar", "open-panel"} {
		if !eval[bool](ada, `(() => {
			const e = document.querySelector(%s), b = e.getBoundingClientRect();
			const top = document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2);
			return b.width > 0 && b.left >= 0 && b.right <= innerWidth && b.top >= 0 && b.bottom <= innerHeight && (e.contains(top) || top.contains(e));
		})()`, "[data-testid="+part+"]") {
			t.Errorf("on a phone, %s is not there to be seen and touched", part)
		}
	}
	for _, part := range []string{"send", "open-sidebar", "open-panel"} {
		if size := eval[float64](ada, `(() => { const b = document.querySelector(%s).getBoundingClientRect(); return Math.min(b.width, b.height); })()`, "[data-testid="+part+"]"); size < 36 {
			t.Errorf("on a phone, %s is only %v px wide or high", part, size)
		}
	}
	ada.shot("phone-light")
	ada.tap(`[data-testid=open-sidebar]`)
	ada.wait("sees the sidebar", `document.querySelector('[data-testid=person][data-name=Grace]').checkVisibility({visibilityProperty: true})`)
	ada.fits()
	ada.shot("phone-sidebar")
	ada.tap(`[data-testid=person][data-name=Grace]`)
	ada.in("Grace")
	ada.tap(`[data-testid=open-panel]`)
	ada.wait("sees the connection", `document.querySelector('[data-testid=plug]').checkVisibility({visibilityProperty: true})`)
	ada.fits()
	ada.shot("phone-panel")
	ada.tap(`label:has([data-testid=transport-ws])`)
	ada.wait("uses WebSocket", `(({transport, state}) => transport === 'ws' && state === 'open')(document.querySelector('[data-testid=status]').dataset)`)
	ada.tap(`[data-testid=plug]`)
	ada.state("cut")
	ada.tap(`[data-close=panel]`)
	ada.tap(`[data-testid=open-sidebar]`)
	ada.tap(`[data-testid=conversation][data-name=Lobby]`)
	ada.in("Lobby")
	ada.dark(true)
	ada.shot("phone-dark")
	ada.fits()

	// The smallest phone that is still around.
	ada.do("be a small phone", chromedp.EmulateViewport(320, 568, chromedp.EmulateScale(2), chromedp.EmulateMobile, chromedp.EmulateTouch))
	ada.online()
	ada.fits()
	ada.shot("phone-small")
}

// TestMarkup tries to be taken for a part of the page.
func TestMarkup(t *testing.T) {
	t.Parallel()
	c := startChat(t)
	const attack = `<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>`
	b := newPerson(t, "Mallory")
	b.open(c.url())
	b.write(`[data-testid=login-name]`, attack)
	b.click(`[data-testid=login-submit]`)
	b.wait("is told what a name may be", `document.querySelector('[data-testid=login-error]')?.checkVisibility()`)
	if got := eval[string](b, `document.querySelector('[data-testid=login-name]').value`); got != attack {
		t.Errorf("the name was %q, and is offered for correction as %q", attack, got)
	}
	unhurt := func(b *tab) {
		t.Helper()
		if eval[bool](b, `'hurt' in window || Boolean(document.querySelector('img[src="x"]'))`) {
			t.Errorf("markup was taken for markup\n%s", b.describe())
		}
	}
	unhurt(b)
	b.shot("login-refused")

	const name = "O'Brien-Łukasz 3._"
	grace, odd := c.enter("Grace"), c.enter(name)
	odd.say(attack)
	grace.sees(attack)
	grace.use("ws")
	odd.say(`"}` + "`${window.hurt=1}" + `]]>&lt;b&gt;`)
	grace.sees(attack, `"}`+"`${window.hurt=1}"+`]]>&lt;b&gt;`)
	grace.do("load the page anew, with the messages in it", chromedp.Reload())
	grace.online()
	grace.sees(attack, `"}`+"`${window.hurt=1}"+`]]>&lt;b&gt;`)
	unhurt(grace)
	unhurt(odd)
	grace.approach(name)
	grace.say("names with signs in them work")
	odd.visit("Grace")
	odd.sees("names with signs in them work")
}

// dark makes the browser prefer dark colours, or light ones.
func (b *tab) dark(yes bool) {
	b.t.Helper()
	scheme := "light"
	if yes {
		scheme = "dark"
	}
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	b.try("be "+scheme, err)
}

// fits demands that nothing needs to be scrolled sideways.
func (b *tab) fits() {
	b.t.Helper()
	wide := eval[[]string](b, `[document.scrollingElement, ...document.querySelectorAll('main, main *')]
		.filter((e) => e.scrollWidth > e.clientWidth + 1 && (e === document.scrollingElement || ['auto', 'scroll'].includes(getComputedStyle(e).overflowX)))
		.map((e) => e.tagName + '#' + e.id + '.' + e.className + ' ' + e.scrollWidth + ' > ' + e.clientWidth)`)
	if len(wide) > 0 {
		b.t.Errorf("%s has to scroll sideways, in a window %v wide: %q", b.name, eval[int](b, `innerWidth`), wide)
		b.shot(fmt.Sprintf("too-wide-%s", b.name))
	}
}

// luminance is JavaScript that defines rgb and luminance, of a computed colour.
const luminance = `
	const rgb = (color) => color.match(/[0-9.]+/g).map(Number);
	const luminance = (color) => rgb(color).slice(0, 3).reduce((sum, c, i) => {
		c /= 255;
		return sum + [0.2126, 0.7152, 0.0722][i] * (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
	}, 0);
`

// legible demands the contrast between text and background that WCAG's level AA
// asks for: 4.5 to 1.
func (b *tab) legible() {
	b.t.Helper()
	poor := eval[[]string](b, `(() => {`+luminance+`
		const background = (e) => {
			for (; e; e = e.parentElement) {
				const color = getComputedStyle(e).backgroundColor, [, , , alpha = 1] = rgb(color);
				if (alpha === 1) return color;
			}
			return 'rgb(255, 255, 255)';
		};
		const poor = new Set();
		const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
		while (walker.nextNode()) {
			const e = walker.currentNode.parentElement;
			if (!walker.currentNode.data.trim() || !e.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
			const color = getComputedStyle(e).color;
			if (!color.startsWith('rgb') || !background(e).startsWith('rgb')) continue;
			const [low, high] = [luminance(color), luminance(background(e))].sort((x, y) => x - y);
			const ratio = (high + 0.05) / (low + 0.05);
			if (ratio < 4.5) poor.add(ratio.toFixed(1) + ' ' + e.tagName + '.' + e.className + ' ' + color + ' on ' + background(e) + ': ' + walker.currentNode.data.trim().slice(0, 30));
		}
		return [...poor];
	})()`)
	if len(poor) > 0 {
		b.t.Errorf("%s can hardly read this: %q", b.name, poor)
	}
}
