package looks

import (
	"maps"
	"slices"
	"time"

	"hotline/call/scene"
	"hotline/queue"
	"hotline/web"
	"hotline/web/account"
)

// Scene is what the service knows at a moment, and what is wrong with it. Numbers are masked as the real ones are; nobody
// here has a name.
type Scene struct {
	As string // who is signed in: one of people; "": nobody

	Staff   []queue.AgentView
	Lines   []queue.QueueView
	Callers []queue.CallerView
	Numbers map[string]string // of those callers, by call
	Day     web.Today
	Health  web.Health

	Call   *scene.Desk // what As has at hand
	Left   string      // the call that As has hung up by accident; "": none
	Link   web.Link    // their line
	Done   []web.Served
	Before web.History
	Noted  web.Notes

	Watched map[string]scene.Watching // who listens in to whose talk, by agent

	Visitors   bool // customers may call from a page
	Untested   bool // nobody has tried this browser's microphone
	Unasked    bool // … nor been asked for it
	Away       bool // the service does not answer
	Taken      bool // another tab takes the desk
	LineBreaks bool // sound stops soon after it began
}

// The people, with a password that is no secret.
const (
	anAgent     = "1001"
	aSupervisor = "8001"
	aManager    = "9001"
	password    = "played"
)

var people = []account.Development{
	{Account: account.Account{Name: anAgent, Roles: []account.Role{account.Agent}, Agent: anAgent}, Password: password},
	{Account: account.Account{Name: aSupervisor, Roles: []account.Role{account.Supervisor}, Agent: aSupervisor}, Password: password},
	{Account: account.Account{Name: aManager, Roles: []account.Role{account.DutyManager}, Agent: aManager}, Password: password},
}

var usual = queue.Rules{
	MaxWaiting: 200, MaxWaitTo: queue.LapseMessage, Aging: 15 * time.Minute, Strategy: queue.LongestIdle, RingAtMost: 8,
	WrapUp: 30 * time.Second, WrapUpAtMost: 10 * time.Minute, RingTimeout: 15 * time.Second, ServiceLevel: 20 * time.Second, ServiceTarget: 80,
	DeclinePause: 30 * time.Second, MissesBeforeOut: 2, Unattended: time.Minute, PreferFor: 15 * time.Second,
}

var forms = web.Forms{
	Topics: []web.Topic{
		{ID: "fault", Name: "故障报修", Fields: []string{"地址", "故障现象", "发生时间"}}, {ID: "bill", Name: "账单", Fields: []string{"户号", "账期"}},
		{ID: "complaint", Name: "投诉", Fields: []string{"事由", "诉求"}, Complaint: true}, {ID: "question", Name: "咨询"},
	},
	Codes: []web.Code{{ID: "resolved"}, {ID: "follow-up"}, {ID: "complaint"}, {ID: "visit", Name: "装维上门"}},
}

var targets = web.Targets{
	Queues:    []web.Named{{ID: "service", Name: "人工服务"}, {ID: "repairs", Name: "故障报修"}, {ID: "english", Name: "English desk"}},
	Directory: []web.Named{{ID: "repair-team", Name: "抢修班"}}, Duty: []string{aManager},
}

// theCall is the one that most scenes are about.
const theCall = "20260310-152800-ABCDEF"

// Names are those of the scenes.
func Names() []string { return slices.Sorted(maps.Keys(scenes)) }

