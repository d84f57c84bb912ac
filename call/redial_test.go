package call_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hotline/ari/aritest"
	"hotline/call"
	"hotline/queue"
)

// The number of these tests' caller, and how we dial it.
const (
	theirNumber = "13800138000"
	theirPhone  = "PJSIP/13800138000@trunk"
)

// mayBeDialled lets these numbers be dialled again.
func mayBeDialled(numbers ...string) func(*call.Options) {
	return func(o *call.Options) {
		o.Redial = call.RedialOptions{
			Allowed: func(number string) bool { return slices.Contains(numbers, number) },
			Trunk:   "trunk", From: "96196", Ring: 5 * time.Second, Remember: time.Minute,
		}
	}
}

// talkWith is a caller in a talk with agent 1001, in a hotline that may dial these numbers.
func talkWith(t *testing.T, caller aritest.Caller, change ...func(*call.Options)) (*hotline, *aritest.Channel) {
	h := newHotline(t, 1, change...)
	h.asterisk.Phone("PJSIP/1001", answers)
	if err := h.queue.SignIn("1001"); err != nil {
		t.Fatal(err)
	}
	caller.Args = []string{"in", "96196"}
	ch := h.asterisk.Arrive(caller)
	h.until("the menu plays", func() bool { return played(ch, "menu.main") })
	h.leaveRawRecording()
	ch.Press("0")
	h.talks(ch)
	return h, ch
}

// callers are entries of the redial.
func (b *book) redials() (begun []call.Redial, came []call.Redialled) {
	return decoded[call.Redial](b, call.KindRedial), decoded[call.Redialled](b, call.KindRedialled)
}

func decoded[T any](b *book, kind string) (list []T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.entries {
		var data T
		if e.Kind == kind && e.Decode(&data) == nil {
			list = append(list, data)
		}
	}
	return list
}

// A caller whose line fails is dialled at once, hears the apology, and talks on with the agent who stayed on the line.
func TestACallerWhoseLineFailsIsDialledAgain(t *testing.T) {
	for name, hold := range map[string]bool{"in the talk": false, "on hold": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, caller := talkWith(t, aritest.Caller{Number: theirNumber}, mayBeDialled(theirNumber))
			h.asterisk.Phone(theirPhone, aritest.Phone{Does: aritest.Answers, After: 100 * time.Millisecond})
			agent := h.asterisk.At("PJSIP/1001")[0]
			if hold {
				agent.Hold()
				h.until("the caller is on hold", func() bool { return h.agentState() == queue.StateHold && len(caller.Joined()) == 0 })
			}
			caller.LoseLine()
			h.until("the caller is dialled", func() bool { return len(h.asterisk.At(theirPhone)) == 1 })
			again := h.asterisk.At(theirPhone)[0]
			h.until("the caller hears the apology", func() bool { return played(again, "redial.apology") })
			if !played(agent, "agent.redial") || !played(agent, "hold.tone.30") {
				t.Errorf("the agent heard %v, and not that the caller is called back", agent.Played())
			}
			if _, shown := again.Display(); shown != "96196" {
				t.Errorf("the caller's phone shows %q, want our number", shown)
			}
			if hold {
				h.until("the caller hears the tone", func() bool { return played(again, "hold.tone.30") })
				agent.Unhold()
			}
			h.until("they talk again", func() bool { return slices.Contains(again.Joined(), agent.ID()) && len(again.Joined()) == 2 })
			if state := h.agentState(); !hold && state != queue.StateTalking {
				t.Errorf("the agent is %v", state)
			}
			id := h.callID()
			h.leaveRaw(id + "-2")
			again.Bye()
			got := h.outcome()
			if got.Result != call.Served || got.HungUp != "caller line-failed (proven)" {
				t.Errorf("the call ended as %+v, %s", got.Outcome, got.HungUp)
			}
			h.wantLegs(got, "caller again: caller pressed (proven)", "caller: caller line-failed (proven)", "agent 1001: service command (proven)")
			begun, came := h.journal.redials()
			if len(begun) != 1 || len(came) != 1 || begun[0].Leg != again.ID() || begun[0].Number != "138****8000" || came[0].Outcome != call.RedialAnswered {
				t.Errorf("the journal has %+v, %+v", begun, came)
			}
			if r := got.Recording; r == nil || r.Then == nil || !strings.HasSuffix(r.File, id+".wav") || !strings.HasSuffix(r.Then.File, id+"-2.wav") {
				t.Errorf("the recording is %+v", r)
			}
			h.nothingLeft()
		})
	}
}

func (h *hotline) callID() string {
	return strings.TrimPrefix(h.journal.streams(call.KindArrived)[0], "call/")
}

