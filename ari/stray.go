package ari

import (
	"context"
	"errors"
	"net/http"
)

// A command whose answer never came may have been carried out all the same,
// and late. What it made would be nobody's: it is ended by the ID we chose.

// clear hangs up a channel that a failed Create may have made.
func (l *Link) clear(id string, err error) {
	var fault *Error
	if errors.As(err, &fault) && fault.Unavailable() && !fault.Unreachable() {
		l.hangUpStray(id)
	}
}

// hangUpStray ends a leg of ours that belongs to no call.
func (l *Link) hangUpStray(id string) {
	l.background(func(ctx context.Context) {
		err := l.do(ctx, request{op: opHangup, target: id, method: http.MethodDelete, path: []string{"channels", id}}, nil)
		if err != nil && !notFound(err) {
			l.log.Warn("a leg that belongs to no call is left in Asterisk", "channel_id", id, "err", err)
		}
	})
}
