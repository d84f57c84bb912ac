package ari_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotline/ari"
	"hotline/ari/aritest"
)

// lasting makes media last by their name: "…/ever" a minute, "…/missing" is not
// there, anything else is over at once.
func lasting(medium string) time.Duration {
	switch {
	case strings.HasSuffix(medium, "/ever"):
		return time.Minute
	case strings.HasSuffix(medium, "/missing"):
		return -1
	}
	return 0
}

func TestPlaybackResults(t *testing.T) {
	tests := []struct {
		name  string
		media []string
		then  func(*testing.T, *aritest.Channel, *ari.Leg, *ari.Playback)
		want  ari.PlaybackResult
	}{
		{"to its end", []string{"sound:/a", "sound:/b"}, nil, ari.Finished},
		{"a file missing in the middle", []string{"sound:/missing", "sound:/b"}, nil, ari.Finished},
		{"the last file missing", []string{"sound:/a", "sound:/missing"}, nil, ari.Failed},
		{"stopped", []string{"sound:/ever"}, func(t *testing.T, _ *aritest.Channel, _ *ari.Leg, p *ari.Playback) { must(t, p.Stop(t.Context())) }, ari.Cancelled},
		{"the caller hangs up", []string{"sound:/ever"}, func(_ *testing.T, c *aritest.Channel, _ *ari.Leg, _ *ari.Playback) { c.Bye() }, ari.Cancelled},
		{"we hang up", []string{"sound:/ever"}, func(t *testing.T, _ *aritest.Channel, l *ari.Leg, _ *ari.Playback) {
			must(t, l.Hangup(t.Context(), 16, ""))
		}, ari.Cancelled},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server, link := connect(t)
			server.MediaLasts(lasting)
			caller, session, leg := answeredCall(t, server, link)
			p, err := leg.Play(t.Context(), test.media, ari.PlayOptions{Language: "zh", Skip: time.Second})
			must(t, err)
			if test.then != nil {
				if p.Result() != ari.Playing {
					t.Errorf("the result is %q while it plays", p.Result())
				}
				test.then(t, caller, leg, p)
			}
			over(t, "the playback", p.Done())
			if p.Result() != test.want {
				t.Errorf("the result is %q, want %q", p.Result(), test.want)
			}
			if done, _ := next(t, session, ari.PlaybackDone); done.Playback != p || done.Leg != leg {
				t.Errorf("PlaybackDone is of %v on %v", done.Playback.ID(), done.Leg)
			}
			if err := p.Stop(t.Context()); err != nil {
				t.Errorf("stopping what is over: %v", err)
			}
		})
	}
}

func TestEightHundredMediaInOneRequest(t *testing.T) {
	server, link := connect(t)
	caller, _, leg := answeredCall(t, server, link)
	media := slices.Repeat([]string{"sound:/srv/prompts/hold.tone.27"}, 800)
	p, err := leg.Play(t.Context(), media, ari.PlayOptions{})
	must(t, err)
	over(t, "the list", p.Done())
	if n := len(caller.Played()); n != 800 {
		t.Errorf("%d media were played, want 800", n)
	}
}

// The tail of a hold list is replaced by queueing the new list and stopping the
// old one: the new one begins at once.
func TestReplacingWhatPlays(t *testing.T) {
	server, link := connect(t)
	server.MediaLasts(lasting)
	caller, session, leg := answeredCall(t, server, link)
	old, err := leg.Play(t.Context(), []string{"sound:/old/ever"}, ari.PlayOptions{})
	must(t, err)
	tail, err := leg.Play(t.Context(), []string{"sound:/new/ever"}, ari.PlayOptions{})
	must(t, err)
	if diff := cmp.Diff([]string{"sound:/old/ever"}, caller.Played()); diff != "" {
		t.Errorf("played before the stop (-want +got):\n%s", diff)
	}
	must(t, old.Stop(t.Context()))
	over(t, "the old list", old.Done())
	if diff := cmp.Diff([]string{"sound:/old/ever", "sound:/new/ever"}, caller.Played()); diff != "" {
		t.Errorf("played after it (-want +got):\n%s", diff)
	}
	if tail.Result() != ari.Playing {
		t.Errorf("the new list is %q", tail.Result())
	}
	caller.Bye()
	gone, before := next(t, session, ari.Gone)
	if gone.Lost || tail.Result() != ari.Cancelled || !slices.Contains(kindsOf(before), ari.PlaybackDone) {
		t.Errorf("the hang-up left the list %q after %v", tail.Result(), kindsOf(before))
	}
}

func TestCommandsWaitBehindAPlayback(t *testing.T) {
	server, link := connect(t, func(o *ari.Options) { o.RequestTimeout = 200 * time.Millisecond })
	server.MediaLasts(lasting)
	caller, _, leg := answeredCall(t, server, link)
	p, err := leg.Play(t.Context(), []string{"sound:/ever"}, ari.PlayOptions{})
	must(t, err)
	err = leg.SetVar(t.Context(), "A", "1")
	var e *ari.Error
	if !errors.As(err, &e) || !e.Unavailable() || e.Status != 0 {
		t.Fatalf("setting a variable behind a playback: %v, want Unavailable without a status", err)
	}
	if caller.Var("A") != "" {
		t.Fatal("the variable was set while something played")
	}
	must(t, p.Stop(t.Context()))
	until(t, "the command that had timed out is carried out", func() bool { return caller.Var("A") == "1" })
}

