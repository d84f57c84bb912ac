package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"hotline/call/scene"
	"hotline/queue"
	"hotline/web/live"
)

// Today is what happened since midnight on the service's clock.
type Today struct {
	Queues    map[string]QueueDay // by id
	Agents    map[string]AgentDay // by id
	Hours     [24]HourDay
	Apologies ApologyDay
}

// QueueDay is a queue's day.
type QueueDay struct {
	Arrived, Answered, Abandoned int
	Within                       int // of those answered, in the queue's service level
	Unserved                     int // waited for longer than that, and nobody answered
}

// AgentDay is an agent's day.
type AgentDay struct {
	Calls int
	Talk  time.Duration // with callers, also those on hold
}

// HourDay is an hour of the hotline's day.
type HourDay struct {
	Hour      int `json:"hour"`
	Arrived   int `json:"arrived"`
	Answered  int `json:"answered"`
	Abandoned int `json:"abandoned"`
}

// ApologyDay is how the hold tone's clock was kept (C3), as far as the service
// had a hand in it.
type ApologyDay struct {
	WorstMsToday int64 `json:"worst_ms_today"`
	CountToday   int   `json:"count_today"`
}

// PromiseDay is what has been promised to callers.
type PromiseDay struct {
	Due  int `json:"due"`
	Late int `json:"late"`
}

// Health is how the service is, in codes.
type Health struct {
	Asterisk string   `json:"asterisk"` // ok, away
	Journal  string   `json:"journal"`  // ok, late, failing
	Trunk    string   `json:"trunk"`    // ok, none: nothing is dialled out
	Redis    string   `json:"redis"`    // ok, alone, none: the queue is this service's own
	Calls    string   `json:"calls"`    // taken, draining
	Degraded []string `json:"degraded"` // what is worse than it should be, as /readyz says it
}

// FloorQueue is a queue on the floor.
type FloorQueue struct {
	ID             string     `json:"id"`
	Name           string     `json:"name"`
	Waiting        int        `json:"waiting"`
	OldestMs       int64      `json:"oldest_ms"`
	OldestSince    *time.Time `json:"oldest_since"` // null: nobody waits
	Ready          int        `json:"ready"`
	Talking        int        `json:"talking"`
	WrapUp         int        `json:"wrap_up"`
	Paused         int        `json:"paused"`
	SignedIn       int        `json:"signed_in"`
	ArrivedToday   int        `json:"arrived_today"`
	AnsweredToday  int        `json:"answered_today"`
	AbandonedToday int        `json:"abandoned_today"`
	WithinToday    int        `json:"within_today"`
	UnservedToday  int        `json:"unserved_today"`
	ServiceLevel   int64      `json:"service_level"` // seconds
	Target         int        `json:"target"`        // per cent
}

// FloorCaller is somebody who waits.
type FloorCaller struct {
	Call     string    `json:"call"`
	Number   string    `json:"number"` // masked
	Queue    string    `json:"queue"`
	Position int       `json:"position"`
	Since    time.Time `json:"since"`  // they wait in this queue, told to the second
	Offers   []string  `json:"offers"` // agents whose phone rings
	State    string    `json:"state"`  // waiting, ringing
}

// FloorAgent is an agent on the floor.
type FloorAgent struct {
	ID     string      `json:"id"`
	Number string      `json:"number"`
	Name   string      `json:"name"`
	State  queue.State `json:"state"`
	Reason string      `json:"reason"`
	Out    bool        `json:"out_of_service"`
	Since  time.Time   `json:"since"`
	Call   string      `json:"call"`
	Queue  string      `json:"queue"`
	Queues []string    `json:"queues"`
	Away   bool        `json:"away"`
	Calls  int         `json:"calls_today"`
	TalkMs int64       `json:"talk_ms_today"`

	Monitor *FloorMonitor `json:"monitor"` // null: nobody listens in
}

// FloorMonitor is a supervisor in an agent's talk.
type FloorMonitor struct {
	By   string    `json:"by"`   // an agent's id
	Mode scene.Act `json:"mode"` // listen, whisper, barge
}

// modes are the acts that lead to a supervisor's modes.
var modes = map[scene.Mode]scene.Act{scene.Listening: scene.DoListen, scene.Whispering: scene.DoWhisper, scene.Barging: scene.DoBarge}

// monitored is who listens in to an agent's talk; nil: nobody.
func (a *API) monitored(v queue.AgentView) *FloorMonitor {
	if !v.State.InTalk() {
		return nil
	}
	d, busy := a.o.Scenes.Desk(v.ID)
	if !busy || d.ID != v.Call || d.Watched == nil {
		return nil
	}
	return &FloorMonitor{By: d.Watched.Agent, Mode: modes[d.Watched.Mode]}
}