// leaveRaw is what Asterisk's recorder would write: a tenth of a second of two channels.
func (h *hotline) leaveRaw(name string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.rawDir, name+".raw"), make([]byte, 3200), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hotline) wantLegs(got call.Ended, want ...string) {
	h.t.Helper()
	var legs []string
	for _, e := range got.Legs {
		legs = append(legs, e.Leg+": "+string(e.Who)+" "+e.How+" ("+string(e.Grade)+")")
	}
	if !slices.Equal(legs, want) {
		h.t.Errorf("the legs ended as %q, want %q", legs, want)
	}
}

func (h *hotline) nothingLeft() {
	h.t.Helper()
	h.until("nothing is left in Asterisk", func() bool { return h.asterisk.Channels() == 0 && h.asterisk.Bridges() == 0 })
	h.until("the agent is not in a talk", func() bool {
		state := h.agentState()
		return state == queue.StateWrapUp || state == queue.StateReady
	})
}

// Whoever does not answer ends the call: the agent is told, and the caller is on the list of those to be called back.
func TestARedialInVain(t *testing.T) {
	for outcome, phone := range map[string]aritest.Phone{
		call.RedialBusy:        {Does: aritest.Busy, After: 50 * time.Millisecond},
		call.RedialRejected:    {Does: aritest.Declines, After: 50 * time.Millisecond},
		call.RedialNoAnswer:    {Does: aritest.NoAnswer},
		call.RedialUnreachable: {Does: aritest.Unreachable},
	} {
		t.Run(outcome, func(t *testing.T) {
			t.Parallel()
			h, caller := talkWith(t, aritest.Caller{Number: theirNumber}, mayBeDialled(theirNumber))
			h.asterisk.Phone(theirPhone, phone)
			agent := h.asterisk.At("PJSIP/1001")[0]
			caller.LoseLine()
			got := h.outcome()
			if !played(agent, "agent.redial.failed") {
				t.Errorf("the agent heard %v, and not that the caller was not reached", agent.Played())
			}
			if got.Result != call.Served || got.Reason != "talked" {
				t.Errorf("the call ended as %+v", got.Outcome)
			}
			h.wantLegs(got, "caller: caller line-failed (proven)", "agent 1001: service command (proven)")
			if _, came := h.journal.redials(); len(came) != 1 || came[0].Outcome != outcome {
				t.Errorf("the redial came to %+v, want %s", came, outcome)
			}
			if list := h.outages(); len(list) != 1 || list[0].How != call.LineFailed || list[0].Why != outcome || list[0].Number != theirNumber {
				t.Errorf("the list of those to be called back is %+v", list)
			}
			h.nothingLeft()
		})
	}
}

func (h *hotline) outages() []call.OutageCall {
	h.journal.mu.Lock()
	defer h.journal.mu.Unlock()
	var o call.Outages
	for _, e := range h.journal.entries {
		o = o.Fold(e)
	}
	return o.Calls(time.Time{})
}

// An agent who hangs up meanwhile is not kept, and the caller's phone does not ring on.
func TestAnAgentWhoDoesNotWaitForTheRedial(t *testing.T) {
	h, caller := talkWith(t, aritest.Caller{Number: theirNumber}, mayBeDialled(theirNumber))
	h.asterisk.Phone(theirPhone, aritest.Phone{Does: aritest.NoAnswer})
	agent := h.asterisk.At("PJSIP/1001")[0]
	caller.LoseLine()
	h.until("the caller's phone rings", func() bool {
		legs := h.asterisk.At(theirPhone)
		return len(legs) == 1 && legs[0].State() == "Ringing"
	})
	agent.Bye()
	got := h.outcome()
	h.wantLegs(got, "caller: caller line-failed (proven)", "agent 1001: agent pressed (proven)")
	if _, came := h.journal.redials(); len(came) != 1 || came[0].Outcome != call.RedialAgentLeft {
		t.Errorf("the redial came to %+v", came)
	}
	h.nothingLeft()
}

