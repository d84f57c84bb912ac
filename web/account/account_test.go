package account

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cheap is a cost with which tests are done soon.
var cheap = Cost{Memory: 64, Passes: 1, Threads: 1}

const password = "a long sentence, easily kept"

type shelf struct {
	*Book
	t       *testing.T
	path    string
	changes []Change
	refuse  error // of the record
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{t: t, path: filepath.Join(t.TempDir(), "accounts.yaml")}
	s.Book = s.open()
	return s
}

func (s *shelf) open() *Book {
	s.t.Helper()
	b, err := Open(Options{Path: s.path, Cost: cheap, Record: func(_ context.Context, c Change) error {
		if s.refuse != nil {
			return s.refuse
		}
		s.changes = append(s.changes, c)
		return nil
	}, Development: []Development{{Account: Account{Name: "1001", Roles: []Role{Agent}, Agent: "1001"}, Password: "dev-1001"}}})
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

func (s *shelf) verify(name, password string) bool {
	s.t.Helper()
	_, right, err := s.Verify(s.t.Context(), name, password)
	if err != nil {
		s.t.Fatal(err)
	}
	return right
}

var li = Account{Name: "li", Roles: []Role{Agent}, Agent: "1002", Language: "en"}

func TestAccountLifetime(t *testing.T) {
	s, ctx := newShelf(t), t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.Add(ctx, li, password, "ops"))
	if !s.verify("li", password) || s.verify("li", password+"x") || s.verify("nobody", password) || s.verify("li", "") {
		t.Error("the right password is refused, or a wrong one accepted")
	}
	if info, err := os.Stat(s.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v; want 0600", info.Mode(), err)
	}
	must(s.Lock(ctx, "li", true, "ops"))
	if s.verify("li", password) {
		t.Error("a locked account signs in")
	}
	must(s.Lock(ctx, "li", false, "ops"))
	must(s.SetPassword(ctx, "li", "another long sentence", "ops"))
	if s.verify("li", password) || !s.verify("li", "another long sentence") {
		t.Error("the password of before counts still")
	}
	if got, _ := s.Find("li"); got.Generation != 1 {
		t.Errorf("after a change of the password the generation is %d, want 1: who signed in before stays", got.Generation)
	}
	changed := li
	changed.Roles, changed.Agent = []Role{Supervisor, Reviewer}, ""
	must(s.Set(ctx, changed, "ops"))
	if got, _ := s.Find("li"); !got.Has(Reviewer) || got.Has(Agent) || got.Agent != "" {
		t.Errorf("after a change of roles the account is %+v", got)
	}
	if !s.verify("li", "another long sentence") {
		t.Error("a change of roles took the password away")
	}
	must(s.Remove(ctx, "li", "ops"))
	if s.verify("li", "another long sentence") {
		t.Error("a removed account signs in")
	}
	var did []string
	for _, c := range s.changes {
		did = append(did, c.Do+" by "+c.By)
	}
	if diff := cmp.Diff([]string{"added by ops", "locked by ops", "unlocked by ops", "password by ops", "roles by ops", "removed by ops"}, did); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}

func TestAccountRefused(t *testing.T) {
	with := func(change func(*Account)) Account { a := li; change(&a); return a }
	for _, row := range []struct {
		name, password, field string
		account               Account
	}{
		{"no name", password, "name", with(func(a *Account) { a.Name = "" })},
		{"a name that would end a line", password, "name", with(func(a *Account) { a.Name = "li\nroot" })},
		{"no roles", password, "roles", with(func(a *Account) { a.Roles = nil })},
		{"a role there is not", password, "roles", with(func(a *Account) { a.Roles = []Role{"root"} })},
		{"a role twice", password, "roles", with(func(a *Account) { a.Roles = []Role{Agent, Agent} })},
		{"an agent without a phone", password, "agent", with(func(a *Account) { a.Agent = "" })},
		{"an agent that is none", password, "agent", with(func(a *Account) { a.Agent = "../1" })},
		{"a language there is not", password, "language", with(func(a *Account) { a.Language = "fr" })},
		{"a short password", "short", "password", li},
		{"a development password", "dev-something-long", "password", li},
		{"a huge password", strings.Repeat("x", 300), "password", li},
		{"a password that is not text", strings.Repeat("\xff", 20), "password", li},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newShelf(t)
			err := s.Add(t.Context(), row.account, row.password, "ops")
			var field *FieldError
			if !errors.As(err, &field) || field.Field != row.field || !errors.Is(err, ErrInvalid) {
				t.Errorf("Add gives %v, want one about %s", err, row.field)
			}
			if strings.Contains(fmt.Sprint(err), row.password) {
				t.Errorf("the error repeats the password: %v", err)
			}
			if len(s.changes) != 0 || len(s.List()) != 1 {
				t.Errorf("what was refused left %v, %v", s.changes, s.List())
			}
		})
	}
}

