package softphone

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// TicketFor is how long a ticket is good.
const TicketFor = 30 * time.Second

// maxTickets is how many an owner may have at once: a few tabs that connect
// again and again. The oldest goes for the newest.
const maxTickets = 8

// tickets lets a page that has signed in open a signalling socket: each once,
// and soon. A token on the socket, not a cookie, so that no other site's page
// can open one in the name of who is signed in.
type tickets struct {
	mu    sync.Mutex
	valid map[[sha256.Size]byte]ticket // by the token's digest
}

type ticket struct {
	owner   string
	still   func() bool // whether the page may still have the desk; nil: always
	expires time.Time
	named   bool // there is none: the page has told its session's name, and may go on with that one alone
}

func newTickets() *tickets { return &tickets{valid: map[[sha256.Size]byte]ticket{}} }

// issue returns a token for owner.
func (t *tickets) issue(owner string, still func() bool) string {
	token := rand.Text()
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	var oldest [sha256.Size]byte
	count := 0
	for digest, other := range t.valid {
		if now.After(other.expires) {
			delete(t.valid, digest)
			continue
		}
		if other.owner == owner {
			if count == 0 || other.expires.Before(t.valid[oldest].expires) {
				oldest = digest
			}
			count++
		}
	}
	if count >= maxTickets {
		delete(t.valid, oldest)
	}
	t.valid[sha256.Sum256([]byte(token))] = ticket{owner: owner, still: still, expires: now.Add(TicketFor)}
	return token
}

// redeem returns what a token stands for; it is of no use any more.
func (t *tickets) redeem(token string) (found ticket, good bool) {
	digest := sha256.Sum256([]byte(token))
	t.mu.Lock()
	defer t.mu.Unlock()
	found, known := t.valid[digest]
	delete(t.valid, digest)
	return found, known && !time.Now().After(found.expires)
}
