package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"hotline/call/scene"
	"hotline/queue"
	"hotline/web/account"
)

// What is known of a customer, and what agents add to it. Every look is written
// down before anything is shown.

// Past is what the journal knows. Its methods may be called from any goroutine.
type Past interface {
	// Today is what happened since midnight on the service's clock.
	Today() Today

	// Served are an agent's calls of today, newest first.
	Served(ctx context.Context, agentID string) ([]Served, error)

	// Known is what is known of who calls in a call without waiting for anything.
	Known(callID string) Known

	// History is what is known of the number that a call came from; false where
	// there is no such call.
	History(ctx context.Context, callID string) (History, bool, error)

	// Notes are the last that were kept of a call, with who kept them; false where
	// there is no such call.
	Notes(ctx context.Context, callID string) (NotesKept, bool, error)
}

// noPast is where nothing is known.
type noPast struct{}

func (noPast) Today() Today                                     { return Today{} }
func (noPast) Served(context.Context, string) ([]Served, error) { return nil, nil }
func (noPast) Known(string) Known                               { return Known{} }
func (noPast) History(context.Context, string) (History, bool, error) {
	return History{}, false, nil
}
func (noPast) Notes(context.Context, string) (NotesKept, bool, error) {
	return NotesKept{}, false, nil
}

// Known is what a desk shows of who calls from the first moment. What is not known,
// or not yet, is left out.
type Known struct {
	Region scene.Names // where the number was given out
	Times  int         // which call of this number it is, from 1
}

// History is what is known of a number.
type History struct {
	Number string     `json:"number"` // masked
	Calls  []PastCall `json:"calls"`  // those before, newest first
	More   int        `json:"more"`   // how many there were beside them
}

// PastCall is a call of before.
type PastCall struct {
	Call   string    `json:"call"`
	At     time.Time `json:"at"`
	Result string    `json:"result"` // served, abandoned …; "": under way
	Reason string    `json:"reason"`
	Path   string    `json:"path"` // through the menus, in words
	Agent  string    `json:"agent"`
	Waited float64   `json:"waited"` // seconds
	Rating int       `json:"rating"` // 0: none
	Code   string    `json:"code"`
	Topic  string    `json:"topic"`
	Notes  string    `json:"notes"`
}

// Served is a call that an agent has served.
type Served struct {
	Call   string    `json:"call"`
	At     time.Time `json:"at"`     // the talk began
	Number string    `json:"number"` // masked
	Queue  string    `json:"queue"`
	Name   string    `json:"queue_name"`
	TalkMs int64     `json:"talk_ms"` // so far, while it goes on
	Code   string    `json:"code"`
}

func (a *API) listServed(r request) (reply, error) {
	id, err := r.agent()
	if err != nil {
		return reply{}, err
	}
	calls, err := a.o.Past.Served(r.Context(), id)
	shown := append([]Served{}, calls...)
	for i := range shown {
		shown[i].Name = a.queueName(shown[i].Queue)
	}
	return reply{body: map[string]any{"calls": shown}}, err
}

// Forms are what agents note, and how they close a call.
type Forms struct {
	Topics []Topic `json:"topics"`
	Codes  []Code  `json:"codes"`
}

// Code closes a call.
type Code struct {
	ID   string `json:"id"`
	Name string `json:"name"` // "": the pages have a word for the id
}

// Topic is what a call is about.
type Topic struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Fields    []string `json:"fields"`
	Complaint bool     `json:"complaint"` // the caller complains, and is spoken to accordingly (A2)
}

func (a *API) getForms(request) (reply, error) {
	f := Forms{Topics: append([]Topic{}, a.o.Forms.Topics...), Codes: append([]Code{}, a.o.Forms.Codes...)}
	for i := range f.Topics {
		f.Topics[i].Fields = append([]string{}, f.Topics[i].Fields...)
	}
	return reply{body: f}, nil
}

var callForm = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

func noCall(id string) *Problem {
	return problem(http.StatusNotFound, "no-call", "there is no call %.70q", id)
}

// unwritten is what is not done since it could not be written down.
func unwritten(err error) error {
	return fmt.Errorf("web: what is asked cannot be written down, and is not done: %w", err)
}

