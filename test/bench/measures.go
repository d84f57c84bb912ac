package main

import (
	"context"
	"fmt"
	"time"
)

// measure is one thing to be found out about every contestant.
type measure struct {
	name, title string
	agents      int
	long, brief time.Duration // a round of one contestant, two turns, at most
	once        bool          // in a short run each has one turn instead of two
	about       string        // what is measured, for the reader of the figures
	take        func(ctx context.Context, f *field, c contestant, short bool, out *figures) error
}

func (m measure) limit(short bool) time.Duration {
	if short {
		return m.brief
	}
	return m.long
}

var measures = []measure{
	{
		name: "bare", title: "A call, bare: answer, offer, bridge", agents: 150, long: 6 * time.Minute, brief: 2 * time.Minute,
		about: "Each call: one ring, the answer, an agent's phone that rings for 0.1 s, 3 s of talk without media, the agent hangs up. " +
			"app_queue has `Ringing, Wait(1), Answer, Queue`, and no music on hold at all. The service does more in it: a greeting, the question of the menu " +
			"(both cut to 20 ms by the prompts), a hold tone, the agent's number, a goodbye, and a journal of everything.",
		take: func(ctx context.Context, f *field, c contestant, short bool, out *figures) error {
			return takeCalls(ctx, f, c, bare, load{agents: 150, desk: desk{100 * time.Millisecond, 3 * time.Second}, crowd: crowd{perSecond: 20, calls: pick(short, 200, 1200)}}, out)
		},
	},
	{
		name: "busy", title: "A call, bare, among 100 a second", agents: 250, long: 5 * time.Minute, brief: 2 * time.Minute,
		about: "As the bare one, with 1 s of talk, and five times as many calls a second. Where calls come one by one, waking threads and writing entries " +
			"one at a time is nearly half of what a call costs the service; here they share.",
		take: func(ctx context.Context, f *field, c contestant, short bool, out *figures) error {
			return takeCalls(ctx, f, c, bare, load{agents: 250, desk: desk{100 * time.Millisecond, time.Second}, crowd: crowd{perSecond: 100, calls: pick(short, 1000, 3000)}}, out)
		},
	},
	{
		name: "full", title: "A call, full: hold tone and both directions recorded", agents: 150, long: 6 * time.Minute, brief: 2 * time.Minute,
		about: "As the bare one, with media: callers speak, agents' phones send back what they hear and ring for 2 s, in which callers hear the hold tone " +
			"(the same files, by music on hold or by the service), and MixMonitor records both directions into the same kind of file. The service also turns each recording into a finished file.",
		take: func(ctx context.Context, f *field, c contestant, short bool, out *figures) error {
			return takeCalls(ctx, f, c, full, load{agents: 150, desk: desk{2 * time.Second, 3 * time.Second}, crowd: crowd{perSecond: 15, calls: pick(short, 150, 900)}}, out)
		},
	},
	{
		name: "rate", title: "The highest clean rate", agents: 250, once: true, long: 16 * time.Minute, brief: 5 * time.Minute,
		about: "Bare calls with 1 s of talk and 250 agents; each rate for some seconds. The highest at which at most one call in a thousand was not served, with callers, agents and everything else on the same processors.",
		take: func(ctx context.Context, f *field, c contestant, short bool, out *figures) error {
			rate, err := f.highest(ctx, c, load{agents: 250, desk: desk{100 * time.Millisecond, time.Second}}, 50, pick(short, 6, 20))
			if err == nil {
				out.add("calls a second", 0, c.name, float64(rate))
			}
			return err
		},
	},
	waitingFor(100), waitingFor(1000), waitingFor(5000),
	{
		name: "audio", title: "From the agent's answer to talk", agents: 2, long: 10 * time.Minute, brief: 3 * time.Minute,
		about: "Full calls, one after the other: from the agent's 200 until caller and agent hear each other, measured at both phones in windows of 20 ms. The service says the agent's number first, into the talk.",
		take: func(ctx context.Context, f *field, c contestant, short bool, out *figures) error {
			heard, err := f.audio(ctx, c, pick(short, 5, 20))
			if err != nil {
				return err
			}
			out.add("agent's 200 → both hear each other, median, ms", 0, c.name, milliseconds(percentile(heard, 50)))
			out.add("… worst, ms", 0, c.name, milliseconds(percentile(heard, 100)))
			return nil
		},
	},
}

