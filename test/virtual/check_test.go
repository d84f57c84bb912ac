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
		if c.ch.Commanded() && !c.saidGoodbye() && !w.meant[c.ch.ID()] {
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
			talks := a.State == queue.StateTalking || a.State == queue.StateHold
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
	arrived, ended, unserved := map[string]int{}, map[string]int{}, map[string]bool{}
	channels, channelOf := map[string][]string{}, map[string]string{}
	for e, err := range reader.Read(ctx, journal.Query{}) {
		if err != nil {
			w.fail("the journal cannot be read: %v", err)
			return
		}
		if w.verbose {
			w.logf("    journal %d %s %s %s %s", e.Seq, e.At.Format("15:04:05.000"), e.Kind, e.Streams, e.Data)
		}
		switch e.Kind {
		case call.KindArrived:
			var a call.Arrived
			if err := e.Decode(&a); err != nil {
				w.fail("entry %d: %v", e.Seq, err)
			}
			arrived[e.Streams[0]]++
			channels[a.Channel] = append(channels[a.Channel], e.Streams[0])
			channelOf[e.Streams[0]] = a.Channel
		case call.KindSaid:
			var s call.Said
			if err := e.Decode(&s); err != nil {
				w.fail("entry %d: %v", e.Seq, err)
			}
			if n := len(s.Prompts); w.lives > 1 && n > 0 && strings.HasPrefix(s.Prompts[n-1], "closing.") {
				w.meant[channelOf[e.Streams[0]]] = true
			}
		case call.KindEnded:
			var d call.Ended
			if err := e.Decode(&d); err != nil {
				w.fail("entry %d: %v", e.Seq, err)
			}
			ended[e.Streams[0]]++
			unserved[e.Streams[0]] = d.Result == call.Failed || d.Result == call.Lost
		}
	}
	w.audit(ctx, reader)
	for id := range arrived {
		if arrived[id] != 1 || ended[id] != 1 {
			w.fail("%s arrived %d times and ended %d times", id, arrived[id], ended[id])
		}
	}
	for id := range ended {
		if arrived[id] == 0 {
			w.fail("%s ended and never arrived", id)
		}
	}
	for _, c := range w.callers {
		if c.ch == nil {
			continue
		}
		visits := channels[c.ch.ID()]
		for i, id := range visits { // whom we could not keep is served anew
			if i < len(visits)-1 && !unserved[id] && !w.plan.faults {
				w.fail("caller %d is served again after %s: %v", c.n, id, visits)
			}
		}
		if len(visits) > 1 && len(w.plan.ends) == 0 && !w.plan.faults {
			w.fail("caller %d is %d calls: %v", c.n, len(visits), visits)
		}
		if stayed := c.left.Sub(c.arrived); len(visits) == 0 && stayed > mostSilence+netTry+w.disturbed(c.arrived, c.left) {
			w.fail("caller %d, on %s, is in no call", c.n, c.ch.ID())
		}
	}
}
