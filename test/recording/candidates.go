package main

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"time"

	"hotline/ari"
	"hotline/configs/asterisk"
	"hotline/test/ear"
)

const (
	simple  = "mixing"           // two parties: frames are passed on
	softmix = "mixing,video_sfu" // frames are mixed
)

// candidate is one way to record.
type candidate struct {
	name     string
	bridge   string
	quiet    quiet
	requests string        // beyond those of the call itself
	rest     time.Duration // between the end of one playback and what comes next
	start    func(ctx context.Context, l *lab, call string, leg *ari.Leg) error
	decode   func(l *lab, call string) (ear.Recording, error)
}

// quiet is what the caller's channel is sent while the service waits for a key.
type quiet string

const (
	nothing   quiet = "nothing"
	list      quiet = "list"      // silence.N at the end of the play list
	generator quiet = "generator" // Asterisk's silence generator, started after every playback
)

// chosen is the way the service records. A file that is stopped has its last
// packet out up to 20 ms before the next one is due; without a rest what comes
// next follows too soon, and the recording grows by about 10 ms at each change.
var chosen = candidate{"MixMonitor D, softmix, silence at the list's end, rest of 12 ms", softmix, list, "1", 12 * time.Millisecond, startD, decodeD}

func candidates() []candidate {
	return []candidate{
		chosen,
		{"MixMonitor D, softmix, silence at the list's end", softmix, list, "1", 0, startD, decodeD},
		{"MixMonitor D, softmix, silence generator", softmix, generator, "1 + 1 per playback", 0, startD, decodeD},
		{"MixMonitor D, softmix", softmix, nothing, "1", 0, startD, decodeD},
		{"MixMonitor D, simple bridge, silence at the list's end", simple, list, "1", 0, startD, decodeD},
		{"MixMonitor D, simple bridge", simple, nothing, "1", 0, startD, decodeD},
		{"MixMonitor r()t(), softmix, silence at the list's end", softmix, list, "1", 0, startRT, decodeRT},
		{"MixMonitor r()t(), simple bridge, silence at the list's end", simple, list, "1", 0, startRT, decodeRT},
		{"two snoops, softmix", softmix, nothing, "4", 0, startSnoops, decodeSnoops},
		{"two snoops, softmix, silence at the list's end", softmix, list, "4", 0, startSnoops, decodeSnoops},
		{"two snoops, simple bridge", simple, nothing, "4", 0, startSnoops, decodeSnoops},
	}
}

// startD lets the dialplan start MixMonitor with one raw file of two channels.
func startD(ctx context.Context, _ *lab, call string, leg *ari.Leg) error {
	return leg.Continue(ctx, asterisk.RecordContext, asterisk.RecordPrefix+call, 1)
}

func decodeD(l *lab, call string) (ear.Recording, error) {
	return ear.DecodeFile(filepath.Join(l.asterisk.Dir, "raw", call+".raw"), l.ears(0))
}

// startRT starts MixMonitor with a file for each direction. The dialplan has no
// extension for it; the console starts the same application.
func startRT(_ context.Context, l *lab, call string, leg *ari.Leg) error {
	raw := l.asterisk.Config.Asterisk.Inside("raw")
	out, err := l.asterisk.CLI(fmt.Sprintf("mixmonitor start %s ,r(%s)t(%s)", leg.Name(), path.Join(raw, call+"-r.wav"), path.Join(raw, call+"-t.wav")))
	if err != nil {
		return err
	}
	_ = out // MixMonitor reports nothing; a file that is missing is noticed when it is decoded
	return nil
}

func decodeRT(l *lab, call string) (ear.Recording, error) {
	return decodePair(l, filepath.Join(l.asterisk.Dir, "raw", call+"-r.wav"), filepath.Join(l.asterisk.Dir, "raw", call+"-t.wav"))
}

// startSnoops listens to each direction with a channel of its own and records those.
func startSnoops(ctx context.Context, l *lab, call string, leg *ari.Leg) error {
	for _, direction := range []string{"in", "out"} {
		id := call + "-" + direction
		if err := l.post(ctx, "/channels/"+leg.ID()+"/snoop/"+id, url.Values{"spy": {direction}, "app": {l.asterisk.Config.Asterisk.ARI.App}}); err != nil {
			return err
		}
		if err := l.post(ctx, "/channels/"+id+"/record", url.Values{"name": {id}, "format": {"wav"}}); err != nil {
			return err
		}
	}
	return nil
}

func decodeSnoops(l *lab, call string) (ear.Recording, error) {
	dir := filepath.Join(l.asterisk.Dir, "spool", "recording")
	return decodePair(l, filepath.Join(dir, call+"-in.wav"), filepath.Join(dir, call+"-out.wav"))
}

func decodePair(l *lab, left, right string) (ear.Recording, error) {
	said, err := ear.DecodeFile(left, l.ears(0))
	if err != nil {
		return ear.Recording{}, err
	}
	heard, err := ear.DecodeFile(right, l.ears(0))
	if err != nil {
		return ear.Recording{}, err
	}
	return ear.Recording{Left: said.Left, Right: heard.Left, Duration: heard.Duration}, nil
}
