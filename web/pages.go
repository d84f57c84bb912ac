package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// pageURLs are the addresses of pages: all of them are one file, which finds out
// which page it is.
var pageURLs = []string{"/", "/desk", "/floor", "/wall", "/manager", "/call", "/sign-in"}

// index is that file.
const index = "index.html"

// hashed is the folder of files whose names change with what is in them.
const hashed = "assets/"

// types are those of the files that pages are made of; no other is served.
var types = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".json": "application/json", ".webmanifest": "application/manifest+json", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
	".png": "image/png", ".ico": "image/x-icon", ".woff2": "font/woff2", ".wav": "audio/wav", ".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".wasm": "application/wasm",
}

// page is a file as it is served.
type page struct {
	kind, tag, cache string
	text, zipped     []byte // zipped: nil where that would not be worth it
}

// pages serves files that do not change while the service runs.
type pages map[string]page

// newPages reads them all: they are few, and are part of the program.
func newPages(files fs.FS) (http.Handler, error) {
	p := pages{}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		kind, known := types[path.Ext(name)]
		if !known {
			return fmt.Errorf("%s is of no type that pages are made of", name)
		}
		p["/"+name] = newPage(name, kind, text)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("web: reading the pages: %w", err)
	}
	if _, there := p["/"+index]; !there {
		return nil, fmt.Errorf("web: the pages have no %s; build them", index)
	}
	return p, nil
}

func newPage(name, kind string, text []byte) page {
	sum := sha256.Sum256(text)
	p := page{kind: kind, tag: `"` + hex.EncodeToString(sum[:12]) + `"`, cache: "no-cache", text: text}
	if strings.HasPrefix(name, hashed) {
		p.cache = "public, max-age=31536000, immutable"
	}
	if worth := len(text) > 1024 && slices.ContainsFunc([]string{"text/", "json", "svg", "wasm"}, func(s string) bool { return strings.Contains(kind, s) }); worth {
		p.zipped = zip(text)
	}
	return p
}

func zip(text []byte) []byte {
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(text)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic("web: memory does not take a page: " + err.Error()) // nothing else can go wrong
	}
	return zipped.Bytes()
}

// ServeHTTP serves a file, the index for a page's address, and the index with
// 404 for a person who has mistyped one.
func (p pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refuse(w, wrongMethod(r.Method, map[string]route{http.MethodGet: {}}))
		return
	}
	file, there := p[r.URL.Path]
	status := http.StatusOK
	if !there {
		if !slices.Contains(pageURLs, r.URL.Path) {
			status = http.StatusNotFound
		}
		if status != http.StatusOK && !strings.Contains(r.Header.Get("Accept"), "text/html") {
			refuse(w, problem(http.StatusNotFound, "no-resource", "there is nothing at %s", r.URL.Path))
			return
		}
		file = p["/"+index]
	}
	file.serve(w, r, status)
}

func (f page) serve(w http.ResponseWriter, r *http.Request, status int) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", f.cache)
	h.Set("Vary", "Accept-Encoding")
	text, tag := f.text, f.tag
	if f.zipped != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		text, tag = f.zipped, strings.TrimSuffix(f.tag, `"`)+`-gzip"`
	}
	if status != http.StatusOK {
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = w.Write(text) // the asker has gone: nobody to tell
		return
	}
	h.Set("ETag", tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}
