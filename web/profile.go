package web

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

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

// check holds a profile to the limits of hotline.yaml. The others are all
// agents there are, the one who is changed among them.
func (p Profile) check(id string, others []queue.AgentView) error {
	var had []string
	for _, other := range others {
		switch {
		case other.ID == id:
			had = other.Queues
		case other.Number == p.Number:
			return problem(422, "contradiction", "number: %s is agent %s's already; callers are told numbers to know agents by", p.Number, other.ID)
		}
	}
	_, there := slices.BinarySearchFunc(others, id, func(a queue.AgentView, id string) int { return strings.Compare(a.ID, id) })
	switch {
	case !agentNumber.MatchString(p.Number):
		return wrong("name", "number", "%.60q is not usable; use 1 to 8 digits, as the caller is told, for example 789", p.Number)
	case !readable(p.Name):
		return wrong("name", "name", "%.60q is not usable; use 1 to 40 characters without quotes, semicolons and backslashes", p.Name)
	case len(p.Queues) == 0 && (!there || len(had) > 0):
		return problem(422, "contradiction", "queues: an agent who serves no queue would never be offered a caller; name one, or remove the agent")
	}
	return named("skills", p.Skills)
}

// readable are names that people read, and that phones show: nothing that ends
// a quoted string in what is sent to them.
func readable(name string) bool {
	bad := func(c rune) bool { return unicode.IsControl(c) || strings.ContainsRune(`";\`, c) }
	return utf8.ValidString(name) && strings.TrimSpace(name) != "" && utf8.RuneCountInString(name) <= 40 && !strings.ContainsFunc(name, bad)
}
