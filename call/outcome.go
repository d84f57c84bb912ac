package call

import (
	"context"
	"errors"
	"slices"

	"hotline/ari"
)

// conclude gives the call its one result and one reason. What the caller got
// counts before how the script ended: whoever talked was served, even where
// the farewell broke.
func (c *call) conclude(stage string, err error) Outcome {
	switch {
	case stage == stageEnd: // decided by an earlier process
		return c.outcome
	case c.cutOff(err) && c.left == nil && slices.Contains(unserved, stage):
		return Outcome{Lost, stage}
	case c.served:
		return Outcome{Served, "talked"}
	case errors.Is(err, errNotKept):
		return Outcome{Failed, failure(err)}
	case c.left != nil:
		return Outcome{Messaged, c.left.Reason}
	case err != nil && !callerGone(err):
		return Outcome{Failed, failure(err)}
	case c.outcome != (Outcome{}):
		return c.outcome
	case c.informed && stage == "menu":
		return Outcome{Informed, "menu"}
	default:
		return Outcome{Abandoned, stage}
	}
}

// unserved are the stages in which a caller still wants something from us.
var unserved = []string{stageRing, stageGreet, stageMenu, stageWait, stageTalk, stageHold, stageRedial, stageReturned, stageMessage}

// cutOff says whether the script ended though neither the caller nor we ended
// it: the caller was found gone, or Asterisk let go of the caller.
func (c *call) cutOff(err error) bool {
	var gone *ari.GoneError
	if !errors.As(err, &gone) {
		return false
	}
	return gone.Lost || c.callerEnding().Who == AsteriskParty
}

// callerGone says whether the script ended because the caller is not there
// any more: an expected end, and not an error.
func callerGone(err error) bool {
	var gone *ari.GoneError
	return errors.As(err, &gone)
}

// failure names what broke, for the reports.
func failure(err error) string {
	var fault *ari.Error
	switch {
	case errors.Is(err, errNotKept):
		return "message-not-kept"
	case errors.As(err, &fault) && fault.Unavailable():
		return "asterisk-unavailable"
	case errors.As(err, &fault):
		return "asterisk-refused"
	case errors.Is(err, context.DeadlineExceeded):
		return "too-slow"
	default:
		return "internal"
	}
}
