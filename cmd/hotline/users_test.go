package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotline/journal"
	"hotline/web"
	"hotline/web/account"
)

func (a *asked) user(in string, u userCmd) error {
	return u.ask(a.Context(), a.client, strings.NewReader(in))
}

// What the command does to accounts is in the file and in the journal, with who
// did it, and no password is in either.
func TestUserCommand(t *testing.T) {
	a := newAsked(t)
	const password = "a long sentence, easily kept"
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(a.user(password+"\n", userCmd{Verb: "add", Name: "li", Roles: []string{"agent"}, Agent: "1001"}))
	a.prints("li is added\n")
	must(a.user("", userCmd{Verb: "add", Name: "wang", Roles: []string{"supervisor", "reviewer"}, Agent: "8001", Language: "en"}))
	made := strings.TrimSpace(a.out.String())
	if !strings.HasPrefix(made, "wang signs in with: ") || len(made) < len("wang signs in with: ")+20 {
		t.Errorf("a password that was made is told as %q", made)
	}
	must(a.user("", userCmd{Verb: "add", Name: "zhao@example.com", Roles: []string{"admin"}, SSO: true}))
	must(a.user("another long sentence\r\n", userCmd{Verb: "passwd", Name: "li"}))
	must(a.user("", userCmd{Verb: "roles", Name: "wang", Roles: []string{"supervisor"}, Agent: "-"}))
	must(a.user("", userCmd{Verb: "lock", Name: "li"}))
	a.prints("zhao@example.com is added\n", "li has another password\n", "wang is supervisor now\n", "li is locked\n")
	must(a.user("", userCmd{Verb: "list"}))
	for _, line := range []string{"li agent 1001 - locked", "wang supervisor - en -", "zhao@example.com admin - - -", "1001 agent 1001 - for development", "admin admin - - for development"} {
		if !strings.Contains(strings.Join(strings.Fields(a.out.String()), " "), line) {
			t.Errorf("the list lacks %q:\n%s", line, &a.out)
		}
	}
	must(a.user("", userCmd{Verb: "unlock", Name: "li"}))
	must(a.user("", userCmd{Verb: "remove", Name: "wang"}))
	a.prints("li is unlocked\n", "wang is removed\n")

	var did []string
	for e, err := range a.book.Reader().Read(t.Context(), journal.Query{Kinds: []string{web.KindAccount}}) {
		must(err)
		var c account.Change
		must(e.Decode(&c))
		did = append(did, c.Account+" "+c.Do)
		if !strings.HasPrefix(c.By, byCommandLine) || strings.Contains(string(e.Data), "sentence") {
			t.Errorf("the journal has %s", e.Data)
		}
	}
	if got, want := fmt.Sprint(did), "[li added wang added zhao@example.com added li password wang roles li locked li unlocked wang removed]"; got != want {
		t.Errorf("the journal has %s, want %s", got, want)
	}
	text, err := os.ReadFile(a.cfg.Accounts())
	if err != nil || strings.Contains(string(text), "sentence") {
		t.Errorf("the file has a password in it, or cannot be read: %v", err)
	}
	for _, row := range []struct {
		u    userCmd
		in   string
		says string
	}{
		{userCmd{Verb: "add", Name: "sun"}, "", "which roles"},
		{userCmd{Verb: "add", Name: "sun", Roles: []string{"root"}}, "", "no role"},
		{userCmd{Verb: "add", Name: "sun", Roles: []string{"agent"}}, "", "agent"},
		{userCmd{Verb: "add", Name: "li", Roles: []string{"admin"}}, "", "already"},
		{userCmd{Verb: "passwd", Name: "li"}, "short\n", "12 characters"},
		{userCmd{Verb: "passwd", Name: "1001"}, password, "no such account"},
		{userCmd{Verb: "roles", Name: "li"}, "", "which roles"},
		{userCmd{Verb: "remove", Name: "nobody"}, "", "no such account"},
	} {
		if err := a.user(row.in, row.u); err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%+v gives %v; want it to say %q", row.u, err, row.says)
		}
	}
}

// Who is signed in is so after a restart, also where another process is at it,
// and a broken file costs sessions and nothing else.
func TestSessionsOutliveTheProcess(t *testing.T) {
	path, quiet := filepath.Join(t.TempDir(), "sessions.db"), slog.New(slog.DiscardHandler)
	one, end := openSessions(path, quiet)
	if err := one.Commit("token", []byte("who"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	other, endOther := openSessions(path, quiet)
	if got, there, err := other.Find("token"); !there || string(got) != "who" || err != nil {
		t.Errorf("a process beside it finds %q, %v, %v", got, there, err)
	}
	endOther()
	end()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v; want 0600", info.Mode(), err)
	}
	again, end := openSessions(path, quiet)
	if _, there, err := again.Find("token"); !there || err != nil {
		t.Errorf("after a restart it finds %v, %v", there, err)
	}
	end()
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database ", 300)), 0o600); err != nil {
		t.Fatal(err)
	}
	anew, end := openSessions(path, quiet)
	defer end()
	if _, there, err := anew.Find("token"); there || err != nil {
		t.Errorf("after the file was broken it finds %v, %v", there, err)
	}
	if err := anew.Commit("token", []byte("who"), time.Now().Add(time.Hour)); err != nil {
		t.Errorf("after the file was broken nobody signs in: %v", err)
	}
}
