package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hotline/call"
	"hotline/configs"
	"hotline/journal"
	"hotline/test/phone"
)

// Agents work from their phones by star codes, each with a PIN, and a supervisor from the command line (A1). Every
// agent is a part of its own in one hotline.
func TestStarCodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3*time.Minute, func(cfg *configs.Config) {
		for i := range cfg.Agents {
			cfg.Agents[i].PIN = configs.Secret("73" + cfg.Agents[i].ID) // nothing else that is printed looks like it
			if cfg.Agents[i].ID == "8001" {
				cfg.Agents[i].Queues = []string{"desk"}
			}
		}
		desk := cfg.Queues[0]
		desk.ID = "desk"
		cfg.Queues = append(cfg.Queues, desk)
		cfg.Menus.Menus["main"].Keys["3"] = configs.Action{Queue: "desk"}
	}).calm()
	part := func(name string, play func(w *world)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(w.in(t))
		})
	}
	part("a day", aDayByStarCodes)
	part("wrong PIN", wrongPIN)
	part("wrong PINs lock", lockedAfterFive)
	part("no such code", unknownCodes)
	part("command line", commandLine)
	part("a phone with one line", oneLine)
}

// dialCode dials a star code.
func (w *world) dialCode(desk *phone.Phone, code string) *phone.Call {
	w.t.Helper()
	c, err := desk.Call(w.ctx, code)
	if err != nil {
		w.t.Fatalf("%s is not answered: %v", code, err)
	}
	return c
}

// told hears exactly these prompts, and is hung up on after the last.
func (w *world) told(c *phone.Call, want ...string) {
	w.t.Helper()
	end := w.ended(c)
	w.heard(c, want...)
	if heard := c.Transcript(); len(heard) > 0 && !heard[len(heard)-1].Finished || end.By != phone.Them {
		w.t.Errorf("the last word is cut short, or not we hung up: %v: %s", end, heard)
	}
}

// state waits until the list of agents says so.
func (w *world) state(id, want string) {
	w.t.Helper()
	var got string
	for range 30 {
		lines := strings.Split(strings.TrimSpace(w.must("agent", "list", id)), "\n")
		if len(lines) != 2 {
			w.t.Fatalf("hotline agent list %s prints %q", id, lines)
		}
		if got = strings.Fields(lines[1])[2]; got == want {
			return
		}
		until(time.Now().Add(100 * time.Millisecond))
	}
	w.t.Errorf("agent %s is %s, want %s", id, got, want)
}

// codes is what the journal says of an agent's star codes.
func (w *world) codes(id string) (list []string) {
	w.t.Helper()
	r, err := journal.OpenReader(w.ctx, w.Config.Journal())
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	for e, err := range r.Read(w.ctx, journal.Query{Stream: call.AgentStream(id), Kinds: []string{call.KindAgentCode}}) {
		if err != nil {
			w.t.Fatal(err)
		}
		var d call.AgentCode
		if err := json.Unmarshal(e.Data, &d); err != nil {
			w.t.Fatal(err)
		}
		list = append(list, d.Code+" "+d.Result)
	}
	return list
}

func (w *world) coded(id string, want ...string) {
	w.t.Helper()
	var got []string
	w.await("the journal says of agent "+id+" "+strings.Join(want, ", "), func() bool {
		got = w.codes(id)
		return len(got) >= len(want)
	})
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		w.t.Errorf("the journal says %q, want %q", got, want)
	}
}

func aDayByStarCodes(w *world) {
	desk := w.desk("1001", phone.RingForEver())
	w.state("1001", "offline")
	c := w.dialCode(desk, "*60")
	w.hears(c, "agent.pin.ask", 0)
	w.keys(c, "731001#")
	w.told(c, "agent.pin.ask", "agent.signed_in")
	w.state("1001", "ready")
	w.told(w.dialCode(desk, "*60731001"), "agent.signed_in") // again: nothing is wrong with that
	w.told(w.dialCode(desk, "*62731001"), "agent.paused")
	w.state("1001", "paused")
	w.told(w.dialCode(desk, "*63731001#"), "agent.ready")
	w.state("1001", "ready")
	w.told(w.dialCode(desk, "*63731001"), "agent.ready")
	w.told(w.dialCode(desk, "*61731001"), "agent.signed_out")
	w.state("1001", "offline")
	w.told(w.dialCode(desk, "*61731001"), "agent.signed_out")
	w.told(w.dialCode(desk, "*63731001"), "agent.not_signed_in") // ready for what, without signing in
	w.state("1001", "offline")
	// Whoever knows the words hangs up over them, and is signed in all the same.
	c = w.dialCode(desk, "*60731001")
	w.hears(c, "agent.signed_in", 0)
	hangUp(w, c)
	w.state("1001", "ready")
	w.coded("1001", "*60 done", "*60 done", "*62 done", "*63 done", "*63 done", "*61 done", "*61 done", "*63 refused", "*60 done")
}

// A wrong PIN is asked for again in the same call; whoever keys nothing is let go.
func wrongPIN(w *world) {
	desk := w.desk("1002", phone.RingForEver())
	c := w.dialCode(desk, "*609999")
	w.hears(c, "agent.pin.wrong", 0)
	w.keys(c, "731002#")
	w.told(c, "agent.pin.wrong", "agent.signed_in")
	w.state("1002", "ready")
	c = w.dialCode(desk, "*61")
	w.ended(c)
	w.heard(c, "agent.pin.ask")
	w.silences(c, answeredAt(c), c.Since(c.Times().Ended), seconds(5))
	w.state("1002", "ready")
	w.coded("1002", "*60 done", "*61 no-pin")
}

