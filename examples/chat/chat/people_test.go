package chat

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for _, test := range []struct {
		name string
		want string // display; empty: refused
	}{
		{"Ada", "Ada"},
		{"  Ada  Lovelace ", "Ada Lovelace"},
		{"O'Brien-Smith Jr. 3", "O'Brien-Smith Jr. 3"},
		{"Zoë", "Zoë"},
		{"प्रिया", "प्रिया"},
		{"李小龍", "李小龍"},
		{strings.Repeat("é", maxName), strings.Repeat("é", maxName)},
		{strings.Repeat("é", maxName+1), ""},
		{"", ""},
		{"   ", ""},
		{"...", ""},
		{"Ada\r\nSet-Cookie: x=y", ""},
		{"Ada\n", ""},
		{"Ada\x00", ""},
		{"<b>Ada</b>", ""},
		{"Ada\u202eevil", ""},
		{"Ada\u3164", ""}, // a letter that is drawn as nothing
		{"Ada\u00a0", ""},
		{"Ada\xff", ""},
		{strings.Repeat("a", 10<<10), ""},
	} {
		p, err := newPerson(test.name)
		if p.Name != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%.40q: %+v, %v; want %q", test.name, p, err, test.want)
		}
	}
}

func TestOnePersonHoweverWritten(t *testing.T) {
	first, _ := newPerson("Ada Ωmega")
	for _, name := range []string{"ada ωmega", "ADA ΩMEGA", " Ada  \u2126mega "} { // U+2126 is the ohm sign
		if p, err := newPerson(name); err != nil || p.ID != first.ID {
			t.Errorf("%q: %+v, %v; want the id of %+v", name, p, err, first)
		}
	}
	if other, _ := newPerson("Ada Omega"); other.ID == first.ID {
		t.Error("another name has the same id")
	}
}

func TestBadNameIsAnswered(t *testing.T) {
	c := newChat(t)
	for _, name := range []string{"", "a\r\nb", "a\x00", "<script>alert(1)</script>", strings.Repeat("a", 10<<10), strings.Repeat("a", 100<<10)} {
		form := url.Values{"name": {name}}.Encode()
		resp := c.do("POST", "/login", form, asForm)
		if why := problemIn(t, resp); resp.StatusCode != http.StatusBadRequest || !strings.Contains(why, nameRule) {
			t.Errorf("%.20q: %s, %q", name, resp.Status, why)
		}
		resp = c.do("POST", "/login", form, asForm, header("Accept", "text/html,*/*;q=0.8"))
		page := text(resp)
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(page, `role="alert"`) || strings.Contains(page, "<script>alert") {
			t.Errorf("%.20q as a page: %s\n%s", name, resp.Status, page)
		}
		if len(resp.Cookies()) > 0 {
			t.Errorf("%.20q: got a cookie", name)
		}
	}
}

func TestLoginForms(t *testing.T) {
	c := newChat(t)
	const body = "--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nAda\r\n--x--\r\n" // curl -F
	if resp := c.do("POST", "/login", body, header("Content-Type", "multipart/form-data; boundary=x")); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("a multipart form: %s, %s", resp.Status, text(resp))
	}
	got := c.login("Ada")
	if !got.HttpOnly || got.SameSite != http.SameSiteLaxMode || got.Path != "/" || got.Secure {
		t.Errorf("cookie %+v", got)
	}
}