// lookable says whether somebody may see the customer of a call: agents only
// whom they serve, or wrap up.
func (a *API) lookable(r request, callID string) error {
	if !callForm.MatchString(callID) {
		return noCall(callID)
	}
	if r.account.Has(account.Supervisor, account.Reviewer, account.DutyManager) {
		return nil
	}
	v, err := a.own(r)
	if err == nil && v.Call != callID && !a.atHand(v.ID, callID) {
		err = problem(http.StatusForbidden, "not-your-call", "%s does not have the call", r.by)
	}
	return err
}

// atHand says whether an agent has a call, or is consulted about it.
func (a *API) atHand(agentID, callID string) bool {
	d, busy := a.o.Scenes.Desk(agentID)
	return busy && d.ID == callID
}

// looks writes a look down.
func (a *API) looks(r request, look Looked) error {
	if err := a.record(r.Context(), KindLooked, look, callStream(look.Call), AccountStream(r.account.Name)); err != nil {
		return unwritten(err)
	}
	return nil
}

// goesOnLooking writes down that somebody begins to look: a page that shows how notes grow asks again and again.
func (a *API) goesOnLooking(r request, look Looked) error {
	if a.seen.has(look) {
		return nil
	}
	if err := a.looks(r, look); err != nil {
		return err
	}
	a.seen.keep(look)
	return nil
}

// lookLasts is how long a look goes on that was written down, if it does.
const lookLasts = time.Minute

// seen are the looks that go on. The zero value has none.
type seen struct {
	mu    sync.Mutex
	looks map[Looked]time.Time // when each was written down
}

func (s *seen) has(look Looked) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, there := s.looks[look]
	return there && time.Since(at) < lookLasts
}

func (s *seen) keep(look Looked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.looks, func(_ Looked, at time.Time) bool { return time.Since(at) >= lookLasts })
	if s.looks == nil {
		s.looks = map[Looked]time.Time{}
	}
	s.looks[look] = time.Now()
}

func (a *API) getHistory(r request) (reply, error) {
	callID, err := query(r.URL, "call")
	if err != nil {
		return reply{}, err
	}
	if err := a.lookable(r, callID); err != nil {
		return reply{}, err
	}
	h, there, err := a.o.Past.History(r.Context(), callID)
	if err != nil {
		return reply{}, err
	}
	if !there {
		return reply{}, noCall(callID)
	}
	if err := a.looks(r, Looked{By: r.by, What: "history", Call: callID}); err != nil {
		return reply{}, err
	}
	return reply{body: h}, nil
}

// Notes are what an agent writes of a call.
type Notes struct {
	Topic  string            `json:"topic"`  // of the forms; "": none
	Fields map[string]string `json:"fields"` // that topic's
	Text   string            `json:"text"`
}

// Limits of notes.
const (
	mostText  = 4000 // letters
	mostField = 400
)

func (n Notes) check(f Forms) error {
	at := slices.IndexFunc(f.Topics, func(t Topic) bool { return t.ID == n.Topic })
	if n.Topic != "" && at < 0 {
		return wrong("value", "topic", "%.40q is no topic of hotline.yaml", n.Topic)
	}
	for name, value := range n.Fields {
		if at < 0 || !slices.Contains(f.Topics[at].Fields, name) {
			return wrong("unknown-field", "fields", "%.40q is no field of the topic", name)
		}
		if err := plain("fields", value, mostField); err != nil {
			return err
		}
	}
	return plain("text", n.Text, mostText)
}

// plain is text without control characters but ends of lines.
func plain(field, text string, most int) error {
	control := func(c rune) bool { return unicode.IsControl(c) && c != '\n' && c != '\t' }
	for _, c := range text {
		if control(c) {
			return wrong("value", field, "has a control character in it")
		}
	}
	if n := utf8.RuneCountInString(text); n > most {
		return wrong("out-of-range", field, "has %d letters; use %d at most", n, most)
	}
	return nil
}

