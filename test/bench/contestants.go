package main

// peer is whom the others are compared with.
const peer = "app_queue"

// contestant serves callers on an Asterisk: by itself, or with a service beside it.
type contestant struct {
	name    string
	service bool // false: Asterisk alone, and callers dial one of the peer's extensions
	redis   bool // the queue is kept on a Redis of its own
}

func (c contestant) alone() bool { return !c.service }

// contestants in the order of a round, which ends in the reverse order.
var contestants = []contestant{
	{name: peer},
	{name: "hotline", service: true},
	{name: "on Redis", service: true, redis: true},
}

// profile is what happens in a call, for every contestant the same.
type profile struct {
	name  string
	exten string // of the peer
	media bool   // callers speak and agents' phones answer with what they hear; music on hold; both directions recorded
}

var (
	bare = profile{name: "bare", exten: "peer-bare"}
	full = profile{name: "full", exten: "peer-full", media: true}
)
