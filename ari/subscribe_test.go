package ari_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"hotline/ari"
	"hotline/ari/aritest"
)

// Callers who arrive while a subscription is under way are subscribed to
// together, and each hears what became of their own: one of them is gone.
func TestSubscriptionsGoTogether(t *testing.T) {
	server, link := connect(t)
	const callers, gone = 250, 7
	legs := make([]*ari.Leg, callers)
	for n := range legs {
		caller := server.Arrive(aritest.Caller{})
		session := link.Session(fmt.Sprint("call-", n))
		defer session.Close()
		legs[n] = session.Adopt(arrived(t, link))
		if n == gone {
			caller.Vanish()
		}
	}
	server.ClearLog()
	server.Delay(20 * time.Millisecond)
	defer server.Delay(0)
	var all sync.WaitGroup
	for n, leg := range legs {
		all.Go(func() {
			err := leg.Subscribe(t.Context())
			var e *ari.Error
			if notFound := errors.As(err, &e) && e.NotFound() && e.Target == leg.ID(); notFound != (n == gone) {
				t.Errorf("subscribing to caller %d: %v", n, err)
			}
		})
	}
	all.Wait()
	asked := 0
	for _, r := range server.Requests() {
		if strings.HasSuffix(r.Path, "/subscription") {
			asked++
		}
	}
	t.Logf("%d callers, %d requests", callers, asked)
	if most := 40; asked > most { // 18: the first alone, three that are full, and halves down to who is gone; more where goroutines begin late
		t.Errorf("%d requests for %d callers, want at most %d", asked, callers, most)
	}
}