func TestAccountsThatAreNotThere(t *testing.T) {
	s, ctx := newShelf(t), t.Context()
	if err := s.Add(ctx, li, "", "ops"); err != nil {
		t.Fatal(err)
	}
	if s.verify("li", "") || s.verify("li", password) {
		t.Error("an account without a password signs in with one")
	}
	if err := s.Add(ctx, li, password, "ops"); !errors.Is(err, ErrTaken) {
		t.Errorf("adding it twice gives %v", err)
	}
	for _, err := range []error{s.SetPassword(ctx, "no", password, ""), s.Lock(ctx, "no", true, ""), s.Remove(ctx, "no", ""), s.Set(ctx, Account{Name: "no", Roles: []Role{Admin}}, "")} {
		if !errors.Is(err, ErrUnknown) {
			t.Errorf("an account that is not there gives %v", err)
		}
	}
}

// What cannot be written down is not done.
func TestAccountUnrecorded(t *testing.T) {
	s := newShelf(t)
	s.refuse = errors.New("the disk is full")
	if err := s.Add(t.Context(), li, password, "ops"); !errors.Is(err, s.refuse) {
		t.Errorf("Add gives %v", err)
	}
	if _, there := s.Find("li"); there {
		t.Error("an account is there that nobody wrote down")
	}
}

func TestDevelopmentAccount(t *testing.T) {
	s := newShelf(t)
	a, right, err := s.Verify(t.Context(), "1001", "dev-1001")
	if err != nil || !right || !a.Development {
		t.Errorf("Verify gives %+v, %v, %v", a, right, err)
	}
	own := Account{Name: "1001", Roles: []Role{Agent}, Agent: "1001"}
	if err := s.Add(t.Context(), own, password, "ops"); err != nil {
		t.Fatal(err)
	}
	if s.verify("1001", "dev-1001") || !s.verify("1001", password) {
		t.Error("the account in the file does not count instead")
	}
}

// Two who change the same file see each other's changes.
func TestAccountsOfTwoProcesses(t *testing.T) {
	s := newShelf(t)
	other := s.open()
	s.o.Record, other.o.Record = nil, nil // both would write to this test's one list
	var all sync.WaitGroup
	for i, b := range []*Book{s.Book, other} {
		all.Go(func() {
			for n := range 10 {
				a := Account{Name: fmt.Sprintf("p%d-%d", i, n), Roles: []Role{Reviewer}}
				if err := b.Add(context.Background(), a, "", "ops"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := len(s.List()); got != 21 {
		t.Errorf("%d accounts are there, want 21: a change was overwritten", got)
	}
}

// A file that somebody broke signs nobody out, and lets nothing be changed.
func TestAccountsDamaged(t *testing.T) {
	for name, text := range map[string]string{
		"no YAML":         "accounts: [",
		"another setting": "accounts: []\nroot: true\n",
		"a wrong hash":    "accounts:\n- name: li\n  roles: [admin]\n  password: $argon2id$v=19$m=9999999,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA\n",
		"a double name":   "accounts:\n- {name: li, roles: [admin]}\n- {name: li, roles: [admin]}\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			if err := s.Add(t.Context(), li, password, "ops"); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(s.path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if !s.verify("li", password) {
				t.Error("those of before do not go on")
			}
			if err := s.Remove(t.Context(), "li", "ops"); err == nil {
				t.Error("a damaged file was overwritten")
			}
			_, err := Open(Options{Path: s.path, Cost: cheap})
			if err == nil || strings.Contains(err.Error(), "AAAAAAAAAAAAAAAAAAAAAA") {
				t.Errorf("Open gives %v; want an error without what stands there", err)
			}
		})
	}
	s := newShelf(t)
	if err := s.Add(t.Context(), li, password, "ops"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Path: s.path, Cost: cheap}); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that others can read gives %v", err)
	}
}

