package stand_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hotline/ari"
	"hotline/configs"
	"hotline/configs/asterisk"
	"hotline/test/ear"
	"hotline/test/phone"
	"hotline/test/stand"
)

const (
	onTime  = 500 * time.Millisecond // how late or early an apology may begin (C3)
	callers = 300                    // Hz, the note a caller says
	agents  = 400
)

// net is a configuration whose net comes to each of its stages soon.
func net(fallbackAfter, round time.Duration, rounds int) func(*configs.Config) {
	return func(cfg *configs.Config) {
		cfg.Asterisk.Net.FallbackAfter.Duration = fallbackAfter
		cfg.Asterisk.Net.Round.Duration = round
		cfg.Asterisk.Net.FallbackRounds = rounds
	}
}

func newPhone(t *testing.T, ast *stand.Instance, o phone.Options) *phone.Phone {
	t.Helper()
	code, err := ast.Code()
	if err != nil {
		t.Fatal(err)
	}
	o.Server, o.Code = ast.SIP().String(), code
	o.Voices = map[string]int{"caller": callers, "agent": agents}
	p, err := phone.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s:\n%s", o.Name, p.Trace())
		}
		p.Close()
	})
	return p
}

// call places a caller's call through the trunk and returns once it is answered.
func call(t *testing.T, ast *stand.Instance) *phone.Call {
	t.Helper()
	p := newPhone(t, ast, phone.Options{Name: "caller", IP: stand.TrunkAddress, Number: "13800138000", Voice: callers})
	c, err := p.Call(t.Context(), ast.Config.Service.Number)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.Trace())
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the caller heard %v, gaps %v\n%s", c.Transcript(), c.Gaps(60*time.Millisecond), p.Trace())
		}
	})
	return c
}

// agent registers an agent's phone.
func agent(t *testing.T, ast *stand.Instance, id string, answers phone.Behaviour) *phone.Phone {
	t.Helper()
	account, ok := ast.Config.Agent(id)
	if !ok {
		t.Fatalf("no agent %s", id)
	}
	p := newPhone(t, ast, phone.Options{
		Name: "agent " + id, IP: "127.0.0.1", Number: id, Password: account.Password.Reveal(), Voice: agents, Incoming: answers,
	})
	if err := p.Register(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, p.Trace())
	}
	return p
}

