package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"time"

	"hotline/journal"
)

// cases are short stories with what an audit must say about them.
type cases []struct {
	name string
	tell func(s *story) []found // what must be found; nil for nothing
}

func (c cases) run(t *testing.T, o Options) {
	for _, tt := range c {
		t.Run(tt.name, func(t *testing.T) {
			s := newStory(t)
			want := tt.tell(s)
			expect(t, s.audit(o), want...)
		})
	}
}

func TestEndings(t *testing.T) {
	cases{
		{"each ends once", func(s *story) []found {
			s.up()
			s.arrive("a")
			s.call("a", "stage", `{"stage":"end","outcome":{"result":"served","reason":"talked"}}`)
			s.end("a", "served", "talked")
			s.clean(0, "a")
			return nil
		}},
		{"twice", func(s *story) []found {
			s.arrive("a")
			first := s.end("a", "abandoned", "menu")
			return []found{{"I1", "a", "", []int64{first, s.end("a", "served", "talked")}, "ended twice"}}
		}},
		{"again, when it has long been forgotten", func(s *story) []found {
			s.abandoned("a")
			for range 4 {
				s.pass(30 * time.Second)
				s.signIn("1001")
				s.move("agent.state", "1001", "offline", "", "")
			}
			return []found{{"I1", "a", "", []int64{s.end("a", "abandoned", "menu")}, "never arrived, or ended long before"}}
		}},
		{"never arrived", func(s *story) []found {
			return []found{{"I1", "a", "", []int64{s.end("a", "abandoned", "menu")}, "never arrived"}}
		}},
		{"arrived twice", func(s *story) []found {
			first, second := s.arrive("a"), s.arrive("a")
			s.end("a", "abandoned", "menu")
			return []found{{"I1", "a", "", []int64{first, second}, "arrived twice"}}
		}},
		{"goes on after its end", func(s *story) []found {
			s.arrive("a")
			first := s.end("a", "abandoned", "menu")
			return []found{{"I1", "a", "", []int64{first, s.call("a", "said", `{"prompts":["menu.main"]}`)}, "call.said after it had ended"}}
		}},
		{"no reason", func(s *story) []found {
			s.arrive("a")
			return []found{{"I1", "a", "", []int64{s.end("a", "served", "")}, "without a reason"}}
		}},
		{"a result that does not exist", func(s *story) []found {
			s.arrive("a")
			return []found{{"I1", "a", "", []int64{s.end("a", "sreved", "talked")}, `"sreved"`}}
		}},
		{"otherwise than decided", func(s *story) []found {
			s.arrive("a")
			decided := s.call("a", "stage", `{"stage":"end","outcome":{"result":"served","reason":"talked"}}`)
			return []found{{"I1", "a", "", []int64{decided, s.end("a", "abandoned", "wait")}, "though served (talked) had been decided"}}
		}},
		{"decided twice", func(s *story) []found {
			s.up()
			s.arrive("a")
			decided := s.call("a", "stage", `{"stage":"end","outcome":{"result":"served","reason":"talked"}}`)
			s.up()
			again := s.call("a", "stage", `{"stage":"end","outcome":{"result":"failed","reason":"internal"}}`)
			s.end("a", "failed", "internal")
			return []found{{"I1", "a", "", []int64{decided, again}, "decided twice"}}
		}},
		{"decided, and the end not seen", func(s *story) []found {
			s.arrive("a")
			s.call("a", "stage", `{"stage":"end","outcome":{"result":"served","reason":"talked"}}`)
			s.end("a", "lost", "end")
			return nil
		}},
		{"live", func(s *story) []found {
			s.up()
			s.clean(s.arrive("a"))
			s.abandoned("b")
			s.clean(0, "b")
			return nil
		}},
		{"left behind by a service that says all before has ended", func(s *story) []found {
			s.up()
			first := s.arrive("a")
			last := s.call("a", "said", `{"prompts":["menu.main"]}`)
			return []found{{"I1", "a", "", []int64{first, last, s.clean(s.arrive("b"))}, "says that every call before"}}
		}},
		{"taken up after a restart", func(s *story) []found {
			s.up()
			s.arrive("a")
			s.up()
			s.call("a", "resumed", `{"stage":"menu","run":1}`)
			s.pass(time.Minute)
			s.abandoned("b")
			return nil
		}},
		{"neither taken up nor ended", func(s *story) []found {
			s.up()
			first := s.arrive("a")
			second := s.started()
			s.service("connected", `{}`)
			s.pass(time.Minute)
			s.abandoned("b")
			return []found{{"I1", "a", "", []int64{first, first, second}, "neither took it up nor ended it"}}
		}},
		{"the new process has not met Asterisk yet", func(s *story) []found {
			s.up()
			s.arrive("a")
			s.started()
			s.pass(time.Minute)
			s.signIn("1001")
			return nil
		}},
		{"the new process has just met Asterisk", func(s *story) []found {
			s.up()
			s.arrive("a")
			s.up()
			s.signIn("1001")
			return nil
		}},
	}.run(t, Options{})
}