// A hash of a lower cost than new ones have is made anew at the next sign-in.
func TestPasswordStrengthened(t *testing.T) {
	s := newShelf(t)
	if err := s.Add(t.Context(), li, password, "ops"); err != nil {
		t.Fatal(err)
	}
	dear := Cost{Memory: 128, Passes: 2, Threads: 1}
	b, err := Open(Options{Path: s.path, Cost: dear})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, right, err := b.Verify(t.Context(), "li", password); !right || err != nil {
			t.Fatal(right, err)
		}
		if got := b.entries["li"].Password.cost; got != dear {
			t.Errorf("the cost is %+v, want %+v", got, dear)
		}
	}
	if !s.verify("li", password) {
		t.Error("the new hash is of another password")
	}
}

func TestGenerate(t *testing.T) {
	one, other := Generate(), Generate()
	if one == other || checkPassword(one) != nil {
		t.Errorf("generated %d and %d letters, same %v, refused: %v", len(one), len(other), one == other, checkPassword(one))
	}
}

func TestUsualCost(t *testing.T) {
	text, err := newHash(password, Usual).MarshalText()
	if err != nil || !strings.HasPrefix(string(text), "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("a hash is %.40s…, %v; want OWASP's parameters in it", text, err)
	}
}

func TestThrottle(t *testing.T) {
	now := time.Date(2026, 3, 10, 9, 0, 0, 0, time.UTC)
	throttle := NewThrottle(func() time.Time { return now })
	here, there := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for n := range 4 {
		if got := throttle.Failed("li", here); got != "" || throttle.Wait("li", here) > 0 {
			t.Fatalf("locked out by %q after %d failures, five are free", got, n+1)
		}
	}
	if got := throttle.Failed("li", here); got != "account at address" {
		t.Errorf("the fifth failure locks out by %q", got)
	}
	if got := throttle.Wait("li", here); got != firstWait {
		t.Errorf("the wait is %v, want %v", got, firstWait)
	}
	if throttle.Wait("li", there) > 0 || throttle.Wait("wang", here) > 0 {
		t.Error("the same name elsewhere, or another here, has to wait too")
	}
	for range 10 { // which were being compared when it began
		if got := throttle.Failed("li", here); got != "" || throttle.Wait("li", here) != firstWait {
			t.Fatalf("tries of the same moment make it %v, by %q", throttle.Wait("li", here), got)
		}
	}
	now = now.Add(firstWait)
	if throttle.Wait("li", here) > 0 {
		t.Error("the wait does not end")
	}
	if throttle.Failed("li", here); throttle.Wait("li", here) != 2*firstWait {
		t.Errorf("the second wait is %v, want %v", throttle.Wait("li", here), 2*firstWait)
	}
	throttle.Succeeded("li", here)
	if throttle.Wait("li", here) > 0 {
		t.Error("who succeeded has to wait")
	}
	for range 100 {
		now = now.Add(throttle.Wait("li", here))
		throttle.Failed("li", here)
	}
	if got := throttle.Wait("li", here); got != mostWait {
		t.Errorf("the longest wait is %v, want %v", got, mostWait)
	}
	now = now.Add(forgetting)
	if throttle.Failed("wang", here); throttle.Wait("wang", here) > 0 {
		t.Error("failures of an hour ago count still")
	}
}