// WallAgent is an agent on the wall, without whom they talk to.
type WallAgent struct {
	ID     string      `json:"id"`
	Number string      `json:"number"`
	Name   string      `json:"name"`
	State  queue.State `json:"state"`
	Since  time.Time   `json:"since"`
}

// mostOnFloor bounds how many callers of a queue are listed; the figures count
// all.
const mostOnFloor = 200

func (a *API) today() Today { return a.o.Past.Today() }

// lookAtWall is what everybody may see.
func (a *API) lookAtWall(context.Context) live.View {
	agents, today := a.o.Queues.Agents(), a.today()
	view := a.figures(agents, today)
	for _, v := range agents {
		view.Tables["agents"] = append(view.Tables["agents"], live.Row{ID: v.ID, Value: WallAgent{ID: v.ID, Number: v.Number, Name: v.Name, State: v.State, Since: v.Since.UTC()}})
	}
	return view
}

// lookAtFloor is what supervisors see.
func (a *API) lookAtFloor(ctx context.Context) live.View {
	agents, today := a.o.Queues.Agents(), a.today()
	view := a.figures(agents, today)
	view.Tables["callers"] = a.callers(ctx, view.Now)
	for _, v := range agents {
		day := today.Agents[v.ID]
		view.Tables["agents"] = append(view.Tables["agents"], live.Row{ID: v.ID, Value: FloorAgent{
			ID: v.ID, Number: v.Number, Name: v.Name, State: v.State, Reason: v.Reason, Out: v.OutOfService, Since: v.Since.UTC(),
			Call: v.Call, Queue: v.Queue, Queues: append([]string{}, v.Queues...), Away: v.Away, Calls: day.Calls, TalkMs: day.Talk.Milliseconds(), Monitor: a.monitored(v),
		}})
	}
	return view
}

// figures are what both have.
func (a *API) figures(agents []queue.AgentView, today Today) live.View {
	now := a.o.Now()
	view := live.View{Now: now.UTC(), Tables: map[string][]live.Row{"queues": {}, "agents": {}, "day": {}}, Facts: map[string]any{
		"apologies": today.Apologies, "promises": PromiseDay{}, "health": a.health(),
	}}
	rules := map[string]queue.Rules{}
	for _, r := range a.o.Queues.Rules() {
		rules[r.ID] = r
	}
	for _, v := range a.o.Queues.Queues() {
		row := floorQueue(v, rules[v.ID], today.Queues[v.ID], agents)
		row.Name = a.queueName(v.ID)
		steady := row
		if v.Waiting > 0 {
			since := waitsSince(now, v.LongestWait)
			row.OldestSince, steady.OldestSince = &since, &since
		}
		steady.OldestMs = 0
		view.Tables["queues"] = append(view.Tables["queues"], live.Row{ID: v.ID, Value: row, Steady: steady})
	}
	for hour, h := range today.Hours {
		h.Hour = hour
		view.Tables["day"] = append(view.Tables["day"], live.Row{ID: fmt.Sprint(hour), Value: h})
	}
	return view
}

// waitsSince is told to the second: by how long exactly somebody has waited differs
// from look to look.
func waitsSince(now time.Time, waited time.Duration) time.Time {
	return now.Add(-waited).UTC().Round(time.Second)
}

// queueName is a queue's name: its ID where it has none.
func (a *API) queueName(id string) string {
	for _, q := range a.o.Targets.Queues {
		if q.ID == id {
			return q.Name
		}
	}
	return id
}

func floorQueue(v queue.QueueView, r queue.Rules, day QueueDay, agents []queue.AgentView) FloorQueue {
	row := FloorQueue{
		ID: v.ID, Waiting: v.Waiting, OldestMs: v.LongestWait.Milliseconds(), Ready: v.Ready, SignedIn: v.SignedIn,
		ArrivedToday: day.Arrived, AnsweredToday: day.Answered, AbandonedToday: day.Abandoned, WithinToday: day.Within, UnservedToday: day.Unserved,
		ServiceLevel: int64(r.ServiceLevel / time.Second), Target: r.ServiceTarget,
	}
	for _, a := range agents {
		serves := false
		for _, id := range a.Queues {
			serves = serves || id == v.ID
		}
		switch {
		case a.State.InTalk() && a.Queue == v.ID:
			row.Talking++
		case a.State == queue.StateWrapUp && a.Queue == v.ID:
			row.WrapUp++
		case a.State == queue.StatePaused && serves:
			row.Paused++
		}
	}
	return row
}

func (a *API) health() Health {
	h := Health{Asterisk: "ok", Journal: "ok", Trunk: "none", Redis: "none", Calls: "taken"}
	if a.o.Health != nil {
		h = a.o.Health()
	}
	h.Degraded = append([]string{}, h.Degraded...)
	return h
}

