package phone

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"hotline/test/stand"
)

// The phone against the real Asterisk, with no service behind it: the dialplan's
// net answers callers with the hold tone, and agents' star codes with a prompt.
func TestAgainstAsterisk(t *testing.T) {
	asterisk := stand.Asterisk(t, stand.Options{})
	code, err := asterisk.Code()
	must(t, err)
	server, agent := asterisk.SIP().String(), asterisk.Config.Agents[0]

	for name, odd := range map[string]Options{
		"caller":             {Number: "13800138000"},
		"anonymous":          {Anonymous: true},
		"control characters": {Number: "13800138000", DisplayName: "a\x01\x02b\tc\x7f"},
		"3,000 characters":   {Number: "13800138000", DisplayName: strings.Repeat("x", 3000)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := testContext(t)
			odd.Name, odd.IP, odd.Server, odd.Code = "caller", stand.TrunkAddress, server, code
			call, err := newPhone(t, odd).Call(ctx, "96196")
			must(t, err)
			if times := call.Times(); times.Ringing.IsZero() {
				t.Error("the call did not ring before it was answered")
			}
			_, err = call.WaitHeard(ctx, "hold.tone", 0)
			must(t, err)
			must(t, call.Flood(ctx, '1', 200, 400))
			must(t, call.Hangup(ctx))
		})
	}
	t.Run("agent", func(t *testing.T) {
		t.Parallel()
		ctx := testContext(t)
		o := Options{Name: "agent", Server: server, Number: agent.ID, Password: agent.Password.Reveal(), Code: code}
		p := newPhone(t, o)
		must(t, p.Register(ctx))
		out, err := asterisk.CLI("pjsip show contacts")
		must(t, err)
		if !strings.Contains(out, p.Addr()) {
			t.Errorf("Asterisk does not know the registered phone at %s:\n%s", p.Addr(), out)
		}
		call, err := p.Call(ctx, "*1") // asks for proof
		must(t, err)
		_, err = call.WaitHeard(ctx, "service.unavailable", 0)
		must(t, err)
		how, err := call.WaitEnded(ctx)
		must(t, err)
		if how.By != Them || how.Reason != "BYE" {
			t.Errorf("ended %+v, want their BYE", how)
		}
		said := call.Transcript()
		if len(said.Of("service.unavailable")) != len(said) || !said[0].Began || !said[len(said)-1].Finished {
			t.Errorf("heard %+v, want the one prompt from its beginning to its end", said)
		}

		busy := newPhone(t, Options{Name: "busy", Server: server, Number: "1002", Password: "wrong"})
		if err := busy.Register(ctx); err == nil || !strings.Contains(err.Error(), "401") {
			t.Errorf("registering with a wrong password: %v, want 401", err)
		}
		p.SetIncoming(DeclineAfter(0, 486))
		originate(t, asterisk, agent.ID)
		in, err := p.NextCall(ctx)
		must(t, err)
		if how, err := in.WaitEnded(ctx); err != nil || how.Status != 486 {
			t.Errorf("declined: %+v, %v, want 486", how, err)
		}
		p.SetIncoming(AnswerAfter(200 * time.Millisecond))
		originate(t, asterisk, agent.ID)
		in, err = p.NextCall(ctx)
		must(t, err)
		_, err = in.WaitHeard(ctx, "agent.unknown_code", 0)
		must(t, err)
	})
}

// originate has Asterisk call an agent's phone and play to it.
func originate(t *testing.T, asterisk *stand.Instance, agent string) {
	t.Helper()
	q := url.Values{"endpoint": {"PJSIP/" + agent}, "context": {"hotline-agents"}, "extension": {"0"}, "priority": {"1"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, asterisk.ARI()+"/channels?"+q.Encode(), nil)
	must(t, err)
	account := asterisk.Config.Asterisk.ARI
	req.SetBasicAuth(account.User, account.Password.Reveal())
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("Asterisk would not call agent %s: %s", agent, res.Status)
	}
}
