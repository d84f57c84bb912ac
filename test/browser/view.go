package browser

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// View is how a page is looked at.
type View struct {
	Width, Height int    // of the screen, in CSS pixels
	Phone         bool   // … of a telephone, whose bars for scrolling lie over the page
	Dark          bool   // its person likes dark pages
	Still         bool   // … and nothing that moves
	Paper         bool   // … printed
	Zone          string // the time zone: "Asia/Shanghai"; "": the machine's
}

// Look has the page be looked at otherwise, from now on.
func (tab *Tab) Look(v View) {
	tab.t.Helper()
	scheme, motion := "light", "no-preference"
	if v.Dark {
		scheme = "dark"
	}
	if v.Still {
		motion = "reduce"
	}
	medium := ""
	if v.Paper {
		medium = "print"
	}
	actions := []chromedp.Action{
		emulation.SetDeviceMetricsOverride(int64(v.Width), int64(v.Height), 1, v.Phone),
		emulation.SetEmulatedMedia().WithMedia(medium).WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: motion}}),
	}
	if v.Zone != "" {
		actions = append(actions, emulation.SetTimezoneOverride(v.Zone))
	}
	tab.do(fmt.Sprintf("looks at %d × %d", v.Width, v.Height), actions...)
}

// Go leads the tab to another address.
func (tab *Tab) Go(url string) {
	tab.t.Helper()
	tab.do("goes to "+url, chromedp.Navigate(url))
}

// Evaluate runs JavaScript in the page, waits for its promise if it is one, and puts what it comes to in into.
func (tab *Tab) Evaluate(expression string, into any) {
	tab.t.Helper()
	var raw json.RawMessage
	tab.do("evaluates", chromedp.Evaluate(expression, &raw, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	if into == nil {
		return
	}
	if err := json.Unmarshal(raw, into); err != nil {
		tab.t.Fatalf("%s: %.200s comes to %.200s, which is no %T: %v", tab.o.Name, expression, raw, into, err)
	}
}

// Picture is what the screen shows as a PNG; whole: what scrolling would show, too.
func (tab *Tab) Picture(whole bool) (picture []byte) {
	tab.t.Helper()
	tab.do("takes a picture", chromedp.ActionFunc(func(ctx context.Context) (err error) {
		if err := page.BringToFront().Do(ctx); err != nil { // what nobody looks at is not drawn
			return err
		}
		shot := page.CaptureScreenshot().WithFormat(page.CaptureScreenshotFormatPng)
		if whole {
			_, _, _, _, _, content, err := page.GetLayoutMetrics().Do(ctx)
			if err != nil {
				return err
			}
			shot = shot.WithCaptureBeyondViewport(true).WithClip(&page.Viewport{Width: content.Width, Height: content.Height, Scale: 1})
		}
		picture, err = shot.Do(cdp.WithExecutor(ctx, chromedp.FromContext(ctx).Target))
		return err
	}))
	return picture
}

// SeeIn waits until what a selector finds can be seen in a frame of the page.
func (tab *Tab) SeeIn(frame, selector string) {
	tab.t.Helper()
	tab.in(frame, "looks for "+selector, func(inside chromedp.QueryOption) chromedp.Action {
		return chromedp.WaitVisible(selector, chromedp.ByQuery, inside)
	})
}

// ClickIn clicks what a selector finds in a frame of the page.
func (tab *Tab) ClickIn(frame, selector string) {
	tab.t.Helper()
	tab.in(frame, "clicks "+selector, func(inside chromedp.QueryOption) chromedp.Action {
		return chromedp.Click(selector, chromedp.ByQuery, chromedp.NodeVisible, inside)
	})
}

func (tab *Tab) in(frame, what string, does func(inside chromedp.QueryOption) chromedp.Action) {
	tab.t.Helper()
	tab.do("in "+frame+" "+what, chromedp.ActionFunc(func(ctx context.Context) error {
		var found []*cdp.Node
		if err := chromedp.Nodes(frame, &found, chromedp.ByQuery).Do(ctx); err != nil {
			return err
		}
		return does(chromedp.FromNode(found[0])).Do(ctx)
	}))
}
