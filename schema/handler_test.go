package schema_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/schema"
)

func get(h http.Handler, method, path string, header ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHandlerServesEveryFileOfItsList(t *testing.T) {
	c := sampleContract(t)
	mux := http.NewServeMux()
	mux.Handle("GET /api/schema/", c.Handler())
	list := get(mux, "GET", "/api/schema/")
	if list.StatusCode != 200 || list.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("the list: %s, %s", list.Status, list.Header)
	}
	links := regexp.MustCompile(`href="([^"]+)"`).FindAllStringSubmatch(body(t, list), -1)
	if len(links) != 3+17 {
		t.Errorf("%d links, want 3 and one for each of 17 types", len(links))
	}
	types := map[string]string{
		"events.ts":     "text/plain; charset=utf-8",
		"contract.json": "application/json",
		"asyncapi.json": "application/vnd.aai.asyncapi+json;version=3.1.0",
	}
	for _, l := range links {
		path := "/api/schema/" + l[1]
		r := get(mux, "GET", path)
		want := types[l[1]]
		if want == "" {
			want = "application/schema+json"
		}
		if got := r.Header.Get("Content-Type"); r.StatusCode != 200 || got != want {
			t.Errorf("%s: %s, %s", path, r.Status, got)
		}
		tag, text := r.Header.Get("ETag"), body(t, r)
		if r := get(mux, "GET", path, "If-None-Match", tag); tag == "" || r.StatusCode != 304 {
			t.Errorf("%s: %s for its own ETag %s", path, r.Status, tag)
		}
		if r := get(mux, "HEAD", path); r.StatusCode != 200 || r.ContentLength != int64(len(text)) || body(t, r) != "" {
			t.Errorf("%s: HEAD: %s, %d bytes", path, r.Status, r.ContentLength)
		}
	}
	if got := body(t, get(mux, "GET", "/api/schema/events.ts")); got != string(c.TypeScript()) {
		t.Error("events.ts is not the contract's")
	}
	if _, err := schema.Read([]byte(body(t, get(mux, "GET", "/api/schema/contract.json")))); err != nil {
		t.Error(err)
	}
}

func TestHandlerRefuses(t *testing.T) {
	h := sampleContract(t).Handler()
	for _, path := range []string{"/no.such.type.json", "/events", "/named.tree", "/../events.tsx", "/%00.json", "/" + strings.Repeat("x", 1<<16)} {
		if r := get(h, "GET", path); r.StatusCode != 404 {
			t.Errorf("%.50s: %s", path, r.Status)
		}
	}
	if r := get(h, "POST", "/events.ts"); r.StatusCode != 405 || r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %s, Allow: %s", r.Status, r.Header.Get("Allow"))
	}
}

// A type whose file would have the name of another one does not replace it.
func TestHandlerKeepsItsOwnFiles(t *testing.T) {
	var r event.Registry
	event.Define[int](&r, "c", "contract", "A type of this name.")
	c, err := schema.New(&r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := schema.Read([]byte(body(t, get(c.Handler(), "GET", "/contract.json")))); err != nil {
		t.Error(err)
	}
}

func ExampleContract_Handler() {
	contract, err := schema.New(&kinds, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	http.Handle("GET /schema/", contract.Handler())

	w := httptest.NewRecorder()
	http.DefaultServeMux.ServeHTTP(w, httptest.NewRequest("GET", "/schema/order.shipped.json", nil))
	fmt.Println(w.Code, w.Header().Get("Content-Type"))
	// Output: 200 application/schema+json
}
