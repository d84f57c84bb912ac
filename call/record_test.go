package call

import (
	"strings"
	"testing"

	"hotline/journal"
)

func TestTheJournalKeepsNoDigitsOfTheCallersNumber(t *testing.T) {
	for said, want := range map[string]string{
		"message.number.readback digit.yao digit.3 pause.100 digit.8 message.number.confirm": "message.number.readback digit.… message.number.confirm",
		"message.number.readback message.number.confirm digit.1":                             "message.number.readback message.number.confirm digit.1",
		"agent.before digit.7 digit.8 digit.9 agent.after":                                   "agent.before digit.7 digit.8 digit.9 agent.after",
		"": "",
	} {
		if got := strings.Join(private(strings.Fields(said)), " "); got != want {
			t.Errorf("%q is kept as %q, want %q", said, got, want)
		}
	}
}

func TestASummaryMasksTheNumberToCallBack(t *testing.T) {
	entry := journal.NewEntry(KindMessage, LeftMessage{Number: "13800138000", Reason: "closed"}, Stream("c1"))
	if got := (Summary{}).Fold(entry).Message; got == nil || got.Number != "138****8000" {
		t.Errorf("the summary's message is %+v", got)
	}
}
