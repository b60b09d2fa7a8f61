package sse_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/crier-go/crier/transport/internal/fixture"
	"github.com/crier-go/crier/transport/sse"
)

// Every request gets a stream, or a refusal in JSON, and only existing
// categories are accepted.
func FuzzRequest(f *testing.F) {
	f.Add("categories=notes,alerts", "text/event-stream", "", "")
	f.Add("categories=notes&categories=x", "*/*;q=0, text/*", "garbage", "null")
	f.Add("categories=%00,&last_event_id=%ff", ";;q=,", "00000000-0000-8000-8000-000000000000", "https://app.example.com")
	f.Add("lastEventId=%zz;categories", "text/html", "\x80", "https://%zz")
	fx := fixture.New(f, nil)
	handler := sse.NewHandler(fx.Hub, fx.Auth, nil)
	f.Fuzz(func(t *testing.T, query, accept, lastID, origin string) {
		r := fixture.Request("/", "Accept", accept, "Last-Event-ID", lastID, "Origin", origin)
		r.Method = http.MethodHead // all that comes before the stream
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		switch w.Code {
		case http.StatusOK:
			for _, c := range r.URL.Query()["categories"] {
				for name := range strings.SplitSeq(c, ",") {
					if name = strings.TrimSpace(name); name != "notes" && name != "alerts" {
						t.Errorf("category %q was let pass", name)
					}
				}
			}
			if lower := strings.ToLower(accept); strings.TrimSpace(accept) != "" && !strings.Contains(lower, "*/*") && !strings.Contains(lower, "text/") {
				t.Errorf("Accept: %q was let pass", accept)
			}
		case http.StatusBadRequest, http.StatusForbidden, http.StatusNotAcceptable:
			var body struct{ Error string }
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Error == "" {
				t.Errorf("%d with the body %q", w.Code, w.Body)
			}
		default:
			t.Errorf("got %d", w.Code)
		}
	})
}
