package web

import (
	"fmt"
	"maps"

	"hotline/queue"
)

// Profile is an agent's as it is read and shown: the fields of an agent in
// hotline.yaml that can change while the service runs.
type Profile struct {
	Number  string         `json:"number"`
	Name    string         `json:"name"`
	Queues  []string       `json:"queues"`
	Skills  map[string]int `json:"skills"`
	Weights map[string]int `json:"weights"`
}

// profileOf shows the engine's profile, empty lists rather than none.
func profileOf(q queue.Profile) Profile {
	p := Profile{Number: q.Number, Name: q.Name, Queues: []string{}, Skills: map[string]int{}, Weights: map[string]int{}}
	p.Queues = append(p.Queues, q.Queues...)
	maps.Copy(p.Skills, q.Skills)
	maps.Copy(p.Weights, q.Weights)
	return p
}

func (p Profile) forAgent(id string) queue.Profile {
	return queue.Profile{ID: id, Number: p.Number, Name: p.Name, Queues: p.Queues, Skills: p.Skills, Weights: p.Weights}
}

// ownNumber makes sure that nobody else has an agent's number: callers are told
// numbers to know agents by (C9).
func (p Profile) ownNumber(id string, all []queue.AgentView) error {
	for _, other := range all {
		if other.ID != id && other.Number == p.Number {
			return limit("number", fmt.Errorf("%s is agent %s's already; use another", p.Number, other.ID))
		}
	}
	return nil
}
