package call

import (
	"time"

	"hotline/queue"
)

// Queue puts callers and agents together: *queue.Engine, in memory or on Redis.
// What each method does and refuses is said there.
type Queue interface {
	Join(queue.Caller) (*queue.Ticket, error)
	Close(queueID, reason string) error
	Reopen(queueID string) error
	Rules() []queue.Rules

	Agents() []queue.AgentView
	Agent(id string) (queue.AgentView, bool)
	SignIn(agentID string) error
	SignOut(agentID string) error
	Pause(agentID, reason string) error
	Ready(agentID string) error
	Extend(agentID string, by time.Duration) error
	Reachable(agentID string) error
	Unreachable(agentID string) error

	Call(agentID, callID string) (*queue.Offer, error)
	EndConsult(agentID, callID string) error
	HandOver(callID, from, to string) error
	FoundThird(agentID, callID, queueID string) error

	Hold(agentID, callID string) error
	Consult(agentID, callID string) error
	Resume(agentID, callID string) error
	EndTalk(agentID, callID string) error
	Rejoin(agentID, callID string) error
	Found(agentID, callID, queueID string) error

	SetWays(services []string) error
	Restore([]queue.Restored) error
	Open()
}

// noPlace is what becomes of a caller for whom a queue has no place, or none any
// more: the reason that is recorded, and what they hear before they are offered
// to leave a message (A3, A4).
type noPlace struct{ reason, prompt string }

// refusals are why a queue does not let a caller in.
var refusals = []struct {
	err error
	noPlace
}{
	{queue.ErrNobodySignedIn, noPlace{"nobody-signed-in", "queue.nobody"}},
	{queue.ErrFull, noPlace{"full", "queue.full"}},
	{queue.ErrNoSkill, noPlace{"no-skill", "queue.no_skill"}},
	{queue.ErrUnknownQueue, noPlace{"queue-removed", "queue.removed"}},
}

// lapses are why a queue ends a wait.
var lapses = map[string]noPlace{
	queue.LapseSignedOut:  {"agents-left", "queue.signed_out"},
	queue.LapseUnattended: {"unattended", "queue.unattended"},
	queue.LapseTooLong:    {"too-long", "queue.too_long"},
	queue.LapseMessage:    {"too-long", "queue.too_long"},
	queue.LapseCallBack:   {"call-back", "queue.call_back"},
	queue.LapseRemoved:    {"queue-removed", "queue.removed"},
	queue.LapseNoSkill:    {"no-skill", "queue.no_skill"},
}
