package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hotline/configs"
	"hotline/journal"
	"hotline/test/ear"
	"hotline/test/phone"
	"hotline/web"
)

// A supervisor listens, whispers and joins from a phone (E6). Who listens is heard by nobody; a whisper reaches the agent
// alone, and never the recording; who joins is heard by both. Each way in stands in the journal.
func TestASupervisorListensWhispersAndJoins(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 3*time.Minute, func(cfg *configs.Config) { cfg.Rating.Enabled = false })
	desk := w.agent("1001", phone.AnswerAfter(0))
	boss := w.deskOf("8001", "other", phone.AnswerAfter(0))
	session := w.signsIn("8001")

	const first, second = "13900000001", "13900000002"
	caller := w.wants(first)
	agent := w.incoming(desk)
	w.hears(caller, "voice.agent", 0)
	watch := func(number, mode string) {
		w.asks(204, "POST", "/calls/"+w.arrived(mask(number))+"/monitor", fmt.Sprintf(`{"mode": %q}`, mode), nil, "Authorization", "", "Cookie", session)
	}
	from, quiet := caller.Since(time.Now()), agent.Since(time.Now())
	watch(first, "listen")
	supervisor := w.incoming(boss)
	w.hears(supervisor, "voice.caller", 0)
	w.hears(supervisor, "voice.agent", 0)
	w.passes(2 * time.Second)
	w.hearsNothing(agent, "voice.other", quiet, agent.Since(time.Now()))

	whispered := time.Now()
	watch(first, "whisper")
	w.hears(agent, "voice.other", agent.Since(whispered))
	w.passes(2 * time.Second)
	w.hearsOn(supervisor, "voice.caller", supervisor.Since(whispered)+time.Second)
	watch(first, "leave")
	w.ended(supervisor)
	w.hearsNothing(caller, "voice.other", from, caller.Since(time.Now()))
	left := caller.Since(time.Now())
	w.passes(time.Second)
	w.hearsOn(caller, "voice.agent", left)
	hangUp(w, caller)
	w.ended(agent)

	recorded, err := ear.DecodeFile(w.summary(mask(first)).Recording.File, ear.DecoderOptions{Code: w.code, Voices: voices})
	if err != nil {
		t.Fatal(err)
	}
	if len(recorded.Right.Of("voice.agent")) == 0 || len(recorded.Left.Of("voice.other"))+len(recorded.Right.Of("voice.other")) > 0 {
		t.Errorf("the recording has a whisper, or no agent: left %s, right %s", recorded.Left, recorded.Right)
	}

	caller = w.wants(second)
	agent = w.incoming(desk)
	w.hears(caller, "voice.agent", 0)
	joined := time.Now()
	watch(second, "barge")
	supervisor = w.incoming(boss)
	w.hears(caller, "voice.other", caller.Since(joined))
	w.hears(agent, "voice.other", agent.Since(joined))
	w.hears(supervisor, "voice.caller", 0)
	hangUp(w, supervisor) // the talk goes on without them
	w.passes(500 * time.Millisecond)
	after := caller.Since(time.Now())
	w.passes(time.Second)
	w.hearsOn(caller, "voice.agent", after)
	w.hearsNothing(caller, "voice.other", after, caller.Since(time.Now()))
	hangUp(w, caller)
	w.ended(agent)

	w.ways("8001 listen", "8001 whisper", "8001 leave", "8001 barge")
	w.nothingLeft()
	w.audits()
}

// ways compares each way in and out that the journal has of supervisors.
func (w *world) ways(want ...string) {
	w.t.Helper()
	var got []string
	for _, e := range w.read(journal.Query{Kinds: []string{web.KindMonitored}}) {
		m := decoded[web.Monitored](w.t, e)
		got = append(got, m.By+" "+m.Mode)
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("the journal has %q, want %q", got, want)
	}
}

// hearsOn says that a phone has gone on hearing something since then.
func (w *world) hearsOn(c *phone.Call, id string, from time.Duration) {
	w.t.Helper()
	if heard := c.Transcript().Of(id); len(heard) == 0 || heard[len(heard)-1].End < from+500*time.Millisecond {
		w.t.Errorf("%s heard nothing of %s after %.2f s: %v", c.Phone().Name(), id, from.Seconds(), heard)
	}
}

// signsIn is the cookie of somebody who has signed in.
func (w *world) signsIn(account string) string {
	w.t.Helper()
	header := w.asks(200, "POST", "/session", fmt.Sprintf(`{"account": %q, "password": "dev-%s"}`, account, account), nil, "Authorization", "")
	cookie, _, _ := strings.Cut(header.Get("Set-Cookie"), ";")
	return cookie
}
