package browser

import (
	"time"

	"github.com/chromedp/chromedp"
)

// Acts begins to note when the page's person clicks or presses a key.
func (tab *Tab) Acts() {
	tab.t.Helper()
	tab.do("watches its person", chromedp.Evaluate(`void (() => {
		window.__acted = 0;
		for (const act of ['pointerdown', 'keydown']) addEventListener(act, (event) => { window.__acted = event.timeStamp; }, true);
	})()`, nil))
}

// Acted is when they last did so, by the page's clock and by this machine's: the moment itself, whatever it took to ask
// for it.
func (tab *Tab) Acted() (page time.Duration, machine time.Time) {
	tab.t.Helper()
	var ms [2]float64
	asked := time.Now()
	tab.do("says when its person acted", chromedp.Evaluate(`[window.__acted, performance.now()]`, &ms))
	now := asked.Add(time.Since(asked) / 2)
	since := time.Duration((ms[1] - ms[0]) * float64(time.Millisecond))
	return time.Duration(ms[0] * float64(time.Millisecond)), now.Add(-since)
}