func TestPairs(t *testing.T) {
	cases{
		{"as it should be, over a restart", func(s *story) []found {
			s.up()
			s.signIn("1001", "1002")
			s.served("a", "1001", "bills")
			s.arrive("b")
			s.join("b", "bills")
			s.offer("b", "1001", "bills")
			s.move("queue.refused", "1001", "paused", "b", "bills")
			s.offer("b", "1002", "bills")
			s.connect("b", "1002", "bills")
			s.move("agent.state", "1002", "hold", "b", "bills")
			s.up()
			s.call("b", "resumed", `{"stage":"hold"}`)
			s.move("agent.state", "1002", "talking", "b", "bills")
			s.free("b", "1002", "bills")
			s.end("b", "served", "talked")
			s.served("c", "1002", "bills")
			s.clean(0, "a", "b", "c")
			return nil
		}},
		{"two agents are offered a caller", func(s *story) []found {
			s.signIn("1001", "1002")
			s.arrive("a")
			s.join("a", "bills")
			first := s.offer("a", "1001", "bills")
			return []found{{"I2", "a", "1002", []int64{first, s.offer("a", "1002", "bills")}, "two agents for a caller: agent 1001 has the call"}}
		}},
		{"several phones ring for a caller, and one is answered", func(s *story) []found {
			s.up()
			s.signIn("1001", "1002", "1003")
			s.arrive("a")
			s.arrive("b")
			s.join("a", "bills", "+1")
			for _, agent := range []string{"1001", "1002", "1003"} {
				s.offer("a", agent, "bills", "ring_all")
				s.move("agent.state", agent, "ringing", "a", "bills", "ring_all")
			}
			s.join("b", "bills", "+2")
			s.move("queue.refused", "1001", "paused", "a", "bills", "ring_all")
			s.signIn("1004")
			s.offer("b", "1004", "bills", "ring_all") // phones still ring for a
			s.move("queue.refused", "1003", "ready", "a", "bills", "ring_all")
			s.connect("a", "1002", "bills")
			s.offer("b", "1003", "bills", "ring_all")
			return nil
		}},
		{"several phones ring for a caller, and two are answered", func(s *story) []found {
			s.up()
			s.signIn("1001", "1002")
			s.arrive("a")
			s.join("a", "bills")
			s.offer("a", "1001", "bills", "ring_all")
			s.offer("a", "1002", "bills", "ring_all")
			s.move("agent.state", "1001", "ringing", "a", "bills", "ring_all")
			first := s.move("agent.state", "1002", "ringing", "a", "bills", "ring_all")
			return []found{{"I2", "a", "1001", []int64{first, s.connect("a", "1001", "bills")}, "two agents for a caller: agent 1002 has the call"}}
		}},
		{"called in, handed over, called back", func(s *story) []found {
			s.up()
			s.signIn("1001", "1002", "1003")
			s.arrive("a")
			s.join("a", "bills")
			s.offer("a", "1001", "bills")
			s.connect("a", "1001", "bills")
			s.move("agent.called", "1002", "reserved", "a", "bills", "third")
			s.move("queue.refused", "1002", "paused", "a", "bills", "third")
			s.callIn("a", "1003", "bills")
			s.up()
			s.call("a", "resumed", `{"stage":"talk"}`)
			s.handOver("a", "1001", "1003", "bills")
			s.callIn("a", "1001", "bills")
			s.move("agent.state", "1001", "ready", "a", "bills", "third")
			s.free("a", "1003", "bills")
			s.move("agent.called", "1001", "reserved", "a", "bills", "third")
			s.connect("a", "1001", "bills") // a transfer: nobody has the call
			s.free("a", "1001", "bills")
			s.end("a", "served", "talked")
			s.clean(0, "a")
			return nil
		}},
		{"two are called in by a call", func(s *story) []found {
			s.up()
			s.signIn("1001", "1002", "1003")
			s.arrive("a")
			s.join("a", "bills")
			s.offer("a", "1001", "bills")
			s.connect("a", "1001", "bills")
			first := s.callIn("a", "1002", "bills")
			return []found{{"I2", "a", "1003", []int64{first, s.move("agent.called", "1003", "reserved", "a", "bills", "third")}, "two agents for a caller: agent 1002 has the call"}}
		}},
		{"an agent is called in by two calls", func(s *story) []found {
			s.up()
			s.signIn("1001")
			s.arrive("a")
			s.arrive("b")
			first := s.callIn("a", "1001", "bills")
			return []found{{"I2", "b", "1001", []int64{first, s.move("agent.consulted", "1001", "consult", "b", "bills", "third")}, "two callers for an agent: agent 1001 has the call a"}}
		}},
		{"a caller gets in line whose call calls somebody in", func(s *story) []found {
			s.up()
			s.signIn("1001")
			s.arrive("a")
			first := s.callIn("a", "1001", "bills")
			return []found{{"I2", "a", "1001", []int64{first, s.join("a", "bills")}, "gets in line while agent 1001 has the call"}}
		}},
		{"handed over while somebody else has the call", func(s *story) []found {
			s.up()
			s.signIn("1001", "1002", "1003")
			s.arrive("a")
			s.join("a", "bills")
			s.offer("a", "1001", "bills")
			first := s.connect("a", "1001", "bills")
			s.callIn("a", "1002", "bills")
			s.states["1003"] = "talking"
			last := s.handOver("a", "1003", "1002", "bills")
			return []found{
				{"I2", "a", "1003", []int64{5, last}, "the agent was ready and goes from talking to wrap-up"},
				{"I2", "a", "1002", []int64{first, last}, "two agents for a caller: agent 1001 has the call"},
			}
		}},
		{"a third who stays", func(s *story) []found {
			s.up()
			s.signIn("1001")
			s.arrive("a")
			first := s.callIn("a", "1001", "bills")
			last := s.end("a", "served", "talked")
			s.clean(0, "a")
			for range 3 {
				s.pass(30 * time.Second)
				s.clean(0)
			}
			return []found{{"I2", "a", "1001", []int64{first, last}, "the agent is still consult with it"}}
		}},
		{"two agents talk with a caller, over a restart", func(s *story) []found {
			s.up()
			s.signIn("1001", "1002")
			s.arrive("a")
			s.join("a", "bills")
			s.offer("a", "1001", "bills")
			first := s.connect("a", "1001", "bills")
			s.up()
			s.call("a", "resumed", `{"stage":"talk"}`)
			return []found{{"I2", "a", "1002", []int64{first, s.connect("a", "1002", "bills")}, "two agents for a caller"}}
		}},
		{"two callers for an agent, over a restart", func(s *story) []found {
			s.up()
			s.signIn("1001")
			s.arrive("a")
			s.join("a", "bills")
			s.offer("a", "1001", "bills")
			first := s.connect("a", "1001", "bills")
			s.up()
			s.call("a", "resumed", `{"stage":"talk"}`)
			s.arrive("b")
			s.join("b", "bills")
			s.states["1001"] = "ready"
			second := s.offer("b", "1001", "bills")
			return []found{
				{"I2", "b", "1001", []int64{first, second}, "was talking and goes from ready"},
				{"I2", "b", "1001", []int64{first, second}, "agent 1001 has the call a"},
			}
		}},
		{"a restart ends an offer, and says so", func(s *story) []found {
			s.up()
			s.signIn("1001")
			s.arrive("a")
			s.join("a", "bills")
			s.offer("a", "1001", "bills")
			s.up()
			s.move("queue.refused", "1001", "ready", "a", "bills")
			s.join("a", "bills", "+2")
			s.offer("a", "1001", "bills")
			return nil
		}},
		{"a restart that the epoch alone tells", func(s *story) []found {
			s.signIn("1001")
			s.arrive("a")
			s.join("a", "bills", "+1")
			s.offer("a", "1001", "bills")
			s.restart()
			s.join("a", "bills", "+1")
			s.states["1001"] = "ready"
			s.offer("a", "1001", "bills")
			s.service("started", `{"epoch":2}`)
			s.connect("a", "1001", "bills")
			return nil
		}},
		{"a restart forgets that an agent is at lunch", func(s *story) []found {
			s.up()
			s.signIn("1001")
			lunch := s.move("agent.state", "1001", "paused", "", "")
			s.arrive("a")
			s.join("a", "bills")
			s.up()
			s.join("a", "bills", "+5")
			s.states["1001"] = "ready"
			return []found{{"I2", "a", "1001", []int64{lunch, s.offer("a", "1001", "bills")}, "was paused and goes from ready"}}
		}},
		{"an agent who was not described for a while", func(s *story) []found {
			s.up()
			s.signIn("1001")
			s.up()
			delete(s.states, "1001")
			s.signIn("1001")
			return nil
		}},
		{"a restart ends an offer", func(s *story) []found {
			s.up()
			s.signIn("1001")
			s.arrive("a")
			s.join("a", "bills")
			s.offer("a", "1001", "bills")
			s.up()
			s.states["1001"] = "ready"
			s.join("a", "bills", "+2")
			s.offer("a", "1001", "bills")
			s.connect("a", "1001", "bills")
			return nil
		}},
		{"a talk ended while nobody looked", func(s *story) []found {
			s.up()
			s.signIn("1001")
			s.arrive("a")
			s.join("a", "bills")
			s.offer("a", "1001", "bills")
			s.connect("a", "1001", "bills")
			s.up()
			s.end("a", "lost", "talk")
			s.states["1001"] = "ready"
			s.served("b", "1001", "bills")
			return nil
		}},
		{"found talking after a restart", func(s *story) []found {
			s.up()
			s.signIn("1001")
			s.arrive("a")
			s.join("a", "bills")
			s.offer("a", "1001", "bills")
			s.up()
			s.states["1001"] = "ready"
			s.connect("a", "1001", "bills")
			return nil
		}},
		{"in line while talking", func(s *story) []found {
			s.signIn("1001")
			s.arrive("a")
			s.join("a", "bills")
			s.offer("a", "1001", "bills")
			first := s.connect("a", "1001", "bills")
			return []found{{"I2", "a", "1001", []int64{first, s.join("a", "bills")}, "gets in line while agent 1001 has the call"}}
		}},
		{"the caller leaves and the agent stays reserved", func(s *story) []found {
			s.signIn("1001")
			s.arrive("a")
			s.join("a", "bills")
			first := s.offer("a", "1001", "bills")
			return []found{{"I2", "a", "1001", []int64{first, s.leave("a", "bills")}, "agent 1001 still has the call"}}
		}},
		{"a change is missing", func(s *story) []found {
			s.up()
			s.signIn("1001")
			s.states["1001"] = "paused"
			return []found{{"I2", "", "1001", []int64{3, s.move("agent.state", "1001", "unreachable", "", "")}, "was ready and goes from paused"}}
		}},
		{"the agent is still with a call that ended", func(s *story) []found {
			s.up()
			s.signIn("1001")
			s.arrive("a")
			s.join("a", "bills")
			s.offer("a", "1001", "bills")
			talk := s.connect("a", "1001", "bills")
			end := s.end("a", "served", "talked")
			s.clean(0, "a")
			for range 3 {
				s.pass(time.Minute)
				s.service("connected", `{}`)
			}
			return []found{{"I2", "a", "1001", []int64{talk, end}, "still talking with it"}}
		}},
	}.run(t, Options{})
}

