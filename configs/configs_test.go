package configs

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Each file of testdata breaks one rule, or none; beside a broken one stands what is said about it.
func TestEveryWrongLineIsNamed(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) < 30 {
		t.Fatalf("found %d files in testdata: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			_, err := Load(file)
			got := ""
			if err != nil {
				got = err.Error() + "\n"
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if *update {
				write(t, golden, got)
			}
			want, err := os.ReadFile(golden)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("what is said of %s (-want +got; go test ./configs -update writes it anew):\n%s", file, diff)
			}
		})
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if text == "" {
		if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsLeftOutIsAsShipped(t *testing.T) {
	cfg, err := Load("testdata/right.yaml")
	if err != nil {
		t.Fatal(err)
	}
	shipped := Default()
	if cfg.Service.Number != "12345" || cfg.Service.Timezone.String() != "Asia/Urumqi" {
		t.Errorf("service is %+v", cfg.Service)
	}
	if cfg.Service.Codec != shipped.Service.Codec || !reflect.DeepEqual(cfg.Asterisk, shipped.Asterisk) || !reflect.DeepEqual(cfg.Hours, shipped.Hours) {
		t.Error("a section that was left out is not the one shipped")
	}
	if len(cfg.Agents) != 1 || cfg.Agents[0].Number != "0789" || cfg.Agents[0].Role != RoleAgent {
		t.Errorf("agents are %+v, want the one given, its number with the leading 0", cfg.Agents)
	}
	repairs, ok := cfg.Queue("repairs")
	want := shipped.Queues[0]
	want.ID, want.WrapUp = "repairs", Duration{90 * time.Second}
	if !ok || !reflect.DeepEqual(repairs, want) {
		t.Errorf("the queue is %+v, want %+v", repairs, want)
	}
	if menu := cfg.Menus.Menus["main"]; menu.Tries != 3 || menu.Timeout.Duration != 5*time.Second || menu.Keys["1"].Kind() != "queue" || len(cfg.Menus.Menus) != 1 {
		t.Errorf("the menus are %+v", cfg.Menus.Menus)
	}
}

func TestAMenuWithoutKeysNeedsNoPrompt(t *testing.T) {
	cfg := Default()
	straight := Menu{Timeout: cfg.Menus.Menus["bill"].Timeout, Tries: 1, Otherwise: Action{Queue: "service"}}
	cfg.Menus.Menus["main"] = straight
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	straight.Keys = map[string]Action{"0": {Queue: "service"}}
	cfg.Menus.Menus["main"] = straight
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "menus.menus.main.prompt") {
		t.Errorf("a question without words is told as: %v", err)
	}
}

func TestShippedConfiguration(t *testing.T) {
	cfg := Default()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load("hotline.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Service.Number != "96196" || len(cfg.Agents) != 6 || loaded.Asterisk.ARI.URL() != "http://127.0.0.1:8088/ari" {
		t.Errorf("it is %+v", cfg)
	}
	if manager, ok := cfg.Agent("9001"); !ok || manager.Role != RoleDutyManager {
		t.Errorf("9001 is %+v", manager)
	}
}

// Every setting there is stands in the file shipped: an operator finds them by reading it.
func TestShippedFileSaysEverySetting(t *testing.T) {
	optional := map[string]bool{"asterisk.sip.media": true, "agents.role": true, "agents.skills": true, "agents.weights": true,
		"web.tokens.name": true, "web.tokens.token": true, "directory.id": true, "directory.name": true, "directory.number": true,
		"queues.relax.after": true, "queues.relax.skill": true, "queues.relax.by": true}
	said := Default().source.positions
	index := regexp.MustCompile(`\[[0-9]+\]`)
	known := map[string]bool{}
	for path := range said {
		known[index.ReplaceAllString(path, "")] = true
	}
	var walk func(v reflect.Type, path string)
	walk = func(v reflect.Type, path string) {
		for i := range v.NumField() {
			f := v.Field(i)
			name := f.Tag.Get("yaml")
			if name == "" {
				continue
			}
			p := join(path, name)
			if !known[p] && !optional[p] {
				t.Errorf("hotline.yaml does not say %s", p)
			}
			element := f.Type
			if element.Kind() == reflect.Slice {
				element = element.Elem()
			}
			if element.Kind() == reflect.Struct && element.NumField() > 0 && element.Field(0).Tag.Get("yaml") != "" {
				walk(element, p)
			}
		}
	}
	walk(reflect.TypeFor[Config](), "")
}