func (a *API) getNotes(r request) (reply, error) {
	callID := r.PathValue("id")
	if err := a.lookable(r, callID); err != nil {
		return reply{}, err
	}
	kept, there, err := a.o.Past.Notes(r.Context(), callID)
	if err != nil {
		return reply{}, err
	}
	if !there {
		return reply{}, noCall(callID)
	}
	if err := a.goesOnLooking(r, Looked{By: r.by, What: "notes", Call: callID}); err != nil {
		return reply{}, err
	}
	shown := shownNotes(kept.Notes)
	return reply{version: shown.version(), body: shown}, nil
}

func shownNotes(n Notes) Notes {
	if n.Fields == nil {
		n.Fields = map[string]string{}
	}
	return n
}

// version tells whether the notes have changed.
func (n Notes) version() string {
	sum := sha256.Sum256(encode(n))
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}

// putNotes keeps notes of a call that the agent has, or wraps up, or has written
// of before. What is there already is not written again, and what was written is
// replaced by nobody who has not read it: two have a call that is handed over, and
// a page that was loaded anew does not know what was typed at it before. Only who
// has the call no more, and so may not read it, replaces their own unseen.
func (a *API) putNotes(r request) (reply, error) {
	v, err := a.own(r)
	if err != nil {
		return reply{}, err
	}
	callID, asked := r.PathValue("id"), Notes{}
	if !callForm.MatchString(callID) {
		return reply{}, noCall(callID)
	}
	if err := read(r, &asked); err != nil {
		return reply{}, err
	}
	if err := asked.check(a.o.Forms); err != nil {
		return reply{}, err
	}
	a.changing.Lock()
	defer a.changing.Unlock()
	has := v.Call == callID || a.atHand(v.ID, callID)
	before, there, err := a.o.Past.Notes(r.Context(), callID)
	switch {
	case err != nil:
		return reply{}, err
	case !there:
		return reply{}, noCall(callID)
	case !has && before.By != r.by:
		return reply{}, problem(http.StatusForbidden, "not-your-call", "%s does not have the call", r.by)
	}
	asked = shownNotes(asked)
	version := shownNotes(before.Notes).version()
	if asked.version() == version {
		return reply{version: version, body: asked}, nil
	}
	switch match := r.Header.Get("If-Match"); {
	case match == "" && before.By != "" && has:
		return reply{}, problem(http.StatusPreconditionRequired, "condition", "the call has notes already: read them, and say so with If-Match and their ETag")
	case match != "" && match != "*" && match != version:
		return reply{}, stale()
	}
	if err := a.record(r.Context(), KindNotes, NotesKept{Call: callID, By: r.by, Notes: asked}, callStream(callID)); err != nil {
		return reply{}, unwritten(err)
	}
	return reply{version: asked.version(), body: asked}, nil
}

// WrapUp closes a call.
type WrapUp struct {
	Call  string `json:"call"`
	Code  string `json:"code"`
	Ready bool   `json:"ready"` // and takes the next one, or what was asked for during the talk
}

func (a *API) wrapUp(r request) (reply, error) {
	v, err := a.own(r)
	if err != nil {
		return reply{}, err
	}
	var asked WrapUp
	if err := read(r, &asked); err != nil {
		return reply{}, err
	}
	switch {
	case !slices.ContainsFunc(a.o.Forms.Codes, func(c Code) bool { return c.ID == asked.Code }):
		return reply{}, wrong("value", "code", "%.40q is no code of hotline.yaml", asked.Code)
	case v.Call == "" || v.Call != asked.Call:
		return reply{}, problem(http.StatusConflict, "not-your-call", "%s does not have the call %.70q, nor wraps it up", r.by, asked.Call)
	}
	if err := a.record(r.Context(), KindWrapped, Wrapped{Call: asked.Call, By: r.by, Agent: v.ID, Code: asked.Code}, callStream(asked.Call), "agent/"+v.ID); err != nil {
		return reply{}, unwritten(err)
	}
	if asked.Ready && v.State == queue.StateWrapUp {
		if err := a.o.Queues.Order(queue.Command{Do: queue.VerbFinish, Agent: v.ID}); err != nil && !errors.Is(err, queue.ErrTransition) { // its time is over by now
			return reply{}, unlessStopped(err, aboutAgent(v.ID))
		}
	}
	return a.getDesk(r)
}