func TestOrder(t *testing.T) {
	cases{
		{"head, priority, arrival, call", func(s *story) []found {
			s.up()
			for _, id := range []string{"a", "b", "c", "d", "e"} {
				s.arrive(id)
			}
			s.join("e", "bills", "+9")
			s.join("d", "bills", "+9")
			s.join("c", "bills", "+1")
			s.join("b", "bills", "p5", "+9")
			s.join("a", "bills", "head", "+9")
			for i, id := range []string{"a", "b", "c", "d", "e"} {
				s.signIn(fmt.Sprint(1001 + i))
				s.offer(id, fmt.Sprint(1001+i), "bills")
			}
			return nil
		}},
		{"passed over", func(s *story) []found {
			s.up()
			s.arrive("a")
			s.arrive("b")
			first := s.join("a", "bills", "+1")
			second := s.join("b", "bills", "+2")
			s.signIn("1001")
			return []found{{"I3", "a", "1001", []int64{first, second, s.offer("b", "1001", "bills")}, "offered the call b"}}
		}},
		{"passed over by a lower priority", func(s *story) []found {
			s.arrive("a")
			s.arrive("b")
			second := s.join("b", "bills", "+1")
			first := s.join("a", "bills", "p9", "+2")
			s.signIn("1001")
			return []found{{"I3", "a", "1001", []int64{first, second, s.offer("b", "1001", "bills")}, ""}}
		}},
		{"passed over in a tie", func(s *story) []found {
			s.up()
			s.arrive("a")
			s.arrive("b")
			second := s.join("b", "bills", "+2")
			first := s.join("a", "bills", "+2")
			s.signIn("1001")
			return []found{{"I3", "a", "1001", []int64{first, second, s.offer("b", "1001", "bills")}, ""}}
		}},
		{"a refused caller keeps the place", func(s *story) []found {
			s.arrive("a")
			s.arrive("b")
			s.signIn("1001")
			first := s.join("a", "bills", "+1")
			s.offer("a", "1001", "bills")
			second := s.join("b", "bills", "+2")
			s.move("queue.refused", "1001", "paused", "a", "bills")
			s.signIn("1002")
			return []found{{"I3", "a", "1002", []int64{first, second, s.offer("b", "1002", "bills")}, ""}}
		}},
		{"who left is not passed over", func(s *story) []found {
			s.arrive("a")
			s.arrive("b")
			s.join("a", "bills", "+1")
			s.join("b", "bills", "+2")
			s.leave("a", "bills")
			s.signIn("1001")
			s.offer("b", "1001", "bills")
			return nil
		}},
		{"an agent of two queues takes the first of both", func(s *story) []found {
			s.up()
			s.signIn("1001")
			s.served("x", "1001", "bills")
			s.clean(0, "x")
			s.move("agent.state", "1001", "paused", "", "")
			s.arrive("a")
			s.arrive("b")
			first := s.join("a", "bills", "+1")
			second := s.join("b", "repairs", "+2")
			s.signIn("1001")
			return []found{{"I3", "a", "1001", []int64{first, second, s.offer("b", "1001", "repairs")}, "stood first in the queue bills"}}
		}},
		{"an agent of one queue passes by the other", func(s *story) []found {
			s.up()
			s.arrive("a")
			s.arrive("b")
			s.join("a", "bills", "+1")
			s.join("b", "repairs", "+2")
			s.signIn("1001")
			s.offer("b", "1001", "repairs")
			return nil
		}},
		{"a preferred agent, and callers who wait for one", func(s *story) []found {
			s.up()
			s.arrive("a")
			s.arrive("b")
			s.arrive("c")
			s.join("a", "bills", "+1")
			s.join("b", "bills", "+2", "=1001")
			s.join("c", "bills", "+3", "=1002")
			s.signIn("1001", "1002", "1003")
			s.offer("c", "1002", "bills")
			s.offer("a", "1003", "bills")
			return nil
		}},
		{"priority counts as waiting", func(s *story) []found {
			s.up()
			for _, id := range []string{"a", "b", "c"} {
				s.arrive(id)
			}
			s.join("a", "bills", "+1")
			second := s.join("b", "bills", "p1", "+100", "as+40")
			first := s.join("c", "bills", "p1", "+90", "as+30")
			s.signIn("1001", "1002")
			s.offer("a", "1001", "bills")
			return []found{{"I3", "c", "1002", []int64{first, second, s.offer("b", "1002", "bills")}, "offered the call b"}}
		}},
		{"a caller who needs a skill is passed by", func(s *story) []found {
			s.up()
			s.arrive("a")
			s.arrive("b")
			s.join("a", "bills", "+1", "needs")
			s.join("b", "bills", "+2")
			s.signIn("1001")
			s.offer("b", "1001", "bills")
			return nil
		}},
		{"in the queue moved to the caller has a place", func(s *story) []found {
			s.up()
			s.arrive("a")
			s.arrive("b")
			first := s.join("a", "bills", "+1")
			second := s.join("b", "repairs", "+2")
			s.overflow("a", "bills", "repairs")
			s.signIn("1001")
			return []found{{"I3", "a", "1001", []int64{first, second, s.offer("b", "1001", "repairs")}, "stood first in the queue repairs"}}
		}},
		{"and is offered there", func(s *story) []found {
			s.up()
			s.arrive("a")
			s.join("a", "bills", "+1")
			s.overflow("a", "bills", "repairs")
			s.signIn("1001")
			s.offer("a", "1001", "repairs")
			return nil
		}},
		{"an agent whose queues count differently", func(s *story) []found {
			s.up()
			s.signIn("1001")
			s.served("x", "1001", "bills")
			s.clean(0, "x")
			s.arrive("a")
			s.arrive("b")
			s.join("a", "bills", "+1")
			s.join("b", "repairs", "+2")
			s.offer("b", "1001", "repairs", "weighted")
			return nil
		}},
		{"rules changed while callers waited", func(s *story) []found {
			s.up()
			s.arrive("a")
			s.arrive("b")
			s.join("a", "bills", "+1")
			s.join("b", "bills", "+2")
			s.tell("queue.rules", `{"queue":"bills","by":"operator","rules":{"id":"bills"}}`, "queue/bills")
			s.signIn("1001")
			s.offer("b", "1001", "bills")
			return nil
		}},
		{"offered without waiting", func(s *story) []found {
			s.up()
			s.arrive("a")
			s.signIn("1001")
			return []found{{"I3", "a", "1001", []int64{s.offer("a", "1001", "bills")}, "without waiting"}}
		}},
		{"twice in line", func(s *story) []found {
			s.arrive("a")
			first := s.join("a", "bills")
			return []found{{"I3", "a", "", []int64{first, s.join("a", "bills")}, "in line twice"}}
		}},
		{"back in order after a restart", func(s *story) []found {
			s.up()
			s.arrive("a")
			s.arrive("b")
			s.join("a", "bills", "+1")
			s.join("b", "bills", "+2")
			s.up()
			s.join("b", "bills", "+2")
			s.join("a", "bills", "+1")
			s.signIn("1001", "1002")
			s.offer("a", "1001", "bills")
			s.offer("b", "1002", "bills")
			return nil
		}},
		{"passed over after a restart", func(s *story) []found {
			s.up()
			s.arrive("a")
			s.arrive("b")
			first := s.join("a", "bills", "+1")
			s.join("b", "bills", "+2")
			s.up()
			s.signIn("1001")
			s.join("b", "bills", "+2")
			offer := s.offer("b", "1001", "bills")
			return []found{{"I3", "a", "", []int64{first, offer, s.join("a", "bills", "+1")}, "before the caller was back"}}
		}},
		{"a worse place after a restart, by other rules", func(s *story) []found {
			s.up()
			s.arrive("a")
			s.join("a", "bills", "+1")
			s.up()
			s.tell("queue.rules", `{"queue":"bills","by":"hotline.yaml","rules":{"id":"bills"}}`, "queue/bills")
			s.join("a", "bills", "+9")
			s.end("a", "abandoned", "wait")
			return nil
		}},
		{"a worse place after a restart", func(s *story) []found {
			s.up()
			s.arrive("a")
			first := s.join("a", "bills", "+1")
			s.up()
			return []found{{"I3", "a", "", []int64{first, s.join("a", "bills", "+9")}, "a worse place"}}
		}},
		{"not back after a restart", func(s *story) []found {
			s.up()
			s.arrive("a")
			s.arrive("b")
			s.join("a", "bills", "+1")
			s.join("b", "bills", "+2")
			s.up()
			s.end("a", "lost", "wait")
			s.signIn("1001")
			s.join("b", "bills", "+2")
			s.offer("b", "1001", "bills")
			s.clean(0, "a")
			return nil
		}},
	}.run(t, Options{})
}

