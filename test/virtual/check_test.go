package virtual

import (
	"context"
	"slices"
	"strings"
	"time"

	"hotline/ari/aritest"
	"hotline/call"
	"hotline/journal"
	"hotline/journal/audit"
	"hotline/queue"
)

// checkLeftovers is asked ten seconds after the last caller has left.
func (w *world) checkLeftovers() {
	for _, ch := range w.asterisk.List() {
		w.fail("%s is left in Asterisk ten seconds after the last caller, %s, in Stasis %v", ch.ID(), ch.State(), ch.InStasis())
	}
	if n := w.asterisk.Bridges(); n > 0 {
		w.fail("%d bridges are left in Asterisk ten seconds after the last caller", n)
	}
	p := w.current()
	if p == nil {
		w.fail("no process is there at the end")
		return
	}
	for _, a := range p.lines.Agents() {
		switch a.State {
		case queue.StateOffline, queue.StateReady, queue.StatePaused, queue.StateUnreachable:
		default:
			w.fail("agent %s is %s (%s) ten seconds after the last caller", a.ID, a.State, a.Call)
		}
	}
	for _, q := range p.lines.Queues() {
		if q.Waiting > 0 {
			w.fail("%d callers wait in queue %s ten seconds after the last caller", q.Waiting, q.ID)
		}
	}
}

// mostSilence is how long a caller may hear nothing while the service is there.
const mostSilence = time.Second

// checkCallers looks at each visit from the caller's side, once the journal has been read: a process that is killed
// between the entry of a farewell and the command leaves one that the next process takes for said.
func (w *world) checkCallers() {
	for _, c := range w.callers {
		if c.ch == nil {
			continue
		}
		if c.ch.Commanded() && !c.saidGoodbye() && !c.meant {
			w.fail("caller %d was hung up on at %.3f s without a farewell; heard last: %v", c.n, c.left.Sub(w.began).Seconds(), lastHeard(c.ch, 4))
		}
		for _, s := range c.ch.Silences() {
			if lasted := s.To.Sub(s.From); lasted > mostSilence+w.disturbed(s.From, s.To) {
				w.fail("caller %d heard nothing for %v from %.3f s on, of which %v are excused", c.n, lasted,
					s.From.Sub(w.began).Seconds(), w.disturbed(s.From, s.To))
			}
		}
	}
}

// saidGoodbye says whether the last thing that was said was a farewell. What only began to be said does not count: a
// command that Asterisk carries out late can come to its turn then.
func (c *caller) saidGoodbye() bool {
	for _, h := range slices.Backward(c.ch.Heard(0)) {
		if p := promptOf(h.Medium); !strings.HasPrefix(p, "silence.") && c.left.Sub(h.At) > 300*time.Millisecond {
			return strings.HasPrefix(p, "closing.")
		}
	}
	return false
}

// lastHeard are the last n prompts, without silence.
func lastHeard(ch *aritest.Channel, n int) []string {
	var prompts []string
	for _, h := range ch.Heard(0) {
		if p := promptOf(h.Medium); !strings.HasPrefix(p, "silence.") {
			prompts = append(prompts, p)
		}
	}
	return prompts[max(0, len(prompts)-n):]
}

// watchAgents compares, every now and then, what the queue says of the agents with their phones.
func (w *world) watchAgents() {
	odd := map[string]int{}
	for w.sleep(time.Second) {
		p := w.current()
		now := time.Now()
		if p == nil || w.disturbed(now.Add(-patience), now) > 0 {
			clear(odd)
			continue
		}
		for _, a := range p.lines.Agents() {
			joined := slices.ContainsFunc(w.asterisk.At(endpoint(a.ID)), func(c *aritest.Channel) bool { return len(c.Joined()) > 1 })
			up := slices.ContainsFunc(w.asterisk.At(endpoint(a.ID)), func(c *aritest.Channel) bool { return c.State() == "Up" })
			talks := a.State.InTalk()
			if a.State == queue.StateOffline || a.State == queue.StateUnreachable { // may come back to a caller all the same
				joined = joined && !slices.ContainsFunc(w.asterisk.At(endpoint(a.ID)), cameBack)
			}
			if joined && !talks || talks && !up {
				odd[a.ID]++
			} else {
				odd[a.ID] = 0
			}
			if odd[a.ID] == int(patience/time.Second) {
				w.fail("agent %s is %s (%s) for the queue; on the phone: up %v, with a caller %v", a.ID, a.State, a.Call, up, joined)
			}
		}
	}
}

