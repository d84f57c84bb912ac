package scene

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var talking = State{Scene: Talking}

// What people do in a talk, one after the other, and where it leads.
func TestWays(t *testing.T) {
	for name, way := range map[string]struct {
		steps []Act
		want  State
		over  bool // the third has the call in the end
	}{
		"hold and back":              {steps: []Act{DoHold, DoResume}, want: talking},
		"hold by the phone's button": {steps: []Act{PhoneHolds}, want: State{Scene: Hold, Held: true}},
		"… and back":                 {steps: []Act{PhoneHolds, PhoneResumes}, want: talking},
		"a hold that was asked for outlasts a line that is lost and back": {steps: []Act{DoHold, PhoneHolds, PhoneResumes},
			want: State{Scene: Hold, Asked: true}},
		"… and ends when it is asked for":         {steps: []Act{DoHold, PhoneHolds, PhoneResumes, DoResume}, want: talking},
		"… and the next one is the phone's":       {steps: []Act{DoHold, DoResume, PhoneHolds, PhoneResumes}, want: talking},
		"muted through a hold":                    {steps: []Act{DoMute, DoHold, DoResume}, want: State{Scene: Talking, Muted: true}},
		"a hold outlives a line that is lost":     {steps: []Act{DoHold, PhoneHolds, PhoneResumes}, want: State{Scene: Hold, Asked: true}},
		"… and ends as it was asked for":          {steps: []Act{DoHold, PhoneHolds, PhoneResumes, DoResume}, want: talking},
		"consult, and back":                       {steps: []Act{DoConsult, ThirdAnswered, DoCancel}, want: talking},
		"consult from hold":                       {steps: []Act{DoHold, DoConsult}, want: State{Scene: Calling}},
		"consult nobody answers":                  {steps: []Act{DoConsult, ThirdFailed}, want: talking},
		"warm":                                    {steps: []Act{DoMute, DoConsult, ThirdAnswered, DoComplete}, want: talking, over: true},
		"warm by hanging up":                      {steps: []Act{DoConsult, ThirdAnswered, AgentLeft}, want: talking, over: true},
		"three-way":                               {steps: []Act{DoConsult, ThirdAnswered, DoJoin}, want: State{Scene: ThreeWay}},
		"three-way, the third leaves":             {steps: []Act{DoConsult, ThirdAnswered, DoJoin, ThirdLeft}, want: talking},
		"three-way, the agent's line fails":       {steps: []Act{DoConsult, ThirdAnswered, DoJoin, AgentFailed}, want: talking, over: true},
		"blind":                                   {steps: []Act{DoTransfer, ThirdAnswered}, want: talking, over: true},
		"blind and not reached":                   {steps: []Act{DoTransfer, ThirdFailed}, want: State{Scene: Returning}},
		"… and the agent takes the caller back":   {steps: []Act{DoTransfer, ThirdFailed, ThirdAnswered}, want: talking, over: true},
		"… or does not":                           {steps: []Act{DoTransfer, ThirdFailed, ThirdFailed}, want: State{Scene: InVain}},
		"blind by hanging up":                     {steps: []Act{DoConsult, AgentLeft}, want: State{Scene: Transferring}},
		"to a queue":                              {steps: []Act{DoTransfer, QueueTakes}, want: State{Scene: Queued}},
		"the agent hangs up":                      {steps: []Act{AgentLeft}, want: State{Scene: Rating}},
		"… on hold, from the desk":                {steps: []Act{DoHold, DoHangup}, want: State{Scene: Rating}},
		"the agent's line fails while consulting": {steps: []Act{DoConsult, ThirdAnswered, AgentFailed}, want: State{Scene: LineLost}},
		"back from a consult while the phone holds": {steps: []Act{PhoneHolds, DoConsult, ThirdAnswered, DoCancel},
			want: State{Scene: Hold, Held: true}},
		"back by mistake hung up":          {steps: []Act{DoHangup, DoRejoin, ThirdAnswered}, want: talking, over: true},
		"… and the phone is not taken":     {steps: []Act{AgentLeft, DoRejoin, ThirdFailed}, want: State{Scene: Rating}},
		"a supervisor stays with the call": {steps: []Act{DoWhisper, DoTransfer, ThirdAnswered}, want: State{Scene: Talking, Monitor: Whispering}, over: true},
		"… and leaves with its end":        {steps: []Act{DoListen, AgentLeft}, want: State{Scene: Rating}},
	} {
		t.Run(name, func(t *testing.T) {
			s, over := talking, false
			for _, step := range way.steps {
				next, handOver, ok := s.After(step)
				if !ok {
					t.Fatalf("%s is impossible in %+v", step, s)
				}
				s, over = next, over || handOver
			}
			if s != way.want || over != way.over {
				t.Errorf("it led to %+v, handed over %v; want %+v, %v", s, over, way.want, way.over)
			}
		})
	}
}