func (a *API) callers(ctx context.Context, now time.Time) []live.Row {
	rows := []live.Row{}
	seen := map[string]bool{}
	for _, q := range a.o.Queues.Rules() {
		waiting := a.o.Queues.Waiting(q.ID)
		for _, v := range waiting[:min(len(waiting), mostOnFloor)] {
			seen[v.ID] = true
			c := FloorCaller{Call: v.ID, Queue: q.ID, Position: v.Position, Since: waitsSince(now, v.Waited), Offers: []string{}, State: "waiting"}
			c.Number = a.numbers.of(ctx, v.ID, a.o.Number)
			if v.OfferedTo != "" {
				c.Offers, c.State = append([]string{v.OfferedTo}, v.AlsoTo...), "ringing"
			}
			rows = append(rows, live.Row{ID: v.ID, Value: c})
		}
	}
	a.numbers.keep(seen)
	return rows
}

// numbers are those of callers who wait, so that they are looked for once.
type numbers struct {
	mu    sync.Mutex
	known map[string]string
}

func (n *numbers) of(ctx context.Context, call string, look func(context.Context, string) string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	number, known := n.known[call]
	if known || look == nil {
		return number
	}
	if n.known == nil {
		n.known = map[string]string{}
	}
	n.known[call] = look(ctx, call)
	return n.known[call]
}

func (n *numbers) keep(calls map[string]bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for call := range n.known {
		if !calls[call] {
			delete(n.known, call)
		}
	}
}

// watch tells somebody a view as it changes.
func (a *API) watch(r request) (reply, error) {
	var feed *live.Feed
	needs := wallView
	switch view := r.URL.Query().Get("view"); view {
	case "wall":
		feed = a.wall
	case "floor":
		feed, needs = a.floor, floorView
	case "desk":
		needs = ownDesk
	default:
		return reply{}, problem(http.StatusBadRequest, "query", "view: %.20q is none; use wall, floor or desk", view)
	}
	if err := r.allowed(needs); err != nil {
		return reply{}, err
	}
	still := func() bool {
		now, err := a.again(r)
		return err == nil && now.may(needs)
	}
	if needs == ownDesk {
		v, err := a.own(r)
		if err != nil {
			return reply{}, err
		}
		feed = a.feeds.of(v.ID, a.deskFeed)
	}
	return reply{stream: func(w http.ResponseWriter) error {
		if !a.feeds.begin(r.by) {
			return later("busy", 5*time.Second)
		}
		defer a.feeds.end(r.by)
		err := feed.Serve(w, r.Request, still)
		if errors.Is(err, live.ErrFull) {
			return later("busy", 5*time.Second)
		}
		return err
	}}, nil
}

// again is who somebody is by now: a session may have ended, or a role been
// taken. For a session it counts as being there.
func (a *API) again(r request) (identity, error) {
	if r.account.Name == "" {
		return r.identity, nil
	}
	return a.whoever(r.Request)
}

// mostOfOne bounds the pages that one account, or one program, watches at once:
// tabs, and the walls of a hall.
const mostOfOne = 20

// feeds are desks that are watched, and how much everybody watches.
type feeds struct {
	mu       sync.Mutex
	desks    map[string]*live.Feed // by agent
	watching map[string]int        // by who watches
}

// of is the feed of an agent's desk: one, however many tabs there are.
func (f *feeds) of(agentID string, made func(agentID string) *live.Feed) *live.Feed {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.desks == nil {
		f.desks = map[string]*live.Feed{}
	}
	if f.desks[agentID] == nil {
		f.desks[agentID] = made(agentID)
	}
	return f.desks[agentID]
}

// begin lets somebody watch one more page; end is called when they have left it.
func (f *feeds) begin(by string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watching == nil {
		f.watching = map[string]int{}
	}
	if f.watching[by] >= mostOfOne {
		return false
	}
	f.watching[by]++
	return true
}

func (f *feeds) end(by string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watching[by]--; f.watching[by] == 0 {
		delete(f.watching, by)
	}
}

// deskFeed tells an agent's own desk: each part whole when it has changed.
func (a *API) deskFeed(agentID string) *live.Feed {
	return live.New(live.Options{Look: func(context.Context) live.View {
		d, _ := a.Desk(agentID)
		parts := map[string]any{}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(encode(d), &fields); err == nil { // its own JSON
			for name, part := range fields {
				if name != "now" {
					parts[name] = part
				}
			}
		}
		return live.View{Facts: parts, Now: d.Now}
	}, Done: a.leaving, Wake: func() (<-chan struct{}, func()) { return a.o.Scenes.Watch(agentID) }})
}
