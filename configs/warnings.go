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
	led := c.Menus.led()
	for _, name := range sortedKeys(c.Menus.Menus) {
		path := "menus.menus." + name
		if _, theirs := c.source.positions[path]; theirs && !led[name] {
			r.wrong(path, "nothing leads to this menu, and no caller hears it; give it a key of another menu, or leave it out")
		}
	}
	return r.problems
}

// led are the menus that callers can come to.
func (m Menus) led() map[string]bool {
	led := map[string]bool{}
	for next := []string{m.Start}; len(next) > 0; {
		name := next[0]
		next = next[1:]
		menu, there := m.Menus[name]
		if led[name] || !there {
			continue
		}
		led[name] = true
		next = append(next, menu.Otherwise.Menu)
		for _, action := range menu.Keys {
			next = append(next, action.Menu)
		}
	}
	return led
}

// elsewhere says whether pages are for browsers on other machines.
func (w Web) elsewhere() bool {
	if origin, err := url.Parse(w.Origin); w.Origin != "" && err == nil && !isLoopback(origin) {
		return w.On()
	}
	return w.On() && !w.Listen.Addr().IsLoopback()
}
