package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"hotline/call/scene"
	"hotline/queue"
	"hotline/web/phrase"
)

// Scenes is what desks do with calls: package call has them.
type Scenes interface {
	// Do carries an order of an agent out, or refuses it with a *scene.Refused.
	Do(ctx context.Context, agentID string, o scene.Order) error

	// Monitor has a supervisor listen to a call, whisper, join or leave, or refuses
	// it likewise. Do never does.
	Monitor(ctx context.Context, supervisorID, callID string, act scene.Act) error

	// Desk is what an agent has at hand: the call they talk in or are offered.
	Desk(agentID string) (scene.Desk, bool)

	// Watch says when what an agent has at hand may have changed; "" for any
	// agent. stop lets go of it.
	Watch(agentID string) (changed <-chan struct{}, stop func())

	// Back is the call to which an agent who has hung up may come back; "" for none.
	Back(agentID string) string
}

// noScenes is where nothing can be done with calls.
type noScenes struct{}

func (noScenes) Do(context.Context, string, scene.Order) error {
	return &scene.Refused{Code: scene.NotNow}
}
func (noScenes) Monitor(context.Context, string, string, scene.Act) error {
	return &scene.Refused{Code: scene.NotNow}
}
func (noScenes) Desk(string) (scene.Desk, bool)         { return scene.Desk{}, false }
func (noScenes) Watch(string) (<-chan struct{}, func()) { return nil, func() {} }
func (noScenes) Back(string) string                     { return "" }

// Desk is what an agent's page shows.
type Desk struct {
	Agent  DeskAgent   `json:"agent"`
	Call   *scene.Desk `json:"call"`
	Back   string      `json:"back"` // the call that they have left, and whose caller is still there; "": none
	WrapUp *DeskWrapUp `json:"wrap_up"`
	Today  DeskToday   `json:"today"`
	Phrase DeskPhrase  `json:"phrase"`
	Link   Link        `json:"link"`
	Now    time.Time   `json:"now"` // the service's clock
}

// DeskAgent is the agent.
type DeskAgent struct {
	ID     string      `json:"id"`
	Number string      `json:"number"`
	Name   string      `json:"name"`
	State  queue.State `json:"state"`
	Reason string      `json:"reason"`
	Since  time.Time   `json:"since"`
	Then   queue.State `json:"then"`
	Queues []string    `json:"queues"`
}

// DeskWrapUp is the time after a talk.
type DeskWrapUp struct {
	Call      string     `json:"call"`
	Ends      *time.Time `json:"ends"` // null: not known
	Codes     []Code     `json:"codes"`
	MayExtend bool       `json:"may_extend"`
}

// DeskToday is the agent's day so far.
type DeskToday struct {
	Calls    int   `json:"calls"`
	TalkMs   int64 `json:"talk_ms"`
	Promises int   `json:"promises"`
	Open     int   `json:"open"`
}

// DeskPhrase is which phrases are for now.
type DeskPhrase struct {
	Moment string `json:"moment"`
	Late   bool   `json:"late"` // the caller has waited longer than one may without an apology
}

// Link is a browser's line.
type Link struct {
	Audio       string `json:"audio"`        // none, connecting, ok, lost
	CallerHears string `json:"caller_hears"` // talk, tone; "" without a call
}

// Desk is what an agent's page shows; false where there is no such agent.
func (a *API) Desk(agentID string) (Desk, bool) {
	v, there := a.o.Queues.Agent(agentID)
	if !there {
		return Desk{}, false
	}
	d := Desk{Now: a.o.Now().UTC(), Link: Link{Audio: "none"}, Back: a.o.Scenes.Back(agentID), Agent: DeskAgent{
		ID: v.ID, Number: v.Number, Name: v.Name, State: v.State, Reason: v.Reason, Since: v.Since.UTC(), Then: v.Then,
		Queues: append([]string{}, v.Queues...),
	}}
	if a.o.Link != nil {
		d.Link = a.o.Link(agentID)
	}
	if has, busy := a.o.Scenes.Desk(agentID); busy {
		known := a.o.Past.Known(has.ID)
		has.Region, has.Times = known.Region, known.Times
		d.Call = &has
		d.Link.CallerHears = "talk"
		if has.Hold != nil || has.Scene == scene.Ringing || has.Scene == scene.Transferring {
			d.Link.CallerHears = "tone"
		}
	}
	if v.State == queue.StateWrapUp {
		d.WrapUp = a.wrapUpOf(v)
	}
	if mine, worked := a.today().Agents[agentID]; worked {
		d.Today = DeskToday{Calls: mine.Calls, TalkMs: mine.Talk.Milliseconds()}
	}
	d.Phrase = phraseOf(d)
	return d, true
}

