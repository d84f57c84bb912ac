package looks

import (
	"net/http/httptest"
	"testing"
	"time"

	"hotline/test/browser"
)

// A wrap-up that comes to its end closes the call with the code that was picked, and asks for that once, though the desk
// shows the wrap-up still.
func TestAWrapUpThatComesToItsEnd(t *testing.T) {
	theatre, _ := opens(t, func() time.Time { return afternoon })
	service := &asked{of: theatre, n: map[string]int{}}
	hotline := httptest.NewServer(service)
	t.Cleanup(func() { hotline.CloseClientConnections(); hotline.Close() })
	tab := browser.Start(t, browser.Options{Name: "the agent", Voice: 350}).Open(hotline.URL + Begins("wrap-up", "/desk", "zh-CN", true))
	defer tab.Close()
	tab.ClickText("button", "已解决")
	tab.Until(`__settled()`)
	closes := func() int { return service.times("POST /api/v1/desk/wrap-up") }
	if n := closes(); n != 0 {
		t.Fatalf("the call was closed %d times before the end", n)
	}
	tab.Evaluate(`__later(25_500)`, nil)
	tab.Evaluate(`new Promise((after) => setTimeout(after, 2000))`, nil) // in which it could be asked for again and again
	if n := closes(); n != 1 {
		t.Errorf("the call was closed %d times, want once", n)
	}
}