func TestPromises(t *testing.T) {
	const numbered = `{"number":"13800000001","confirmed":true,"reason":"closed"}`
	cases{
		{"messages that are whole", func(s *story) []found {
			s.arrive("a")
			s.call("a", "message", fmt.Sprintf(`{"number":"","file":%q,"reason":"full"}`, s.wav("a.wav", 32000, 32000)))
			s.call("a", "said", `{"prompts":["message.saved"]}`)
			s.end("a", "message", "full")
			s.arrive("b")
			s.call("b", "message", numbered)
			s.end("b", "message", "closed")
			return nil
		}},
		{"nothing to go by", func(s *story) []found {
			s.arrive("a")
			return []found{{"I4", "a", "", []int64{s.call("a", "message", `{"number":"13800000001","reason":"full"}`)}, "neither a file nor a number"}}
		}},
		{"no reason", func(s *story) []found {
			s.arrive("a")
			return []found{{"I4", "a", "", []int64{s.call("a", "message", `{"number":"1","confirmed":true}`)}, "why nobody took the call"}}
		}},
		{"no file", func(s *story) []found {
			s.arrive("a")
			return []found{{"I4", "a", "", []int64{s.call("a", "message", `{"file":"/nowhere/a.wav","reason":"full"}`)}, "/nowhere/a.wav"}}
		}},
		{"said to be saved, and not in the journal", func(s *story) []found {
			s.arrive("a")
			return []found{{"I4", "a", "", []int64{s.call("a", "said", `{"prompts":["message.saved"]}`)}, "the journal has none"}}
		}},
		{"ended with a message, and not in the journal", func(s *story) []found {
			s.arrive("a")
			return []found{{"I4", "a", "", []int64{s.end("a", "message", "full")}, "the journal has none"}}
		}},
		{"dialled again once", func(s *story) []found {
			s.arrive("a")
			s.call("a", "redial", `{"attempt":1,"number":"138****0001"}`)
			s.end("a", "served", "talked")
			return nil
		}},
		{"dialled again twice", func(s *story) []found {
			s.arrive("a")
			first := s.call("a", "redial", `{"attempt":1}`)
			return []found{{"I4", "a", "", []int64{first, s.call("a", "redial", `{"attempt":2}`)}, "more than once"}}
		}},
		{"one dial after another", func(s *story) []found {
			s.tell("promise.dial-opened", `{"promise":"p","dial":"1"}`)
			s.tell("promise.dial-opened", `{"promise":"q","dial":"1"}`)
			s.tell("promise.dial-closed", `{"promise":"p","dial":"1"}`)
			s.tell("promise.dial-opened", `{"promise":"p","dial":"2"}`)
			return nil
		}},
		{"two dials in flight, over a restart", func(s *story) []found {
			s.up()
			first := s.tell("promise.dial-opened", `{"promise":"p","dial":"1"}`)
			s.up()
			return []found{{"I4", "", "", []int64{first, s.tell("promise.dial-opened", `{"promise":"p","dial":"2"}`)}, "two dials in flight for the promise p"}}
		}},
	}.run(t, Options{Files: true})
}

