package debug_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/crier-go/crier/debug"
	"github.com/crier-go/crier/event"
	"github.com/crier-go/crier/hub"
)

// The page is for operators: everyone else gets a 404.
func ExampleNewHandler() {
	h := hub.New(new(event.Registry), nil)
	page := debug.NewHandler(h, func(r *http.Request) error {
		if _, password, _ := r.BasicAuth(); password != "s3cret" { // your own check
			return errors.New("not an operator")
		}
		return nil
	})
	defer page.Close()
	mux := http.NewServeMux()
	mux.Handle("/debug/crier/", page)

	for _, password := range []string{"guess", "s3cret"} {
		r := httptest.NewRequest("GET", "/debug/crier/?format=json", nil)
		r.SetBasicAuth("op", password)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 404
	// 200
}
