package call

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// NewWho makes keys of callers' numbers by which the queue knows a caller again
// and nobody finds the number who does not have the secret (B10).
func NewWho(secret []byte) func(number string) string {
	return func(number string) string {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(number))
		return hex.EncodeToString(mac.Sum(nil)[:16])
	}
}

// who is the caller's key, "" where the number is withheld.
func (c *call) who() string {
	if c.number == "" {
		return ""
	}
	return c.o.Who(c.number)
}

// callerNumber keeps the digits of a caller's number. Whatever else a phone
// puts there (words, control characters, thousands of letters) is as good as
// a number withheld: "".
func callerNumber(raw string) string {
	number := strings.TrimPrefix(raw, "+")
	if len(number) < 3 || len(number) > 20 {
		return ""
	}
	for _, r := range number {
		if r < '0' || r > '9' {
			return ""
		}
	}
	return number
}

// mask hides the middle of a number, as it is shown and logged: 138****5678.
func mask(number string) string {
	if len(number) < 7 {
		return strings.Repeat("*", len(number))
	}
	tail := 4
	head := min(3, len(number)-tail-1)
	return number[:head] + strings.Repeat("*", len(number)-head-tail) + number[len(number)-tail:]
}

// shown is the number as an agent's phone displays it; one that is withheld
// has the name that phones know it by.
func shown(number string) string {
	if number == "" {
		return "anonymous"
	}
	return mask(number)
}
