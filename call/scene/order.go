package scene

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// Limits of an order, in bytes: more than any page sends.
const (
	MostKeys   = 40  // that are keyed at once
	MostReason = 100 // which is written down
	mostName   = 64  // of calls, acts and targets
)

// Check finds the first field of an order that is longer than people make it, or
// has control characters; "" for none. Every way in from a page asks it.
func (o Order) Check() (field string, wrong error) {
	var to Target
	if o.Target != nil {
		to = *o.Target
	}
	for _, t := range []struct {
		field, text string
		most        int
	}{
		{"call", o.Call, mostName}, {"act", string(o.Act), mostName}, {"target.kind", to.Kind, mostName}, {"target.id", to.ID, mostName},
		{"keys", o.Keys, MostKeys}, {"reason", o.Reason, MostReason},
	} {
		switch {
		case len(t.text) > t.most:
			return t.field, fmt.Errorf("has %d bytes; use %d at most", len(t.text), t.most)
		case strings.ContainsFunc(t.text, unicode.IsControl):
			return t.field, errors.New("has a control character in it")
		}
	}
	return "", nil
}