func TestRecordings(t *testing.T) {
	ended := func(recording string) string {
		return `{"result":"served","reason":"talked","recording":` + recording + `}`
	}
	file := func(path string) string { return ended(fmt.Sprintf(`{"file":%q,"seconds":2,"expected":2}`, path)) }
	cases{
		{"a file, a gap, no recording, and one that did not begin", func(s *story) []found {
			s.arrive("a")
			s.call("a", "recording", `{}`)
			s.call("a", "ended", file(s.wav("a.wav", 32000, 32000)))
			s.arrive("b")
			s.call("b", "recording", `{}`)
			s.call("b", "ended", ended(`{"seconds":0,"expected":2,"gap":"the disk is full"}`))
			s.abandoned("c")
			s.arrive("d")
			s.call("d", "recording", `{"error":"refused"}`)
			s.end("d", "abandoned", "menu")
			return nil
		}},
		{"nothing is said of it", func(s *story) []found {
			s.arrive("a")
			began := s.call("a", "recording", `{}`)
			return []found{{"I5", "a", "", []int64{began, s.end("a", "served", "talked")}, "does not say what became"}}
		}},
		{"neither file nor gap", func(s *story) []found {
			s.arrive("a")
			began := s.call("a", "recording", `{}`)
			return []found{{"I5", "a", "", []int64{began, s.call("a", "ended", ended(`{"seconds":0}`))}, "neither a file nor a reason"}}
		}},
		{"no file", func(s *story) []found {
			s.arrive("a")
			began := s.call("a", "recording", `{}`)
			return []found{{"I5", "a", "", []int64{began, s.call("a", "ended", file("/nowhere/a.wav"))}, "/nowhere/a.wav"}}
		}},
		{"another length", func(s *story) []found {
			s.arrive("a")
			began := s.call("a", "recording", `{}`)
			return []found{{"I5", "a", "", []int64{began, s.call("a", "ended", file(s.wav("a.wav", 16000, 16000)))}, "lasts 1.00 s, and its ending says 2.00 s"}}
		}},
		{"cut short", func(s *story) []found {
			s.arrive("a")
			began := s.call("a", "recording", `{}`)
			return []found{{"I5", "a", "", []int64{began, s.call("a", "ended", file(s.wav("a.wav", 32000, 31999)))}, "cut short"}}
		}},
		{"without a sample", func(s *story) []found {
			s.arrive("a")
			began := s.call("a", "recording", `{}`)
			return []found{{"I5", "a", "", []int64{began, s.call("a", "ended", file(s.wav("a.wav", 0, 0)))}, "no sample"}}
		}},
		{"no WAV", func(s *story) []found {
			s.arrive("a")
			began := s.call("a", "recording", `{}`)
			return []found{{"I5", "a", "", []int64{began, s.call("a", "ended", file(s.path()))}, "not a WAV file"}}
		}},
	}.run(t, Options{Files: true})
}