func TestActs(t *testing.T) {
	for s, want := range map[State][]Act{
		talking:                          {DoHold, DoMute, DoConsult, DoTransfer, DoKeys, DoHangup},
		{Scene: Talking, Muted: true}:    {DoHold, DoUnmute, DoConsult, DoTransfer, DoKeys, DoHangup},
		{Scene: Hold, Asked: true}:       {DoResume, DoMute, DoConsult, DoTransfer, DoHangup},
		{Scene: Hold}:                    {DoResume, DoMute, DoConsult, DoTransfer, DoHangup},
		{Scene: Hold, Asked: true}:       {DoResume, DoMute, DoConsult, DoTransfer, DoHangup},
		{Scene: Hold, Held: true}:        {DoMute, DoConsult, DoTransfer, DoHangup}, // only the phone can take the call back
		{Scene: Calling}:                 {DoMute, DoCancel},
		{Scene: Consulting}:              {DoMute, DoCancel, DoJoin, DoComplete, DoKeys},
		{Scene: ThreeWay}:                {DoMute, DoDrop, DoComplete, DoKeys},
		{Scene: Transferring}:            {},
		{Scene: Returning, Muted: false}: {},
		{Scene: Rating}:                  {},
	} {
		if got := s.Acts(); !slices.Equal(got, want) {
			t.Errorf("in %+v an agent may %q, want %q", s, got, want)
		}
	}
}

// all are all steps there are.
var all = func() (steps []Act) {
	for _, m := range moves {
		steps = append(steps, m.On)
	}
	for _, m := range marks {
		steps = append(steps, m.on)
	}
	slices.Sort(steps)
	return slices.Compact(steps)
}()

// Whatever people and lines do, in whatever order: nobody is left in silence
// or left over.
func TestNobodyIsLeftInSilence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := talking
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			step := rapid.SampledFrom(all).Draw(t, "step")
			next, handOver, ok := s.After(step)
			if !ok {
				if next != s {
					t.Fatalf("%s is refused in %+v and changes it to %+v", step, s, next)
				}
				continue
			}
			now, was := next.Row(), s.Row()
			switch {
			case next.Scene == Rating:
				s = next // from which there is a way back
				continue
			case now.End:
				return
			case now.Tone == now.Has(Caller):
				t.Fatalf("%s leads to %+v, where the caller hears tone %v, people %v: want one of them", step, next, now.Tone, now.Has(Caller))
			case now.Has(Caller) && len(now.Bridge) < 2:
				t.Fatalf("%s leads to %+v, where the caller is alone", step, next)
			case !now.Has(Agent) && !now.Rings:
				t.Fatalf("%s leads to %+v, where nobody has the call nor is rung for it", step, next)
			case now.Rings && now.Has(Third):
				t.Fatalf("%s leads to %+v, where the third rings and talks", step, next)
			case was.Has(Agent) && !now.Has(Agent) && step != DoTransfer && step != AgentLeft && step != AgentFailed:
				t.Fatalf("%s leads to %+v and loses the agent, who did not ask for it", step, next)
			case handOver && !was.WithThird():
				t.Fatalf("%s hands over to nobody", step)
			case s.Asked && next.Scene == Talking && step != DoResume:
				t.Fatalf("%s ends the hold that the agent asked for", step)
			case next.Asked && next.Scene != Hold:
				t.Fatalf("%s leaves the mark of a hold: %+v", step, next)
			case next.Scene == Talking && next.Held:
				t.Fatalf("%s leads to a talk with a phone that holds", step)
			case s.Asked && next.Scene == Talking && step != DoResume:
				t.Fatalf("%s ends a hold that the agent has asked for: %+v", step, next)
			case next.Asked && next.Scene != Hold:
				t.Fatalf("%s leaves the mark of a hold that is over: %+v", step, next)
			case (next.Muted || next.Held) && !now.Has(Agent):
				t.Fatalf("%s leaves the marks of an agent who is not there: %+v", step, next)
			case s.Muted && !next.Muted && step != DoUnmute && !handOver && now.Has(Agent):
				t.Fatalf("%s unmutes the agent: %+v", step, next)
			case was.Has(Third) && !now.WithThird() && !handOver && !slices.Contains([]Act{DoCancel, DoDrop, ThirdLeft}, step):
				t.Fatalf("%s loses the third", step)
			}
			s = next
		}
	})
}

