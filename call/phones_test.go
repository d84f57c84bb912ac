package call_test

import (
	"testing"

	"hotline/ari/aritest"
	"hotline/queue"
)

// A ready agent whose phone has gone is unreachable before anybody is offered to them, and ready again with the phone. One
// who talks, and one whose phone is there, are left alone.
func TestAReadyAgentWhosePhoneIsGone(t *testing.T) {
	t.Parallel()
	s := newSet(t)
	s.asterisk.Phone("PJSIP/1001", aritest.Phone{Does: aritest.Unreachable})
	s.asterisk.Phone("PJSIP/1002", aritest.Phone{Does: aritest.Unreachable})
	s.is("1002", queue.StateUnreachable)
	s.is("1001", queue.StateTalking)
	s.is("1003", queue.StateReady)
	if v, _ := s.queue.Agent("1002"); v.Reason != "phone gone" {
		t.Errorf("agent 1002 is unreachable because of %q, want the phone that is gone", v.Reason)
	}
	s.asterisk.Phone("PJSIP/1002", answers)
	s.is("1002", queue.StateReady)
	s.ends()
}