func (a *API) wrapUpOf(v queue.AgentView) *DeskWrapUp {
	w := &DeskWrapUp{Call: v.Call, Codes: append([]Code{}, a.o.Forms.Codes...)}
	if !v.Until.IsZero() {
		until := v.Until.UTC()
		w.Ends = &until
		rules, version := a.rulesInForce(v.Queue)
		w.MayExtend = version != queue.Absent && v.Until.Sub(v.Since) < rules.WrapUpAtMost.d()
	}
	return w
}

// Whoever has waited for longer than longWait is to hear an apology before anything else. The first words are shown in the
// first moments of the talk, and then those for what comes next: to look something up.
const (
	longWait   = 30 * time.Second // C3
	firstWords = 15 * time.Second
)

// moments are the phrases for what goes on.
var moments = map[scene.Name]string{
	scene.Ringing: "greeting", scene.Talking: "greeting", scene.Hold: "hold", scene.Consulting: "transfer",
	scene.ThreeWay: "transfer", scene.Transferring: "transfer",
}

func phraseOf(d Desk) DeskPhrase {
	switch {
	case d.Call == nil && d.WrapUp != nil:
		return DeskPhrase{Moment: "closing"}
	case d.Call == nil:
		return DeskPhrase{Moment: "idle"}
	}
	p := DeskPhrase{Moment: moments[d.Call.Scene], Late: d.Call.WaitedMs >= longWait.Milliseconds()}
	switch first := begins(d.Call, d.Now); {
	case p.Late && first && d.Call.Kind != scene.PartThird: // to whom an agent has said it already
		p.Moment = "apology"
	case d.Call.Scene == scene.Talking && !first:
		p.Moment = "hold"
	}
	return p
}

// begins says whether the first words are still to be said.
func begins(c *scene.Desk, now time.Time) bool {
	return c.Scene == scene.Ringing || c.Scene == scene.Talking && c.Answered != nil && now.Sub(*c.Answered) < firstWords
}

// agent is the agent that somebody is at the desk.
func (r request) agent() (string, error) {
	if r.account.Agent == "" {
		return "", problem(http.StatusForbidden, "no-desk", "%s is no agent: the account names none", r.by)
	}
	return r.account.Agent, nil
}

// own is the view of that agent.
func (a *API) own(r request) (queue.AgentView, error) {
	id, err := r.agent()
	if err != nil {
		return queue.AgentView{}, err
	}
	v, there := a.o.Queues.Agent(id)
	if !there {
		return v, noAgent(id)
	}
	return v, nil
}

func (a *API) getDesk(r request) (reply, error) {
	v, err := a.own(r)
	if err != nil {
		return reply{}, err
	}
	d, _ := a.Desk(v.ID)
	return reply{body: d}, nil
}

// DeskOrder is an act, as it is read.
type DeskOrder struct {
	Call   string       `json:"call"`
	Act    scene.Act    `json:"act"`
	Target scene.Target `json:"target"`
	Keys   string       `json:"keys"`
	Reason string       `json:"reason"`
}

// ofPhones are acts of a desk's own line, beside those of the table of scenes.
var ofPhones = []scene.Act{"answer", "decline", scene.DoRejoin}

