package configs

import (
	"errors"
	"strings"
)

// What is changed while the service runs is held to the limits of hotline.yaml, by the rules that its lines are.

// CheckQueue says which setting of a queue is wrong and why, first as hotline.yaml has them; "" and nil when none is.
// Whether the queue suits the others and the agents is for the caller to check.
func CheckQueue(q Queue) (setting string, wrong error) {
	return first("queues[0]", func(r *rules) {
		r.matches("queues[0].id", q.ID, name, wantName)
		r.queue("queues[0]", q)
	})
}

// CheckAgent does so for an agent, except for what a phone signs in with, which is Asterisk's matter.
func CheckAgent(a Agent) (setting string, wrong error) {
	return first("agents[0]", func(r *rules) {
		r.matches("agents[0].id", a.ID, agentID, wantAgent)
		r.matches("agents[0].number", a.Number, agentNo, wantNumber)
		r.text("agents[0].name", a.Name, 40)
		r.agent("agents[0]", a)
	})
}

// first is the first thing that is wrong below path, and where.
func first(path string, check func(*rules)) (setting string, wrong error) {
	r := &rules{src: source{positions: map[string]position{path: {}}, environment: map[string]string{}}}
	if check(r); len(r.problems) == 0 {
		return "", nil
	}
	p := r.problems[0]
	return strings.TrimPrefix(strings.TrimPrefix(p.Path, path), "."), errors.New(p.Message)
}