var scenes = map[string]func(now time.Time) Scene{
	"signed-out":   func(time.Time) Scene { return Scene{} },
	"visitors":     func(time.Time) Scene { return Scene{Visitors: true} },
	"visitors-off": func(time.Time) Scene { return Scene{} },

	"check": func(now time.Time) Scene {
		s := beginner(now, queue.StateOffline, "")
		s.Untested = true
		return s
	},
	"first": func(now time.Time) Scene { return beginner(now, queue.StatePaused, "lunch") },
	"idle":  func(now time.Time) Scene { return atDesk(now, queue.StateReady, 200*time.Second) },
	"ringing": func(now time.Time) Scene {
		s := inCall(now, scene.State{Scene: scene.Talking}, queue.StateRinging, 8*time.Second)
		rings(s.Call, now.Add(6500*time.Millisecond))
		s.Noted = web.Notes{}
		return s
	},
	"talking": talks,
	"muted": func(now time.Time) Scene {
		return inCall(now, scene.State{Scene: scene.Talking, Muted: true, Monitor: scene.Whispering}, queue.StateTalking, talkedFor)
	},
	"hold": func(now time.Time) Scene {
		return inCall(now, scene.State{Scene: scene.Hold}, queue.StateHold, 57*time.Second)
	},
	"consulting": func(now time.Time) Scene {
		s := inCall(now, scene.State{Scene: scene.Consulting}, queue.StateConsult, 20*time.Second)
		s.Call.Third = &scene.Other{Target: scene.Target{Kind: scene.ToAgent, ID: "1002"}, Name: "客服790", State: scene.ThirdTalking, Since: now.Add(-9 * time.Second)}
		return s
	},
	"not-reached": func(now time.Time) Scene {
		s := talks(now)
		s.Call.Third = &scene.Other{Target: scene.Target{Kind: scene.ToAgent, ID: "1002"}, Name: "客服790", State: scene.ThirdMissed, Why: "no-answer", Since: now.Add(-9 * time.Second)}
		return s
	},
	"three-way": func(now time.Time) Scene {
		s := inCall(now, scene.State{Scene: scene.ThreeWay}, queue.StateTalking, talkedFor)
		s.Call.Third = &scene.Other{Target: scene.Target{Kind: scene.ToDirectory, ID: "repair-team"}, Name: "抢修班", State: scene.ThirdTalking, Since: now.Add(-30 * time.Second)}
		return s
	},
	"wrap-up": func(now time.Time) Scene {
		s := atDesk(now, queue.StateWrapUp, 4*time.Second)
		me := &s.Staff[0]
		me.Call, me.Queue, me.Until = theCall, "service", now.Add(26*time.Second)
		s.Noted, s.Left = noted, theCall
		return s
	},
	"away": func(now time.Time) Scene {
		s := talks(now)
		s.Away = true
		return s
	},
	"taken": func(now time.Time) Scene {
		s := atDesk(now, queue.StateReady, 200*time.Second)
		s.Taken = true
		return s
	},
	"line-breaks": func(now time.Time) Scene {
		s := talks(now)
		s.LineBreaks = true
		return s
	},

	"floor": busy,
	"floor-listening": func(now time.Time) Scene {
		s := busy(now)
		s.Watched = map[string]scene.Watching{"1001": {Agent: aSupervisor, Mode: scene.Listening}}
		return s
	},
	"floor-quiet": func(now time.Time) Scene {
		return Scene{As: aSupervisor, Staff: staff(now, []queue.AgentView{person(now, aSupervisor, "801", "主管", queue.StateReady, time.Hour)}), Health: well, Link: lineUp}
	},
	"wall-quiet": func(now time.Time) Scene {
		return Scene{
			As: aSupervisor, Health: well,
			Staff: staff(now, []queue.AgentView{person(now, anAgent, "789", "客服789", queue.StateReady, time.Minute), person(now, "1005", "793", "客服793", queue.StateReady, time.Minute)}),
			Lines: []queue.QueueView{{ID: "service", Ready: 4, SignedIn: 6, ServiceTarget: 80}},
			Day:   web.Today{Queues: map[string]web.QueueDay{"service": {Arrived: 98, Answered: 96, Abandoned: 2, Within: 91, Unserved: 1}}, Apologies: web.ApologyDay{WorstMsToday: 180, CountToday: 14}},
		}
	},

	"manager": func(now time.Time) Scene { return asManager(atDesk(now, queue.StateReady, 11*time.Minute)) },
	"manager-first": func(now time.Time) Scene {
		s := asManager(atDesk(now, queue.StateOffline, 11*time.Minute))
		s.Untested, s.Unasked = true, true
		return s
	},
	"manager-off": func(now time.Time) Scene { return asManager(atDesk(now, queue.StateOffline, 11*time.Minute)) },
	"manager-ringing": func(now time.Time) Scene {
		s := asManager(inCall(now, scene.State{Scene: scene.Talking}, queue.StateRinging, 3*time.Second))
		rings(s.Call, now.Add(11*time.Second))
		s.Call.Kind = scene.PartThird
		s.Call.Third = &scene.Other{Target: scene.Target{Kind: scene.ToAgent, ID: anAgent}, Name: "客服789", State: scene.ThirdTalking, Since: now.Add(-3 * time.Second)}
		return s
	},
	"manager-talking": func(now time.Time) Scene { return asManager(talks(now)) },
}

var (
	well   = web.Health{Asterisk: "ok", Journal: "ok", Trunk: "ok", Redis: "none", Calls: "taken"}
	lineUp = web.Link{Audio: "ok"}
	noted  = web.Notes{
		Topic: "fault", Text: "昨晚八点起全屋断网，已重启光猫两次，光信号灯红色闪烁。", Fields: map[string]string{"地址": "朝阳区某小区 3 号楼", "故障现象": "光猫红灯"},
	}
)

