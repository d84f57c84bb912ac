package call

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hotline/journal"
)

// noon is when the stories of these tests begin.
var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// at is so many seconds after noon.
func at(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }

// story is a journal written by hand.
type story []journal.Entry

func (s *story) tell(seconds float64, stream, kind string, data any) {
	e := journal.NewEntry(kind, data, stream)
	e.At, e.Seq = at(seconds), int64(len(*s)+1)
	*s = append(*s, e)
}

// arrives is a caller whose channel is the call's ID with a dot.
func (s *story) arrives(seconds float64, call, number string) {
	s.tell(seconds, Stream(call), KindArrived, Arrived{Number: number, Dialled: "96196", Channel: "channel." + call, At: at(seconds)})
}

func (s *story) reaches(seconds float64, call, stage string) {
	s.tell(seconds, Stream(call), KindStage, Reached{Stage: stage})
}

func (s *story) ends(seconds float64, call, result, reason string, legs ...Ending) {
	s.tell(seconds, Stream(call), KindEnded, Ended{Outcome: Outcome{result, reason}, Legs: legs})
}

func (s *story) inNet(told float64, channel, number, end string, entered, left float64) {
	s.tell(told, NetStream, KindNetCaller, NetCaller{Number: number, Channel: channel, End: end, Entered: at(entered), Left: at(left)})
}

func (s story) fold() (o Outages) {
	for _, e := range s {
		o = o.Fold(e)
	}
	return o
}

