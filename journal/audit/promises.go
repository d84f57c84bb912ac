package audit

import "slices"

// promises is I4: what a caller was promised is written down whole, and nobody is dialled twice at a time for it.
//
// Promises are a message (somebody will listen and call back) and being called back. For messages: the entry has what
// is needed to keep the promise, and is there before the caller hears that the message is saved. A caller whose line
// failed is dialled again once at most. Dials for other promises (promise.dial-opened, promise.dial-closed) do not
// overlap, restarts included: a restart closes none, since a command may be carried out late.
type promises struct {
	tally
	files bool
	dials map[string]mark // by promise: the dial in flight
}

// messageSaved is the prompt that makes the promise.
const messageSaved = "message.saved"

func newPromises(t tally, files bool) *promises {
	if !files {
		t.Except = "the files of messages"
	}
	return &promises{tally: t, files: files, dials: map[string]mark{}}
}

func (c *promises) see(e *entry) {
	switch {
	case e.Kind == kindDialOpened || e.Kind == kindDialClosed:
		c.dial(e)
	case e.visit == nil:
	case e.Kind == kindMessage:
		c.message(e)
	case e.Kind == kindRedial:
		if first := e.visit.redial; first.seq != 0 {
			c.find(e.call, "", []mark{first, e.mark()}, "the caller was dialled again more than once")
		}
		e.visit.redial = e.mark()
	case e.Kind == kindSaid:
		d, ok := e.data.(*said)
		if ok && slices.Contains(d.Prompts, messageSaved) && e.visit.message.seq == 0 {
			c.find(e.call, "", []mark{e.mark()}, "the caller hears that the message is saved, and the journal has none")
		}
	case e.Kind == kindEnded:
		if d, ok := e.data.(*ended); ok && d.Result == "message" && e.visit.message.seq == 0 {
			c.find(e.call, "", []mark{e.mark()}, "it ended with a message, and the journal has none")
		}
	}
}

func (c *promises) message(e *entry) {
	if !e.At.Before(c.since) {
		c.Looked++
	}
	e.visit.message = e.mark()
	d, ok := e.data.(*message)
	if !ok {
		return
	}
	reachable := d.Confirmed && d.Number != ""
	switch {
	case d.File == "" && !reachable:
		c.find(e.call, "", []mark{e.mark()}, "the message has neither a file nor a number that the caller confirmed")
	case d.Reason == "":
		c.find(e.call, "", []mark{e.mark()}, "the message does not say why nobody took the call")
	case d.File != "" && c.files && !e.At.Before(c.since):
		if _, err := wavLength(d.File); err != nil {
			c.find(e.call, "", []mark{e.mark()}, "the message cannot be listened to: %v", err)
		}
	}
}

func (c *promises) dial(e *entry) {
	d, ok := e.data.(*promiseDial)
	if !ok {
		return
	}
	open := c.dials[d.Promise]
	switch {
	case e.Kind == kindDialClosed:
		delete(c.dials, d.Promise)
		return
	case open.seq != 0:
		c.find(e.call, "", []mark{open, e.mark()}, "two dials in flight for the promise %s", d.Promise)
	}
	c.dials[d.Promise] = e.mark()
}

func (c *promises) end() {}
