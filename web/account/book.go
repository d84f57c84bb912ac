package account

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/goccy/go-yaml"
)

// Change is what is done to an account, for the record.
type Change struct {
	Account  string `json:"account"`
	Do       string `json:"do"` // added, password, roles, locked, unlocked, removed
	Roles    []Role `json:"roles,omitempty"`
	Agent    string `json:"agent,omitempty"`
	Language string `json:"language,omitempty"`
	By       string `json:"by"`
}

// Options of a book.
type Options struct {
	Path string // the file: YAML, readable by its owner alone; it need not exist

	// Record writes a change down before it is made; where it cannot, the change
	// is not made.
	Record func(context.Context, Change) error

	// Development are accounts with passwords that are no secret. One in the file
	// of the same name counts instead.
	Development []Development

	Cost   Cost         // of new passwords; zero: Usual
	Logger *slog.Logger // nil: nothing is logged
}

// Development is an account whose password stands in the source.
type Development struct {
	Account
	Password string
}

// Book is the accounts. It is read again whenever its file was changed by
// somebody else. All its methods may be called from any goroutine.
type Book struct {
	o    Options
	log  *slog.Logger
	none hash // what unknown names are compared with, so that they cost the same

	hashing chan struct{} // one at a time: calls need the machine too
	waiting chan struct{} // how many may wait for it

	mu       sync.Mutex
	entries  map[string]entry
	seen     version
	damaged  error // why the file cannot be read; what was read before counts
	complain string
}

// entry is an account as it stands in the file.
type entry struct {
	Account  `yaml:",inline"`
	Password hash `yaml:"password"`
}

// version tells whether the file is the one that was read.
type version struct {
	inode uint64
	size  int64
	mtime int64
}

// ErrBusy says that more people sign in at this moment than can be compared.
var ErrBusy = errors.New("too many sign in at once")

const (
	mostWaiting  = 8
	mostFile     = 4 << 20
	mostAccounts = 5000
)

// Open reads the book. A file that is there and cannot be read is an error, and
// the book is good all the same: it is empty until the file can be.
func Open(o Options) (*Book, error) {
	if o.Cost == (Cost{}) {
		o.Cost = Usual
	}
	b := &Book{o: o, log: o.Logger, none: newHash(Generate(), o.Cost), hashing: make(chan struct{}, 1), waiting: make(chan struct{}, mostWaiting)}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refresh()
	return b, b.damaged
}

// Find is the account of this name, those for development included.
func (b *Book) Find(name string) (Account, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refresh()
	e, there := b.find(name)
	return e.Account, there
}

func (b *Book) find(name string) (entry, bool) {
	if e, there := b.entries[name]; there {
		return e, true
	}
	for _, d := range b.o.Development {
		if d.Name == name {
			d.Account.Development = true
			return entry{Account: d.Account}, true
		}
	}
	return entry{}, false
}

