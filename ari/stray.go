package ari

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// A command whose answer never came may have been carried out all the same,
// and late. What it made would be nobody's: it is ended by the ID we chose.

// HangUpStray ends, in the background, a leg of ours that belongs to no call.
// One that is not there is looked for once more after RequestTimeout, for the
// command that makes it may only just be on its way.
func (l *Link) HangUpStray(channelID string) {
	l.endStray(request{op: opHangup, target: channelID, method: http.MethodDelete, path: []string{"channels", channelID}, again: true}, "channel_id")
}

// EndStray hangs up a leg of ours that belongs to no call and returns once
// Asterisk has it no more; otherwise with the cause of ctx's end.
func (l *Link) EndStray(ctx context.Context, channelID string) error {
	for {
		err := l.do(ctx, request{op: opHangup, target: channelID, method: http.MethodDelete, path: []string{"channels", channelID}}, nil)
		switch {
		case notFound(err):
			return nil
		case wait(ctx, strayLook):
		case err != nil:
			return err
		default:
			return context.Cause(ctx)
		}
	}
}

// strayLook is how soon it is looked whether a leg that was hung up is gone.
const strayLook = 20 * time.Millisecond

// DestroyStray does so with a bridge of ours. Its legs stay, in Stasis and
// alone.
func (l *Link) DestroyStray(bridgeID string) {
	l.endStray(request{op: opDestroy, target: bridgeID, method: http.MethodDelete, path: []string{"bridges", bridgeID}, again: true}, "bridge_id")
}

func (l *Link) endStray(r request, key string) {
	l.background(func(ctx context.Context) {
		err := l.do(ctx, r, nil)
		if err != nil && wait(ctx, l.o.RequestTimeout) {
			err = l.do(ctx, r, nil)
		}
		if err != nil && !notFound(err) && ctx.Err() == nil {
			l.log.Warn("what belongs to no call is left in Asterisk", key, r.target, "err", err)
		}
	})
}

// wait is false when ctx ends before the time is over.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// mayExist says whether a command that failed may have made something, or may
// yet.
func mayExist(err error) bool {
	var fault *Error
	return errors.As(err, &fault) && fault.Unavailable()
}