// person is somebody who serves callers, since when in a state.
func person(now time.Time, id, number, name string, state queue.State, since time.Duration) queue.AgentView {
	return queue.AgentView{Profile: queue.Profile{ID: id, Number: number, Name: name, Queues: []string{"service"}}, State: state, Since: now.Add(-since)}
}

// staff is who is there, me first.
func staff(now time.Time, me []queue.AgentView) []queue.AgentView {
	return append(me,
		person(now, "1002", "790", "客服790", queue.StateReady, time.Minute), person(now, "1003", "791", "客服791", queue.StateTalking, 2*time.Minute),
		person(now, "1004", "792", "客服792", queue.StatePaused, 12*time.Minute), person(now, aManager, "901", "值班经理", queue.StateReady, time.Hour))
}

// atDesk is an agent without a call, who has had some.
func atDesk(now time.Time, state queue.State, since time.Duration) Scene {
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	const day = 24 * time.Hour
	return Scene{
		As: anAgent, Link: lineUp, Health: well,
		Staff: staff(now, []queue.AgentView{person(now, anAgent, "789", "客服789", state, since)}),
		Lines: []queue.QueueView{{ID: "service", Ready: 1, SignedIn: 4, ServiceTarget: 80}, {ID: "repairs", ServiceTarget: 80}},
		Day:   web.Today{Agents: map[string]web.AgentDay{anAgent: {Calls: 17, Talk: 70 * time.Minute}, aManager: {Calls: 3, Talk: 15 * time.Minute}}},
		Done: []web.Served{
			{Call: "d1", At: ago(9 * time.Minute), Number: "186****2210", Queue: "service", TalkMs: 184_000, Code: "resolved"},
			{Call: "d2", At: ago(31 * time.Minute), Number: "010****8800", Queue: "service", TalkMs: 421_000, Code: "follow-up"},
			{Call: "d3", At: ago(52 * time.Minute), Queue: "repairs", TalkMs: 66_000, Code: "complaint"},
			{Call: "d4", At: ago(77 * time.Minute), Number: "139****0042", Queue: "service", TalkMs: 251_000},
		},
		Before: web.History{Number: "138****5678", More: 3, Calls: []web.PastCall{
			{Call: "c1", At: ago(20 * day), Result: "served", Path: "网络报修", Agent: "790", Waited: 21, Rating: 2, Code: "follow-up", Topic: "fault", Notes: "报修后三天无人上门，客户要求今天给答复。已转抢修班。"},
			{Call: "c2", At: ago(34 * day), Result: "served", Path: "账单查询", Agent: "789", Waited: 4, Rating: 5, Code: "resolved", Topic: "bill"},
			{Call: "c3", At: ago(61 * day), Result: "abandoned", Waited: 95},
		}},
	}
}

// beginner is an agent on the first day.
func beginner(now time.Time, state queue.State, reason string) Scene {
	s := atDesk(now, state, 200*time.Second)
	s.Staff[0].Reason = reason
	s.Day, s.Done, s.Before = web.Today{}, nil, web.History{}
	return s
}

const talkedFor = 2*time.Minute + 14*time.Second

// inCall is an agent with a call: as it stands, and since when the agent's state.
func inCall(now time.Time, state scene.State, agent queue.State, since time.Duration) Scene {
	s := atDesk(now, agent, since)
	s.Staff[0].Call, s.Staff[0].Queue = theCall, "service"
	s.Noted = noted
	answered := now.Add(-talkedFor)
	s.Call = &scene.Desk{
		ID: theCall, Kind: scene.PartIn, Scene: state.Row().Shown, Number: "138****5678", Queue: scene.Line{ID: "service", Name: "人工服务"},
		WaitedMs: 72_000, Path: []string{"网络报修"}, Began: now.Add(-4 * time.Minute), Answered: &answered,
		Muted: state.Muted, Monitor: state.Monitor, Acts: state.Acts(),
	}
	if state.Row().Tone {
		s.Call.Hold = scene.HoldAt(now.Add(-since), now)
	}
	return s
}

func talks(now time.Time) Scene {
	return inCall(now, scene.State{Scene: scene.Talking}, queue.StateTalking, talkedFor)
}

// rings has a call be offered, until when.
func rings(c *scene.Desk, ends time.Time) {
	c.Scene, c.RingEnds, c.Answered, c.Acts = scene.Ringing, &ends, nil, []scene.Act{}
}

// asManager has the duty manager be at the desk instead of the agent.
func asManager(s Scene) Scene {
	s.As = aManager
	s.Staff = s.Staff[:len(s.Staff)-1]
	s.Staff[0].Profile = queue.Profile{ID: aManager, Number: "901", Name: "值班经理"}
	return s
}