// waitingFor measures a queue in which so many wait.
func waitingFor(n int) measure {
	return measure{
		name: fmt.Sprintf("waiting-%d", n), title: fmt.Sprintf("%d callers waiting", n), agents: 2, once: true,
		long:  2 * time.Duration(5*60+n/20) * time.Second,
		brief: 2 * time.Duration(100+n/20) * time.Second,
		about: "One agent, away until all are in line; then the agent answers at once, talks for 0.15 s and hangs up, again and again, while those who were served are replaced. " +
			"No media and no music on hold: of the service's hold tones a proxy before ARI answers the requests, so that thousands fit into this machine; the proxy's way is in the service's figures. " +
			fmt.Sprintf("For everybody alike, callers come over %d trunks, since what a call costs Asterisk grows with the channels of its trunk, and send RTCP where RTP goes: each is three files of Asterisk's then ", trunks) +
			"(a socket, a timer, an alert) instead of four, since 5,000 are to fit into the 20,000 of this machine. " +
			"Of a channel that hears nothing Asterisk's thread wakes five times a second in Stasis, and once in app_queue; a hold tone would wake it fifty times in either.",
		take: func(ctx context.Context, f *field, c contestant, short bool, out *figures) error {
			l := line{waiting: n, arrive: 40, idle: 60 * time.Second, served: 300}
			if short {
				l.idle, l.served = 30*time.Second, pick(n > 1000, 40, 60)
			}
			q, err := f.wait(ctx, c, l)
			if err != nil {
				return err
			}
			say("    free → INVITE %v, %v, %v; idle for %v: Asterisk %v, the rest %v (Redis %v; in its worst second %v)",
				percentile(q.freed, 50), percentile(q.freed, 99), percentile(q.freed, 100), q.lasted, q.asteriskCPU, q.serviceCPU, q.redisCPU, q.worst)
			share := func(cpu time.Duration) float64 { return 100 * cpu.Seconds() / q.lasted.Seconds() }
			out.add("agent free → agent's INVITE, median, ms", 1, c.name, milliseconds(percentile(q.freed, 50)))
			out.add("… p99, ms", 1, c.name, milliseconds(percentile(q.freed, 99)))
			out.add("… worst, ms", 1, c.name, milliseconds(percentile(q.freed, 100)))
			out.add("all waiting, nobody served: Asterisk, % of a core", 1, c.name, share(q.asteriskCPU))
			out.add("… service (and Redis), % of a core", 1, c.name, share(q.serviceCPU))
			if c.redis {
				out.add("… Redis' part of it, % of a core", 1, c.name, share(q.redisCPU))
			}
			out.add("… requests a second to Asterisk", 1, c.name, q.requests/q.lasted.Seconds())
			out.add("memory per waiting caller: Asterisk, KiB", 1, c.name, q.asteriskMemory/1024)
			out.add("… service, KiB", 1, c.name, q.serviceMemory/1024)
			if c.redis {
				out.add("… Redis, by its own account, KiB", 1, c.name, q.redisMemory/1024)
			}
			return nil
		},
	}
}

func names() []string {
	var list []string
	for _, m := range measures {
		list = append(list, m.name)
	}
	return list
}

func pick(short bool, brief, long int) int {
	if short {
		return brief
	}
	return long
}

// takeCalls is one turn of calls at a steady rate.
func takeCalls(ctx context.Context, f *field, c contestant, p profile, l load, out *figures) error {
	o, err := f.calls(ctx, c, p, l)
	if err != nil {
		return err
	}
	say("    %d calls, %d not served, %d messages repeated; Asterisk %v, the rest %v", o.made, o.failed(), o.repeated, o.asterisk, o.service)
	if o.failed() > 0 {
		say("    %s", o.complaints)
	}
	if o.served == 0 {
		return fmt.Errorf("no call was served\n%s", o.complaints)
	}
	each := func(d time.Duration) float64 { return milliseconds(d) / float64(o.made) }
	out.add("CPU per call, all of it, ms", 1, c.name, each(o.asterisk+o.service))
	out.add("… Asterisk, ms", 1, c.name, each(o.asterisk))
	out.add("… service (and Redis), ms", 1, c.name, each(o.service))
	out.add("INVITE→200, median, ms", 0, c.name, milliseconds(percentile(o.answers, 50)))
	out.add("INVITE→200, p99, ms", 0, c.name, milliseconds(percentile(o.answers, 99)))
	out.add("calls not served, of a thousand", 1, c.name, 1000*float64(o.failed())/float64(o.made))
	return nil
}
