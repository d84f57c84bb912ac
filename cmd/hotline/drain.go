package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"hotline/configs"
)

// The causes with which a service leaves that was asked to drain: its calls
// have ended, or have not within the time they were given.
var (
	errDrained   = errors.New("the calls have ended")
	errDrainTime = errors.New("the time to drain is over")
)

// drainable is what can be drained: the calls.
type drainable interface {
	Drain(ctx context.Context) error // takes no new callers, and returns when no call is left, or with ctx's cause
	Live() int                       // calls there are
}

// drain lets the calls of a service end before it leaves.
type drain struct {
	calls   drainable
	running context.Context         // the service's
	leave   context.CancelCauseFunc // ends it
	away    func() bool             // whether Asterisk is; nil: never

	mu    sync.Mutex
	begun bool
	limit *time.Timer // nil: no limit
}

// begin takes no new callers from now on and ends the service when no call is
// left, at the latest after limit; 0 is no limit. Who asks again gives another
// limit.
func (d *drain) begin(limit time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.limit != nil {
		d.limit.Stop()
		d.limit = nil
	}
	if limit > 0 {
		d.limit = time.AfterFunc(limit, func() { d.leave(errDrainTime) })
	}
	if d.begun {
		return
	}
	d.begun = true
	go func() { // ends with the service at the latest
		if d.calls.Drain(d.running) == nil {
			d.leave(errDrained)
		}
	}()
}

// on says whether the service takes no new callers.
func (d *drain) on() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.begun
}

// progress is a line of what the service tells whoever watches it drain.
type progress struct {
	Left int  `json:"left"`           // calls
	Away bool `json:"away,omitempty"` // Asterisk is: nobody sees them end
	Over bool `json:"over,omitempty"` // the service leaves now; the calls left are Asterisk's
}

// serve begins to drain and tells how many calls are left, as often as every
// says, until the service leaves or nobody watches any more.
func (d *drain) serve(w http.ResponseWriter, r *http.Request, every time.Duration) {
	limit, err := drainLimit(r.FormValue("timeout"))
	if err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
		return
	}
	d.begin(limit)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for now := (progress{}); !now.Over; {
		now = progress{Left: d.calls.Live(), Away: d.away != nil && d.away(), Over: d.running.Err() != nil}
		if json.NewEncoder(w).Encode(now) != nil || http.NewResponseController(w).Flush() != nil {
			return // nobody watches any more
		}
		select {
		case <-tick.C:
		case <-d.running.Done():
		case <-r.Context().Done():
			return
		}
	}
}

func drainLimit(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	limit, err := time.ParseDuration(text)
	if err != nil || limit < 0 {
		return 0, fmt.Errorf("%q is no time to wait: write it as 90s or 5m", text)
	}
	return limit, nil
}

type drainCmd struct {
	Timeout time.Duration `help:"Let the service leave after this long, even if calls are left: Asterisk keeps them. 0 waits for the last."`
}

// Run asks for it and watches. Who stops watching does not stop the draining.
func (d drainCmd) Run(ctx context.Context, cfg *configs.Config) error {
	path := "/drain"
	if d.Timeout != 0 {
		path += "?timeout=" + url.QueryEscape(d.Timeout.String())
	}
	client := controlClient(cfg.ControlSocket())
	defer client.CloseIdleConnections()
	response, err := request(ctx, client, cfg.ControlSocket(), "POST", path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	err = watchDrain(os.Stdout, response.Body)
	if ctx.Err() != nil {
		fmt.Println("the service goes on draining; watch it again with: hotline drain")
		return nil
	}
	return err
}

// watchDrain prints what the service tells, whenever that is something else,
// until it has left.
func watchDrain(w io.Writer, told io.Reader) error {
	var before progress
	lines := bufio.NewScanner(told)
	for lines.Scan() {
		var now progress
		if err := json.Unmarshal(lines.Bytes(), &now); err != nil {
			return fmt.Errorf("the service's answer %q: %w", lines.Text(), err)
		}
		switch {
		case now.Over && now.Left == 0:
			fmt.Fprintln(w, "no call is left; the service has left")
			return nil
		case now.Over:
			fmt.Fprintln(w, "the service has left; calls that Asterisk keeps:", now.Left)
			return nil
		case now.Left > 0 && now != before:
			fmt.Fprintln(w, now)
		}
		before = now
	}
	return errors.Join(errors.New("the service is gone and has not said what became of its calls"), lines.Err())
}

// String is the line for a service that waits for its calls.
func (p progress) String() string {
	if p.Away {
		return fmt.Sprintf("calls left: %d, and Asterisk is away: whether they go on is known when it is back; hotline drain --timeout 1s does not wait for that", p.Left)
	}
	return fmt.Sprintf("calls left: %d", p.Left)
}