// Nobody is dialled who hung up, who was only lost sight of, who may not be dialled or whose number is not known, nor
// while there is no agent; nor anybody twice.
func TestWhoIsNotDialledAgain(t *testing.T) {
	bye := func(c *aritest.Channel) { c.Bye() }
	lose := func(c *aritest.Channel) { c.LoseLine() }
	for name, tt := range map[string]struct {
		caller  string
		options func(*call.Options)
		ends    func(*aritest.Channel)
	}{
		"who hung up":                   {theirNumber, mayBeDialled(theirNumber), bye},
		"who is not on the list":        {theirNumber, mayBeDialled("13900139000"), lose},
		"anybody without a list":        {theirNumber, func(o *call.Options) { o.Redial = call.RedialOptions{Trunk: "trunk"} }, lose},
		"anybody without a way out":     {theirNumber, func(o *call.Options) { mayBeDialled(theirNumber)(o); o.Redial.Trunk = "" }, lose},
		"whose number is withheld":      {"", mayBeDialled("", theirNumber), lose},
		"whose number is no number":     {"13800138000@elsewhere", mayBeDialled("13800138000@elsewhere", "", theirNumber), lose},
		"who is lost sight of":          {theirNumber, mayBeDialled(theirNumber), nil},
		"whom the list has with a plus": {"+8613800138000", mayBeDialled(theirNumber, "+8613800138000"), lose},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, caller := talkWith(t, aritest.Caller{Number: tt.caller}, tt.options)
			h.asterisk.Phone(theirPhone, answers)
			if tt.ends == nil {
				caller.Vanish()
				h.asterisk.Drop() // the look at Asterisk on the next connect finds the caller gone
			} else {
				tt.ends(caller)
			}
			h.outcome()
			if begun, came := h.journal.redials(); len(begun)+len(came) > 0 {
				t.Errorf("the journal has a redial: %+v %+v", begun, came)
			}
			for _, r := range h.asterisk.Requests() {
				if r.Route == "/channels/create" && strings.Contains(r.Body, "@") {
					t.Errorf("somebody outside was dialled: %s", r.Body)
				}
			}
			h.nothingLeft()
		})
	}
}

// A line that fails again is not dialled again.
func TestNobodyIsDialledTwice(t *testing.T) {
	h, caller := talkWith(t, aritest.Caller{Number: theirNumber}, mayBeDialled(theirNumber))
	h.asterisk.Phone(theirPhone, answers)
	caller.LoseLine()
	h.until("the caller is dialled", func() bool { return len(h.asterisk.At(theirPhone)) == 1 })
	again := h.asterisk.At(theirPhone)[0]
	h.until("they talk again", func() bool { return len(again.Joined()) == 2 })
	again.LoseLine()
	got := h.outcome()
	h.wantLegs(got, "caller again: caller line-failed (proven)", "caller: caller line-failed (proven)", "agent 1001: service command (proven)")
	if begun, _ := h.journal.redials(); len(begun) != 1 {
		t.Errorf("dialled %d times", len(begun))
	}
	if list := h.outages(); len(list) != 1 || list[0].How != call.LineFailed {
		t.Errorf("the list of those to be called back is %+v", list)
	}
	h.nothingLeft()
}

// Whoever is allowed when the line fails may not be a moment later: it is looked at right before the dial.
func TestTheNumberIsLookedAtRightBeforeTheDial(t *testing.T) {
	asked := 0
	h, caller := talkWith(t, aritest.Caller{Number: theirNumber}, mayBeDialled(theirNumber), func(o *call.Options) {
		o.Redial.Allowed = func(string) bool { asked++; return asked == 1 }
	})
	h.asterisk.Phone(theirPhone, answers)
	caller.LoseLine()
	h.outcome()
	if _, came := h.journal.redials(); len(came) != 1 || came[0].Outcome != call.RedialFailed || asked != 2 {
		t.Errorf("asked %d times; the redial came to %+v", asked, came)
	}
	h.nothingLeft()
}

// The entry is on the disk before the dial; where it cannot be kept, nobody is dialled.
func TestNobodyIsDialledWithoutAnEntry(t *testing.T) {
	h, caller := talkWith(t, aritest.Caller{Number: theirNumber}, mayBeDialled(theirNumber))
	h.asterisk.Phone(theirPhone, answers)
	h.journal.full(true)
	caller.LoseLine()
	h.nothingLeft()
	for _, r := range h.asterisk.Requests() {
		if strings.Contains(r.Body, "@trunk") {
			t.Errorf("dialled: %s", r.Body)
		}
	}
}

// The same commands refused: the agent is told and let go, nothing is left.
func TestARedialThatAsteriskRefuses(t *testing.T) {
	for name, refused := range map[string]struct{ method, route string }{
		"making the leg":       {"POST", "/channels/create"},
		"dialling":             {"POST", "/channels/{id}/dial"},
		"telling the agent":    {"POST", "/bridges/{id}/play"},
		"the second recording": {"POST", "/channels/{id}/continue"},
		"the bridge":           {"DELETE", "/bridges/{id}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, caller := talkWith(t, aritest.Caller{Number: theirNumber}, mayBeDialled(theirNumber))
			h.asterisk.Phone(theirPhone, answers)
			h.asterisk.Fail(refused.method, refused.route, 500, 1)
			caller.LoseLine()
			h.until("the redial has come to something", func() bool { _, came := h.journal.redials(); return len(came) == 1 })
			if legs := h.asterisk.At(theirPhone); len(legs) == 1 {
				h.until("they talk again", func() bool { return len(legs[0].Joined()) == 2 || legs[0].State() == "" })
				legs[0].Bye()
			}
			if got := h.outcome(); got.Result != call.Served {
				t.Errorf("the call ended as %+v", got.Outcome)
			}
			h.nothingLeft()
		})
	}
}