// List is everybody by name.
func (b *Book) List() []Account {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refresh()
	list := []Account{}
	for _, e := range b.entries {
		list = append(list, e.Account)
	}
	for _, d := range b.o.Development {
		if _, inFile := b.entries[d.Name]; !inFile {
			d.Account.Development = true
			list = append(list, d.Account)
		}
	}
	slices.SortFunc(list, func(a, b Account) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Verify says whether the password is the account's; a locked account has none,
// and an unknown one neither. All of them take the same time. It returns ErrBusy
// rather than have many wait.
func (b *Book) Verify(ctx context.Context, name, password string) (Account, bool, error) {
	select {
	case b.waiting <- struct{}{}:
		defer func() { <-b.waiting }()
	default:
		return Account{}, false, ErrBusy
	}
	select {
	case b.hashing <- struct{}{}:
		defer func() { <-b.hashing }()
	case <-ctx.Done():
		return Account{}, false, ctx.Err()
	}
	b.mu.Lock()
	b.refresh()
	e, there := b.find(name)
	b.mu.Unlock()

	compared := e.Password
	if compared.key == nil {
		compared = b.none
	}
	if len(password) > mostPassword {
		password = password[:mostPassword] // a longer one is nobody's
	}
	same := compared.is(password) && e.Password.key != nil
	if e.Development {
		same = isDevelopment(b.o.Development, name, password)
	}
	if !same || !there || e.Locked {
		return Account{}, false, nil
	}
	if e.Password.key != nil && e.Password.cost != b.o.Cost {
		b.strengthen(name, e.Password, password)
	}
	return e.Account, true, nil
}

func isDevelopment(list []Development, name, password string) bool {
	return slices.ContainsFunc(list, func(d Development) bool { return d.Name == name && d.Password != "" && d.Password == password })
}

// strengthen hashes a password anew whose hash is of another cost than new ones.
func (b *Book) strengthen(name string, was hash, password string) {
	now := newHash(password, b.o.Cost)
	err := b.edit(func() error {
		if e := b.entries[name]; bytes.Equal(e.Password.key, was.key) {
			e.Password = now
			b.entries[name] = e
		}
		return nil
	})
	if err != nil {
		b.log.Warn("a password keeps its old cost", "err", err)
	}
}

// Add makes an account; with no password it can sign in only by what else there
// is.
func (b *Book) Add(ctx context.Context, a Account, password, by string) error {
	a.Development, a.Locked, a.Generation = false, false, 0
	if err := a.check(); err != nil {
		return err
	}
	var h hash
	if password != "" {
		if err := checkPassword(password); err != nil {
			return err
		}
		h = newHash(password, b.o.Cost)
	}
	return b.edit(func() error {
		if _, there := b.entries[a.Name]; there {
			return fmt.Errorf("%w: %s", ErrTaken, a.Name)
		}
		if len(b.entries) >= mostAccounts {
			return fmt.Errorf("%w: there are %d accounts already", ErrInvalid, mostAccounts)
		}
		if err := b.record(ctx, a, "added", by); err != nil {
			return err
		}
		b.entries[a.Name] = entry{a, h}
		return nil
	})
}

// SetPassword gives an account another password.
func (b *Book) SetPassword(ctx context.Context, name, password, by string) error {
	if err := checkPassword(password); err != nil {
		return err
	}
	h := newHash(password, b.o.Cost)
	return b.change(ctx, name, "password", by, func(e *entry) { e.Password = h; e.Generation++ })
}

// Set gives an account other roles, another agent, another language.
func (b *Book) Set(ctx context.Context, a Account, by string) error {
	if err := a.check(); err != nil {
		return err
	}
	return b.change(ctx, a.Name, "roles", by, func(e *entry) { e.Roles, e.Agent, e.Language = a.Roles, a.Agent, a.Language })
}

// Lock keeps an account from signing in, or lets it again.
func (b *Book) Lock(ctx context.Context, name string, locked bool, by string) error {
	do := "unlocked"
	if locked {
		do = "locked"
	}
	return b.change(ctx, name, do, by, func(e *entry) { e.Locked = locked })
}

// Remove takes an account away.
func (b *Book) Remove(ctx context.Context, name, by string) error {
	return b.change(ctx, name, "removed", by, nil)
}

// change does something to an account that is there; nil removes it.
func (b *Book) change(ctx context.Context, name, do, by string, to func(*entry)) error {
	return b.edit(func() error {
		e, there := b.entries[name]
		if !there {
			return fmt.Errorf("%w: %s", ErrUnknown, clip(name))
		}
		if to != nil {
			to(&e)
		}
		if err := b.record(ctx, e.Account, do, by); err != nil {
			return err
		}
		if to == nil {
			delete(b.entries, name)
			return nil
		}
		b.entries[name] = e
		return nil
	})
}

func (b *Book) record(ctx context.Context, a Account, do, by string) error {
	if b.o.Record == nil {
		return nil
	}
	err := b.o.Record(ctx, Change{Account: a.Name, Do: do, Roles: a.Roles, Agent: a.Agent, Language: a.Language, By: by})
	if err != nil {
		return fmt.Errorf("the account %s is left as it is, since that could not be written down: %w", a.Name, err)
	}
	return nil
}

// edit changes the file: as it is at that moment, and under a lock, so that of
// two processes neither undoes what the other does.
func (b *Book) edit(change func() error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	unlock, err := lockFile(b.o.Path + ".lock")
	if err != nil {
		return fmt.Errorf("the accounts cannot be changed: %w", err)
	}
	defer unlock()
	if b.refresh(); b.damaged != nil {
		return b.damaged
	}
	if err := change(); err != nil {
		return err
	}
	if err := b.write(); err != nil {
		b.seen = version{} // what is in the file counts
		return fmt.Errorf("writing the accounts: %w", err)
	}
	return nil
}

// refresh reads the file where it is another than the one that was read. What
// cannot be read changes nothing: nobody is signed out because of a slip.
func (b *Book) refresh() {
	now, err := stat(b.o.Path)
	if err == nil && b.entries != nil && now == b.seen {
		return
	}
	var read map[string]entry
	if err == nil {
		read, err = readFile(b.o.Path, now)
	}
	b.damaged = err
	if err != nil {
		if b.complain != err.Error() {
			b.log.Error("the accounts cannot be read, those of before go on", "err", err)
			b.complain = err.Error()
		}
		return
	}
	b.entries, b.seen, b.complain = read, now, ""
}

func stat(path string) (version, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return version{}, nil
	}
	if err != nil {
		return version{}, fmt.Errorf("the accounts: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return version{}, fmt.Errorf("the accounts: %s can be read by others (%04o), and has the hashes of passwords; run: chmod 600 %s", path, mode, path)
	}
	v := version{size: info.Size(), mtime: info.ModTime().UnixNano()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		v.inode = sys.Ino
	}
	return v, nil
}

// file is what stands in it.
type file struct {
	Accounts []entry `yaml:"accounts"`
}

func readFile(path string, v version) (map[string]entry, error) {
	entries := map[string]entry{}
	if v == (version{}) {
		return entries, nil
	}
	if v.size > mostFile {
		return nil, fmt.Errorf("the accounts: %s has %d bytes; it has at most %d", path, v.size, mostFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the accounts: %w", err)
	}
	list, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("the accounts: %s: %w", path, err)
	}
	for _, e := range list {
		entries[e.Name] = e
	}
	return entries, nil
}

// parse reads the file's text strictly.
func parse(text []byte) (list []entry, err error) {
	defer func() {
		if r := recover(); r != nil { // the library's own mistakes on hostile text
			list, err = nil, errors.New("this is not YAML")
		}
	}()
	var f file
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("it cannot be read: %s", withoutSource(err))
	}
	seen := map[string]bool{}
	for i, e := range f.Accounts {
		if err := e.check(); err != nil {
			return nil, fmt.Errorf("account %d: %w", i+1, err)
		}
		if seen[e.Name] {
			return nil, fmt.Errorf("account %d: %q is there twice", i+1, e.Name)
		}
		seen[e.Name] = true
	}
	return f.Accounts, nil
}

// withoutSource says what is wrong and where, and does not repeat the line, in
// which there may be a hash.
func withoutSource(err error) string {
	var located yaml.Error
	if errors.As(err, &located) {
		if at := located.GetToken(); at != nil && at.Position != nil {
			return fmt.Sprintf("line %d", at.Position.Line)
		}
	}
	return "it has not the form that hotline user writes"
}

// heading begins the file.
const heading = "# Who may sign in. `hotline user` changes it; the service reads it again whenever it has changed.\n"

// write puts the file in the place of the one there is, whole or not at all.
func (b *Book) write() (err error) {
	var f file
	for _, e := range b.entries {
		f.Accounts = append(f.Accounts, e)
	}
	slices.SortFunc(f.Accounts, func(a, b entry) int { return cmp.Compare(a.Name, b.Name) })
	text, err := yaml.Marshal(f)
	if err != nil {
		return err
	}
	dir := filepath.Dir(b.o.Path)
	made, err := os.CreateTemp(dir, ".accounts-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(made.Name()))
		}
	}()
	_, err = made.Write(append([]byte(heading), text...))
	if err = errors.Join(err, made.Sync(), made.Close()); err != nil {
		return err
	}
	if err := os.Rename(made.Name(), b.o.Path); err != nil {
		return err
	}
	b.seen, err = stat(b.o.Path)
	return errors.Join(err, syncDir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// lockFile waits for a lock that other processes take too.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil // which lets go of it
}