func TestCallsThatAnOutageCutOff(t *testing.T) {
	vanished := Ending{Leg: "caller", Who: NobodyKnown, How: Vanished, Facts: Facts{Lost: true}}
	stopped := Ending{Leg: "caller", Who: AsteriskParty, How: Command}
	pressed := Ending{Leg: "caller", Who: CallerParty, How: Pressed}
	agentGone := Ending{Leg: "agent 1001", Who: NobodyKnown, How: Vanished, Facts: Facts{Lost: true}}
	const number = "13800000001"
	for name, tt := range map[string]struct {
		tell func(*story)
		want []OutageCall
	}{
		"an ordinary day": {tell: func(s *story) {
			s.arrives(0, "a", number)
			s.reaches(5, "a", "wait")
			s.reaches(30, "a", "talk")
			s.ends(60, "a", Served, "talked", pressed, agentGone)
			s.arrives(61, "b", "13800000002")
			s.ends(66, "b", Abandoned, "menu", pressed)
			s.arrives(70, "c", "13800000003")
			s.ends(75, "c", TurnedAway, "closed", pressed)
			s.arrives(80, "d", "13800000004")
			s.ends(82, "d", Abandoned, "ring", pressed)
			s.inNet(90, "channel.d", "13800000004", NetUnanswered, 80, 82)
			s.inNet(90, "channel.a", number, NetGiven, 0, 60)
		}},
		"lost while the service was dead, noticed an hour later": {
			tell: func(s *story) {
				s.arrives(0, "a", number)
				s.reaches(5, "a", "menu")
				s.reaches(10, "a", "wait")
				s.reaches(40, "a", "talk")
				s.arrives(95, "b", "13800000002")
				s.reaches(100, "b", "wait")
				s.tell(3600, ServiceStream, KindServiceStarted, ServiceStarted{Epoch: 2, LastSeen: at(100)})
				s.ends(3601, "a", Lost, "hold")
				s.ends(3601, "b", Lost, "wait")
				s.tell(3602, ServiceStream, KindServiceConnected, ServiceConnected{Away: 3})
			},
			want: []OutageCall{
				{Call: "b", At: at(95), Number: "13800000002", Stage: "wait", How: Lost},
				{Call: "a", At: at(0), Number: number, Stage: "hold", How: Lost, Waited: 30, Talked: 60},
			},
		},
		"lost with Asterisk, which is back ten minutes later": {
			tell: func(s *story) {
				s.tell(0, ServiceStream, KindServiceStarted, ServiceStarted{Epoch: 2, LastSeen: at(-3600)})
				s.arrives(1, "a", number)
				s.reaches(10, "a", "talk")
				s.tell(660, ServiceStream, KindServiceConnected, ServiceConnected{Away: 600})
				s.ends(661, "a", Lost, "talk")
			},
			want: []OutageCall{{Call: "a", At: at(1), Number: number, Stage: "talk", How: Lost, Talked: 50}},
		},
		"lost back in line": {
			tell: func(s *story) {
				s.arrives(0, "a", "")
				s.reaches(10, "a", "wait")
				s.reaches(20, "a", "talk")
				s.reaches(50, "a", "wait")
				s.ends(60, "a", Lost, "wait")
			},
			want: []OutageCall{{Call: "a", At: at(0), Stage: "wait", How: Lost, Waited: 20, Talked: 30}},
		},
		"failed": {
			tell: func(s *story) {
				s.arrives(0, "a", number)
				s.reaches(5, "a", "menu")
				s.reaches(7, "a", "end")
				s.ends(8, "a", Failed, "asterisk-unavailable", pressed)
			},
			want: []OutageCall{{Call: "a", At: at(0), Number: number, Stage: "menu", How: Failed, Why: "asterisk-unavailable"}},
		},
		"Asterisk died or was stopped, whatever the call counts as": {
			tell: func(s *story) {
				s.arrives(0, "a", number)
				s.reaches(5, "a", "talk")
				s.ends(9, "a", Served, "talked", vanished, agentGone)
				s.arrives(1, "b", "13800000002")
				s.reaches(6, "b", "wait")
				s.ends(9, "b", Abandoned, "wait", stopped)
				s.arrives(2, "c", "13800000003")
				s.reaches(7, "c", "rate") // has been served
				s.ends(9, "c", Served, "talked", vanished)
				s.arrives(3, "d", "13800000004")
				s.reaches(7, "d", "turned-away") // was told so
				s.ends(9, "d", TurnedAway, "closed", stopped)
				s.arrives(4, "e", "13800000005")
				s.reaches(7, "e", "message")
				s.tell(8, Stream("e"), KindMessage, LeftMessage{})
				s.ends(9, "e", Messaged, "closed", stopped)
			},
			want: []OutageCall{
				{Call: "b", At: at(1), Number: "13800000002", Stage: "wait", How: Lost, Waited: 3},
				{Call: "a", At: at(0), Number: number, Stage: "talk", How: Lost, Talked: 4},
			},
		},
		"in the net, told twice by a service that was killed": {
			tell: func(s *story) {
				s.inNet(90, "channel.1", number, NetHungUp, 10, 40)
				s.inNet(90, "channel.2", "13800000002", NetTurnedAway, 20, 80)
				s.inNet(90, "channel.3", "13800000003", NetServed, 30, 80)
				s.inNet(95, "channel.1", number, NetHungUp, 10, 40)
				s.inNet(95, "channel.4", "", NetUnanswered, 91, 94)
				s.inNet(95, "channel.5", "13800000005", NetGiven, 92, 94)
			},
			want: []OutageCall{
				{Call: "channel.5", At: at(92), Number: "13800000005", Stage: "net", How: NetHungUp, Waited: 2},
				{Call: "channel.4", At: at(91), Stage: "ring", How: NetHungUp, Waited: 3},
				{Call: "channel.2", At: at(20), Number: "13800000002", Stage: "net", How: NetTurnedAway, Waited: 60},
				{Call: "channel.1", At: at(10), Number: number, Stage: "net", How: NetHungUp, Waited: 30},
			},
		},
		"let go of by the service": {
			tell: func(s *story) {
				s.arrives(0, "a", number)
				s.ends(5, "a", Abandoned, "menu")
				s.inNet(90, "channel.a", number, NetHungUp, 5, 40)
			},
			want: []OutageCall{{Call: "a", At: at(5), Number: number, Stage: "net", How: NetHungUp, Waited: 35}},
		},
		"failed, then in the net: called back once": {
			tell: func(s *story) {
				s.inNet(90, "channel.a", number, NetHungUp, 5, 40)
				s.arrives(0, "a", number)
				s.ends(95, "a", Failed, "asterisk-refused")
			},
			want: []OutageCall{{Call: "a", At: at(0), Number: number, Stage: "ring", How: Failed, Why: "asterisk-refused"}},
		},
		"rang again and was served": {
			tell: func(s *story) {
				s.inNet(90, "channel.1", number, NetHungUp, 10, 40)
				s.arrives(100, "a", number)
				s.ends(110, "a", Served, "talked", pressed)
				s.arrives(120, "b", number)
				s.ends(130, "b", Abandoned, "menu", pressed)
			},
			want: []OutageCall{{Call: "channel.1", At: at(10), Number: number, Stage: "net", How: NetHungUp, Waited: 30, Since: SinceServed}},
		},
		"served in the net, after being cut off": {
			tell: func(s *story) {
				s.arrives(0, "a", number)
				s.ends(90, "a", Lost, "ring")
				s.inNet(90, "channel.1", number, NetServed, 10, 40)
			},
			want: []OutageCall{{Call: "a", At: at(0), Number: number, Stage: "ring", How: Lost, Since: SinceServed}},
		},
		"left a message later": {
			tell: func(s *story) {
				s.inNet(90, "channel.1", number, NetHungUp, 10, 40)
				s.arrives(100, "a", number)
				s.tell(105, Stream("a"), KindMessage, LeftMessage{Number: number})
				s.ends(110, "a", Messaged, "closed", pressed)
			},
			want: []OutageCall{{Call: "channel.1", At: at(10), Number: number, Stage: "net", How: NetHungUp, Waited: 30, Since: SinceMessage}},
		},
		"rings again this very moment": {
			tell: func(s *story) {
				s.inNet(90, "channel.1", number, NetHungUp, 10, 40)
				s.arrives(100, "a", number)
			},
			want: []OutageCall{{Call: "channel.1", At: at(10), Number: number, Stage: "net", How: NetHungUp, Waited: 30, Since: SinceRang}},
		},
		"served before, and somebody else after": {
			tell: func(s *story) {
				s.arrives(0, "a", number)
				s.ends(5, "a", Served, "talked", pressed)
				s.inNet(90, "channel.1", number, NetHungUp, 10, 40)
				s.inNet(90, "channel.2", "", NetHungUp, 10, 40)
				s.arrives(100, "b", "13800000002")
				s.ends(105, "b", Served, "talked", pressed)
				s.arrives(106, "c", "")
				s.ends(107, "c", Served, "talked", pressed)
			},
			want: []OutageCall{
				{Call: "channel.2", At: at(10), Stage: "net", How: NetHungUp, Waited: 30},
				{Call: "channel.1", At: at(10), Number: number, Stage: "net", How: NetHungUp, Waited: 30},
			},
		},
		"what nobody can read": {tell: func(s *story) {
			s.tell(0, NetStream, KindNetCaller, "no caller")
			s.tell(0, Stream("a"), KindEnded, []int{1})
			s.tell(0, "elsewhere", KindEnded, Ended{Outcome: Outcome{Lost, "ring"}})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var s story
			tt.tell(&s)
			list := s.fold().Calls(noon)
			if diff := cmp.Diff(tt.want, list); diff != "" {
				t.Errorf("to be called back (-want +got):\n%s", diff)
			}
			for _, one := range list {
				if one.How != Lost && one.How != Failed {
					continue
				}
				if !slices.ContainsFunc(s, func(e journal.Entry) bool { return slices.Contains(e.Streams, Stream(one.Call)) && CutOff(e) }) {
					t.Errorf("no entry says that call %s was cut off", one.Call)
				}
			}
		})
	}
}

// What counts is when the journal knew: whoever called while the service was away is told when it is back.
func TestCallersOfALongOutageAreKnownWhenItIsOver(t *testing.T) {
	var s story
	s.inNet(-7200, "channel.1", "13800000001", NetHungUp, -8000, -7900)
	s.inNet(3600, "channel.2", "13800000002", NetHungUp, -7000, -6900)
	got := s.fold().Calls(noon)
	if len(got) != 1 || got[0].Call != "channel.2" {
		t.Errorf("known since noon are %+v, want the caller of channel.2", got)
	}
}

// A call whose arrival has expired is listed all the same, without the number.
func TestAnOutageCallWithoutItsArrival(t *testing.T) {
	var s story
	s.arrives(0, "a", "13800000001")
	s[0].Data = nil
	s.ends(60, "a", Lost, "talk")
	want := []OutageCall{{Call: "a", At: at(0), Stage: "talk", How: Lost}}
	if diff := cmp.Diff(want, s.fold().Calls(noon)); diff != "" {
		t.Errorf("to be called back (-want +got):\n%s", diff)
	}
}
