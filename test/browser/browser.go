// Package browser is a real Chromium for end-to-end tests: Debian's, headless, with a person before it who says one note
// into its microphone and hears what its pages play from their calls. Tests click and key as people do.
//
// It owns the process, its profile and its microphone. It must not know what the pages are about.
package browser

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"hotline/test/ear"
)

// Options of a browser.
type Options struct {
	Name   string         // of its person, for what the tests say
	Voice  int            // the note its person says, 200, 250 … 600 Hz; 0: nothing
	Voices map[string]int // names and notes of the people it may hear
	Code   *ear.Code      // of the prompts it may hear; nil: voices only

	Language      string // that it asks for: zh-CN (""), en
	Width, Height int    // of its window, in CSS pixels; 0: 1280 × 720
	NoMicrophone  bool   // its person does not let pages use the microphone
	Unasked       bool   // its person has yet to be asked for it; otherwise they have let every page before
	Dark          bool   // its person likes dark pages
	Named         bool   // its lines go by the addresses alone that services name, and none of this machine's are told to them
}

// Browser is one person's.
type Browser struct {
	t   testing.TB
	o   Options
	ctx context.Context
	end func()
}

// executable is Debian's.
const executable = "/usr/bin/chromium"

// begin bounds how long Chromium takes to be there: on a busy machine it takes seconds.
const begin = 30 * time.Second

// Start starts a browser, which ends with the test. A browser that is not installed fails it.
func Start(t testing.TB, o Options) *Browser {
	t.Helper()
	if _, err := os.Stat(executable); err != nil {
		t.Fatalf("%s needs a browser: %v (package chromium, which scripts/bootstrap installs)", o.Name, err)
	}
	dir, err := os.MkdirTemp("", "browser-")
	if err != nil {
		t.Fatal(err)
	}
	flags := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(executable), chromedp.NoSandbox, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("headless", "new"), chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-features", "Translate,OptimizationHints,MediaRouter,WebRtcHideLocalIpsWithMdns"),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
		// A page that nobody looks at goes on at full speed: several people share this machine.
		chromedp.Flag("disable-background-timer-throttling", true), chromedp.Flag("disable-renderer-backgrounding", true), chromedp.Flag("disable-backgrounding-occluded-windows", true),
		chromedp.Flag("use-fake-device-for-media-stream", true),
		chromedp.Flag("lang", language(o.Language)), chromedp.Flag("accept-lang", language(o.Language)),
		chromedp.UserDataDir(filepath.Join(dir, "profile")), chromedp.WindowSize(size(o.Width, 1280), size(o.Height, 720)),
	}
	if !o.NoMicrophone {
		flags = append(flags, chromedp.Flag("use-fake-ui-for-media-stream", true))
	} else {
		flags = append(flags, chromedp.Flag("deny-permission-prompts", true))
	}
	if o.Dark {
		flags = append(flags, chromedp.Flag("force-dark-mode", true), chromedp.Flag("blink-settings", "preferredColorScheme=0"))
	}
	mouth := filepath.Join(dir, "voice.wav")
	if err := writeVoice(mouth, o.Voice); err != nil {
		t.Fatal(err)
	}
	flags = append(flags, chromedp.Flag("use-file-for-fake-audio-capture", mouth))

	allocator, release := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), flags...)
	ctx, quit := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {})) // it complains of events of newer Chromiums
	b := &Browser{t: t, o: o, ctx: ctx, end: sync.OnceFunc(func() { _ = chromedp.Cancel(ctx); quit(); release(); forget(t, dir) })}
	t.Cleanup(b.Close)
	starting, cancel := context.WithTimeoutCause(ctx, begin, fmt.Errorf("Chromium is not there after %v", begin))
	defer cancel()
	if err := run(starting, ctx); err != nil {
		t.Fatalf("%s's browser: %v", o.Name, err)
	}
	return b
}