func TestThrottleOfOneAddress(t *testing.T) {
	now := time.Now()
	throttle := NewThrottle(func() time.Time { return now })
	ours := netip.MustParseAddr("2001:db8::1")
	for n := range 20 {
		throttle.Failed(fmt.Sprint("name", n), netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", n+1)))
	}
	if throttle.Wait("another", ours) == 0 {
		t.Error("who tries a name after the other from one network goes on")
	}
	if throttle.Wait("another", netip.MustParseAddr("2001:db8:1::1")) > 0 {
		t.Error("another network has to wait too")
	}
}

// However many names and addresses try, no more than a few thousand are known.
func TestThrottleIsBounded(t *testing.T) {
	throttle := NewThrottle(nil)
	for n := range 3 * mostTried {
		throttle.Failed(fmt.Sprint("name", n), netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}))
	}
	if len(throttle.tries) > mostTried || throttle.order.Len() != len(throttle.tries) {
		t.Errorf("%d are known, %d in order; want at most %d of both", len(throttle.tries), throttle.order.Len(), mostTried)
	}
}

func FuzzHash(f *testing.F) {
	text, _ := newHash(password, cheap).MarshalText()
	f.Add(string(text))
	f.Add("$argon2id$v=19$m=64,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, text string) {
		var h hash
		if h.UnmarshalText([]byte(text)) != nil || text == "" {
			return
		}
		if h.cost.Memory > mostMemory || h.cost.Passes > mostPasses || len(h.key) != keyBytes {
			t.Errorf("%q is read as %+v, which is beyond the limits", text, h.cost)
		}
		again, err := h.MarshalText()
		var same hash
		if err != nil || same.UnmarshalText(again) != nil {
			t.Errorf("%q is written as %q, which cannot be read", text, again)
		}
	})
}

func FuzzAccounts(f *testing.F) {
	f.Add("accounts:\n- name: li\n  roles: [agent]\n  agent: \"1002\"\n")
	f.Add("accounts: [{}]")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parse([]byte(text))
		if err != nil {
			return
		}
		for _, e := range list {
			if err := e.check(); err != nil {
				t.Errorf("%q gives an account that is wrong: %v", text, err)
			}
		}
	})
}

// Whoever knows a name alone keeps its owner out of nowhere that the owner was signed in, and everybody else still waits.
func TestANameAloneLocksNobodyOutAtHome(t *testing.T) {
	now := time.Date(2026, 3, 10, 8, 0, 0, 0, time.UTC)
	throttle := NewThrottle(func() time.Time { return now })
	home, also, elsewhere := netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("10.0.0.8")
	throttle.Succeeded("1001", home)
	throttle.SignedIn("1001", also)
	attack := func() {
		for n := range 100 {
			from := netip.MustParseAddr(fmt.Sprintf("203.0.113.%d", n))
			now = now.Add(throttle.Wait("1001", from))
			throttle.Failed("1001", from)
		}
	}
	attack()
	if wait := throttle.Wait("1001", home); wait > 0 {
		t.Errorf("where 1001 was signed in they wait %v for failures of others", wait)
	}
	if wait := throttle.Wait("1001", netip.MustParseAddr("2001:db8::2")); wait > 0 {
		t.Errorf("in the network in which 1001 is signed in they wait %v for failures of others", wait)
	}
	if throttle.Wait("1001", elsewhere) == 0 || throttle.Wait("1002", home) > 0 {
		t.Error("elsewhere nobody waits after 100 failures, or another account does")
	}
	for range 6 {
		throttle.Failed("1001", home)
	}
	if throttle.Wait("1001", home) == 0 {
		t.Error("at home there is no end to the failures")
	}
	now = now.Add(homeFor + time.Hour)
	attack()
	if throttle.Wait("1001", home) == 0 {
		t.Error("somewhere is home for ever")
	}
	for n := range 2 * mostTried {
		throttle.SignedIn(fmt.Sprint(n), home)
	}
	if len(throttle.homes) > mostTried {
		t.Errorf("%d homes are kept", len(throttle.homes))
	}
}
