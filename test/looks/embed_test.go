package looks

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"hotline/test/browser"
)

// site is a company's own page, on an address of its own, with the one script tag in it.
const site = `<!doctype html><title>us</title><h1>Us</h1><div id="here"></div><p>the end</p>
<script src="%s/embed.js" data-place="#here" data-language="en" data-height="500" async></script>
<script src="%[1]s/embed.js"></script>`

// asked is what browsers have asked the service for.
type asked struct {
	sync.Mutex
	of http.Handler
	n  map[string]int
}

func (a *asked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.Lock()
	a.n[r.Method+" "+r.URL.Path]++
	a.Unlock()
	a.of.ServeHTTP(w, r)
}

func (a *asked) times(what string) int {
	a.Lock()
	defer a.Unlock()
	return a.n[what]
}

// A script tag puts the page that customers call from into a page of another site, where it may use the microphone and
// calls; a site that is not named gets nothing of it.
func TestEmbedding(t *testing.T) {
	theatre, _ := opens(t, time.Now)
	service := &asked{of: theatre, n: map[string]int{}}
	hotline := httptest.NewServer(service)
	t.Cleanup(func() { hotline.CloseClientConnections(); hotline.Close() })
	company := func() *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintf(w, site, hotline.URL) }))
		t.Cleanup(s.Close)
		return s
	}
	named, other := company(), company()
	theatre.Embed = []string{named.URL}
	begin := func() {
		client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		begun, err := client.Get(hotline.URL + Begins("visitors", "/call", "", false))
		if err != nil {
			t.Fatal(err)
		}
		_ = begun.Body.Close()
	}
	begin()
	customer := browser.Start(t, browser.Options{Name: "a customer", Voice: 350})

	tab := customer.Open(named.URL)
	tab.See("#here iframe")
	var is struct {
		Title, Allow  string
		Width, Height int
		Last          bool // the second script's frame stands where the script does
	}
	tab.Evaluate(`(({ title, allow, width, height }) => ({ title, allow, width: +width, height: +height, last: document.body.lastElementChild.tagName === 'IFRAME' }))(document.querySelector('#here iframe'))`, &is)
	if is.Title != "Call us" || is.Allow != "microphone; autoplay" || is.Width != 320 || is.Height != 500 || !is.Last {
		t.Errorf("the frame is %+v", is)
	}
	tab.ClickIn("#here iframe", "button.start")
	tab.SeeIn("#here iframe", "button.end")
	tab.SeeIn("#here iframe", ".time")
	if n := service.times("POST /api/v1/call/ticket"); n != 1 {
		t.Errorf("a customer who calls once has asked for %d tickets", n)
	}
	tab.ClickIn("#here iframe", "button.end")
	tab.SeeIn("#here iframe", "button.start")
	tab.Close()

	const first = "GET /played.js" // what the page loads before anything else, each time anew
	before := service.times(first)
	tab = customer.Open(other.URL)
	tab.See("#here iframe") // the script is anybody's, once there is a site to use it
	tab.Until(`document.readyState === 'complete'`)
	if n := service.times(first); n != before || n == 0 {
		t.Errorf("the page was loaded %d times until then, and %d times with a site that is not named", before, n)
	}
	tab.Close()

	theatre.Embed = nil
	begin()
	customer.Close()
	tab = browser.Start(t, browser.Options{Name: "another customer"}).Open(other.URL)
	tab.Until(`document.readyState === 'complete'`)
	defer tab.Close()
	var frames int
	if tab.Evaluate(`document.querySelectorAll('iframe').length`, &frames); frames != 0 {
		t.Errorf("where no site is named, the script puts %d frames into one", frames)
	}
}
