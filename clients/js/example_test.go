package js_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/crier-go/crier/clients/js"
)

func ExampleHandler() {
	mux := http.NewServeMux()
	mux.Handle("GET /crier.js", js.Handler())
	mux.Handle("GET /crier-shared.js", js.Handler()) // if tabs share a connection

	server := httptest.NewServer(mux)
	defer server.Close()
	// A page that is rendered can name the version, and is cached for good.
	for _, path := range []string{"/crier.js", "/crier.js?v=" + js.Version()} {
		answer, err := http.Get(server.URL + path)
		if err != nil {
			fmt.Println(err)
			return
		}
		answer.Body.Close()
		fmt.Println(answer.Status, answer.Header.Get("Content-Type"), answer.Header.Get("Cache-Control"))
	}
	// Output:
	// 200 OK text/javascript; charset=utf-8 no-cache
	// 200 OK text/javascript; charset=utf-8 public, max-age=31536000, immutable
}
