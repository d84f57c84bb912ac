package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Every file that a setting names is looked at, and what is wrong in it is told
// with the setting and its line, beside everything else.
func TestCheckConfigNamesWhatIsWrongBesideTheFile(t *testing.T) {
	path := written(t, `answer: {after_rings: 7}
hours: {holidays_dir: no/holidays}
service: {prompts_dir: no/prompts}
desk: {phrases: no/phrases.yaml}
`)
	err := configFile(path).check(&bytes.Buffer{}, time.Now())
	if err == nil {
		t.Fatal("all is right")
	}
	for _, want := range []string{
		path + " is not right:\n",
		"hotline.yaml:1:23: answer.after_rings: 7 is out of range",
		"hotline.yaml:2:23: hours.holidays_dir: no/holidays: no such file or directory (seen from ",
		"hotline.yaml:3:24: service.prompts_dir: no/prompts: no such file or directory",
		"hotline.yaml:4:17: desk.phrases: no/phrases.yaml: no such file or directory",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it says\n%v\nand not %q", err, want)
		}
	}
}

// A prompt that a menu names, a phrase and a notice that are wrong are told likewise.
func TestCheckConfigLooksIntoTheFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"2027.json": "{\"year\": 2026}", "phrases.yaml": "zh-CN: {nap: [x]}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := written(t, "hours: {holidays_dir: "+dir+"}\nrecording: {notice: notice.nowhere}\ndesk: {phrases: "+dir+"/phrases.yaml}\n")
	err := configFile(path).check(&bytes.Buffer{}, time.Now())
	if err == nil {
		t.Fatal("all is right")
	}
	for _, want := range []string{"hotline.yaml:1:23: hours.holidays_dir: ", "2027.json", "hotline.yaml:2:21: recording.notice: there is no prompt \"notice.nowhere\" in zh-CN.yaml", "hotline.yaml:3:17: desk.phrases: ", "no moment"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it says\n%v\nand not %q", err, want)
		}
	}
}

// An operator in another folder is told that it is not their file that is right.
func TestCheckConfigSaysWhichFileItIs(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	said := func() string {
		t.Helper()
		var out bytes.Buffer
		if err := configFile((&cli{}).file()).check(&out, time.Now()); err != nil {
			t.Error(err)
		}
		return out.String()
	}
	if got := said(); !strings.HasPrefix(got, "warning: there is neither hotline.yaml nor configs/hotline.yaml in this folder") || !strings.HasSuffix(got, "\nthe configuration built in is right\n") {
		t.Errorf("without a file it says\n%s", got)
	}
	for _, path := range []string{"configs/hotline.yaml", "hotline.yaml"} { // the nearer one counts
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("web: {origin: \"https://desk.example.com\"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := said(); !strings.HasSuffix(got, "\n"+filepath.Join(dir, path)+" is right\n") || !strings.Contains(got, "warning: hotline.yaml:1:1: web.media: ") {
			t.Errorf("with %s it says\n%s", path, got)
		}
	}
}