// After five wrong PINs nothing helps for a quarter of an hour, the right one included; the command line does.
func lockedAfterFive(w *world) {
	desk := w.desk("1003", phone.RingForEver())
	c := w.dialCode(desk, "*600000")
	w.hears(c, "agent.pin.wrong", 0)
	w.keys(c, "1111#")
	w.hears(c, "agent.pin.wrong", c.Since(time.Now()))
	w.keys(c, "2222#")
	w.hears(c, "agent.pin.wrong", c.Since(time.Now()))
	hangUp(w, c)
	c = w.dialCode(desk, "*603333")
	w.hears(c, "agent.pin.wrong", 0)
	w.keys(c, "4444#")
	w.told(c, "agent.pin.wrong", "agent.pin.locked")
	w.told(w.dialCode(desk, "*60731003"), "agent.pin.locked")
	w.state("1003", "offline")
	w.must("agent", "sign-in", "1003")
	w.state("1003", "ready")
	w.coded("1003", "*60 no-pin", "*60 locked", "*60 locked")
	w.noSecrets("731003", "0000", "1111", "2222", "3333", "4444")
}

// noSecrets fails where a PIN that was dialled or keyed is to be found afterwards (B10).
func (w *world) noSecrets(secrets ...string) {
	w.t.Helper()
	text := w.ServiceLog()
	files, err := filepath.Glob(w.Config.Journal() + "*")
	if err != nil || len(files) == 0 {
		w.t.Fatalf("no journal: %v", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			w.t.Fatal(err)
		}
		text += string(data)
	}
	for _, secret := range secrets {
		for _, near := range []string{"*60" + secret, `"` + secret + `"`, "=" + secret + "\n", secret + "#"} {
			if strings.Contains(text, near) {
				w.t.Errorf("the journal or the log holds a PIN that was keyed: %q", near)
			}
		}
	}
}

func unknownCodes(w *world) {
	desk := w.desk("1004", phone.RingForEver())
	for _, code := range []string{"*77", "*6", "*00000000000000000000", "96196", "13800138000"} {
		w.told(w.dialCode(desk, code), "agent.unknown_code")
	}
	w.told(w.dialCode(desk, "*69"), "agent.rejoin.none")
	// A caller from outside has no star codes, whoever they say they are.
	if _, err := w.caller(phone.Options{Number: "1004"}).Call(w.ctx, "*60731004"); err == nil || !strings.Contains(err.Error(), "404") {
		w.t.Errorf("a caller from outside dialled an agent's star code: %v", err)
	}
	w.state("1004", "offline")
}

func commandLine(w *world) {
	w.state("9001", "offline")
	w.must("agent", "sign-in", "9001")
	w.state("9001", "ready")
	if out := w.must("agent", "pause", "9001", "--reason", "training"); !strings.Contains(out, "paused") || !strings.Contains(out, "training") {
		w.t.Errorf("hotline agent pause prints %q", out)
	}
	w.must("agent", "ready", "9001")
	w.state("9001", "ready")
	w.must("agent", "sign-out", "9001")
	w.state("9001", "offline")
	for _, wrong := range []struct {
		args []string
		says string
	}{
		{[]string{"agent", "sign-in", "4711"}, "4711"},
		{[]string{"agent", "sign-in"}, "which agent"},
		{[]string{"agent", "ready", "9001"}, "offline"},
		{[]string{"agent", "dance", "9001"}, "sign-in"},
	} {
		if out, err := w.Run(w.ctx, wrong.args...); err == nil || !strings.Contains(err.Error(), wrong.says) {
			w.t.Errorf("hotline %v: %q, %v; want an error that says %q", wrong.args, out, err, wrong.says)
		}
	}
	all := w.must("agent")
	for _, id := range []string{"1001", "1002", "1003", "1004", "8001", "9001"} {
		if !strings.Contains(all, id) {
			w.t.Errorf("hotline agent does not list %s:\n%s", id, all)
		}
	}
}

// An agent whose phone has one line makes it ready while a caller waits: the caller is not offered before that phone
// is free, or it would answer busy and the agent would rest.
func oneLine(w *world) {
	var ownCall *phone.Call
	desk := w.desk("8001", func(ctx context.Context, c *phone.Call) {
		if ownCall.Up() {
			_ = c.Decline(486)
			return
		}
		phone.AnswerAfter(500*time.Millisecond)(ctx, c)
	})
	w.must("agent", "sign-in", "8001")
	w.must("agent", "pause", "8001")
	c, _ := menuCaller(w, "13100000001")
	w.keys(c, "3")
	joined := w.hears(c, "queue.joined", 0)
	ownCall = w.dialCode(desk, "*63738001")
	w.told(ownCall, "agent.ready")
	w.incoming(desk)
	talk := w.hears(c, "voice.agent", 0)
	w.silences(c, joined.At, talk.At)
	if took := talk.At - c.Since(ownCall.Times().Ended); took > seconds(3) {
		w.t.Errorf("the caller got the agent %v after the agent's own call had ended: the phone was busy, and the agent rested", took)
	}
	served(w, c, "13100000001")
}
