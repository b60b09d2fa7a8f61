// Package page holds the templates of the chat's pages.
package page

import "embed"

//go:embed *.html
var Files embed.FS