// service connects to ARI under the service's name and ends with the test.
func service(t *testing.T, ast *stand.Instance) *ari.Link {
	t.Helper()
	account := ast.Config.Asterisk.ARI
	link, err := ari.New(ari.Options{
		URL: account.URL(), App: account.App, Username: account.User, Password: account.Password.Reveal(),
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- link.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return link
}

func arrival(t *testing.T, link *ari.Link, within time.Duration) ari.Arrival {
	t.Helper()
	select {
	case a := <-link.Arrivals():
		return a
	case <-time.After(within):
		t.Fatalf("nothing arrived within %v; likely causes: the link is not connected (%+v), or the dialplan does not try the service", within, link.Status())
		return ari.Arrival{}
	}
}

func wantEnd(t *testing.T, c *phone.Call, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	end, err := c.WaitEnded(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if end.By != phone.Them {
		t.Errorf("the call was ended by %v, want the dialplan", end)
	}
}

func wantHeard(t *testing.T, c *phone.Call, id string, after, within time.Duration) ear.Heard {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	h, err := c.WaitHeard(ctx, id, after)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// wantUnbroken says that sound reached the caller all the time, whoever made it.
func wantUnbroken(t *testing.T, c *phone.Call, from, to time.Duration) {
	t.Helper()
	if s := c.Transcript().Silences(from, to, 300*time.Millisecond); len(s) > 0 {
		t.Errorf("the caller heard silence: %v", s)
	}
}

// The service never comes and no phone is registered: the apology keeps its clock through waiting and rounds (C3, D1),
// and the end is spoken.
func TestNetApologisesEveryThirtySecondsThenSaysSorry(t *testing.T) {
	t.Parallel()
	ast := stand.Asterisk(t, stand.Options{Configure: net(66*time.Second, 15*time.Second, 4)})
	c := call(t, ast)
	wantEnd(t, c, 150*time.Second)

	heard := c.Transcript()
	if len(heard) == 0 || heard[0].ID != ear.HoldTone {
		t.Fatalf("first heard %v, want the hold tone", heard)
	}
	began := heard[0].At
	apologies := heard.Of("hold.apology")
	if len(apologies) != 4 {
		t.Fatalf("%d apologies, want 4: %v", len(apologies), heard)
	}
	for i, a := range apologies {
		due := time.Duration(i+1) * 30 * time.Second
		t.Logf("apology %d began at %.3f s of the wait", i+1, (a.At - began).Seconds())
		if late := a.At - began - due; late.Abs() > onTime {
			t.Errorf("apology %d began %v off its time of %v", i+1, late, due)
		}
	}
	sorry := heard[len(heard)-1]
	if sorry.ID != "service.unavailable" || !sorry.Finished {
		t.Errorf("last heard %v (to its end: %v), want service.unavailable", sorry, sorry.Finished)
	}
	t.Logf("sorry at %.3f s", (sorry.At - began).Seconds())
	wantUnbroken(t, c, began, sorry.At)
}

// The service comes back while a caller is in the net: within one try the caller is handed over, and the
// tone goes on until the service itself plays.
func TestNetHandsTheCallerOverInMidTone(t *testing.T) {
	t.Parallel()
	ast := stand.Asterisk(t, stand.Options{Configure: net(time.Minute, 15*time.Second, 1)})
	c := call(t, ast)
	tone := wantHeard(t, c, ear.HoldTone, 0, 5*time.Second)
	link := service(t, ast)
	a := arrival(t, link, 3*time.Second)
	handedOver := time.Since(c.Start())

	if want := []string{"in", "96196"}; !slices.Equal(a.Args, want) {
		t.Fatalf("the service was told %q, want %q", a.Args, want)
	}
	if !a.Answered {
		t.Error("the channel is not up")
	}

	time.Sleep(time.Second) // the service takes its time: the tone must not stop meanwhile
	s := link.Session("call-1")
	defer s.Close()
	leg := s.Adopt(a)
	if _, err := leg.Play(t.Context(), []string{"sound:" + ast.Config.PromptsInside() + "/menu.main"}, ari.PlayOptions{}); err != nil {
		t.Fatal(err)
	}
	menu := wantHeard(t, c, "menu.main", 0, 3*time.Second)
	wantUnbroken(t, c, tone.At, menu.At)
	if early := handedOver + time.Second - menu.At; early > 100*time.Millisecond {
		t.Errorf("the menu was heard at %v, %v before it was played", menu.At, early)
	}
	if gaps := c.Gaps(60 * time.Millisecond); len(gaps) > 0 {
		t.Errorf("the media broke off on the way into the service: %v", gaps)
	}
}

// The service lets go of a live caller, by mistake or by ending: the caller is not cut off but goes to the net.
func TestACallerTheServiceLetGoOfGoesToTheNet(t *testing.T) {
	t.Parallel()
	ast := stand.Asterisk(t, stand.Options{Configure: net(20*time.Second, 15*time.Second, 1)})
	link := service(t, ast)
	p := newPhone(t, ast, phone.Options{Name: "caller", IP: stand.TrunkAddress, Number: "13800138000", Voice: callers})
	c, err := p.Dial(t.Context(), "96196")
	if err != nil {
		t.Fatal(err)
	}
	a := takeAndLetGo(t, ast, link)
	if want := []string{"in", "96196"}; !slices.Equal(a.Args, want) {
		t.Fatalf("the service was told %q, want %q", a.Args, want)
	}
	wantHeard(t, c, ear.HoldTone, 0, 3*time.Second)

	a = takeAndLetGo(t, ast, link)
	if !a.Answered {
		t.Fatal("the caller did not come from the net, which answers")
	}
	// Let go again at once: the net tries the service again as before.
	takeAndLetGo(t, ast, link)
	if err := c.Hangup(t.Context()); err != nil {
		t.Error(err)
	}
}

// takeAndLetGo takes the next arrival and sends it on in its dialplan, as a service does that means something else or
// is broken.
func takeAndLetGo(t *testing.T, ast *stand.Instance, link *ari.Link) ari.Arrival {
	t.Helper()
	a := arrival(t, link, 4*time.Second)
	s := link.Session("call-1")
	s.Adopt(a)
	defer s.Close()
	account := ast.Config.Asterisk.ARI
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, account.URL()+"/channels/"+a.ChannelID+"/continue", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(account.User, account.Password.Reveal())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("continue: %s", resp.Status)
	}
	for {
		event, err := s.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if event.Kind == ari.Left {
			return a
		}
	}
}

// The service stays away: an agent's phone is rung without it, both hear each other, and after the agent hung up the
// closing phrase ends the call (C7).
func TestNetRingsTheAgentsThemselves(t *testing.T) {
	t.Parallel()
	ast := stand.Asterisk(t, stand.Options{Configure: net(4*time.Second, 15*time.Second, 2)})
	desk := agent(t, ast, "1002", phone.AnswerAfter(2*time.Second))
	c := call(t, ast)
	tone := wantHeard(t, c, ear.HoldTone, 0, 5*time.Second)

	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	offered, err := desk.NextCall(ctx)
	if err != nil {
		t.Fatalf("%v; likely cause: the fallback queue does not know the phone", err)
	}
	if err := offered.WaitAnswered(ctx); err != nil {
		t.Fatal(err)
	}
	if got := offered.RemoteNumber(); got != "13800138000" {
		t.Errorf("the agent's phone shows %q, want the caller's number", got)
	}
	voice := wantHeard(t, c, "voice.agent", 0, 3*time.Second)
	wantHeard(t, offered, "voice.caller", 0, 3*time.Second)
	wantUnbroken(t, c, tone.At, voice.At)

	if err := offered.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantHeard(t, c, closing(), voice.At, 3*time.Second)
	wantEnd(t, c, 5*time.Second)
}

// closing is the net's phrase at this hour of the machine's clock, by which Asterisk goes (B2).
func closing() string {
	if hour := time.Now().In(configs.Default().Service.Timezone.Location).Hour(); hour >= 20 || hour < 5 {
		return "closing.night"
	}
	return "closing.day"
}

// An agent who puts the caller on hold with the service away: the tone plays and the apology comes at 30 s.
func TestHoldInTheNetApologises(t *testing.T) {
	t.Parallel()
	ast := stand.Asterisk(t, stand.Options{Configure: net(2*time.Second, 15*time.Second, 2)})
	desk := agent(t, ast, "1001", phone.AnswerAfter(0))
	c := call(t, ast)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	offered, err := desk.NextCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	voice := wantHeard(t, c, "voice.agent", 0, 15*time.Second)
	time.Sleep(2 * time.Second) // they talk
	held := time.Since(c.Start())
	if err := offered.Hold(ctx); err != nil {
		t.Fatal(err)
	}
	tone := wantHeard(t, c, ear.HoldTone, voice.At, 3*time.Second)
	apology := wantHeard(t, c, "hold.apology", held, 35*time.Second)
	t.Logf("hold at %v, tone at %v, apology %.3f s after the hold", held, tone.At, (apology.At - held).Seconds())
	if late := apology.At - held - 30*time.Second; late > onTime {
		t.Errorf("the apology began %v late", late)
	}
	if err := offered.Unhold(ctx); err != nil {
		t.Fatal(err)
	}
	wantHeard(t, c, "voice.agent", apology.At, 3*time.Second)
}

// dial places a call and does not wait for the answer.
func dial(t *testing.T, ast *stand.Instance, o phone.Options) *phone.Call {
	t.Helper()
	o.Name, o.IP, o.Voice = "caller "+o.Number, stand.TrunkAddress, callers
	c, err := newPhone(t, ast, o).Dial(t.Context(), ast.Config.Service.Number)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func hangUp(t *testing.T, c *phone.Call) {
	t.Helper()
	if err := c.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// netCaller is a line of the net's file.
type netCaller struct {
	entered, left        time.Time
	number, channel, end string
}

// netCallers waits until the net has written down so many callers, and then for a moment whether there are more.
func netCallers(t *testing.T, ast *stand.Instance, count int) []netCaller {
	t.Helper()
	var text string
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline) && strings.Count(text, "\n") < count; time.Sleep(50 * time.Millisecond) {
		data, err := os.ReadFile(asterisk.NetLog(ast.Config))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		text = string(data)
	}
	var list []netCaller
	for line := range strings.Lines(text) {
		var c netCaller
		var entered, left int64
		if _, err := fmt.Sscanf(line, "%d %d %s %s %s\n", &entered, &left, &c.number, &c.channel, &c.end); err != nil {
			t.Fatalf("the net wrote %q: %v", line, err)
		}
		c.entered, c.left = time.UnixMilli(entered), time.UnixMilli(left)
		list = append(list, c)
	}
	if len(list) != count {
		t.Fatalf("the net wrote down %d callers, want %d:\n%s", len(list), count, text)
	}
	return list
}

// wantNetCaller says that this call is among the callers the net wrote down, with this number and end.
func wantNetCaller(t *testing.T, list []netCaller, number, end string, c *phone.Call) {
	t.Helper()
	over, ended := c.Ended()
	if !ended {
		t.Fatal("the call has not ended")
	}
	left := c.Start().Add(over.At)
	for _, one := range list {
		if one.number == number && one.end == end && one.left.Sub(left).Abs() < time.Second {
			if one.entered.Sub(c.Start()).Abs() > time.Second {
				t.Errorf("the net says that %+v came then, want %v", one, c.Start())
			}
			return
		}
	}
	t.Errorf("no caller %s who is %s and left at %v among %+v", number, end, left, list)
}

// Whom the service may never have seen is written down by the dialplan, with nothing of the caller's own words but a
// number: who leaves in the net, who is sent away, who is served without the service, who gave up ringing.
func TestTheNetWritesDownWhomTheServiceMayNotHaveSeen(t *testing.T) {
	t.Parallel()
	ast := stand.Asterisk(t, stand.Options{Configure: net(4*time.Second, 15*time.Second, 1)})
	patient := dial(t, ast, phone.Options{Number: "13800000001"})
	hasty := dial(t, ast, phone.Options{Number: "+8613800000002"})
	wordy := dial(t, ast, phone.Options{Number: "13800000003", DisplayName: `${SHELL(id)},x)"y=1 2`})
	sly := dial(t, ast, phone.Options{Number: "%24%7BEPOCH%7D,138%290000=4%0A5"})
	shy := dial(t, ast, phone.Options{Anonymous: true})
	long := dial(t, ast, phone.Options{Number: strings.Repeat("7", 300)})
	leaving := []*phone.Call{hasty, wordy, sly, shy, long}
	for _, c := range leaving {
		wantHeard(t, c, ear.HoldTone, 0, 5*time.Second)
		hangUp(t, c)
	}
	list := netCallers(t, ast, len(leaving))
	for i, number := range []string{"+8613800000002", "13800000003", "-", "-", "-"} {
		wantNetCaller(t, list, number, "hung-up", leaving[i])
	}
	for _, one := range list {
		if !strings.Contains(one.channel, ".") {
			t.Errorf("%q is no channel's ID", one.channel)
		}
	}
	wantEnd(t, patient, 40*time.Second)
	wantNetCaller(t, netCallers(t, ast, 6), "13800000001", "turned-away", patient)

	// An agent takes the calls without the service; either side may hang up.
	desk := agent(t, ast, "1001", phone.AnswerAfter(0))
	for i, end := range []func(caller, agent *phone.Call){
		func(caller, _ *phone.Call) { hangUp(t, caller) },
		func(caller, agent *phone.Call) { hangUp(t, agent); wantEnd(t, caller, 10*time.Second) },
	} {
		number := fmt.Sprintf("1380000001%d", i)
		c := dial(t, ast, phone.Options{Number: number})
		offered, err := desk.NextCall(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		wantHeard(t, c, "voice.agent", 0, 15*time.Second)
		end(c, offered)
		wantNetCaller(t, netCallers(t, ast, 7+i), number, "served", c)
	}

	// The service comes. Whom it is given, and who gives up before its answer, it may never have seen.
	taken := dial(t, ast, phone.Options{Number: "13800000021"})
	wantHeard(t, taken, ear.HoldTone, 0, 5*time.Second)
	link := service(t, ast)
	s := link.Session("call-1")
	defer s.Close()
	leg := s.Adopt(arrival(t, link, 4*time.Second))
	hangUp(t, taken)
	<-leg.Context().Done()
	wantNetCaller(t, netCallers(t, ast, 9), "13800000021", "given", taken)

	given := dial(t, ast, phone.Options{Number: "13800000022"})
	leg = s.Adopt(arrival(t, link, 4*time.Second))
	hangUp(t, given)
	<-leg.Context().Done()
	wantNetCaller(t, netCallers(t, ast, 10), "13800000022", "unanswered", given)

	// A caller of the service's own is not written down; one whom it lets go is again in the net's care.
	served := dial(t, ast, phone.Options{Number: "13800000023"})
	leg = s.Adopt(arrival(t, link, 4*time.Second))
	if err := leg.Answer(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := leg.Hangup(t.Context(), 16, "the test ends it"); err != nil {
		t.Fatal(err)
	}
	wantEnd(t, served, 3*time.Second)
	dropped := dial(t, ast, phone.Options{Number: "13800000024"})
	takeAndLetGo(t, ast, link)
	wantHeard(t, dropped, ear.HoldTone, 0, 5*time.Second)
	takeAndLetGo(t, ast, link) // and once more out of the net
	hangUp(t, dropped)
	wantNetCaller(t, netCallers(t, ast, 11), "13800000024", "hung-up", dropped)
}

// Recording begins through the dialplan and the caller is back at once; the file holds two channels.
func TestRecordingBeginsInTheDialplan(t *testing.T) {
	t.Parallel()
	ast := stand.Asterisk(t, stand.Options{})
	link := service(t, ast)
	p := newPhone(t, ast, phone.Options{Name: "caller", IP: stand.TrunkAddress, Number: "13800138000", Voice: callers})
	c, err := p.Dial(t.Context(), "96196")
	if err != nil {
		t.Fatal(err)
	}
	a := arrival(t, link, 3*time.Second)
	s := link.Session("call-1")
	defer s.Close()
	leg := s.Adopt(a)
	if err := leg.Answer(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := leg.Continue(t.Context(), asterisk.RecordContext, asterisk.RecordPrefix+"20260206-090000-0001", 1); err != nil {
		t.Fatal(err)
	}
	playing, err := leg.Play(t.Context(), []string{"sound:" + ast.Config.PromptsInside() + "/menu.main"}, ari.PlayOptions{})
	if err != nil {
		t.Fatal(err)
	}
	<-playing.Done()
	if err := c.Hangup(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-leg.Context().Done()

	raw := filepath.Join(ast.Dir, "raw", "20260206-090000-0001.raw")
	var size int64
	for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		info, err := os.Stat(raw)
		if err == nil && info.Size() == size && size > 0 {
			break
		}
		if err == nil {
			size = info.Size()
		}
	}
	const bytesPerSecond = 8000 * 2 * 2
	if seconds := float64(size) / bytesPerSecond; seconds < 1.8 || seconds > 4 {
		t.Errorf("%s holds %.2f s of two channels, want a little over the menu's 2 s", raw, seconds)
	}
}

// A line that dies without a word is noticed, also while nobody but Asterisk is there.
func TestADeadLineEnds(t *testing.T) {
	t.Parallel()
	ast := stand.Asterisk(t, stand.Options{Configure: func(cfg *configs.Config) {
		cfg.Asterisk.RTPTimeout.Duration, cfg.Asterisk.RTPTimeoutAgents.Duration = 5*time.Second, 5*time.Second
	}})
	c := call(t, ast)
	wantHeard(t, c, ear.HoldTone, 0, 5*time.Second)
	c.Phone().Die()
	died := time.Now()
	for {
		channels, err := ast.CLI("core show channels count")
		if err != nil {
			t.Fatal(err)
		}
		after := time.Since(died)
		if strings.HasPrefix(channels, "0 active channels") {
			if after < 3*time.Second {
				t.Errorf("the channel ended %v after the line died, before its time of 5 s", after)
			}
			return
		}
		if after > 10*time.Second {
			t.Fatalf("%v after the line died there is still a channel, likely cause: rtp_timeout does not reach the endpoint\n%s", after, channels)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// Agents' phones reach the service by star codes and nothing else, and nobody is left without a word.
func TestAgentsPhones(t *testing.T) {
	t.Parallel()
	ast := stand.Asterisk(t, stand.Options{})
	desk := agent(t, ast, "1001", nil)

	for number, word := range map[string]string{"*11": "service.unavailable", "13800138000": "agent.unknown_code", "1002": "agent.unknown_code"} {
		c, err := desk.Call(t.Context(), number)
		if err != nil {
			t.Fatalf("%s: %v\n%s", number, err, desk.Trace())
		}
		wantHeard(t, c, word, 0, 3*time.Second)
		wantEnd(t, c, 5*time.Second)
	}

	link := service(t, ast)
	for deadline := time.Now().Add(5 * time.Second); !link.Status().Connected; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not connected: %+v", link.Status())
		}
	}
	if _, err := desk.Dial(t.Context(), "*11"); err != nil {
		t.Fatal(err)
	}
	a := arrival(t, link, 3*time.Second)
	if want := []string{"agent", "*11"}; !slices.Equal(a.Args, want) {
		t.Errorf("the service was told %q, want %q", a.Args, want)
	}
	if a.CallerNumber != "1001" {
		t.Errorf("the caller number is %q, want the agent's id 1001", a.CallerNumber)
	}
}
