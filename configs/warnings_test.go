package configs

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWarnings(t *testing.T) {
	const unheard = "web.media: browsers on other machines send their sound to 127.0.0.1:0, which is their own"
	for _, c := range []struct{ text, want string }{
		{"service: {number: \"12345\"}\n", ""},
		{"# nothing\n", "x.yaml:1:1: the file says nothing"},
		{"web: {origin: \"https://desk.example.com\"}\n", "x.yaml:1:1: " + unheard},
		{"web:\n  origin: https://desk.example.com\n  media: 127.0.0.1:0\n", "x.yaml:3:10: " + unheard},
		{"web: {listen: \"0.0.0.0:8080\"}\n", "x.yaml:1:1: " + unheard},
		{"web: {listen: \"0.0.0.0:8080\", media: \"192.0.2.1:7000\"}\n", ""},
		{"web: {listen: \"\", origin: \"https://desk.example.com\"}\n", ""}, // no pages
		{"web: {origin: \"http://localhost:8080\"}\n", ""},
		{"menus: {menus: {lost: {prompt: menu.bill, timeout: 5s, tries: 3, otherwise: {queue: service}}}}\n", "x.yaml:1:17: menus.menus.lost: nothing leads to this menu"},
		{"menus: {start: bill}\n", ""}, // the shipped one that nobody comes to any more is none of theirs
	} {
		cfg, err := read("x.yaml", []byte(c.text), nil)
		if err != nil {
			t.Fatal(err)
		}
		got := cfg.Warnings()
		if c.want == "" {
			if len(got) > 0 {
				t.Errorf("%q: %v, want no warning", c.text, got)
			}
		} else if len(got) != 1 || !strings.HasPrefix(got[0].Error(), c.want) {
			t.Errorf("%q: %v, want one: %s …", c.text, got, c.want)
		}
	}
}

// Files beside hotline.yaml come from the same editors.
func TestFilesBesideAreReadAsTheyAreSaved(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/marked.yaml", "\ufeffzh-CN: {}\n")
	write(t, dir+"/gbk.yaml", "zh-CN: {idle: [\xc7\xeb]}\n")
	for name, want := range map[string]string{"marked.yaml": "zh-CN: {}\n", "gbk.yaml": errNotUTF8.Error()} {
		cfg := Default()
		cfg.Desk.Phrases = dir + "/" + name
		text, err := cfg.Phrases()
		got := string(text)
		if err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if text, err = (texts{os.DirFS(dir)}).ReadFile(name); err != nil {
			text = []byte(err.Error())
		}
		if diff := cmp.Diff(want, string(text)); diff != "" {
			t.Errorf("%s in a folder (-want +got):\n%s", name, diff)
		}
	}
}