// Each scene that goes on has an answer to each way in which a line of it can end.
func TestEveryLineMayEnd(t *testing.T) {
	for _, row := range rows {
		var ends []Act
		if row.Has(Agent) {
			ends = append(ends, AgentLeft, AgentFailed)
		}
		if row.Has(Third) {
			ends = append(ends, ThirdLeft)
		}
		if row.Rings {
			ends = append(ends, ThirdAnswered, ThirdFailed)
		}
		for _, step := range ends {
			if _, _, ok := (State{Scene: row.Name}).After(step); !ok {
				t.Errorf("%s has no answer to %s", row.Name, step)
			}
		}
	}
}

func TestTables(t *testing.T) {
	type cell struct {
		in Name
		on Act
	}
	seen := map[cell]bool{}
	for _, m := range moves {
		for _, in := range m.In {
			if c := (cell{in, m.On}); seen[c] {
				t.Errorf("%s in %s is there twice", m.On, in)
			} else {
				seen[c] = true
			}
			if in.Row().End && m.On != DoRejoin { // while the caller is still there
				t.Errorf("%s goes on after the end %s", m.On, in)
			}
		}
	}
	for _, a := range append(slices.Clone(asked), supervised...) {
		if !slices.Contains(all, a) {
			t.Errorf("%s is asked for and never possible", a)
		}
		if a.Asked() == a.Supervised() {
			t.Errorf("%s is asked for by agents: %v, by supervisors: %v", a, a.Asked(), a.Supervised())
		}
	}
	if (Name("of another version")).Row().Name != Talking {
		t.Error("an unknown scene is no talk")
	}
}

func TestDeskJSON(t *testing.T) {
	at := time.Date(2026, 3, 10, 9, 30, 0, 0, time.UTC)
	d := Desk{
		ID: "20260310-093000-ABCDEF", Kind: PartIn, Scene: Consulting, Number: "138****5678", Queue: Line{"service", "人工服务"}, WaitedMs: 72000,
		Path: []string{"main:0"}, Began: at, Answered: &at, Hold: HoldAt(at, at.Add(45*time.Second)),
		Third: &Other{Target: Target{ToAgent, "1002"}, Name: "790", State: ThirdTalking, Since: at}, Acts: State{Scene: Consulting}.Acts(),
	}
	got, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"20260310-093000-ABCDEF","kind":"in","scene":"consulting","number":"138****5678","queue":{"id":"service","name":"人工服务"},"waited_ms":72000,` +
		`"path":["main:0"],"began":"2026-03-10T09:30:00Z","ring_ends":null,"answered":"2026-03-10T09:30:00Z","muted":false,` +
		`"hold":{"since":"2026-03-10T09:30:00Z","apologies":1,"next":"2026-03-10T09:31:00Z"},` +
		`"third":{"kind":"agent","id":"1002","name":"790","state":"talking","since":"2026-03-10T09:30:00Z"},"monitor":"",` +
		`"acts":["mute","cancel","join","complete","keys"]}`
	if string(got) != want {
		t.Errorf("a desk shows %s\nwant %s", got, want)
	}
}