func TestBridgePlaybacksEndWithTheBridge(t *testing.T) {
	server, link := connect(t)
	server.MediaLasts(lasting)
	caller, session, leg := answeredCall(t, server, link)
	bridge, err := session.Bridge(t.Context(), "mixing")
	must(t, err)
	must(t, bridge.Add(t.Context(), leg))
	short, err := bridge.Play(t.Context(), []string{"sound:/a"})
	must(t, err)
	over(t, "the short playback", short.Done())
	if short.Result() != ari.Finished {
		t.Errorf("the short playback is %q", short.Result())
	}
	running, err := bridge.Play(t.Context(), []string{"sound:/running/ever"})
	must(t, err)
	queued, err := bridge.Play(t.Context(), []string{"sound:/queued/ever"})
	must(t, err)
	must(t, bridge.Destroy(t.Context()))
	for name, p := range map[string]*ari.Playback{"running": running, "queued": queued} {
		over(t, "the "+name+" playback", p.Done())
		if p.Result() != ari.Cancelled {
			t.Errorf("the %s playback is %q, want cancelled: for a queued one no event comes", name, p.Result())
		}
	}
	if caller.Joined() != nil || caller.State() != "Up" {
		t.Errorf("after the bridge's end the caller is %s and joined to %v", caller.State(), caller.Joined())
	}
	must(t, bridge.Destroy(t.Context()))
}

func TestBridgeTakesAllOrNone(t *testing.T) {
	server, link := connect(t)
	server.Phone("PJSIP/1001", aritest.Phone{Does: aritest.Answers})
	caller, session, leg := answeredCall(t, server, link)
	agent, err := session.Create(t.Context(), ari.Dial{Role: "agent", Endpoint: "PJSIP/1001"})
	must(t, err)
	must(t, agent.Dial(t.Context(), time.Second))
	bridge, err := session.Bridge(t.Context(), "mixing")
	must(t, err)
	must(t, bridge.Add(t.Context(), leg, agent))
	must(t, bridge.Remove(t.Context(), leg))
	server.Channel(agent.ID()).Bye()
	next(t, session, ari.Gone)
	err = bridge.Add(t.Context(), leg, agent)
	var e *ari.Error
	if !errors.As(err, &e) || !e.NotFound() {
		t.Errorf("adding a leg that is gone: %v, want NotFound", err)
	}
	if caller.Joined() != nil {
		t.Errorf("the caller was added without the agent: %v", caller.Joined())
	}
}

func TestRecordingResults(t *testing.T) {
	tests := []struct {
		name string
		o    ari.RecordOptions
		then func(*testing.T, *aritest.Channel, *ari.Recording)
	}{
		{"a key ends it", ari.RecordOptions{TerminateOn: "#"}, func(_ *testing.T, c *aritest.Channel, _ *ari.Recording) { c.Press("1#") }},
		{"its time is over", ari.RecordOptions{MaxDuration: time.Second}, nil},
		{"stopped", ari.RecordOptions{}, func(t *testing.T, _ *aritest.Channel, r *ari.Recording) { must(t, r.Stop(t.Context())) }},
		{"the caller hangs up", ari.RecordOptions{}, func(_ *testing.T, c *aritest.Channel, _ *ari.Recording) { c.Bye() }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server, link := connect(t)
			caller, session, leg := answeredCall(t, server, link)
			test.o.Format = "wav"
			r, err := leg.Record(t.Context(), test.o)
			must(t, err)
			if !strings.HasPrefix(r.Name(), session.CallID()) {
				t.Errorf("the recording is named %s: want the call's ID first", r.Name())
			}
			if test.then != nil {
				test.then(t, caller, r)
			}
			over(t, "the recording", r.Done())
			if got := r.Result(); got.Failed || got.Lost || test.o.MaxDuration > 0 && got.Duration != time.Second {
				t.Errorf("the result is %+v", got)
			}
			if done, _ := next(t, session, ari.RecordingDone); done.Recording != r {
				t.Errorf("RecordingDone is of %s", done.Recording.Name())
			}
			must(t, r.Stop(t.Context()))
		})
	}
}

func TestRecordingThatFails(t *testing.T) {
	server, link := connect(t)
	_, session, leg := answeredCall(t, server, link)
	r, err := leg.Record(t.Context(), ari.RecordOptions{Format: "wav", Name: "messages/1"})
	must(t, err)
	server.Send(`{"type":"RecordingFailed","timestamp":"2026-02-06T09:00:00.000+0000","recording":{"name":"messages/1","format":"wav","state":"failed","target_uri":"channel:1","cause":"no space left"}}`)
	next(t, session, ari.RecordingDone)
	if got := r.Result(); !got.Failed || got.Cause != "no space left" {
		t.Errorf("the result is %+v, want failed for lack of space", got)
	}
	_, err = leg.Record(t.Context(), ari.RecordOptions{Format: "wav", Name: "messages/1"})
	var e *ari.Error
	if !errors.As(err, &e) || !e.Conflict() {
		t.Errorf("recording over a file that exists: %v, want Conflict", err)
	}
}
