// Package static holds the files that the chat's pages load.
package static

import "embed"

//go:embed *.js *.css *.svg
var Files embed.FS
