package configs

import "net/url"

// Warnings is what may be so, and is hardly meant.
func (c *Config) Warnings() Problems {
	r := &rules{src: c.source}
	if len(c.source.positions) == 0 {
		r.problems = append(r.problems, Problem{c.source.file, 1, 1, "", "the file says nothing, so that everything is as shipped"})
	}
	if c.Web.elsewhere() && c.Web.Media.Addr().IsLoopback() {
		r.wrong("web.media", "browsers on other machines send their sound to %s, which is their own, and nobody would hear anybody; use an address of this machine that they reach", c.Web.Media)
	}
	return r.problems
}

// elsewhere says whether pages are for browsers on other machines.
func (w Web) elsewhere() bool {
	if origin, err := url.Parse(w.Origin); w.Origin != "" && err == nil && !isLoopback(origin) {
		return w.On()
	}
	return w.On() && !w.Listen.Addr().IsLoopback()
}
