package account

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Cost is how expensive it is to find a password from its hash with argon2id.
type Cost struct {
	Memory  uint32 // KiB
	Passes  uint32
	Threads uint8
}

// Usual is the cost that OWASP's password storage cheat sheet recommends:
// 19 MiB, 2 passes, 1 thread. Hashes carry theirs, so that it can be raised: a
// hash of less is made anew when its owner signs in.
var Usual = Cost{Memory: 19 << 10, Passes: 2, Threads: 1}

// Limits of a hash that is read, which anybody might have written.
const (
	mostMemory = 256 << 10 // KiB
	mostPasses = 10
	saltBytes  = 16
	keyBytes   = 32
)

// Passwords as they are accepted. NIST SP 800-63B asks for length and for
// nothing else.
const (
	leastPassword = 12  // letters
	mostPassword  = 256 // bytes
)

// DevelopmentPrefix begins passwords that everybody can read in the source.
const DevelopmentPrefix = "dev-"

// checkPassword says what is wrong with a new password.
func checkPassword(password string) error {
	invalid := func(format string, args ...any) error {
		return &FieldError{Field: "password", Err: fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))}
	}
	switch {
	case !utf8.ValidString(password):
		return invalid("it is not text")
	case utf8.RuneCountInString(password) < leastPassword:
		return invalid("it has fewer than %d characters; a sentence is easy to keep in mind", leastPassword)
	case len(password) > mostPassword:
		return invalid("it has more than %d bytes", mostPassword)
	case strings.HasPrefix(password, DevelopmentPrefix):
		return invalid("passwords that begin with %q are for development", DevelopmentPrefix)
	}
	return nil
}

// Generate makes a password of 100 random bits, which a person can type.
func Generate() string {
	return strings.ToLower(rand.Text()[:20])
}

// hash is a password's, in the usual form of argon2: $argon2id$v=19$m=…,t=…,p=…$salt$key.
type hash struct {
	cost Cost
	salt []byte
	key  []byte
}

func newHash(password string, c Cost) hash {
	h := hash{cost: c, salt: make([]byte, saltBytes)}
	_, _ = rand.Read(h.salt) // which never fails
	h.key = h.keyOf(password)
	return h
}

func (h hash) keyOf(password string) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.cost.Passes, h.cost.Memory, h.cost.Threads, keyBytes)
}

// is takes as long for a wrong password as for the right one.
func (h hash) is(password string) bool {
	return subtle.ConstantTimeCompare(h.keyOf(password), h.key) == 1
}

var inHash = base64.RawStdEncoding.Strict()

// MarshalText writes a hash with all that is needed to compare with it; none is "".
func (h hash) MarshalText() ([]byte, error) {
	if h.key == nil {
		return nil, nil
	}
	return fmt.Appendf(nil, "$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.cost.Memory, h.cost.Passes, h.cost.Threads,
		inHash.EncodeToString(h.salt), inHash.EncodeToString(h.key)), nil
}

// UnmarshalText reads what MarshalText wrote. It never repeats the hash in an
// error, which may be logged.
func (h *hash) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*h = hash{}
		return nil
	}
	parts := strings.Split(string(text), "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return fmt.Errorf("it is no argon2id hash; set the password again with: hotline user passwd")
	}
	var read hash
	_, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &read.cost.Memory, &read.cost.Passes, &read.cost.Threads)
	c := read.cost
	if err != nil || c.Memory < 8*uint32(c.Threads) || c.Memory > mostMemory || c.Passes < 1 || c.Passes > mostPasses || c.Threads < 1 {
		return fmt.Errorf("its cost is out of range; set the password again with: hotline user passwd")
	}
	var saltErr, keyErr error
	read.salt, saltErr = inHash.DecodeString(parts[4])
	read.key, keyErr = inHash.DecodeString(parts[5])
	if saltErr != nil || keyErr != nil || len(read.salt) < 8 || len(read.salt) > 64 || len(read.key) != keyBytes {
		return fmt.Errorf("it is cut off; set the password again with: hotline user passwd")
	}
	*h = read
	return nil
}
