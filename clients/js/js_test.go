package js_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/crier-go/crier/clients/js"
)

// get asks for a path and returns the answer and its body, uncompressed.
func get(t *testing.T, method, target string, header ...string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	js.Handler().ServeHTTP(w, r)
	answer := w.Result()
	body := io.Reader(answer.Body)
	if answer.Header.Get("Content-Encoding") == "gzip" && answer.StatusCode == http.StatusOK && method == http.MethodGet {
		z, err := gzip.NewReader(body)
		if err != nil {
			t.Fatal(err)
		}
		body = z
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(b)
}

func TestFiles(t *testing.T) {
	for name, contentType := range map[string]string{
		"crier.js":            "text/javascript; charset=utf-8",
		"crier.js.map":        "application/json",
		"crier-shared.js":     "text/javascript; charset=utf-8",
		"crier-shared.js.map": "application/json",
	} {
		want, err := os.ReadFile("dist/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for encoding, zipped := range map[string]bool{
			"":                  false,
			"identity":          false,
			"gzip, deflate, br": true,
			"br, GZIP;q=0.5":    true,
			"gzip;q=0":          false,
			"gzip; q=0.000":     false,
		} {
			answer, body := get(t, "GET", "/deep/down/"+name, "Accept-Encoding", encoding)
			if answer.StatusCode != http.StatusOK || body != string(want) {
				t.Errorf("%s with Accept-Encoding %q: %s, %d bytes", name, encoding, answer.Status, len(body))
			}
			if got := answer.Header.Get("Content-Type"); got != contentType {
				t.Errorf("%s has the media type %q, want %q", name, got, contentType)
			}
			if got := answer.Header.Get("Content-Encoding") == "gzip"; got != zipped {
				t.Errorf("%s with Accept-Encoding %q: compressed %v", name, encoding, got)
			}
			if got := answer.Header.Get("Vary"); got != "Accept-Encoding" {
				t.Errorf("%s has Vary %q", name, got)
			}
		}
	}
}

func TestCaching(t *testing.T) {
	const forever, ask = "public, max-age=31536000, immutable", "no-cache"
	v := js.Version()
	for target, want := range map[string]string{
		"/crier.js":                    ask,
		"/crier.js?v=" + v:             forever,
		"/crier.js?v=0123456789":       ask,
		"/static/" + v + "/crier.js":   forever,
		"/" + v + "/x/crier-shared.js": ask,
	} {
		answer, _ := get(t, "GET", target)
		if got := answer.Header.Get("Cache-Control"); got != want {
			t.Errorf("%s has Cache-Control %q, want %q", target, got, want)
		}
		etag := answer.Header.Get("ETag")
		again, body := get(t, "GET", target, "If-None-Match", etag)
		if again.StatusCode != http.StatusNotModified || body != "" {
			t.Errorf("%s again, with the ETag %s: %s", target, etag, again.Status)
		}
	}
	plain, _ := get(t, "GET", "/crier.js")
	zipped, _ := get(t, "GET", "/crier.js", "Accept-Encoding", "gzip")
	if plain.Header.Get("ETag") == zipped.Header.Get("ETag") {
		t.Error("the compressed file has the ETag of the plain one")
	}
}

func TestRefused(t *testing.T) {
	for _, x := range []struct {
		method, target string
		status         int
	}{
		{"GET", "/", http.StatusNotFound},
		{"GET", "/crier.ts", http.StatusNotFound},
		{"GET", "/crier-react.js", http.StatusNotFound}, // imports react by its bare name
		{"POST", "/crier.js", http.StatusMethodNotAllowed},
		{"HEAD", "/crier.js", http.StatusOK},
	} {
		if answer, _ := get(t, x.method, x.target); answer.StatusCode != x.status {
			t.Errorf("%s %s is answered %s, want %d", x.method, x.target, answer.Status, x.status)
		}
	}
}