// forget removes a browser's folder, into which its processes write until the last of them is gone.
func forget(t testing.TB, dir string) {
	var err error
	for range 100 {
		if err = os.RemoveAll(dir); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("a browser's folder stays behind: %v", err)
}

// run carries out actions in ctx, and gives up when limit ends: a chromedp context must not be one with a deadline of its
// own at its first use, or the browser ends with it.
func run(limit, ctx context.Context, actions ...chromedp.Action) error {
	done := make(chan error, 1)
	go func() { done <- chromedp.Run(ctx, actions...) }()
	select {
	case err := <-done:
		return err
	case <-limit.Done():
		return context.Cause(limit)
	}
}

// Close ends the browser as a person does who shuts the machine down. Kill ends one that has crashed.
func (b *Browser) Close() { b.end() }

// Crash ends the browser without a word to anybody.
func (b *Browser) Crash() {
	b.t.Helper()
	_ = chromedp.Run(b.ctx, browser.Crash()) // whose answer never comes
	b.end()
}

// Within is the browser for a test within the test that started it, which fails in its place.
func (b *Browser) Within(t testing.TB) *Browser {
	within := *b
	within.t = t
	return &within
}

// Tab is one page of a browser.
type Tab struct {
	*Browser
	ctx   context.Context
	close func()

	mu    sync.Mutex
	heard *ear.Decoder
	from  time.Time // since when it listens
	shown []string  // what the page has complained of
}

// Open shows a page in a new tab.
func (b *Browser) Open(url string) *Tab {
	b.t.Helper()
	ctx, quit := chromedp.NewContext(b.ctx)
	tab := &Tab{Browser: b, ctx: ctx, close: sync.OnceFunc(quit)}
	chromedp.ListenTarget(ctx, tab.complaint)
	chromedp.ListenTarget(ctx, tab.leave)
	if err := run(b.limit(), ctx, listening(b.o), chromedp.Navigate(url)); err != nil {
		b.t.Fatalf("%s opens %s: %v", b.o.Name, url, err)
	}
	return tab
}

// Close closes the tab, as a person does by accident.
func (tab *Tab) Close() { tab.close() }

// patience bounds what a page may take for anything.
const patience = 20 * time.Second

func (b *Browser) limit() context.Context {
	ctx, cancel := context.WithTimeoutCause(b.t.Context(), patience, fmt.Errorf("%v are over", patience))
	context.AfterFunc(b.t.Context(), cancel)
	return ctx
}

// complaint keeps what the page says has gone wrong.
func (tab *Tab) complaint(ev any) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	switch ev := ev.(type) {
	case *runtime.EventExceptionThrown:
		tab.shown = append(tab.shown, ev.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		if ev.Type == runtime.APITypeError || ev.Type == runtime.APITypeWarning {
			var words []string
			for _, a := range ev.Args {
				words = append(words, string(a.Value)+a.Description)
			}
			tab.shown = append(tab.shown, string(ev.Type)+": "+strings.Join(words, " "))
		}
	}
}

// leave answers a page that asks whether it is really to be left: yes.
func (tab *Tab) leave(ev any) {
	if asks, is := ev.(*page.EventJavascriptDialogOpening); is && asks.Type == page.DialogTypeBeforeunload {
		go func() { _ = chromedp.Run(tab.ctx, page.HandleJavaScriptDialog(true)) }() // which fails where the page is gone already
	}
}

// Complaints are the errors and warnings of the page until now.
func (tab *Tab) Complaints() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return append([]string(nil), tab.shown...)
}

// do carries out what a person does, and fails the test with what the page looked like.
func (tab *Tab) do(what string, actions ...chromedp.Action) {
	tab.t.Helper()
	if err := run(tab.limit(), tab.ctx, actions...); err != nil {
		tab.t.Fatalf("%s, %s: %v\nthe page says: %s\nit complains: %q", tab.o.Name, what, err, tab.Text("body"), tab.Complaints())
	}
}

// Click clicks what a CSS selector finds, once it can be seen.
func (tab *Tab) Click(selector string) {
	tab.t.Helper()
	tab.do("clicks "+selector, chromedp.WaitVisible(selector, chromedp.ByQuery), chromedp.WaitEnabled(selector, chromedp.ByQuery), chromedp.Click(selector, chromedp.ByQuery))
}

// ClickText clicks the element of a kind that says something, once it may be clicked.
func (tab *Tab) ClickText(element, text string) {
	tab.t.Helper()
	path := fmt.Sprintf(`//%s[contains(normalize-space(.), %q)][not(@disabled) and not(@aria-disabled="true")]`, element, text)
	tab.do("clicks "+text, chromedp.WaitVisible(path, chromedp.BySearch), chromedp.Click(path, chromedp.BySearch))
}

