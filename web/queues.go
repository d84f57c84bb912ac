package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"hotline/queue"
)

// Queue is a queue in a list: its rules, and how it is doing.
type Queue struct {
	ID      string  `json:"id"`
	Rules   Rules   `json:"rules"`
	Figures Figures `json:"figures"`
}

// Figures are how a queue is doing. Times are in seconds.
type Figures struct {
	Waiting       int      `json:"waiting"`        // callers, those for whom a phone rings included
	Offered       int      `json:"offered"`        // callers for whom a phone rings
	SignedIn      int      `json:"signed_in"`      // agents
	Attending     int      `json:"attending"`      // agents signed in and not out of service
	Ready         int      `json:"ready"`          // agents
	LongestWait   float64  `json:"longest_wait"`   // of those waiting now
	Handling      *float64 `json:"handling"`       // a caller takes an agent so long, on average; null: not known yet
	EstimateError *float64 `json:"estimate_error"` // by which estimated waits were wrong lately, on average; null: not known yet
	InTime        *int     `json:"in_time"`        // of a hundred callers lately, connected within service_level; null: not known yet
}

func figuresOf(v queue.QueueView) Figures {
	return Figures{
		Waiting: v.Waiting, Offered: v.Offered, SignedIn: v.SignedIn, Attending: v.Attending, Ready: v.Ready,
		LongestWait: seconds(v.LongestWait), Handling: unlessZero(v.Handling), EstimateError: unlessZero(v.EstimateError), InTime: v.InTime,
	}
}

// seconds are told to the tenth: nobody decides anything by less.
func seconds(d time.Duration) float64 { return d.Round(100 * time.Millisecond).Seconds() }

func unlessZero(d time.Duration) *float64 {
	if d == 0 {
		return nil
	}
	s := seconds(d)
	return &s
}

func (a *API) listQueues(request) (reply, error) {
	list := []Queue{}
	views := a.o.Queues.Queues()
	for _, r := range a.o.Queues.Rules() {
		i := slices.IndexFunc(views, func(v queue.QueueView) bool { return v.ID == r.ID })
		if i < 0 {
			continue // it came in between, and is in the next list
		}
		list = append(list, Queue{ID: r.ID, Rules: rulesOf(r), Figures: figuresOf(views[i])})
	}
	return reply{body: map[string]any{"queues": list}}, nil
}

// rulesInForce are a queue's, with their version.
func (a *API) rulesInForce(id string) (Rules, queue.Version) {
	for _, r := range a.o.Queues.Rules() {
		if r.ID == id {
			return rulesOf(r), r.Version()
		}
	}
	return Rules{}, queue.Absent
}

func noQueue(id string) *Problem {
	return problem(http.StatusNotFound, "no-queue", "there is no queue %.60q", id)
}

func (a *API) getRules(r request) (reply, error) {
	id := r.PathValue("id")
	rules, version := a.rulesInForce(id)
	if version == queue.Absent {
		return reply{}, noQueue(id)
	}
	return reply{version: tag(version), body: rules}, nil
}

func (a *API) putRules(r request) (reply, error) {
	id, asked := r.PathValue("id"), rulesOf(a.o.Usual)
	if err := read(r, &asked); err != nil {
		return reply{}, err
	}
	if a.o.CheckRules != nil {
		if field, err := a.o.CheckRules(asked.forQueue(id)); err != nil {
			return reply{}, limit(field, err)
		}
	}
	_, is := a.rulesInForce(id)
	seen, err := unchanged(r, is)
	if err != nil {
		return reply{}, err
	}
	if err := a.o.Queues.SetRules(asked.forQueue(id), r.by, seen); err != nil {
		return reply{}, unlessChanged(err, contradicts)
	}
	now, version := a.rulesInForce(id)
	return reply{status: created(is != queue.Absent), version: tag(version), body: now}, nil
}

// created is the status for what was there, or was not.
func created(there bool) int {
	if there {
		return http.StatusOK
	}
	return http.StatusCreated
}

func (a *API) removeQueue(r request) (reply, error) {
	id := r.PathValue("id")
	_, is := a.rulesInForce(id)
	if is == queue.Absent {
		return reply{}, noQueue(id)
	}
	seen, err := unchanged(r, is)
	if err != nil {
		return reply{}, err
	}
	err = a.o.Queues.RemoveQueue(id, r.by, seen)
	return reply{}, unlessChanged(err, func(err error) error {
		if errors.Is(err, queue.ErrUnknownQueue) {
			return noQueue(id)
		}
		return conflict(err)
	})
}

// Caller is somebody who waits.
type Caller struct {
	Call      string    `json:"call"`
	Number    string    `json:"number"` // masked; "": not known
	Position  int       `json:"position"`
	Priority  int       `json:"priority"`
	Arrived   time.Time `json:"arrived"`
	Waited    float64   `json:"waited"`     // seconds
	OfferedTo []string  `json:"offered_to"` // agents whose phone rings
}

// How many of those who wait are listed.
const (
	usualListed = 100
	mostListed  = 1000
)

func (a *API) listWaiting(r request) (reply, error) {
	id, limit := r.PathValue("id"), usualListed
	if asked := r.URL.Query().Get("limit"); asked != "" {
		var err error
		if limit, err = strconv.Atoi(asked); err != nil || limit < 1 || limit > mostListed {
			return reply{}, problem(http.StatusBadRequest, "query", "limit: %.20q is out of range; use 1 to %d", asked, mostListed)
		}
	}
	waiting := a.o.Queues.Waiting(id)
	if waiting == nil {
		return reply{}, noQueue(id)
	}
	list := []Caller{}
	for _, v := range waiting[:min(limit, len(waiting))] {
		c := Caller{Call: v.ID, Position: v.Position, Priority: v.Priority, Arrived: v.Arrived.UTC(), Waited: seconds(v.Waited), OfferedTo: []string{}}
		if a.o.Number != nil {
			c.Number = a.o.Number(r.Context(), v.ID)
		}
		if v.OfferedTo != "" {
			c.OfferedTo = append([]string{v.OfferedTo}, v.AlsoTo...)
		}
		list = append(list, c)
	}
	return reply{body: map[string]any{"waiting": len(waiting), "callers": list}}, nil
}
