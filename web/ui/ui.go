// Package ui has the pages: the desk, the floor, the wall, the duty manager's, and the one that customers call from. It
// owns their files as scripts/ui builds them, so that the program needs nothing beside it and `go build` no Node. It must
// not know who serves them, nor under which headers.
package ui

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files are the pages' files: index.html, which every page's address leads to, embed.js, icon.svg, and assets/, whose names change with
// what is in them.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic("ui: dist is embedded above: " + err.Error())
	}
	return files
}