// Type writes into the field that a selector finds.
func (tab *Tab) Type(selector, text string) {
	tab.t.Helper()
	tab.do("writes into "+selector, chromedp.WaitVisible(selector, chromedp.ByQuery), chromedp.SendKeys(selector, text, chromedp.ByQuery))
}

// Choose takes an option of a list.
func (tab *Tab) Choose(selector, value string) {
	tab.t.Helper()
	choose := fmt.Sprintf(`(list => { list.value = %q; list.dispatchEvent(new Event("change", { bubbles: true })) })(document.querySelector(%q))`, value, selector)
	tab.do("chooses "+value+" in "+selector, chromedp.WaitVisible(selector, chromedp.ByQuery), chromedp.Evaluate(choose, nil))
}

// Says waits until a selector's element says something.
func (tab *Tab) Says(selector, text string) {
	tab.t.Helper()
	tab.Until(fmt.Sprintf(`document.querySelector(%q)?.innerText.includes(%q)`, selector, text))
}

// Press presses keys anywhere on the page, one after another: kb.F2, "12#".
func (tab *Tab) Press(key string) {
	tab.t.Helper()
	tab.do(fmt.Sprintf("presses %q", key), chromedp.KeyEvent(key))
}

// See waits until what a selector finds can be seen.
func (tab *Tab) See(selector string) {
	tab.t.Helper()
	tab.do("looks for "+selector, chromedp.WaitVisible(selector, chromedp.ByQuery))
}

// Gone waits until nothing is found by a selector any more, or it cannot be seen.
func (tab *Tab) Gone(selector string) {
	tab.t.Helper()
	tab.Until(fmt.Sprintf(`!document.querySelector(%q)?.checkVisibility()`, selector))
}

// Text is what a selector's element says, "" when there is none.
func (tab *Tab) Text(selector string) string {
	var text string
	_ = run(tab.limit(), tab.ctx, chromedp.Evaluate(fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector), &text)) // a page that is gone says nothing
	return text
}

// Until waits until a JavaScript expression is true.
func (tab *Tab) Until(expression string) {
	tab.t.Helper()
	limit := tab.limit()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var met bool
		tab.do("asks whether "+expression, chromedp.Evaluate("!!("+expression+")", &met))
		if met {
			return
		}
		select {
		case <-tick.C:
		case <-limit.Done():
			tab.t.Fatalf("%s, waits until %s: %v\nthe page says: %s\nit complains: %q", tab.o.Name, expression, context.Cause(limit), tab.Text("body"), tab.Complaints())
		}
	}
}

// Reload loads the page anew.
func (tab *Tab) Reload() {
	tab.t.Helper()
	tab.mu.Lock()
	tab.heard = nil
	tab.mu.Unlock()
	tab.do("reloads", chromedp.Reload())
}

// Screenshot writes what is on the screen into a PNG file.
func (tab *Tab) Screenshot(path string) {
	tab.t.Helper()
	var picture []byte
	tab.do("looks", chromedp.CaptureScreenshot(&picture))
	if err := os.WriteFile(path, picture, 0o644); err != nil {
		tab.t.Fatal(err)
	}
}

func language(wanted string) string {
	if wanted == "" {
		return "zh-CN"
	}
	return wanted
}

func size(wanted, usual int) int {
	if wanted == 0 {
		return usual
	}
	return wanted
}

// writeVoice is a second of a note, or of silence, as Chromium wants it for a microphone: 48 kHz, 16 bits, said again and
// again without a seam.
func writeVoice(path string, hz int) error {
	const rate = 48000
	pcm := make([]int16, rate)
	if hz != 0 {
		voice, err := ear.NewVoice(hz, 16000)
		if err != nil {
			return err
		}
		third := make([]int16, rate/3)
		voice.Next(third)
		for i := range pcm { // between two samples of the slower rate there is a straight line: the note stays pure enough
			at, next := third[i/3], third[(i/3+1)%len(third)]
			pcm[i] = at + int16(int(next-at)*(i%3)/3)
		}
	}
	head := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\xbb\x00\x00\x00\x77\x01\x00\x02\x00\x10\x00data\x00\x00\x00\x00")
	binary.LittleEndian.PutUint32(head[4:], uint32(len(head)-8+2*len(pcm)))
	binary.LittleEndian.PutUint32(head[len(head)-4:], uint32(2*len(pcm)))
	file, err := binary.Append(head, binary.LittleEndian, pcm)
	if err != nil {
		return err
	}
	return os.WriteFile(path, file, 0o644)
}
