package queue

import (
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestNewRefusesNonsense(t *testing.T) {
	for want, spoil := range map[string]func(o *Options){
		"no ID":                func(o *Options) { o.Queues[0].ID = "" },
		"described twice":      func(o *Options) { o.Queues[1].ID = "bills" },
		"ring_timeout is -1s":  func(o *Options) { o.Queues[0].RingTimeout = -time.Second },
		"max_waiting -1":       func(o *Options) { o.Queues[0].MaxWaiting = -1 },
		`"" has no ID`:         func(o *Options) { o.Agents[0].ID = "" },
		`"1001" has no ID or`:  func(o *Options) { o.Agents[1].ID = "1001" },
		`queue "complaints"`:   func(o *Options) { o.Agents[0].Queues = []string{"complaints"} },
		`1001 serves queue "b`: func(o *Options) { o.Agents[0].Queues = []string{"bills", "bills"} },
	} {
		o := usual()
		spoil(&o)
		e, err := New(o)
		if err == nil {
			e.Stop()
			t.Errorf("%s: accepted", want)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

func TestRulesDefaults(t *testing.T) {
	got, err := Rules{ID: "bills"}.withDefaults()
	want := Rules{ID: "bills", RingTimeout: 15 * time.Second, ServiceLevel: 20 * time.Second, DeclinePause: 10 * time.Second, MissesBeforeOut: 2, Unattended: time.Minute, OnBreak: 10 * time.Minute,
		ServiceTarget: 80, Aging: 15 * time.Minute, Strategy: LongestIdle, WrapUpAtMost: 10 * time.Minute}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

// Record may ask the engine things, and an offer waits for it.
func TestRecordComesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		var e *Engine
		o := usual()
		o.Record = func([]Change) { e.Agents(); <-gate }
		e, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.SignIn("1001"); err != nil {
			t.Fatal(err)
		}
		ticket, err := e.Join(Caller{ID: "a", Queue: "bills"})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		select {
		case <-ticket.Offers():
			t.Error("the call learned of an offer that was not recorded")
		default:
		}
		close(gate)
		synctest.Wait()
		select {
		case <-ticket.Offers():
		default:
			t.Error("the offer was recorded but never told")
		}
		e.Stop()
	})
}

func TestHandlingForgets(t *testing.T) {
	var h handling
	for range handlingKept {
		h.add(time.Hour)
	}
	for range handlingKept {
		h.add(time.Minute)
	}
	if got, _ := h.mean(); got != time.Minute {
		t.Errorf("the mean of the latest talks is %v, want 1m", got)
	}
}

// The service's clock may be set (festivals); order and clocks do not care.
func TestWallClockIsInjected(t *testing.T) {
	o := usual()
	festival := time.Date(2026, 2, 17, 9, 0, 0, 0, time.UTC)
	o.Now = func() time.Time { return festival }
	atDesk(t, o, func(t *testing.T, d *desk) {
		d.signIn("1001")
		ticket := d.join("a")
		if !ticket.Caller().Arrived.Equal(festival) {
			t.Errorf("arrived %v, want %v", ticket.Caller().Arrived, festival)
		}
		if c := d.last(KindJoined); !c.At.Equal(festival) {
			t.Errorf("recorded at %v", c.At)
		}
		time.Sleep(20 * time.Second)
		d.lapsed(ticket, LapseUnreported)
	})
}

func TestMetrics(t *testing.T) {
	o := usual()
	r := prometheus.NewPedanticRegistry()
	o.Registerer = r
	atDesk(t, o, func(t *testing.T, d *desk) {
		d.Join(Caller{ID: "nobody", Queue: "bills"})
		d.signIn("1001", "1002")
		ticket := d.join("a")
		d.offered(ticket, "1001").Failed(Declined)
		d.must(d.offered(ticket, "1002").Connected())
		d.join("b")
		left := d.join("c")
		left.Leave("hang-up")
		got := figures(t, r)
		for name, want := range map[string]float64{
			"hotline_queue_agents offline":                 1,
			"hotline_queue_agents paused":                  1,
			"hotline_queue_agents talking":                 1,
			"hotline_queue_agents ready":                   0,
			"hotline_queue_offers_total bills connected":   1,
			"hotline_queue_offers_total bills declined":    1,
			"hotline_queue_turned_away_total bills nobody": 1,
			"hotline_queue_waiting bills":                  1,
			"hotline_queue_answered_total yes bills":       1,
			"hotline_queue_answered_total no bills":        0,
			"hotline_queue_wait_seconds connected bills":   1,
			"hotline_queue_wait_seconds left bills":        1,
		} {
			if value, there := got[name]; !there || value != want {
				t.Errorf("%s is %v (counted: %v), want %v", name, value, there, want)
			}
		}
	})
	if _, err := New(o); err == nil {
		t.Error("metrics were registered twice without a word")
	}
}

// A queue that is removed leaves no figures behind; what still happens to its
// calls is counted with those of no queue.
func TestMetricsOfARemovedQueue(t *testing.T) {
	o := usual()
	r := prometheus.NewPedanticRegistry()
	o.Registerer = r
	atDesk(t, o, func(t *testing.T, d *desk) {
		d.signIn("1001", "1002")
		d.talking("talk", "1001")
		d.offered(d.join("rings"), "1002")
		d.Join(Caller{ID: "nobody", Queue: "repairs", Needs: map[string]int{"french": 1}})
		d.must(d.RemoveQueue("bills", "test"))
		o, err := d.Call("1002", "talk")
		d.must(err)
		o.Failed(NoAnswer)
		got := figures(t, r)
		for name := range got {
			if strings.Contains(name, "bills") {
				t.Errorf("%s is still %v", name, got[name])
			}
		}
		for _, name := range []string{"hotline_queue_wait_seconds lapsed ", "hotline_queue_offers_total  withdrawn", "hotline_queue_called_total  no-answer", "hotline_queue_turned_away_total repairs no-skill"} {
			if got[name] != 1 {
				t.Errorf("%q is %v, want 1", name, got[name])
			}
		}
	})
}

// figures are a registry's metrics by name and label values; of histograms the
// count.
func figures(t *testing.T, r prometheus.Gatherer) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			values[name] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}
