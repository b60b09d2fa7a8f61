// Package js serves Crier's JavaScript client to pages that have no build step:
//
//	http.Handle("GET /crier.js", js.Handler())
//
// A page then imports it from there:
//
//	<script type="module">
//	  import { connect } from "/crier.js";
//	  const stream = connect("/events");
//	  stream.on("chat.message.posted", (e) => show(e.id, e.data));
//	</script>
//
// The files are those of the npm package crier, built from src and embedded. An
// application with a build step takes the npm package, which also has the types
// and the React hooks.
package js

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:embed dist/crier.js dist/crier.js.map dist/crier-shared.js dist/crier-shared.js.map
var dist embed.FS

// A file is one of the embedded files, ready to be served.
type file struct {
	contentType string
	plain       []byte
	zipped      []byte
	etag        string // without quotes
}

// files returns the embedded files by name, and the version of them all.
var files = sync.OnceValues(func() (map[string]file, string) {
	entries, err := dist.ReadDir("dist")
	if err != nil { // they are compiled in
		panic(err)
	}
	all := map[string]file{}
	var sums []byte
	for _, e := range entries {
		b, err := dist.ReadFile("dist/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(b)
		sums = append(sums, sum[:]...)
		f := file{contentType: "text/javascript; charset=utf-8", plain: b, zipped: zip(b), etag: short(sum)}
		if path.Ext(e.Name()) == ".map" {
			f.contentType = "application/json"
		}
		all[e.Name()] = f
	}
	return all, short(sha256.Sum256(sums))
})

func short(sum [sha256.Size]byte) string { return hex.EncodeToString(sum[:8]) }

func zip(b []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil { // a buffer takes everything
		panic(err)
	}
	return out.Bytes()
}

// Version returns a hash of the files, as 16 hexadecimal digits. It changes
// whenever one of them does.
func Version() string {
	_, version := files()
	return version
}

// Handler returns a handler that serves crier.js (the client) and
// crier-shared.js (one connection for all tabs, which imports crier.js from the
// same directory), each with its source map. The last element of the request's
// path chooses the file; for other names the answer is 404.
//
// A request that names [Version], in the query as v or as the element of the
// path before the file, may be cached for a year and is never revalidated:
//
//	/crier.js?v=0123456789abcdef
//	/static/0123456789abcdef/crier-shared.js
//
// Every other request is revalidated with an ETag, so that a page never runs an
// older client than its server has. Files are compressed with gzip for clients
// that accept it.
func Handler() http.Handler {
	return http.HandlerFunc(serve)
}

func serve(w http.ResponseWriter, r *http.Request) {
	all, version := files()
	dir, name := path.Split(r.URL.Path)
	f, ok := all[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "a file is read with GET", http.StatusMethodNotAllowed)
		return
	}
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == version || path.Base(dir) == version {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("Content-Type", f.contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept-Encoding")
	content, etag := f.plain, f.etag
	if acceptsGzip(r) {
		content, etag = f.zipped, f.etag+"-gzip"
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", `"`+etag+`"`)
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
}

// acceptsGzip reports whether a client names gzip and does not exclude it with
// q=0 (RFC 9110, section 12.5.3).
func acceptsGzip(r *http.Request) bool {
	codings := strings.Split(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",")
	return slices.ContainsFunc(codings, func(coding string) bool {
		name, weight, _ := strings.Cut(coding, ";")
		_, q, weighted := strings.Cut(weight, "=")
		excluded := weighted && strings.Trim(q, " 0.") == ""
		return strings.EqualFold(strings.TrimSpace(name), "gzip") && !excluded
	})
}
