package softphone

import "sync"

// The bounds of what a session keeps for its browser.
const (
	maxAheadOfAcks = 64  // frames sent and not acknowledged
	maxWaiting     = 256 // frames behind them
)

// outbox is what a session has for its browser: frames that were sent and may
// have to be sent again, and frames that wait. It outlives sockets, and ends
// with the session's id.
type outbox struct {
	mu      sync.Mutex
	holder  chan struct{} // the present socket's, which is woken by it; of capacity 1
	sent    []numberedFrame
	next    int // of sent, what the present socket is to send
	waiting []outbound
	seq     uint64 // the last number given
	acked   uint64

	heard uint64 // the last number from the browser
	owed  bool   // heard is to be acknowledged
}

type numberedFrame struct {
	seq  uint64
	data []byte
}

func newOutbox() *outbox { return &outbox{} }

// hold makes the caller the only one that may take, from the first frame on
// that is not acknowledged; the channel says when there may be something. Who
// held before gets nothing more.
func (o *outbox) hold() chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.holder = make(chan struct{}, 1)
	o.next = 0
	return o.holder
}

func (o *outbox) stir() {
	select {
	case o.holder <- struct{}{}:
	default: // it is awake already, or there is none: a nil channel
	}
}

// put adds a frame. A desk frame takes the place of one that waits. False: too
// many are waiting.
func (o *outbox) put(f outbound) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if f.Type == typeDesk {
		for i := range o.waiting {
			if o.waiting[i].Type == typeDesk {
				o.waiting = append(o.waiting[:i], o.waiting[i+1:]...)
				break
			}
		}
	}
	if len(o.waiting) >= maxWaiting {
		return false
	}
	o.waiting = append(o.waiting, f)
	o.stir()
	return true
}

// take returns what the holder is to write next, if anything.
func (o *outbox) take(holder chan struct{}) ([]byte, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if holder != o.holder {
		return nil, false
	}
	if o.owed {
		o.owed = false
		return outbound{Type: typeAck, Seq: o.heard}.bytes(), true
	}
	if o.next == len(o.sent) && len(o.sent) < maxAheadOfAcks && len(o.waiting) > 0 {
		f := o.waiting[0]
		o.waiting[0] = outbound{}
		o.waiting = o.waiting[1:]
		o.seq++
		f.Seq = o.seq
		o.sent = append(o.sent, numberedFrame{seq: f.Seq, data: f.bytes()})
	}
	if o.next == len(o.sent) {
		return nil, false
	}
	o.next++
	return o.sent[o.next-1].data, true
}

// acknowledged forgets what the browser has had. An acknowledgement of what was
// never sent counts for nothing.
func (o *outbox) acknowledged(seq uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if seq > o.seq || seq <= o.acked {
		return
	}
	o.acked = seq
	gone := 0
	for gone < len(o.sent) && o.sent[gone].seq <= seq {
		gone++
	}
	o.sent = append([]numberedFrame(nil), o.sent[gone:]...)
	o.next = max(0, o.next-gone)
	o.stir()
}

// resumable says whether a browser that has had everything up to last can go on
// with what is kept; if so, what it has had is forgotten.
func (o *outbox) resumable(last uint64) bool {
	o.mu.Lock()
	possible := last >= o.acked && last <= o.seq
	o.mu.Unlock()
	if possible {
		o.acknowledged(last)
	}
	return possible
}

// arrival is what a number from the browser means.
type arrival int

const (
	inOrder arrival = iota
	again
	gap
)

// arrived notes a number from the browser, and that it is to be acknowledged.
func (o *outbox) arrived(seq uint64) arrival {
	o.mu.Lock()
	defer o.mu.Unlock()
	if seq > o.heard+1 {
		return gap
	}
	o.owed = true
	o.stir()
	if seq <= o.heard {
		return again
	}
	o.heard = seq
	return inOrder
}

// last is the last number that came from the browser.
func (o *outbox) last() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.heard
}