// busy is a floor in the afternoon of a bad day.
func busy(now time.Time) Scene {
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	s := Scene{As: aSupervisor, Link: lineUp, Health: well, Day: web.Today{Queues: map[string]web.QueueDay{}, Agents: map[string]web.AgentDay{}}}
	s.Health.Degraded = []string{"disk"}
	s.Lines = []queue.QueueView{
		{ID: "service", Waiting: 4, Offered: 0, SignedIn: 8, LongestWait: 134 * time.Second, ServiceTarget: 80},
		{ID: "repairs", Waiting: 1, Offered: 1, SignedIn: 4, Ready: 1, LongestWait: 12 * time.Second, ServiceTarget: 90},
		{ID: "english", SignedIn: 1, Ready: 1, ServiceTarget: 80},
	}
	waits := func(call, number, queueID string, position int, waited time.Duration) {
		s.Callers = append(s.Callers, queue.CallerView{Caller: queue.Caller{ID: call, Queue: queueID, Arrived: ago(waited)}, Position: position, Waited: waited})
		if s.Numbers == nil {
			s.Numbers = map[string]string{}
		}
		s.Numbers[call] = number
	}
	waits("w1", "138****5678", "service", 1, 134*time.Second)
	waits("w2", "186****2210", "service", 2, 81*time.Second)
	waits("w3", "", "service", 3, 40*time.Second)
	waits("w4", "010****8800", "service", 4, 9*time.Second)
	waits("w5", "139****0042", "repairs", 1, 12*time.Second)
	s.Callers[4].OfferedTo, s.Callers[4].AlsoTo = "1011", []string{"1012"}

	add := func(id, number string, state queue.State, since time.Duration, call, queueID string) *queue.AgentView {
		s.Staff = append(s.Staff, person(now, id, number, "客服"+number, state, since))
		s.Day.Agents[id] = web.AgentDay{Calls: 12, Talk: 3100 * time.Second}
		a := &s.Staff[len(s.Staff)-1]
		a.Call, a.Queue = call, queueID
		return a
	}
	add("1001", "789", queue.StateTalking, 134*time.Second, theCall, "service")
	add("1002", "790", queue.StateHold, 71*time.Second, "20260310-152830-BCDEFG", "service")
	add("1003", "791", queue.StateWrapUp, 8*time.Second, "20260310-152840-CDEFGH", "service")
	add("1004", "792", queue.StatePaused, 12*time.Minute, "", "").Reason = "lunch"
	add("1005", "793", queue.StateTalking, 512*time.Second, "20260310-152850-DEFGHI", "service")
	add("1006", "794", queue.StatePaused, 44*time.Minute, "", "").OutOfService = true
	add("1007", "795", queue.StateUnreachable, 3*time.Minute, "", "")
	add("1008", "796", queue.StateTalking, 33*time.Second, "20260310-152900-EFGHIJ", "repairs")
	add("1009", "797", queue.StateConsult, 20*time.Second, "20260310-152910-FGHIJK", "service")
	add("1010", "798", queue.StateTalking, 301*time.Second, "20260310-152920-GHIJKL", "service")
	add("1011", "799", queue.StateRinging, 4*time.Second, "w5", "repairs")
	add("1012", "800", queue.StateRinging, 4*time.Second, "w5", "repairs")
	add("1013", "802", queue.StateReady, 6*time.Minute, "", "").Queues = []string{"repairs", "english"}
	add("1014", "803", queue.StateOffline, 130*time.Minute, "", "")
	add("1015", "804", queue.StateOffline, 900*time.Minute, "", "")
	s.Staff = append(s.Staff, person(now, aSupervisor, "801", "主管", queue.StatePaused, 25*time.Minute))

	s.Day.Queues["service"] = web.QueueDay{Arrived: 215, Answered: 188, Abandoned: 23, Within: 131, Unserved: 12}
	s.Day.Queues["repairs"] = web.QueueDay{Arrived: 44, Answered: 41, Abandoned: 2, Within: 38, Unserved: 1}
	s.Day.Queues["english"] = web.QueueDay{Arrived: 3, Answered: 3, Within: 3}
	for i, arrived := range []int{6, 14, 31, 42, 38, 22, 19, 37, 53} {
		s.Day.Hours[7+i] = web.HourDay{Arrived: arrived, Answered: arrived - arrived/9, Abandoned: arrived / 9}
	}
	s.Day.Apologies = web.ApologyDay{WorstMsToday: 420, CountToday: 212}
	return s
}
