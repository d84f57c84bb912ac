package asterisk

import (
	"bytes"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotline/configs"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The configuration shipped, as Asterisk gets it. A change of a template shows here line by line.
func TestRenderedFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := Render(configs.Default(), dir); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/shipped"
	if *update {
		if err := os.RemoveAll(golden); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(golden, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(texts(t, golden), texts(t, dir)); diff != "" {
		t.Errorf("rendered differently (-want +got; go test ./configs/asterisk -update writes it anew):\n%s", diff)
	}
}

// What a configuration says reaches the files: only what differs from the one shipped is looked at.
func TestRenderedFromItsOwnConfiguration(t *testing.T) {
	cfg := parse(t, `
service: {number: 12345, language: en, codec: ulaw}
asterisk:
  dir: /srv/hotline/branch
  prompts: /srv/prompts
  ari: {bind: "127.0.0.1:9088", app: branch, user: branch, password: another-password}
  sip: {bind: "127.0.0.1:5070"}
  rtp: 30000-30999
  trunk: {match: [192.0.2.10, 198.51.100.0/24], out: "192.0.2.11:5062"}
  rtp_timeout: 20s
  net: {try_every: 3s, fallback_after: 30s, fallback_rounds: 5, round: 10s}
redis: {addresses: ["192.0.2.20:6379"], name: north, peers: {south: "192.0.2.21:5060"}}
agents:
  - {id: 2001, number: 1, name: 王芳, password: a-password-of-hers, pin: 2718, queues: [service]}
  - {id: 8002, number: 2, name: 赵磊, role: supervisor, password: a-password-of-his, pin: 3141, queues: []}
`)
	dir := t.TempDir()
	if _, err := Render(cfg, dir); err != nil {
		t.Fatal(err)
	}
	files := texts(t, dir)
	for file, wants := range map[string][]string{
		"asterisk.conf": {"astetcdir => /srv/hotline/branch/etc", "astrundir => /srv/hotline/branch/run", "systemname = branch"},
		"pjsip.conf": {"bind = 127.0.0.1:5070", "match = 192.0.2.10/32,198.51.100.0/24", "allow = ulaw,alaw", "rtp_timeout = 20", "aors = trunk\n", "contact = sip:192.0.2.11:5062\n", "language = en", "password = a-password-of-hers",
			"[peer-south](peer)\naors = peer-south\n", "contact = sip:hotline@192.0.2.21:5060\nqualify_frequency = 5\n", "qualify_2xx_only = yes\n", "endpoint = from-south\nmatch = 192.0.2.21\n"},
		"rtp.conf":         {"rtpstart = 30000", "rtpend = 30999"},
		"http.conf":        {"bindaddr = 127.0.0.1", "bindport = 9088"},
		"ari.conf":         {"[branch]", "password = another-password"},
		"extensions.conf":  {"APP = branch", "Set(CALLED=12345)", "NET_TRIES} >= 10]", "Wait(3)", "NET_ROUND} >= 5]", ",,,10)", "Playback(/srv/prompts/en/service.unavailable)", "MixMonitor(/srv/hotline/branch/raw/", "[hotline-peers]\nexten => hotline,1,"},
		"modules.conf":     {"load = app_dial.so"},
		"queues.conf":      {"member => PJSIP/2001,0,王芳", "timeout = 10"},
		"musiconhold.conf": {"entry = /srv/hotline/branch/moh/tone-30"},
	} {
		for _, want := range wants {
			if !strings.Contains(files[file], want) {
				t.Errorf("%s does not say %q:\n%s", file, want, files[file])
			}
		}
	}
	if strings.Contains(files["queues.conf"], "8002") {
		t.Error("the fallback queue rings somebody who serves no queue")
	}
	if strings.Contains(strings.Join(slices.Collect(maps.Values(files)), ""), "96196") {
		t.Error("the number shipped is still somewhere in the files")
	}
}

func TestRenderReplacesItsFilesAndKeepsSecretsIn(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		if _, err := Render(configs.Default(), dir); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o007 != 0 {
			t.Errorf("%s is open to everybody: %v", e.Name(), info.Mode())
		}
		if !strings.HasSuffix(e.Name(), ".conf") {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}

func TestRenderSaysWhyItCannotWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Render(configs.Default(), filepath.Join(file, "etc")); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v, want an error that names %s", err, file)
	}
}

// library makes a folder of prompts as long as they must be, apology of the length given.
func library(t *testing.T, cfg *configs.Config, apology time.Duration) {
	t.Helper()
	dir := cfg.PromptsOutside()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	length := func(id string) int {
		switch {
		case id == holdApology:
			return int(apology.Milliseconds()) * bytesPerSecond / 1000
		case strings.HasPrefix(id, "hold.tone."):
			n := 0
			for _, c := range strings.TrimPrefix(id, "hold.tone.") {
				n = n*10 + int(c-'0')
			}
			return n * bytesPerSecond
		}
		return bytesPerSecond
	}
	for _, id := range PromptIDs() {
		for _, format := range []string{"alaw", "ulaw"} {
			if err := os.WriteFile(filepath.Join(dir, id+"."+format), bytes.Repeat([]byte{id[len(id)-1]}, length(id)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func prepared(t *testing.T, apology time.Duration) (*configs.Config, error) {
	t.Helper()
	cfg := configs.Default()
	cfg.Asterisk.Root = t.TempDir()
	library(t, cfg, apology)
	_, err := Prepare(cfg)
	return cfg, err
}

// Whoever changes a setting is told which files are others, and which of them a running Asterisk reads only as it begins.
func TestWhatHasChanged(t *testing.T) {
	cfg, err := prepared(t, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if changed, err := Prepare(cfg); err != nil || len(changed) > 0 {
		t.Errorf("nothing is changed: got %q, %v", changed, err)
	}
	cfg.Agents = append(cfg.Agents, configs.Agent{ID: "1099", Number: "799", Password: cfg.Agents[0].Password, Queues: cfg.Agents[0].Queues})
	cfg.Asterisk.RTP.From += 1000
	changed, err := Prepare(cfg)
	modules, begins := Readers(changed)
	if err != nil || !slices.Contains(changed, "pjsip.conf") || !slices.Contains(modules, "res_pjsip.so") || !slices.Equal(begins, []string{"rtp.conf"}) {
		t.Errorf("an agent and the ports are changed: got %q, read by %q, at the beginning %q, %v", changed, modules, begins, err)
	}
}

// Nothing is made where there are no prompts, so that laying down Asterisk finds no half of it.
func TestPrepareMakesNothingWithoutPrompts(t *testing.T) {
	cfg := configs.Default()
	cfg.Asterisk.Root = filepath.Join(t.TempDir(), "root")
	if _, err := Prepare(cfg); err == nil {
		t.Fatal("there are no prompts, and it has not noticed")
	}
	if _, err := os.Stat(cfg.Asterisk.Root); !os.IsNotExist(err) {
		t.Errorf("it has left %s behind", cfg.Asterisk.Root)
	}
}

func TestPrepareMakesThirtySecondsOfApologyAndTone(t *testing.T) {
	for _, apology := range []time.Duration{20 * time.Millisecond, 800 * time.Millisecond, 2540 * time.Millisecond, 3 * time.Second, 29 * time.Second} {
		cfg, err := prepared(t, apology)
		if err != nil {
			t.Fatalf("apology of %v: %v", apology, err)
		}
		for _, format := range []string{"alaw", "ulaw"} {
			loop, err := os.ReadFile(cfg.Asterisk.Outside("moh", "loop."+format))
			if err != nil {
				t.Fatal(err)
			}
			if len(loop) != 240000 {
				t.Errorf("apology of %v: the loop has %d bytes, want 30.000 s", apology, len(loop))
			}
			if !bytes.HasPrefix(loop, bytes.Repeat([]byte{'y'}, int(apology.Milliseconds())*8)) {
				t.Errorf("apology of %v: the loop does not begin with it", apology)
			}
		}
		if target, err := os.Readlink(cfg.Asterisk.Outside("moh", "tone-30.alaw")); err != nil || target != "/srv/hotline/prompts/zh-CN/hold.tone.30.alaw" {
			t.Errorf("tone-30 links to %q, %v; want the prompt as Asterisk sees it", target, err)
		}
	}
}

func TestWhatCallersSaidIsNotForEverybody(t *testing.T) {
	cfg := configs.Default()
	cfg.Asterisk.Root = t.TempDir()
	library(t, cfg, time.Second)
	if err := os.MkdirAll(cfg.Asterisk.Outside("raw"), 0o777); err != nil { // an older instance
		t.Fatal(err)
	}
	if _, err := Prepare(cfg); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"raw", "spool", "spool/recording"} {
		info, err := os.Stat(cfg.Asterisk.Outside(folder))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o750 {
			t.Errorf("%s has the mode %o, want 750", folder, info.Mode().Perm())
		}
	}
}

func TestPrepareRefusesPromptsItCannotUse(t *testing.T) {
	if _, err := prepared(t, 29100*time.Millisecond); err == nil || !strings.Contains(err.Error(), "record a shorter one") {
		t.Errorf("an apology too long for its half minute: got %v", err)
	}
	cfg, err := prepared(t, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(cfg.PromptsOutside(), "hold.tone.29.ulaw"), 100); err != nil {
		t.Fatal(err)
	}
	if _, err := Prepare(cfg); err == nil || !strings.Contains(err.Error(), "hold.tone.29.ulaw") {
		t.Errorf("a damaged prompt: got %v", err)
	}
	if err := os.Remove(filepath.Join(cfg.PromptsOutside(), "service.unavailable.alaw")); err != nil {
		t.Fatal(err)
	}
	if _, err := Prepare(cfg); err == nil || !strings.Contains(err.Error(), "service.unavailable") || !strings.Contains(err.Error(), "hotline prompts build") {
		t.Errorf("a missing prompt: got %v", err)
	}
}

// The dialplan plays only prompts that Prepare makes sure of.
func TestDialplanPlaysKnownPrompts(t *testing.T) {
	dir := t.TempDir()
	if _, err := Render(configs.Default(), dir); err != nil {
		t.Fatal(err)
	}
	played := regexp.MustCompile(`Playback\(([^)]+)\)`).FindAllStringSubmatch(texts(t, dir)["extensions.conf"], -1)
	if len(played) < 4 {
		t.Fatalf("found %d prompts in the dialplan", len(played))
	}
	for _, p := range played {
		if id := filepath.Base(p[1]); !slices.Contains(PromptIDs(), id) {
			t.Errorf("the dialplan plays %s, which PromptIDs does not list", id)
		}
	}
}

func parse(t *testing.T, text string) *configs.Config {
	t.Helper()
	cfg, err := configs.Parse("test.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func texts(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		all[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
