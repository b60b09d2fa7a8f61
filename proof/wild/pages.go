package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path"
	"strings"
)

// newPages returns the handler of the pages that browsers load: what is in
// clients/page, bundled with the npm packages that it imports. Without npm
// there are no pages, and no clients that need them.
func newPages() (http.Handler, error) {
	if _, err := os.Stat("clients/node_modules"); err != nil {
		return http.NotFoundHandler(), nil
	}
	dir, err := os.MkdirTemp("", "crier-wild-pages-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	files := map[string][]byte{}
	for _, name := range []string{"app.js", "report.js"} {
		out := path.Join(dir, name)
		cmd := exec.Command("node_modules/.bin/esbuild", "page/"+name, "--bundle", "--format=esm", "--log-level=warning", "--outfile="+out)
		cmd.Dir = "clients"
		if b, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("esbuild: %w\n%s", err, b)
		}
		if files["/"+name], err = os.ReadFile(out); err != nil {
			return nil, err
		}
	}
	plain := http.FileServer(http.Dir("clients/page"))
	libraries := http.StripPrefix("/lib/", http.FileServer(http.Dir("clients/node_modules")))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		switch {
		case files[r.URL.Path] != nil:
			w.Header().Set("Content-Type", "text/javascript")
			w.Write(files[r.URL.Path])
		case strings.HasPrefix(r.URL.Path, "/lib/"):
			libraries.ServeHTTP(w, r)
		default:
			plain.ServeHTTP(w, r)
		}
	}), nil
}
