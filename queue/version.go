package queue

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// Version tells two states of a queue's rules, or of an agent's profile, apart.
// Who changes what they have read says which version they mean, so that of two
// who change the same at the same time, here or at services that share a queue,
// one is refused.
type Version string

// Absent is the version of what is not there.
const Absent Version = "absent"

// ErrChanged is what a change gets that is meant for another version.
var ErrChanged = errors.New("queue: it has been changed since")

// Version of these rules.
func (r Rules) Version() Version { return versionOf(r) }

// Version of this profile.
func (p Profile) Version() Version {
	p.Queues = append([]string{}, p.Queues...) // none is none, whether written as null or []
	return versionOf(p)
}

func versionOf(v any) Version {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("queue: %T has no JSON form: %v", v, err)) // a test encodes both
	}
	sum := sha256.Sum256(text)
	return Version(hex.EncodeToString(sum[:8]))
}

// meant is the version that a change is meant for, of at most one; "": whatever
// is there.
func meant(versions []Version) Version {
	if len(versions) == 0 {
		return ""
	}
	return versions[0]
}

// isMeant says whether a change is meant for what is there.
func (m *Machine) isMeant(c *Command) bool {
	if c.Seen == "" {
		return true
	}
	is := Absent
	switch c.Do {
	case VerbSetRules, VerbRemoveQueue:
		id := c.Queue
		if c.Rules != nil {
			id = c.Rules.ID
		}
		if q := m.queues[id]; q != nil {
			is = q.rules.Version()
		}
	case VerbSetProfile, VerbRemoveAgent:
		id := c.Agent
		if c.Profile != nil {
			id = c.Profile.ID
		}
		if a := m.agents[id]; a != nil {
			is = a.profile.Version()
		}
	}
	return is == c.Seen
}