// cameBack says whether an agent has keyed the way back to a caller.
func cameBack(c *aritest.Channel) bool { return c.Exten() == rejoin }

// patience is how long the queue's view and the phones may differ.
const patience = 3 * time.Second

// audit has the journal read by who knows nothing of its writers.
func (w *world) audit(ctx context.Context, reader *journal.Reader) {
	for n := range w.lives { // the entries name files by the folders of the process that wrote them
		if err := w.link(n); err != nil {
			w.fail("process %d has no folders any more: %v", n, err)
		}
	}
	report, err := audit.Run(ctx, reader, audit.Options{Files: true})
	if err != nil {
		w.fail("the audit cannot be made: %v", err)
		return
	}
	for _, f := range report.Findings() {
		w.fail("audit %s: %s (call %s, agent %s, entries %v)", f.Check, f.What, f.Call, f.Agent, f.Entries)
	}
}

// checkJournal reads what is left of the whole run.
func (w *world) checkJournal() {
	ctx := context.Background()
	reader, err := journal.OpenReader(ctx, w.file)
	if err != nil {
		w.fail("the journal cannot be read: %v", err)
		return
	}
	defer reader.Close()
	byStream, byChannel := map[string]*visit{}, map[string][]*visit{}
	for e, err := range reader.Read(ctx, journal.Query{}) {
		if err != nil {
			w.fail("the journal cannot be read: %v", err)
			return
		}
		if w.verbose {
			w.logf("    journal %d %s %s %s %s", e.Seq, e.At.Format("15:04:05.000"), e.Kind, e.Streams, e.Data)
		}
		if e.Kind == call.KindArrived {
			v := &visit{stream: e.Streams[0]}
			channel := decoded[call.Arrived](w, e).Channel
			byStream[v.stream], byChannel[channel] = v, append(byChannel[channel], v)
		}
		if len(e.Streams) > 0 && byStream[e.Streams[0]] != nil {
			byStream[e.Streams[0]].fold(w, e)
		}
	}
	w.audit(ctx, reader)
	for _, c := range w.callers {
		if c.ch != nil {
			w.checkVisits(c, byChannel[c.ch.ID()])
		}
	}
}

// checkVisits compares a caller's visit with the calls that the journal makes of it: one, but for those whom we could
// not keep and served anew.
func (w *world) checkVisits(c *caller, visits []*visit) {
	for i, v := range visits {
		last := i == len(visits)-1
		if !last && len(w.plan.ends) == 0 && !w.plan.faults {
			w.fail("caller %d is %d calls, %s the first", c.n, len(visits), v.stream)
		}
		if !last && !w.plan.faults && v.end != nil && v.end.Result != call.Failed && v.end.Result != call.Lost {
			w.fail("caller %d is served again after %s", c.n, v.stream)
		}
		if v.end == nil {
			w.fail("%s has not ended", v.stream)
		}
		c.meant = c.meant || v.meant && w.lives > 1
		w.checkApologies(c, v)
		w.checkEnding(c, v, last)
	}
	if stayed := c.left.Sub(c.arrived); len(visits) == 0 && stayed > mostSilence+netTry+w.disturbed(c.arrived, c.left) {
		w.fail("caller %d, on %s, is in no call", c.n, c.ch.ID())
	}
}
