package web

import (
	"net/http"
	"slices"

	"hotline/web/account"
)

// Beside the roles of people there are two who ask without an account.
const (
	program  account.Role = "program"      // bears a token of hotline.yaml
	operator account.Role = "command line" // can open the control socket
)

// Resource is what a route is about, as far as it matters who may use it.
type Resource string

// The resources.
const (
	forAnybody    Resource = "signing in"
	ownSession    Resource = "own session"
	ownDesk       Resource = "own desk"
	history       Resource = "history"
	wallView      Resource = "wall"
	floorView     Resource = "floor"
	lookQueues    Resource = "queues"
	changeQueues  Resource = "queues, to change"
	lookAgents    Resource = "agents"
	orderAgents   Resource = "agents' states"
	changeAgents  Resource = "agents, to change"
	monitorCalls  Resource = "listening in"
	manageAccount Resource = "accounts"
)

// access is the one table of who may use what; docs/api.md shows it.
var access = []struct {
	Resource Resource
	Means    string
	Roles    []account.Role
}{
	{ownSession, "who I am; this description", []account.Role{account.Agent, account.Supervisor, account.Reviewer, account.DutyManager, account.Admin, program, operator}},
	{ownDesk, "my call, my state, whom I can transfer to, what I say, my notes and wrap-up codes", []account.Role{account.Agent, account.Supervisor, account.DutyManager}},
	{history, "earlier calls of a caller, notes; an agent's only of the call they have", []account.Role{account.Agent, account.Supervisor, account.Reviewer, account.DutyManager}},
	{wallView, "figures for everybody", []account.Role{account.Agent, account.Supervisor, account.Reviewer, account.DutyManager, account.Admin, program, operator}},
	{floorView, "who waits, who serves whom, masked numbers", []account.Role{account.Supervisor, account.DutyManager, account.Admin, program, operator}},
	{lookQueues, "queues, their rules, who waits", []account.Role{account.Supervisor, account.DutyManager, account.Admin, program, operator}},
	{changeQueues, "their rules", []account.Role{account.Supervisor, account.Admin, program, operator}},
	{lookAgents, "agents, their profiles and states", []account.Role{account.Supervisor, account.DutyManager, account.Admin, program, operator}},
	{orderAgents, "to set another's state", []account.Role{account.Supervisor, account.DutyManager, program, operator}},
	{changeAgents, "whom agents serve", []account.Role{account.Supervisor, account.Admin, program, operator}},
	{monitorCalls, "to listen, whisper, join in a talk", []account.Role{account.Supervisor}},
	{manageAccount, "who may sign in", []account.Role{account.Admin, operator}},
}

// identity is who asks.
type identity struct {
	by      string // as the journal has it
	roles   []account.Role
	account account.Account // zero for programs and the command line
}

// may says whether somebody may use a resource.
func (i identity) may(what Resource) bool {
	if what == forAnybody {
		return true
	}
	for _, row := range access {
		if row.Resource == what {
			return slices.ContainsFunc(i.roles, func(r account.Role) bool { return slices.Contains(row.Roles, r) })
		}
	}
	return false
}

// allowed refuses who may not.
func (i identity) allowed(what Resource) error {
	if i.may(what) {
		return nil
	}
	return problem(http.StatusForbidden, "role", "%s may not use this: %s", i.by, what)
}