func (o DeskOrder) order() (scene.Order, error) {
	order := scene.Order{Call: o.Call, Act: o.Act, Keys: o.Keys, Reason: o.Reason}
	if o.Target != (scene.Target{}) {
		order.Target = &o.Target
	}
	if !o.Act.Asked() && !slices.Contains(ofPhones, o.Act) {
		return order, wrong("value", "act", "%.40q is nothing that can be done at a desk", o.Act)
	}
	if field, err := order.Check(); err != nil {
		return order, wrong("out-of-range", field, "%v", err)
	}
	return order, nil
}

func (a *API) act(r request) (reply, error) {
	id, err := r.agent()
	if err != nil {
		return reply{}, err
	}
	var asked DeskOrder
	if err := read(r, &asked); err != nil {
		return reply{}, err
	}
	order, err := asked.order()
	if err != nil {
		return reply{}, err
	}
	if err := a.o.Scenes.Do(r.Context(), id, order); err != nil {
		return reply{}, refusedAct(err)
	}
	return a.getDesk(r)
}

// refusedAct is an act that is not carried out: its code is the kind.
func refusedAct(err error) error {
	var refused *scene.Refused
	if !errors.As(err, &refused) {
		return err
	}
	p := problem(http.StatusConflict, refused.Code, "it is not done: %s", refused.Code)
	p.Values = refused.Values
	return p
}

// orderSelf changes the state of who asks.
func (a *API) orderSelf(r request) (reply, error) {
	id, err := r.agent()
	if err != nil {
		return reply{}, err
	}
	var o Order
	if err := read(r, &o); err != nil {
		return reply{}, err
	}
	if err := a.command(id, "", o); err != nil {
		return reply{}, err
	}
	return a.getDesk(r)
}

// Monitoring is a supervisor's way into a talk.
type Monitoring struct {
	Mode scene.Act `json:"mode"` // listen, whisper, barge, leave
}

// monitor has a supervisor listen, whisper or join, once that is written down.
func (a *API) monitor(r request) (reply, error) {
	id, err := r.agent()
	if err != nil {
		return reply{}, err
	}
	var m Monitoring
	if err := read(r, &m); err != nil {
		return reply{}, err
	}
	if !m.Mode.Supervised() {
		return reply{}, wrong("value", "mode", "%.40q is no way into a talk; use listen, whisper, barge or leave", m.Mode)
	}
	callID := r.PathValue("id")
	if !a.talks(callID) {
		return reply{}, noCall(callID)
	}
	if err := a.record(r.Context(), KindMonitored, Monitored{By: r.by, Call: callID, Mode: string(m.Mode)}, callStream(callID), AccountStream(r.account.Name)); err != nil {
		return reply{}, unwritten(err)
	}
	if err := a.o.Scenes.Monitor(r.Context(), id, callID, m.Mode); err != nil {
		return reply{}, refusedAct(err)
	}
	return reply{}, nil
}

// talks says whether an agent has the call.
func (a *API) talks(callID string) bool {
	return slices.ContainsFunc(a.o.Queues.Agents(), func(v queue.AgentView) bool { return v.State.InTalk() && v.Call == callID })
}

// Ticket lets a browser open its line, once and soon.
type Ticket struct {
	Ticket string    `json:"ticket"`
	Until  time.Time `json:"until"` // on the machine's clock
}

// ticketLasts is how long a ticket is good, as the lines that take it say.
const ticketLasts = 30 * time.Second

func (a *API) giveTicket(r request) (reply, error) {
	v, err := a.own(r)
	if err != nil {
		return reply{}, err
	}
	if a.o.Ticket == nil {
		return reply{}, problem(http.StatusNotFound, "no-lines", "there are no lines in browsers here")
	}
	return reply{body: Ticket{a.o.Ticket(v.ID, a.stillAt(r, v.ID)), time.Now().Add(ticketLasts).UTC()}}, nil
}

// askWithin bounds a look at a session that nobody waits for.
const askWithin = 2 * time.Second

