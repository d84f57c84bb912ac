package ivr

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Do is what a menu's key does.
type Do string

// The things a key can do.
const (
	DoMenu      Do = "menu"      // go to another menu; Target is its ID
	DoQueue     Do = "queue"     // wait for an agent; Target is the queue's ID
	DoInfo      Do = "info"      // hear something, then this menu again; Target is a prompt
	DoMessage   Do = "message"   // leave a message (A4)
	DoEmergency Do = "emergency" // wait first in line, opening hours or not; Target is the queue's ID
)

// Action is one key's meaning.
type Action struct {
	Do     Do
	Target string

	Priority int    // with DoQueue: 0 to 9, higher is served first
	Topic    string // what the call is about, for the agent and the reports (C2)
}

// Menu is one question with its keys. Without any it asks nothing: what there is
// to say is said, and Otherwise is what comes next.
type Menu struct {
	Prompts []string
	Again   string // said before them to a caller who pressed nothing (C1); "": they are only repeated
	Keys    map[rune]Action
	Wait    time.Duration // after the prompts' end, before silence counts
	Tries   int           // silences and wrong keys together, before Otherwise

	// Otherwise is what silence and confusion end in: a person rather than a
	// hang-up (C1).
	Otherwise Action
}

// Menus is a tree of menus as data.
type Menus struct {
	Start string
	ByID  map[string]Menu

	// At and Path are where the caller is already, after an interruption: the
	// menu and the keys that led to it. "": at the start.
	At, Path string
	// Moved is told each menu the caller goes to, with the keys that led there,
	// before it is asked; nil for nobody.
	Moved func(id, path string)
}

// Why says how a menu ended.
type Why string

// The ways a menu ends.
const (
	ByKey     Why = "key"
	BySilence Why = "silence"
	ByWrong   Why = "wrong-keys"
	ByLimit   Why = "too-long"
	Unasked   Why = "unasked" // there was nothing to choose
)

// Choice is the caller's way through the menus.
type Choice struct {
	Action
	Path     string // "main:2 bill:1"
	Why      Why
	Informed bool // the caller heard something asked for
}

// maxSteps bounds how many prompts one caller can walk through, so that a
// stuck key or a bored child ends with a person and not with a loop.
const maxSteps = 30

// Choose leads the caller through the menus: silence is asked again with an
// offer of help (C1), a wrong key is said to be wrong, and whoever cannot or
// will not choose gets a person rather than a hang-up.
func (m Menus) Choose(ctx context.Context, p Phone) (Choice, error) {
	id := m.Start
	if _, known := m.ByID[m.At]; known {
		id = m.At
	}
	menu, way := m.ByID[id], Choice{Path: m.Path}
	var lead []string
	misses := 0
	for range maxSteps {
		if len(menu.Keys) == 0 {
			return menu.straightOn(ctx, p, way)
		}
		key, err := p.Ask(ctx, menu.Wait, append(lead, menu.Prompts...)...)
		if err != nil {
			return way, err
		}
		if key != Silence {
			way.Path = strings.TrimSpace(fmt.Sprintf("%s %s:%c", way.Path, id, key))
		}
		action, known := menu.Keys[key]
		why := ByWrong
		switch {
		case known && action.Do == DoMenu:
			id, menu, lead, misses = action.Target, m.ByID[action.Target], nil, 0
			if m.Moved != nil {
				m.Moved(id, way.Path)
			}
			continue
		case known && action.Do == DoInfo:
			lead, misses, way.Informed = []string{action.Target}, 0, true
			continue
		case known:
			way.Action, way.Why = action, ByKey
			return way, nil
		case key == Silence:
			lead, why = menu.again(), BySilence
		default:
			lead = []string{"menu.wrong"}
		}
		if misses++; misses >= menu.Tries {
			return menu.otherwise(ctx, p, way, why)
		}
	}
	return menu.otherwise(ctx, p, way, ByLimit)
}

// straightOn is the way through a menu that asks nothing.
func (m Menu) straightOn(ctx context.Context, p Phone, way Choice) (Choice, error) {
	way.Action, way.Why = m.Otherwise, Unasked
	if len(m.Prompts) == 0 {
		return way, context.Cause(ctx)
	}
	return way, p.Say(ctx, m.Prompts...)
}

func (m Menu) again() []string {
	if m.Again == "" {
		return nil
	}
	return []string{m.Again}
}

func (m Menu) otherwise(ctx context.Context, p Phone, way Choice, why Why) (Choice, error) {
	way.Action, way.Why = m.Otherwise, why
	if way.Do != DoQueue {
		return way, context.Cause(ctx)
	}
	return way, p.Say(ctx, "menu.to_agent")
}

// Emergency returns the menus' emergency keys: they stay in force when the
// hotline is closed or full.
func (m Menus) Emergency() map[rune]Action {
	keys := map[rune]Action{}
	for key, action := range m.ByID[m.Start].Keys {
		if action.Do == DoEmergency {
			keys[key] = action
		}
	}
	return keys
}

// TurnedAway is the menu of whoever cannot be served now: why, then the offer
// of a message (A4); the emergency keys go on working.
func (m Menus) TurnedAway(reason ...string) Menus {
	keys := m.Emergency()
	keys['1'] = Action{Do: DoMessage}
	return Menus{
		Start: "turned-away",
		ByID: map[string]Menu{"turned-away": {
			Prompts: append(reason, "message.offer"),
			Keys:    keys,
			Wait:    5 * time.Second,
			Tries:   2,
		}},
	}
}
