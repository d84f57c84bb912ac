package queue

import (
	"maps"
	"slices"
)

// A wait whose ticket has no place in the machine would last for ever: no
// offer, no lapse, the tone going on. Services that share a queue can disagree
// about who waits, so wherever a machine takes the place of another the tickets
// are compared with it.

// lapseUnplaced has the waits lapse that the machine has no place for, so that
// their calls take one anew; the lock is held.
func (e *Engine) lapseUnplaced() {
	for _, id := range slices.Sorted(maps.Keys(e.tickets)) {
		t := e.tickets[id]
		if e.machine.waiting[id] != nil {
			continue
		}
		e.log.Error("a caller who waits has no place in the queue that all services share; the call's wait has lapsed", "call_id", id)
		for _, o := range t.ringing {
			o.end(ErrUnreported)
		}
		t.ringing = nil
		e.changed(&Change{At: e.machine.wall, Kind: KindLapsed, Queue: t.caller.Queue, Call: id, Owner: e.owner, Cause: LapseUnreported})
		e.ended(WaitEnded{Call: id, Queue: t.caller.Queue, How: WaitLapsed, Reason: LapseUnreported})
	}
}

// forOwner is the end of a wait as the call hears it. Nobody but the call itself
// leaves; what others ended so they ended because they took this service for gone.
func (w WaitEnded) forOwner(own bool) WaitEnded {
	if w.How == WaitLeft && !own {
		w.How, w.Reason = WaitLapsed, LapseUnreported
	}
	return w
}