// stillAt says, long after a request, whether whoever sent it may be at the desk
// of an agent: they may have signed out, been locked, or lost the role. What
// cannot be found out ends nobody's line.
func (a *API) stillAt(r request, agentID string) func() bool {
	asked := request{r.Request.Clone(context.WithoutCancel(r.Context())), r.identity}
	return func() bool {
		ctx, cancel := context.WithTimeout(asked.Context(), askWithin)
		defer cancel()
		now, err := a.again(request{asked.WithContext(ctx), asked.identity})
		var refused *Problem
		if err != nil && !errors.As(err, &refused) {
			a.once.warn("sessions", "whether people at desks are still signed in cannot be looked up", "err", err)
			return true
		}
		return err == nil && now.may(ownDesk) && now.account.Agent == agentID
	}
}

// Targets are whom calls can be brought to, beside agents.
type Targets struct {
	Queues    []Named  // that calls may be sent to
	Directory []Named  // entries of hotline.yaml
	Duty      []string // agents who are duty managers
}

// Named is something with a name for people.
type Named struct{ ID, Name string }

// TargetView is one of them as it is shown.
type TargetView struct {
	Kind   string `json:"kind"`
	ID     string `json:"id"`
	Name   string `json:"name"`   // duty: ""
	Number string `json:"number"` // an agent's, which callers are told
	State  string `json:"state"`  // an agent's; duty: of the one who is nearest to ready
	Ready  int    `json:"ready"`  // a queue's ready agents; of others 1 if they can be rung now
}

func (a *API) listTargets(r request) (reply, error) {
	kinds := []string{scene.ToAgent, scene.ToQueue, scene.ToDirectory, scene.ToDuty}
	if kind := r.URL.Query().Get("kind"); kind != "" {
		if !slices.Contains(kinds, kind) {
			return reply{}, problem(http.StatusBadRequest, "query", "kind: %.20q is none; use agent, queue, directory or duty", kind)
		}
		kinds = []string{kind}
	}
	list := []TargetView{}
	for _, kind := range kinds {
		list = append(list, a.targets(kind, r.account.Agent)...)
	}
	return reply{body: map[string]any{"targets": list}}, nil
}

func (a *API) targets(kind, self string) (list []TargetView) {
	switch kind {
	case scene.ToAgent:
		for _, v := range a.o.Queues.Agents() {
			if v.ID != self {
				list = append(list, TargetView{Kind: kind, ID: v.ID, Name: v.Name, Number: v.Number, State: v.State.String(), Ready: free(v)})
			}
		}
	case scene.ToQueue:
		ready := map[string]int{}
		for _, v := range a.o.Queues.Queues() {
			ready[v.ID] = v.Ready
		}
		for _, q := range a.o.Targets.Queues {
			list = append(list, TargetView{Kind: kind, ID: q.ID, Name: q.Name, Ready: ready[q.ID]})
		}
	case scene.ToDirectory:
		for _, e := range a.o.Targets.Directory {
			list = append(list, TargetView{Kind: kind, ID: e.ID, Name: e.Name, Ready: 1})
		}
	case scene.ToDuty:
		duty := TargetView{Kind: kind, State: queue.StateOffline.String()}
		for _, id := range a.o.Targets.Duty {
			if v, there := a.o.Queues.Agent(id); there && v.State != queue.StateOffline && duty.Ready == 0 {
				duty.State, duty.Ready = v.State.String(), free(v)
			}
		}
		if len(a.o.Targets.Duty) > 0 {
			list = append(list, duty)
		}
	}
	return list
}

// free is 1 for an agent who can be rung now.
func free(v queue.AgentView) int {
	if v.State == queue.StateReady && !v.Away {
		return 1
	}
	return 0
}

func (a *API) getPhrases(request) (reply, error) {
	book := phrase.Book{}
	if a.o.Phrases != nil {
		book = a.o.Phrases()
	}
	return reply{body: map[string]any{"phrases": book}}, nil
}

// query is a parameter that has to be there.
func query(u *url.URL, name string) (string, error) {
	value := u.Query().Get(name)
	if value == "" {
		return "", problem(http.StatusBadRequest, "query", "%s: is missing", name)
	}
	return value, nil
}