func FuzzWavSeconds(f *testing.F) {
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x02\x00\x00\x00ab"))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVELIST\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, content []byte) {
		seconds, err := wavSeconds(bytes.NewReader(content), int64(len(content)))
		if err == nil && (seconds <= 0 || seconds > float64(len(content))) {
			t.Errorf("%d bytes are said to last %v s", len(content), seconds)
		}
	})
}

func TestFilesAreLeftAloneUnlessAsked(t *testing.T) {
	s := newStory(t)
	s.arrive("a")
	s.call("a", "recording", `{}`)
	s.call("a", "ended", `{"result":"served","reason":"talked","recording":{"file":"/nowhere/a.wav","seconds":2}}`)
	r := s.audit(Options{})
	expect(t, r)
	if c := checkOf(t, r, "I5"); c.Except == "" {
		t.Error("the report does not say that files were not looked at")
	}
}

func TestNothingLeft(t *testing.T) {
	// idle lets time pass that the entries show.
	idle := func(s *story, d time.Duration) (last int64) {
		for ; d > 0; d -= 20 * time.Second {
			s.pass(19 * time.Second)
			last = s.move("agent.state", "1001", "ready", "", "")
		}
		return last
	}
	cases{
		{"confirmed", func(s *story) []found {
			s.up()
			s.abandoned("a")
			s.abandoned("b")
			s.clean(0, "a", "b")
			idle(s, 5*time.Minute)
			return nil
		}},
		{"just ended", func(s *story) []found {
			s.up()
			s.abandoned("a")
			idle(s, 40*time.Second)
			return nil
		}},
		{"never confirmed", func(s *story) []found {
			s.up()
			s.arrive("a")
			end := s.end("a", "abandoned", "menu")
			idle(s, 100*time.Second)
			return []found{{"I6", "a", "", []int64{end}, "does not confirm"}}
		}},
		{"confirmed for others alone", func(s *story) []found {
			s.up()
			s.arrive("a")
			end := s.end("a", "abandoned", "menu")
			idle(s, 100*time.Second)
			s.abandoned("b")
			s.clean(0, "b")
			return []found{{"I6", "a", "", []int64{end}, "does not confirm"}}
		}},
		{"confirmed before its end", func(s *story) []found {
			s.up()
			s.arrive("a")
			s.clean(0, "a")
			end := s.end("a", "abandoned", "menu")
			idle(s, 100*time.Second)
			return []found{{"I6", "a", "", []int64{end}, "does not confirm"}}
		}},
		{"no look at Asterisk for long", func(s *story) []found {
			s.up()
			s.arrive("a")
			end := s.end("a", "abandoned", "menu")
			idle(s, 20*time.Minute)
			s.abandoned("b")
			return []found{{"I6", "a", "", []int64{end}, "within 10m0s"}}
		}},
		{"confirmed by the next process", func(s *story) []found {
			s.up()
			s.abandoned("a")
			idle(s, 40*time.Second)
			s.pass(time.Hour)
			s.up()
			idle(s, 40*time.Second)
			s.clean(0, "a")
			return nil
		}},
		{"confirmed when Asterisk is back", func(s *story) []found {
			s.up()
			s.abandoned("a")
			idle(s, 5*time.Minute)
			s.service("connected", `{"away_s":300}`)
			s.clean(0, "a")
			return nil
		}},
		{"the clock was set", func(s *story) []found {
			s.up()
			s.abandoned("a")
			s.pass(365 * 24 * time.Hour)
			s.arrive("b")
			s.pass(-365 * 24 * time.Hour)
			s.clean(0, "a")
			return nil
		}},
		{"found left, and then gone", func(s *story) []found {
			s.up()
			s.abandoned("a")
			s.clean(0, "a")
			s.service("left", `{"call":"a","channel":"a-agent-1"}`)
			s.service("left", `{"call":"","bridge":"b-1"}`)
			s.clean(0, "a")
			idle(s, 5*time.Minute)
			return nil
		}},
		{"found left", func(s *story) []found {
			s.up()
			s.abandoned("a")
			s.clean(0, "a")
			left := s.service("left", `{"call":"a","channel":"a-agent-1"}`)
			idle(s, 5*time.Minute)
			s.clean(0)
			return []found{{"I6", "a", "", []int64{left}, "found a-agent-1 in Asterisk"}}
		}},
		{"found left of nobody", func(s *story) []found {
			s.up()
			left := s.service("left", `{"bridge":"b-1"}`)
			idle(s, 5*time.Minute)
			return []found{{"I6", "", "", []int64{left}, "found b-1 in Asterisk"}}
		}},
	}.run(t, Options{})
}