func TestEnvironmentOverridesSecrets(t *testing.T) {
	text := []byte("asterisk: {sip: {bind: \"192.0.2.1:5060\"}}\nagents:\n  - {id: 1001, number: 789, name: 王芳, queues: [service]}\nweb: {tokens: [{name: night-shift}]}\n")
	env := map[string]string{
		"HOTLINE_ARI_PASSWORD": "from-the-environment", "HOTLINE_AGENT_1001_PASSWORD": "agent-secret-1",
		"HOTLINE_AGENT_1001_PIN": "2718", "HOTLINE_ASTERISK_ROOT": "/elsewhere", "HOTLINE_WEB_TOKEN_NIGHT_SHIFT": "a-token-of-16-and",
	}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	cfg, err := Parse("hotline.yaml", text, lookup)
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.Web.Tokens[0].Token.Reveal(); got != "a-token-of-16-and" {
		t.Errorf("the token is %q", got)
	}
	if cfg.Asterisk.ARI.Password.Reveal() != "from-the-environment" || cfg.Agents[0].Password.Reveal() != "agent-secret-1" ||
		cfg.Agents[0].PIN.Reveal() != "2718" || cfg.Asterisk.Outside("etc") != "/elsewhere/srv/hotline/main/etc" {
		t.Errorf("the environment was not laid over the file: %+v", cfg.Asterisk)
	}
	env["HOTLINE_AGENT_1001_PIN"] = "x"
	_, err = Parse("hotline.yaml", text, lookup)
	want := "hotline.yaml:3:5: agents[0].pin: is not usable; use 4 to 8 digits (it comes from HOTLINE_AGENT_1001_PIN)"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestSecretsStayHidden(t *testing.T) {
	cfg := Default()
	for _, text := range []string{fmt.Sprint(cfg), fmt.Sprintf("%+v", cfg), fmt.Sprintf("%#v", cfg.Agents), fmt.Sprintf("%q", cfg.Agents[0].PIN)} {
		if strings.Contains(text, "dev-") {
			t.Errorf("a password shows: %s", text)
		}
	}
	_, err := Parse("x.yaml", []byte("agents:\n  - {id: 1001, number: 1, name: a, password: 'my secret', pin: 12, queues: [service]}\n"), nil)
	if err == nil || strings.Contains(err.Error(), "my secret") {
		t.Errorf("the message gives the password away, or there is none: %v", err)
	}
}

func TestLoadWithoutAFile(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that the file is not there", err)
	}
}

// FuzzParse: whatever the text, Parse comes back with a configuration that is right or with problems that name places
// inside the text.
func FuzzParse(f *testing.F) {
	f.Add(string(defaultYAML))
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("a: [[[[[[[[[[")
	f.Add("? {? {? {")
	f.Add("\xff\xfe")
	f.Fuzz(func(t *testing.T, text string) {
		cfg, err := Parse("fuzz.yaml", []byte(text), nil)
		if err == nil {
			if err := cfg.Validate(); err != nil {
				t.Fatalf("accepted, and then: %v", err)
			}
			return
		}
		problems, ok := err.(Problems)
		if !ok || len(problems) == 0 {
			t.Fatalf("an error that names no place: %v", err)
		}
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines+1 || p.Column < 1 || p.Message == "" {
				t.Fatalf("%d lines, and a problem at %d:%d: %s", lines, p.Line, p.Column, p.Message)
			}
		}
	})
}

// A code that closes a call may be written as its id alone, or with the name that agents see; so may a menu's key have one.
func TestCodesHaveNames(t *testing.T) {
	cfg, err := Parse("codes.yaml", []byte(`
desk: {wrap_up: [resolved, {id: revisit, name: 回访}]}
menus: {start: main, menus: {main: {prompt: menu.main, otherwise: {queue: service}, keys: {"1": {queue: service, name: 账单}}}}}
`), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Code{{ID: "resolved"}, {ID: "revisit", Name: "回访"}}, cfg.Desk.WrapUp); diff != "" {
		t.Errorf("the codes (-want +got):\n%s", diff)
	}
	if got := cfg.Menus.Menus["main"].Keys["1"].Name; got != "账单" {
		t.Errorf("the key's name is %q", got)
	}
}

// Whoever uses a part is told what is wrong with that part, and with the file as a whole.
func TestAPartIsJudgedAlone(t *testing.T) {
	cfg, err := read("hotline.yaml", []byte("service: {number: x}\nweb: {tokens: [{name: ops, token: \"\"}]}\nasterisk: {prompts: here}\nagnets: []\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		parts []string
		want  []string // paths
	}{
		{nil, []string{"service.number", "web.tokens[0].token", "asterisk.prompts", "agnets"}},
		{[]string{"service"}, []string{"service.number"}},
		{[]string{"service.timezone", "asterisk.root"}, nil},
		{[]string{"web", "asterisk.prompts"}, []string{"web.tokens[0].token", "asterisk.prompts"}},
	} {
		var got []string
		if err := cfg.Validate(c.parts...); err != nil {
			for _, p := range err.(Problems) {
				got = append(got, p.Path)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("of %v (-want +got):\n%s", c.parts, diff)
		}
	}
}

// Whoever edits the file that is built in, and builds, is told what to do; the program does not fall.
func TestABrokenBuildSaysSo(t *testing.T) {
	shipped := defaultYAML
	defer func() { defaultYAML = shipped }()
	for _, c := range []struct{ broken, want string }{
		{strings.Replace(string(shipped), "max_waiting:", "max_wiating:", 1), "max_wiating: is not a setting; did you mean max_waiting?"},
		{strings.Replace(string(shipped), "tokens: []", "tokens: [{name: ops, token: \"\"}]", 1), "web.tokens[0].token: is missing"},
	} {
		defaultYAML = []byte(c.broken)
		_ = Default()
		_, err := Load("testdata/right.yaml")
		if !errors.Is(err, errBuild) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q and how to mend it", err, c.want)
		}
		if err != nil && strings.Count(err.Error(), "\n") != 1 {
			t.Errorf("more is said than is wrong: %v", err)
		}
	}
}
