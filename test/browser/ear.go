package browser

import (
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"path"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"hotline/test/ear"
)

// ear.js listens to every call of a page: it takes the tracks that a peer connection receives, and keeps what they play
// until it is fetched.
//
//go:embed ear.js
var earScript string

// unnamed keeps a page from telling where it can be reached, so that its lines go by the addresses alone that it is told.
const unnamed = `Object.defineProperty(RTCPeerConnection.prototype, 'onicecandidate', { set() {} });`

// asking has a page find that it would have to ask for the microphone, until it has.
const asking = `(() => {
	let state = 'prompt';
	const query = navigator.permissions.query.bind(navigator.permissions), ask = navigator.mediaDevices.getUserMedia;
	navigator.permissions.query = async (what) => what.name === 'microphone' ? { state } : query(what);
	navigator.mediaDevices.getUserMedia = async (wanted) => { const stream = await ask(wanted); state = 'granted'; return stream };
})();`

// listening makes pages be listened to from their first line on.
func listening(o Options) chromedp.Action {
	script := earScript
	if o.Named {
		script += unnamed
	}
	if o.Unasked {
		script += asking
	}
	return chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(script).Do(ctx)
		return err
	})
}

// fetched is what the page has played since it was last asked, at 8 kHz.
type fetched struct {
	At  float64 `json:"at"`  // milliseconds since the page began, of the first sample
	PCM string  `json:"pcm"` // 16 bits, little endian, base64
}

// Heard is a transcript of what the page's calls have played until now. Times count from the page's beginning.
func (tab *Tab) Heard() ear.Transcript {
	tab.t.Helper()
	var parts []fetched
	tab.do("listens", chromedp.Evaluate(`window.__ear.take()`, &parts))
	tab.mu.Lock()
	defer tab.mu.Unlock()
	if tab.heard == nil {
		decoder, err := ear.NewDecoder(ear.DecoderOptions{Code: tab.o.Code, Voices: tab.o.Voices})
		if err != nil {
			tab.t.Fatal(err)
		}
		tab.heard = decoder
	}
	for _, part := range parts {
		raw, err := base64.StdEncoding.DecodeString(part.PCM)
		if err != nil {
			tab.t.Fatalf("%s's page gives sound that is none: %v", tab.o.Name, err)
		}
		pcm := make([]int16, len(raw)/2)
		if _, err := binary.Decode(raw, binary.LittleEndian, pcm); err != nil {
			tab.t.Fatal(err)
		}
		tab.heard.Write(time.Duration(part.At*float64(time.Millisecond)), pcm)
	}
	return tab.heard.Transcript()
}

// Now is how long the page has been there.
func (tab *Tab) Now() time.Duration {
	tab.t.Helper()
	var ms float64
	tab.do("looks at the clock", chromedp.Evaluate(`performance.now()`, &ms))
	return time.Duration(ms * float64(time.Millisecond))
}

// Hears waits until the page has played something whose name matches a pattern (path.Match) and that goes on after from.
func (tab *Tab) Hears(pattern string, from time.Duration) ear.Heard {
	tab.t.Helper()
	limit := tab.limit()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		heard := tab.Heard()
		for _, h := range heard {
			if matched, err := path.Match(pattern, h.ID); err != nil {
				tab.t.Fatal(err)
			} else if matched && h.End > from {
				return h
			}
		}
		select {
		case <-tick.C:
		case <-limit.Done():
			tab.t.Fatalf("%s never heard %s after %v: %v\nheard: %s\nlikely causes: no call, no ICE candidate that fits, a gateway that forwards nothing, a page that plays nothing\nthe page complains: %q",
				tab.o.Name, pattern, from, context.Cause(limit), heard, tab.Complaints())
		}
	}
}

// HearsNot fails the test when the page plays something that matches within a time.
func (tab *Tab) HearsNot(pattern string, within time.Duration) {
	tab.t.Helper()
	from := tab.Now() + 100*time.Millisecond // what is under way has that long to end
	time.Sleep(within)
	for _, h := range tab.Heard() {
		if matched, _ := path.Match(pattern, h.ID); matched && h.End > from {
			tab.t.Errorf("%s heard %v", tab.o.Name, fmt.Sprint(h))
		}
	}
}
