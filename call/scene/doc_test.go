package scene

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/scenes.md's tables anew")

const (
	doc   = "../../docs/scenes.md"
	begin = "<!-- from the code: go test ./call/scene -update -->\n"
	end   = "<!-- … up to here -->\n"
)

// The tables in docs/scenes.md are those of the code.
func TestDocumentation(t *testing.T) {
	data, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(data), begin)
	told, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the tables, between %q and %q", doc, begin, end)
	}
	want := tables()
	if told == want {
		return
	}
	if !*update {
		t.Fatalf("%s is not what the code says; write it anew with: go test ./call/scene -update", doc)
	}
	if err := os.WriteFile(doc, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func tables() string {
	var b strings.Builder
	b.WriteString("\n| Scene | In the bridge | The caller hears | Rings | The agent's state | |\n|---|---|---|---|---|---|\n")
	for _, r := range rows {
		hears := "talk"
		switch {
		case r.End:
			hears = "—"
		case r.Tone:
			hears = "tone and apologies"
		}
		rings := ""
		if r.Rings {
			rings = string(Third)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", r.Name, orNone(joined(r.Bridge)), hears, orNone(rings), orNone(r.Agent), r.Means)
	}
	b.WriteString("\n| In | Step | To | The third has the call |\n|---|---|---|---|\n")
	for _, m := range moves {
		over := ""
		if m.HandOver {
			over = "from then on"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", joined(m.In), m.On, m.To, over)
	}
	b.WriteString("\n| Scene | An agent may |\n|---|---|\n")
	for _, r := range rows {
		if !r.End {
			fmt.Fprintf(&b, "| %s | %s |\n", r.Name, orNone(joined(State{Scene: r.Name}.Acts())))
		}
	}
	b.WriteString("\n")
	return b.String()
}

func orNone(s string) string {
	if s == "" {
		return "—"
	}
	return s
}

func joined[T ~string](list []T) string {
	words := make([]string, len(list))
	for i, w := range list {
		words[i] = string(w)
	}
	return strings.Join(slices.Clip(words), ", ")
}
