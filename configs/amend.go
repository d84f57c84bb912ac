package configs

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
)

// AmendQueue gives a queue other settings, each as it stands in hotline.yaml ("max_wait: 2m"), held to the limits of
// hotline.yaml. Whether they suit the other queues and the agents is for the caller to check. The error names every
// setting that is wrong.
func AmendQueue(q Queue, settings ...string) (Queue, error) {
	c := &Config{Queues: []Queue{q}}
	err := amend(c, "queues", q, settings, func(r *rules) {
		if c.Queues[0].ID != q.ID {
			r.wrong("queues[0].id", "a queue keeps its id; make another one")
		}
		r.matches("queues[0].id", c.Queues[0].ID, name, wantName)
		r.queue("queues[0]", c.Queues[0])
	})
	return c.Queues[0], err
}

// AmendAgent does so for an agent: queues, weights, skills, number and name. What a phone signs in with is Asterisk's
// matter, and stays as it is in hotline.yaml.
func AmendAgent(a Agent, settings ...string) (Agent, error) {
	c := &Config{Agents: []Agent{a}}
	err := amend(c, "agents", a, settings, func(r *rules) {
		if now := c.Agents[0]; now.ID != a.ID || now.Role != a.Role || now.Password != a.Password || now.PIN != a.PIN {
			r.wrong("agents[0]", "id, role, password and pin are changed in hotline.yaml, and Asterisk is told of them")
		}
		r.agent("agents[0]", c.Agents[0])
	})
	return c.Agents[0], err
}

// amend reads settings over the one element of the list called so.
func amend[T any](c *Config, list string, element T, settings []string, check func(*rules)) error {
	if len(settings) == 0 {
		return errors.New("say what is to be changed, for example max_wait=2m")
	}
	for _, setting := range settings {
		if strings.ContainsAny(setting, "\r\n") {
			return fmt.Errorf("%q: a setting is one line", setting)
		}
	}
	d := &decoder{
		src:  source{file: list, positions: map[string]position{}, environment: map[string]string{}},
		seed: map[reflect.Type]reflect.Value{reflect.TypeFor[T](): reflect.ValueOf(element)},
	}
	d.file([]byte(list+":\n  - "+strings.Join(settings, "\n    ")+"\n"), c)
	if len(d.problems) == 0 {
		r := &rules{src: d.src}
		check(r)
		d.problems = r.problems
	}
	var wrong []error
	for _, p := range d.problems {
		setting := strings.TrimPrefix(strings.TrimPrefix(p.Path, list+"[0]"), ".")
		wrong = append(wrong, errors.New(strings.TrimPrefix(setting+": "+p.Message, ": ")))
	}
	return errors.Join(wrong...)
}
