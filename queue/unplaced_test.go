package queue

import (
	"errors"
	"testing"
	"time"
)

// script is a log whose follower is told by the test what happens.
type script struct{ Follower }

func (s *script) Start(f Follower) {
	s.Follower = f
	f.Alone(errors.New("the test has not begun"))
	f.Serve()
}
func (s *script) Append(Command) {}
func (s *script) Tick(time.Time) {}
func (s *script) Stop()          {}

// A wait that the common machine knows nothing of, or that it ended with this
// service, lapses as a fault of ours, so that the call takes its place anew.
func TestNoTicketWithoutPlace(t *testing.T) {
	at := time.Now()
	for name, happens := range map[string]func(s *script, others *Machine){
		"the service reads that it is gone": func(s *script, others *Machine) {
			s.Bring()
			s.Enter(others, at)
			s.Happened(at, 1, nil)
			s.Happened(at, 0, []Command{{Do: VerbGone, Owner: "north", Reason: "gone"}})
		},
		"the others have the call with somebody": func(s *script, others *Machine) {
			for _, c := range []Command{
				{Do: VerbReturn, Owner: "south", Part: others.Part("south")},
				{Do: VerbSignIn, Agent: "1003", Owner: "south"},
				{Do: VerbFound, Agent: "1003", Call: "a", Queue: "repairs", Owner: "south"},
			} {
				c.At = at
				if _, err := others.Apply(c); err != nil {
					t.Fatal(err)
				}
			}
			s.Bring()
			s.Enter(others, at)
			s.Happened(at, 1, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			log := &script{}
			o := usual()
			o.Log, o.Owner = log, "north"
			o.Queues[0].JoinEmpty, o.Queues[0].StayEmpty, o.Queues[0].MaxWait = true, true, time.Hour
			atDesk(t, o, func(t *testing.T, d *desk) {
				ticket := d.join("a")
				elsewhere := usual()
				elsewhere.Queues = o.Queues
				for i := range elsewhere.Agents {
					elsewhere.Agents[i].Home = []string{"north", "north", "south"}[i]
				}
				others, err := NewMachine(elsewhere.Queues, elsewhere.Agents, false, at)
				if err != nil {
					t.Fatal(err)
				}
				happens(log, others)
				select {
				case <-ticket.Lapsed():
				case <-time.After(time.Minute):
				}
				if why := ticket.LapseReason(); why != LapseUnreported {
					t.Errorf("the wait has lapsed with %q, want %q: it has no place (position %d), and the call waits for ever", why, LapseUnreported, ticket.Position())
				}
			})
		})
	}
}
