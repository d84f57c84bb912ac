package aritest

import (
	"slices"
	"strings"
	"time"
)

// playback is a list of media on a channel or in a bridge.
type playback struct {
	s       *Server
	id      string
	media   []string
	channel *Channel
	bridge  *bridge
	state   string // queued, playing, done, failed
	at      int
	cancel  func()
	stopped bool
}

func (p *playback) json() *playbackJSON {
	target := "bridge:"
	if p.channel != nil {
		target = "channel:" + p.channel.id
	} else {
		target += p.bridge.id
	}
	return &playbackJSON{ID: p.id, Media: p.media[p.at], Target: target, State: p.state}
}

// begin starts the list; it says whether it is still playing.
func (p *playback) begin() bool {
	if p.channel != nil && p.channel.gone {
		return false
	}
	if p.stopped {
		p.finish("done")
		return false
	}
	p.state = "playing"
	if p.channel != nil {
		p.channel.current, p.channel.music = p, false
		p.channel.sound()
	} else {
		p.bridge.current = p
		p.bridge.sound()
	}
	p.play(0)
	return p.state == "playing"
}

// play goes through the list from a medium on; media that last no time are over
// at once. A missing file is skipped, the last one decides about the list.
func (p *playback) play(from int) {
	for p.at = from; ; p.at++ {
		medium := p.media[p.at]
		lasts := p.s.lasts(medium)
		missing := lasts < 0
		if !missing {
			p.heard(medium)
		}
		last := p.at == len(p.media)-1
		switch {
		case lasts > 0:
			next := p.at + 1
			p.cancel = p.s.after(lasts, func() {
				if last {
					p.finish("done")
				} else {
					p.play(next)
				}
			})
			return
		case last && missing:
			p.finish("failed")
			return
		case last:
			p.finish("done")
			return
		}
	}
}

// heard notes who hears a medium.
func (p *playback) heard(medium string) {
	h := Heard{time.Now(), medium}
	if p.channel != nil {
		p.channel.played = append(p.channel.played, h)
		return
	}
	for _, c := range p.bridge.channels {
		c.played = append(c.played, h)
	}
}

func (p *playback) stop() {
	p.stopped = true
	if p.state == "playing" {
		p.finish("done")
	}
}

func (p *playback) forget() {
	same := p.s.playbacks[p.id]
	if i := slices.Index(same, p); i >= 0 {
		same = slices.Delete(same, i, i+1)
	}
	p.s.playbacks[p.id] = same
	if len(same) == 0 {
		delete(p.s.playbacks, p.id)
	}
}

func (p *playback) finish(state string) {
	if p.cancel != nil {
		p.cancel()
	}
	p.state = state
	p.forget()
	p.s.emit(event{Type: "PlaybackFinished", Playback: p.json()})
	if p.channel != nil {
		p.channel.current = nil
		p.channel.next()
		p.channel.sound()
		return
	}
	p.bridge.current = nil
	p.bridge.next()
	p.bridge.sound()
}

// bridge joins channels and plays to them, one list after the other.
type bridge struct {
	s        *Server
	id       string
	name     string
	kind     string
	channels []*Channel
	queue    []*playback
	current  *playback
}

func (b *bridge) ids() []string {
	ids := make([]string, len(b.channels))
	for i, c := range b.channels {
		ids[i] = c.id
	}
	return ids
}

func (b *bridge) add(c *Channel) {
	if c.bridge != nil {
		c.bridge.remove(c)
	}
	c.bridge, c.wasJoined, c.music = b, true, false
	b.channels = append(b.channels, c)
	b.sound()
}

// sound notes what everybody in the bridge hears.
func (b *bridge) sound() {
	for _, c := range b.channels {
		c.sound()
	}
}

func (b *bridge) remove(c *Channel) {
	for i, other := range b.channels {
		if other == c {
			b.channels = append(b.channels[:i:i], b.channels[i+1:]...)
			break
		}
	}
	c.bridge = nil
	c.sound()
	b.sound()
}

func (b *bridge) next() {
	for b.current == nil && len(b.queue) > 0 {
		p := b.queue[0]
		b.queue = b.queue[1:]
		p.begin()
	}
}

// destroy parts the channels. What plays fails; what was queued is never heard
// of again.
func (b *bridge) destroy() {
	for _, p := range b.queue {
		p.forget()
	}
	b.queue = nil
	for len(b.channels) > 0 {
		b.remove(b.channels[0])
	}
	if b.current != nil {
		b.current.finish("failed")
	}
	delete(b.s.bridges, b.id)
}

// recording is a recording of one channel.
type recording struct {
	s           *Server
	name        string
	format      string
	channel     *Channel
	terminateOn string
	began       time.Time
	cancel      func()
	over        bool
}

func (r *recording) json(state string) *recordingJSON {
	return &recordingJSON{
		Name: r.name, Format: r.format, State: state, Target: "channel:" + r.channel.id,
		Duration: int(time.Since(r.began) / time.Second),
	}
}

func (r *recording) finish() {
	if r.over {
		return
	}
	r.over = true
	if r.cancel != nil {
		r.cancel()
	}
	delete(r.s.recordings, r.name)
	r.s.emit(event{Type: "RecordingFinished", Recording: r.json("done")})
	r.channel.recording = nil
	r.channel.next()
	r.channel.sound()
}

// ends says whether a key ends the recording.
func (r *recording) ends(key string) bool {
	return r.terminateOn == "any" || r.terminateOn != "" && strings.Contains(r.terminateOn, key)
}