func TestEntries(t *testing.T) {
	cases{
		{"expired content", func(s *story) []found {
			s.served("a", "1001", "bills")
			s.sql("UPDATE entry SET data = NULL WHERE kind LIKE 'call.%'")
			return nil
		}},
		{"changed", func(s *story) []found {
			s.abandoned("a")
			s.sql(`UPDATE entry SET data = replace(data, 'menu', 'wait') WHERE seq = 2`)
			return []found{{"I7", "", "", []int64{2}, "its data is not what was written"}}
		}},
		{"removed", func(s *story) []found {
			s.abandoned("a")
			s.abandoned("b")
			s.sql(`DELETE FROM entry WHERE seq = 2; DELETE FROM membership WHERE seq = 2`)
			return []found{
				{"I7", "", "", []int64{2}, "it is missing"},
				{"I7", "", "", []int64{1, 3}, "entry 3 follows entry 1"},
			}
		}},
		{"unreadable from one on", func(s *story) []found {
			s.abandoned("a")
			s.sql(`UPDATE entry SET streams = '[' WHERE seq = 2`)
			return []found{
				{"I7", "", "", []int64{2}, "unreadable streams"},
				{"I7", "", "", nil, "are not audited"},
			}
		}},
		{"an epoch that does not grow", func(s *story) []found {
			first := s.started()
			return []found{{"I7", "", "", []int64{first, s.service("started", `{"epoch":2}`)}, "under the epoch 2 after one under the epoch 2"}}
		}},
		{"a start of whose epoch the disk let nobody know", func(s *story) []found {
			s.service("started", `{"epoch":0}`)
			return nil
		}},
		{"another epoch than it says", func(s *story) []found {
			return []found{{"I7", "", "", []int64{s.service("started", `{"epoch":7}`)}, "says that it writes under the epoch 7 and writes under 1"}}
		}},
		{"written by a process that had been relieved", func(s *story) []found {
			s.abandoned("a")
			s.sql(`UPDATE entry SET epoch = epoch + 2 WHERE seq = 1`)
			return []found{
				{"I7", "", "", []int64{1}, "not what was written"},
				{"I7", "", "", []int64{1, 2}, "under the epoch 1 after one under the epoch 3"},
			}
		}},
		{"data of another shape", func(s *story) []found {
			s.arrive("a")
			return []found{{"I7", "a", "", []int64{s.call("a", "ended", `{"result":7}`)}, "cannot be read"}}
		}},
		{"in no call's stream", func(s *story) []found {
			return []found{{"I7", "", "", []int64{s.tell("call.said", `{}`)}, "in no call's stream"}}
		}},
		{"in another call's stream", func(s *story) []found {
			s.arrive("a")
			return []found{{"I7", "a", "", []int64{s.queue("queue.left", "a", "", map[string]any{"queue": "bills", "call": "b"})}, `names the call "b"`}}
		}},
		{"no agent", func(s *story) []found {
			s.arrive("a")
			return []found{{"I7", "a", "", []int64{s.queue("queue.offered", "a", "", map[string]any{"queue": "bills", "call": "a"})}, "names no agent"}}
		}},
		{"no queue", func(s *story) []found {
			s.arrive("a")
			return []found{{"I7", "a", "", []int64{s.queue("queue.left", "a", "", map[string]any{"call": "a"})}, "names no queue"}}
		}},
		{"no call", func(s *story) []found {
			return []found{{"I7", "", "", []int64{s.queue("queue.joined", "", "", map[string]any{"queue": "bills"})}, "names no call"}}
		}},
		{"no place", func(s *story) []found {
			s.arrive("a")
			return []found{{"I7", "a", "", []int64{s.queue("queue.joined", "a", "", map[string]any{"queue": "bills", "call": "a"})}, "since when"}}
		}},
		{"a state that does not exist", func(s *story) []found {
			return []found{{"I7", "", "", []int64{s.move("agent.state", "1001", "asleep", "", "")}, "asleep"}}
		}},
		{"talking with nobody", func(s *story) []found {
			return []found{{"I7", "", "", []int64{s.move("agent.state", "1001", "talking", "", "")}, "with whom"}}
		}},
		{"a stage without a name", func(s *story) []found {
			s.arrive("a")
			return []found{{"I7", "a", "", []int64{s.call("a", "stage", `{}`)}, "names no stage"}}
		}},
		{"a dial for no promise", func(s *story) []found {
			return []found{{"I7", "", "", []int64{s.tell("promise.dial-opened", `{"dial":"1"}`)}, "names no promise"}}
		}},
	}.run(t, Options{})
}

