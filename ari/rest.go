package ari

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Error is a request that did not succeed. Match it with errors.As.
type Error struct {
	Op      string // the verb: "play", "dial"
	Target  string // the channel, bridge, playback or recording; never an endpoint, which may have a number in it
	Status  int    // HTTP status; 0 when there was no answer
	Message string // Asterisk's own words, or ours when it gave none
	Err     error  // cause, when there was no answer
}

func (e *Error) Error() string {
	s := "ari: " + e.Op + " " + e.Target
	if e.Status != 0 {
		s += ": " + strconv.Itoa(e.Status)
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// NotFound says that the target does not exist (any more). Asterisk says so
// with 404, except when a bridge is to take a channel that is gone (400) and
// when a subscription names one (422).
func (e *Error) NotFound() bool {
	switch e.Status {
	case http.StatusNotFound:
		return true
	case http.StatusBadRequest:
		return e.Message == "Channel not found"
	case http.StatusUnprocessableEntity:
		return e.Op == opSubscribe
	}
	return false
}

// Conflict says that the target is not in a state that allows the verb, that
// it is not in Stasis, or that its ID is taken. For a bridge's ID Asterisk says so
// with 500.
func (e *Error) Conflict() bool {
	return e.Status == http.StatusConflict ||
		e.Op == opBridge && e.Status == http.StatusInternalServerError && strings.Contains(e.Message, "duplicate")
}

// taken says that what was to be made is there already, under the ID that we
// chose: an earlier attempt was carried out after all.
func (e *Error) taken() bool {
	return e.Conflict() && (strings.Contains(e.Message, "already exists") || strings.Contains(e.Message, "duplicate"))
}

// Unreachable says that the phone has no registered contact. Asterisk answers
// the create with 500 "Allocation failed" then: no fault of the server, and
// repeating it is of no use.
func (e *Error) Unreachable() bool {
	return e.Op == opCreate && e.Status == http.StatusInternalServerError && e.Message == "Allocation failed"
}

// Unavailable says that Asterisk itself could not be asked: no connection, no
// answer in time, or an error of the server. The command may still be carried
// out later.
func (e *Error) Unavailable() bool {
	if e.Unreachable() || e.Conflict() || errors.Is(e.Err, ErrReplaced) || errors.Is(e.Err, context.Canceled) {
		return false
	}
	return e.Status == 0 || e.Status >= 500
}

// notFound and friends look through wrapping.
func notFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.NotFound()
}

func taken(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.taken()
}

// verbs, as they appear in errors and in the label "op" of the metrics.
const (
	opAddLegs      = "add"
	opAnswer       = "answer"
	opApplication  = "application"
	opBridge       = "bridge"
	opBridgePlay   = "bridge play"
	opBridges      = "bridges"
	opChannel      = "channel"
	opChannels     = "channels"
	opContinue     = "continue"
	opCreate       = "create"
	opDestroy      = "destroy"
	opDial         = "dial"
	opFilter       = "event filter"
	opGetVar       = "get variable"
	opHangup       = "hangup"
	opKeys         = "keys"
	opMute         = "mute"
	opOriginate    = "originate"
	opPlay         = "play"
	opPlayback     = "playback"
	opRecord       = "record"
	opRecording    = "recording"
	opRemoveLegs   = "remove"
	opRing         = "ring"
	opSetVar       = "set variable"
	opSetVars      = "set variables"
	opSnoop        = "snoop"
	opStopPlayback = "stop playback"
	opStopRecord   = "stop recording"
	opSubscribe    = "subscribe"
	opUnmute       = "unmute"
)

// request is one REST request. Parameters go into the JSON body wherever
// Asterisk takes them there: a query is limited to about 100 values.
type request struct {
	op, target string
	method     string
	path       []string // segments below the root, escaped by do
	query      url.Values
	body       any
	// again: a command that does no harm when it is carried out twice.
	again bool
	// done asks whether a command without an answer has been carried out, where
	// a second time would be heard; nil: it need not be asked.
	done func(context.Context) (bool, error)
}

// do sends r and decodes the answer into out unless that is nil. It gives up
// after RequestTimeout. What may be repeated is tried once more, within another
// RequestTimeout: reads that got no answer, and commands that got none or an
// error of the server.
func (l *Link) do(ctx context.Context, r request, out any) error {
	err := l.once(ctx, r, out)
	if !r.repeatable(err) || ctx.Err() != nil {
		return err
	}
	l.met.repeats.WithLabelValues(r.op).Inc()
	ctx, cancel := context.WithTimeoutCause(ctx, l.o.RequestTimeout, errNoAnswer)
	defer cancel()
	if r.done != nil {
		switch done, unknown := r.done(ctx); {
		case unknown != nil:
			return err
		case done:
			return nil
		}
	}
	return l.once(ctx, r, out)
}

func (r *request) repeatable(err error) bool {
	var e *Error
	switch {
	case !errors.As(err, &e):
		return false
	case r.method == http.MethodGet:
		return e.Status == 0
	}
	return r.again && e.Unavailable()
}

func (l *Link) once(ctx context.Context, r request, out any) error {
	if r.method != http.MethodGet && l.Status().Replaced {
		return &Error{Op: r.op, Target: r.target, Err: ErrReplaced}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.o.RequestTimeout, errNoAnswer)
	defer cancel()
	began := time.Now()
	status, err := l.exchange(ctx, r, out)
	l.met.request(r.op, status, time.Since(began), err)
	return err
}

func (l *Link) exchange(ctx context.Context, r request, out any) (int, error) {
	fail := func(status int, message string, err error) (int, error) {
		if cause := context.Cause(ctx); cause != nil && status == 0 {
			err = cause
		}
		return status, &Error{Op: r.op, Target: r.target, Status: status, Message: message, Err: err}
	}
	req, err := l.newRequest(ctx, r)
	if err != nil {
		return fail(0, "the request cannot be built", err)
	}
	res, err := l.http.Do(req)
	if err != nil {
		return fail(0, "no answer from Asterisk", err)
	}
	defer res.Body.Close()
	body := &answer{Reader: io.LimitReader(res.Body, 64<<20)}
	if res.StatusCode >= 300 {
		data, _ := io.ReadAll(body)
		return fail(res.StatusCode, messageOf(res, data), nil)
	}
	switch err := body.into(out); {
	case body.broke != nil:
		return fail(0, "the answer broke off", body.broke)
	case err != nil:
		return fail(res.StatusCode, "the answer is not what was expected", err)
	}
	return res.StatusCode, nil
}

// answer is the body of an answer, which may break off.
type answer struct {
	io.Reader
	broke error
}

func (a *answer) Read(p []byte) (int, error) {
	n, err := a.Reader.Read(p)
	if err != nil && err != io.EOF {
		a.broke = err
	}
	return n, err
}

// into decodes the answer into out. What nobody wants is not kept: a subscription is answered with the names of all
// channels, of which there may be thousands.
func (a *answer) into(out any) error {
	if out == nil {
		_, err := io.Copy(io.Discard, a)
		return err
	}
	if long, ok := out.(interface{ readFrom(io.Reader) error }); ok {
		return long.readFrom(a)
	}
	data, err := io.ReadAll(a)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, out)
}

func (l *Link) newRequest(ctx context.Context, r request) (*http.Request, error) {
	u := l.base.JoinPath(escape(r.path)...)
	u.RawQuery = r.query.Encode()
	var body io.Reader
	if r.body != nil {
		data, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.SetBasicAuth(l.o.Username, l.o.Password)
	return req, nil
}

func escape(segments []string) []string {
	out := make([]string, len(segments))
	for i, s := range segments {
		out[i] = url.PathEscape(s)
	}
	return out
}

// messageOf is what Asterisk says in {"message": …} (or {"error": …}).
func messageOf(res *http.Response, data []byte) string {
	var said struct{ Message, Error string }
	if json.Unmarshal(data, &said) == nil && said.Message != "" {
		return said.Message
	}
	if said.Error != "" {
		return said.Error
	}
	return http.StatusText(res.StatusCode)
}

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
