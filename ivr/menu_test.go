package ivr

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var tree = Menus{
	Start: "main",
	ByID: map[string]Menu{
		"main": {
			Prompts: []string{"menu.main"}, Again: "menu.again", Tries: 3, Otherwise: Action{Do: DoQueue, Target: "service"},
			Keys: map[rune]Action{
				'1': {Do: DoMenu, Target: "bill"},
				'2': {Do: DoInfo, Target: "menu.info.hours"},
				'8': {Do: DoMessage},
				'9': {Do: DoEmergency, Target: "service"},
				'0': {Do: DoQueue, Target: "service", Topic: "any"},
			},
		},
		"bill": {
			Prompts: []string{"menu.bill"}, Again: "menu.again", Tries: 2, Otherwise: Action{Do: DoMessage},
			Keys: map[rune]Action{'0': {Do: DoQueue, Target: "bills"}, '*': {Do: DoMenu, Target: "main"}, '5': {Do: DoMenu, Target: "storm"}, '6': {Do: DoMenu, Target: "nothing"}},
		},
		"storm":   {Prompts: []string{"menu.storm"}, Tries: 1, Otherwise: Action{Do: DoMessage}},
		"nothing": {Tries: 1, Otherwise: Action{Do: DoQueue, Target: "service"}},
	},
}

func TestMenus(t *testing.T) {
	for _, test := range []struct {
		name, keys string
		want       Action
		why        Why
		path       string
		last       string // the last thing heard
	}{
		{"a key", "0", Action{Do: DoQueue, Target: "service", Topic: "any"}, ByKey, "main:0", "menu.main?"},
		{"a submenu", "10", Action{Do: DoQueue, Target: "bills"}, ByKey, "main:1 bill:0", "menu.bill?"},
		{"and back", "1*8", Action{Do: DoMessage}, ByKey, "main:1 bill:* main:8", "menu.main?"},
		{"information, then the menu again", "28", Action{Do: DoMessage}, ByKey, "main:2 main:8", "menu.info.hours menu.main?"},
		{"silence is asked again, then a person (C1)", "...", Action{Do: DoQueue, Target: "service"}, BySilence, "", "menu.to_agent"},
		{"wrong keys are said to be wrong", "4", Action{Do: DoQueue, Target: "service"}, BySilence, "main:4", "menu.to_agent"},
		{"only wrong keys end with a person", "456", Action{Do: DoQueue, Target: "service"}, ByWrong, "main:4 main:5 main:6", "menu.to_agent"},
		{"a submenu starts counting anew", "441.0", Action{Do: DoQueue, Target: "bills"}, ByKey, "main:4 main:4 main:1 bill:0", "menu.again menu.bill?"},
		{"a submenu has its own otherwise", "1..", Action{Do: DoMessage}, BySilence, "main:1", "menu.again menu.bill?"},
		{"what asks nothing says its words and leads on", "15", Action{Do: DoMessage}, Unasked, "main:1 bill:5", "menu.storm"},
		{"or says nothing", "16", Action{Do: DoQueue, Target: "service"}, Unasked, "main:1 bill:6", "menu.bill?"},
		{"walking in circles ends", strings.Repeat("1*", 20), Action{Do: DoQueue, Target: "service"}, ByLimit, "", "menu.to_agent"},
	} {
		t.Run(test.name, func(t *testing.T) {
			caller := &script{keys: test.keys}
			got, err := tree.Choose(t.Context(), caller)
			if err != nil {
				t.Fatal(err)
			}
			if got.Action != test.want || got.Why != test.why {
				t.Errorf("got %+v", got)
			}
			if test.path != "" && got.Path != test.path {
				t.Errorf("path %q, want %q", got.Path, test.path)
			}
			if last := caller.heard[len(caller.heard)-1]; last != test.last {
				t.Errorf("the last thing heard is %q, want %q; all: %q", last, test.last, caller.heard)
			}
		})
	}
}

func TestACallerWhoHangsUpInTheMenuLeavesTheWay(t *testing.T) {
	got, err := tree.Choose(t.Context(), &script{keys: "2x"})
	if !errors.Is(err, errHungUp) || got.Path != "main:2" || !got.Informed {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Another process goes on in the menu where the caller is, and the way there is
// not forgotten.
func TestACallerGoesOnInTheMenuOfBefore(t *testing.T) {
	var moved []string
	first := tree
	first.Moved = func(id, path string) { moved = append(moved, id, path) }
	whole, err := first.Choose(t.Context(), &script{keys: "10"})
	if err != nil || len(moved) != 2 {
		t.Fatalf("%+v, %v, moved %q", whole, err, moved)
	}
	again := tree
	again.At, again.Path = moved[0], moved[1]
	if got, err := again.Choose(t.Context(), &script{keys: "0"}); err != nil || got != whole {
		t.Errorf("got %+v, %v; without an interruption %+v", got, err, whole)
	}
}

func TestTurnedAway(t *testing.T) {
	for _, test := range []struct {
		name, keys string
		want       Do
	}{
		{"a message", "1", DoMessage},
		{"the emergency key works though closed", "9", DoEmergency},
		{"silence twice is a no", "..", ""},
		{"other keys are no", "04", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			caller := &script{keys: test.keys}
			got, err := tree.TurnedAway("closed.hours").Choose(t.Context(), caller)
			if err != nil || got.Do != test.want {
				t.Errorf("got %+v, %v; want %q", got, err, test.want)
			}
			if want := "closed.hours message.offer?"; caller.heard[0] != want {
				t.Errorf("heard %q first, want %q", caller.heard[0], want)
			}
			if slices.ContainsFunc(caller.heard, func(s string) bool { return strings.Contains(s, "menu.again") }) {
				t.Error("a caller who is turned away was asked what we can do")
			}
			if slices.Contains(caller.heard, "menu.to_agent") {
				t.Error("a person was promised to a caller who is turned away")
			}
		})
	}
}

// Whatever a caller presses, a menu ends with something defined, after a
// bounded number of questions.
func TestEveryWayThroughTheMenusEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		caller := &script{keys: rapid.StringOfN(rapid.RuneFrom([]rune("0123456789*#ABCD.")), 0, 100, -1).Draw(t, "keys")}
		got, err := tree.Choose(t.Context(), caller)
		if err != nil {
			t.Fatal(err)
		}
		if got.Do == "" || got.Do == DoMenu || got.Do == DoInfo {
			t.Errorf("the menus end with %q", got.Do)
		}
		if len(caller.heard) > maxSteps+1 {
			t.Errorf("%d prompts were played", len(caller.heard))
		}
	})
}