func TestTotals(t *testing.T) {
	report := func(totals map[string]int) Options {
		return Options{Reported: func(context.Context, int64) (map[string]int, error) { return totals, nil }}
	}
	tell := func(t *testing.T) *story {
		s := newStory(t)
		s.signIn("1001")
		s.served("a", "1001", "bills")
		s.served("b", "1001", "bills")
		s.abandoned("c")
		s.arrive("d")
		s.call("d", "message", `{"number":"13800000001","confirmed":true,"reason":"closed"}`)
		s.end("d", "message", "closed")
		s.arrive("e")
		return s
	}
	right := map[string]int{
		TotalCalls: 5, TotalResult("served"): 2, TotalResult("abandoned"): 1, TotalResult("message"): 1,
		TotalOpen: 1, TotalMessages: 1, TotalTalks: 2, TotalRatings: 2,
	}
	expect(t, tell(t).audit(report(right)))
	for name := range right {
		t.Run(name, func(t *testing.T) {
			wrong := map[string]int{}
			for n, v := range right {
				wrong[n] = v
			}
			wrong[name]++
			what := fmt.Sprintf("%s: the reports say %d, the entries %d", name, wrong[name], right[name])
			expect(t, tell(t).audit(report(wrong)), found{check: "I8", what: what})
		})
	}
	t.Run("a result that only the reports have", func(t *testing.T) {
		wrong := map[string]int{TotalResult("lost"): 1}
		for n, v := range right {
			wrong[n] = v
		}
		expect(t, tell(t).audit(report(wrong)), found{check: "I8", what: "result lost: the reports say 1, the entries 0"})
	})
	t.Run("reports that cannot be had", func(t *testing.T) {
		s := tell(t)
		s.write()
		o := Options{Reported: func(context.Context, int64) (map[string]int, error) { return nil, fs.ErrPermission }}
		if _, err := Run(context.Background(), s.journal.Reader(), o); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("Run gives %v, want the report's error", err)
		}
	})
	t.Run("reports are told where to stop", func(t *testing.T) {
		s := tell(t)
		var last int64
		s.audit(Options{Reported: func(_ context.Context, l int64) (map[string]int, error) { last = l; return right, nil }})
		if last != s.told {
			t.Errorf("the reports are to stop at entry %d, the audit read %d", last, s.told)
		}
	})
}

func TestSince(t *testing.T) {
	s := newStory(t)
	s.arrive("a")
	s.end("a", "sreved", "talked")
	s.pass(time.Hour)
	since := s.now
	s.arrive("b")
	late := s.end("b", "sreved", "talked")
	r := s.audit(Options{Since: since, Reported: func(context.Context, int64) (map[string]int, error) {
		return map[string]int{TotalCalls: 1, TotalResult("sreved"): 1}, nil
	}})
	expect(t, r, found{"I1", "b", "", []int64{late}, "sreved"})
	if r.Calls != 1 || r.Entries != 4 {
		t.Errorf("counted %d calls and %d entries, want the one call since then, and all entries", r.Calls, r.Entries)
	}
}

// TestJournalsOfBefore: what was not written then cannot be missed now.
func TestJournalsOfBefore(t *testing.T) {
	s := newStory(t)
	s.signIn("1001")
	s.served("a", "1001", "bills")
	s.arrive("b") // the process died, and nothing more was said of it
	for range 10 {
		s.pass(time.Minute)
		s.abandoned(fmt.Sprint("c", s.told))
	}
	r := s.auditAsBefore()
	expect(t, r)
	if c := checkOf(t, r, "I6"); c.Skipped == "" {
		t.Error("the report does not say that I6 was not checked")
	}
	if c := checkOf(t, r, "I1"); c.Except == "" {
		t.Error("the report does not say that calls without an ending were not judged")
	}
	want := "audited 12 calls, 32 entries, 7 checks: clean; I1 without calls without an ending, as the journal does not say when a process started; " +
		"I4 without the files of messages; I5 without the files; I6 not checked: the service did not tell of itself yet"
	if r.String() != want {
		t.Errorf("in one line:\n%s, want\n%s", r, want)
	}
}

func TestRestartsOfBefore(t *testing.T) {
	s := newStory(t)
	s.signIn("1001", "1002")
	s.arrive("a")
	s.join("a", "bills")
	s.offer("a", "1001", "bills")
	s.connect("a", "1001", "bills")
	s.arrive("b")
	s.join("b", "bills")
	s.offer("b", "1002", "bills")
	s.arrive("c")
	s.join("c", "bills")
	clear(s.states) // the process is a new one, and everybody is offline
	s.signIn("1001", "1002")
	s.served("d", "1001", "bills")
	s.served("e", "1002", "bills")
	expect(t, s.auditAsBefore())
}

func TestFindingsAreCountedAndTheFirstKept(t *testing.T) {
	s := newStory(t)
	for range MaxFindings + 5 {
		s.end("a", "served", "talked")
	}
	r := s.audit(Options{})
	if r.Clean() || r.Count() != MaxFindings+5 || len(r.Findings()) != MaxFindings {
		t.Errorf("%d findings are counted and %d kept", r.Count(), len(r.Findings()))
	}
}

func TestEmptyJournal(t *testing.T) {
	expect(t, newStory(t).audit(Options{}))
}

func TestMemoryIsThatOfLiveCalls(t *testing.T) {
	s := newStory(t)
	s.up()
	s.signIn("1001")
	for i := range 300 {
		id := fmt.Sprintf("c%03d", i)
		s.served(id, "1001", "bills")
		s.clean(0, id)
	}
	s.write()
	a := newAuditor(Options{})
	for e, err := range s.journal.Reader().Read(context.Background(), journal.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		a.step(e)
	}
	a.end()
	expect(t, a.report)
	left := a.checks[5].(*left)
	order := a.checks[2].(*order)
	for what, n := range map[string]int{
		"calls": len(a.visits.live), "pairs": len(a.pairs.with), "waits": len(order.waits), "away": len(order.away), "unconfirmed": len(left.open),
	} {
		if n > 10 {
			t.Errorf("%d %s are still kept after 300 calls that are over", n, what)
		}
	}
	if a.report.Calls != 300 {
		t.Errorf("counted %d calls", a.report.Calls)
	}
}

func BenchmarkAudit(b *testing.B) {
	s := newStory(b)
	s.up()
	s.signIn("1001")
	for i := range 2000 {
		id := fmt.Sprintf("20260206-%06d", i)
		s.served(id, "1001", "bills")
		s.clean(0, id)
		if len(s.kept) > 900 {
			s.write()
		}
	}
	s.write()
	for b.Loop() {
		r, err := Run(context.Background(), s.journal.Reader(), Options{})
		if err != nil || !r.Clean() || r.Entries != int(s.told) {
			b.Fatal(err, r)
		}
	}
	b.ReportMetric(float64(s.told)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}
