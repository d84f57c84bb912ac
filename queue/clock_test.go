package queue

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// However the wall clock is set and the service restarted, who comes later stands behind: in line, by the changes, and
// in line again after the restart.
func TestWhoComesLaterStandsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(noDeadline{t}, func(t *rapid.T) {
			var offset time.Duration
			var came []Caller
			var tickets []*Ticket
			var e *Engine
			start := func() {
				var err error
				e, err = New(Options{
					Queues: []Rules{{ID: "bills"}}, Agents: []Profile{{ID: "1001", Queues: []string{"bills"}}}, Hold: true,
					Now: func() time.Time { return time.Now().Add(offset) },
				})
				if err == nil {
					err = e.SignIn("1001")
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			join := func(c Caller) Caller {
				ticket, err := e.Join(c)
				if err != nil {
					t.Fatal(err)
				}
				tickets = append(tickets, ticket)
				return ticket.Caller()
			}
			start()
			defer func() { e.Stop() }()
			t.Repeat(map[string]func(*rapid.T){
				"time passes": func(t *rapid.T) {
					time.Sleep(time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "passed")))
				},
				"the clock is set": func(t *rapid.T) {
					offset += time.Duration(rapid.Int64Range(int64(-3*time.Hour), int64(3*time.Hour)).Draw(t, "by"))
				},
				"a caller comes": func(t *rapid.T) {
					time.Sleep(1)
					came = append(came, join(Caller{ID: fmt.Sprintf("%04d", len(came)), Queue: "bills"}))
				},
				"a restart": func(*rapid.T) {
					e.Stop()
					start()
					tickets = nil
					for _, c := range came {
						c.Again = true
						join(c)
					}
				},
				"": func(t *rapid.T) {
					if !slices.IsSortedFunc(came, func(a, b Caller) int { return a.Arrived.Compare(b.Arrived) }) {
						t.Fatalf("by what is recorded callers came in another order: %v", came)
					}
					for i, ticket := range tickets {
						if ticket.Position() != i+1 {
							t.Fatalf("caller %s stands at %d, and came as number %d", ticket.Caller().ID, ticket.Position(), i+1)
						}
					}
				},
			})
		})
	})
}

// As long as nobody sets the wall clock back, it is the wall clock that counts.
func TestTheLineGoesByTheWallClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var clock LineClock
		opening := time.Now()
		wall := opening
		for _, step := range []struct{ passes, set, want time.Duration }{
			{0, 0, 0},
			{time.Second, 0, time.Second},
			{0, time.Hour, time.Hour + time.Second},
			{time.Second, -2 * time.Hour, time.Hour + 2*time.Second},
			{time.Minute, 0, time.Hour + time.Minute + 2*time.Second},
			{0, 3 * time.Hour, 2*time.Hour + time.Minute + 2*time.Second},
		} {
			time.Sleep(step.passes)
			wall = wall.Add(step.passes + step.set)
			if got := clock.Now(wall).Sub(opening); got != step.want {
				t.Errorf("after %v and setting the clock by %v the line is at %v, want %v", step.passes, step.set, got, step.want)
			}
		}
	})
}
