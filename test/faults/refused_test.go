package faults_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hotline/test/faults"
	"hotline/test/phone"
)

// unlucky is a caller for whom something goes wrong.
type unlucky struct {
	*customer
	fault  string
	quiet  time.Duration // so much silence is wrong
	served bool          // the call is to go its whole way all the same
}

// Each command of a whole call, found by looking at one, is refused once, and for ever; its answer is lost; all of them
// are late. A caller always hears something and is never hung up on without a word, and what went wrong but once costs
// nobody the call.
//
// It is not run beside other tests: so many callers load the machine.
func TestWhateverAsteriskRefusesCallersHearSomething(t *testing.T) {
	w := newWorld(t, 2*time.Minute, staffed(30))
	w.staff(work(300*time.Millisecond, 2500*time.Millisecond, time.Second, time.Second))
	undisturbed := whoWantsAPerson("13800000100", 30*time.Second)
	w.try(w.visit(w.caller(undisturbed.number), undisturbed))
	undisturbed.wantAWord(t, time.Second)

	var crowd []*unlucky
	add := func(fault string, quiet time.Duration, served bool, afflict func(of faults.Match)) {
		m := whoWantsAPerson(fmt.Sprintf("138%08d", 101+len(crowd)), 27*time.Second)
		if spoils(fault) > 0 {
			m.patience = 12 * time.Second
		}
		afflict(faults.Of(m.number))
		crowd = append(crowd, &unlucky{m, fault, quiet, served})
	}
	for _, command := range w.commandsOf(undisturbed.number) {
		at := func(side faults.Side) faults.Match {
			return func(x *faults.Passing) bool {
				return x.Side == side && x.What == command.What && x.Since == command.Since
			}
		}
		add("refused once: "+command.String(), 1500*time.Millisecond, true, func(of faults.Match) {
			w.wire.Watch(once(faults.All(of, at(faults.Before)), refuse))
		})
		add("answer lost: "+command.String(), 1500*time.Millisecond, true, func(of faults.Match) {
			w.wire.Watch(once(faults.All(of, at(faults.After)), (*faults.Passing).Drop))
		})
		add("answer cut short: "+command.String(), 1500*time.Millisecond, true, func(of faults.Match) {
			w.wire.Watch(once(faults.All(of, at(faults.After)), (*faults.Passing).Truncate))
		})
		add("always refused: "+command.String(), quietWhile(command), false, func(of faults.Match) {
			w.wire.Refuse(http.StatusInternalServerError, outOfMemory, faults.All(of, at(faults.Before)))
		})
	}
	for _, late := range []time.Duration{200 * time.Millisecond, time.Second} {
		for _, side := range []faults.Side{faults.Before, faults.After} {
			add(fmt.Sprintf("everything %v late, %s", late, side), 3*late+time.Second, true, func(of faults.Match) {
				w.wire.Delay(late, side, faults.All(of, faults.Commands))
			})
			crowd[len(crowd)-1].patience = 40 * time.Second // their calls last longer by themselves
		}
	}
	slices.SortStableFunc(crowd, func(a, b *unlucky) int { return spoils(a.fault) - spoils(b.fault) })
	began := time.Now()
	w.visitAll(crowd)
	t.Logf("%d callers, each with a fault of their own, took %v", len(crowd), time.Since(began).Round(time.Second))
	for _, m := range crowd {
		t.Run(m.fault, func(t *testing.T) {
			m.wantAWord(t, m.quiet)
			if m.served && (m.end.By != phone.Them || len(m.call.Transcript().Of("rating.ask")) == 0) {
				t.Errorf("the caller %s was not served to the end (%v)\nheard: %s", m.number, m.end, m.call.Transcript())
			}
		})
	}
}

// commandsOf are the commands that the call from this number was made of, in order, each once.
func (w *world) commandsOf(number string) (list []faults.Boundary) {
	for _, b := range w.wire.Boundaries(number) {
		command := !b.Event() && b.Side == faults.Before && !strings.HasPrefix(b.What, "GET ")
		if command && b.Nth == 1 {
			list = append(list, b)
		}
	}
	return list
}

const outOfMemory = "Allocation of memory failed"

func refuse(x *faults.Passing) { x.Answer(http.StatusInternalServerError, outOfMemory) }

// once does it to the first that matches.
func once(match faults.Match, do func(*faults.Passing)) func(*faults.Passing) {
	var first sync.Once
	return func(x *faults.Passing) {
		if match(x) {
			first.Do(func() { do(x) })
		}
	}
}

// quietWhile is how much silence is wrong where a command is always refused.
func quietWhile(command faults.Boundary) time.Duration {
	if strings.HasPrefix(command.What, "DELETE /playbacks/{menu") || strings.HasPrefix(command.What, "DELETE /playbacks/{rating") {
		return 6 * time.Second // the question that cannot be stopped ends with the silence there was for the answer
	}
	if strings.HasPrefix(command.What, "DELETE /channels/{caller}") {
		return time.Minute // the goodbye is said, and nothing can end the call
	}
	return 3 * time.Second
}

// spoils puts last for whom no agent's phone can ever be rung: each agent they are offered to is out of reach to the
// others for a while.
func spoils(fault string) int {
	if strings.HasPrefix(fault, "always") && (strings.Contains(fault, "/create") || strings.Contains(fault, "/dial")) {
		return 1
	}
	return 0
}

// visitAll lets everybody call, one shortly after the other, and waits until the last has left.
func (w *world) visitAll(crowd []*unlucky) {
	w.t.Helper()
	phones := make([]*phone.Phone, len(crowd))
	for i, m := range crowd {
		phones[i] = w.caller(m.number)
	}
	var all sync.WaitGroup
	for i, m := range crowd {
		all.Go(func() {
			if sleep(w.ctx, time.Duration(i)*150*time.Millisecond) != nil {
				return
			}
			if err := w.visit(phones[i], m.customer); err != nil {
				w.t.Errorf("%s, %s: %v", m.number, m.fault, err)
			}
		})
	}
	all.Wait()
}
