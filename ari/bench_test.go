package ari_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/ari"
	"hotline/ari/aritest"
)

// BenchmarkWebsocket is the pump with its websocket, the sender's side included,
// all on one core.
func BenchmarkWebsocket(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	server := aritest.Start(b)
	reg := prometheus.NewRegistry()
	o := options(server)
	o.Registerer = reg
	link, err := ari.New(o)
	if err != nil {
		b.Fatal(err)
	}
	ended := make(chan struct{})
	ctx := b.Context()
	go func() { defer close(ended); link.Run(ctx) }()
	for !link.Status().Connected {
		time.Sleep(time.Millisecond)
	}
	template := `{"type":"ChannelDtmfReceived","timestamp":"2026-11-21T20:57:49.700+0000","digit":"5","duration_ms":100,"channel":{"id":"1795294669.%d","name":"PJSIP/trunk-00000000","state":"Up","protocol_id":"1097623025658708200@127.0.0.2","caller":{"name":"王先生","number":"13800000000"},"connected":{"name":"","number":""},"accountcode":"","dialplan":{"context":"in","exten":"96196","priority":1,"app_name":"Stasis","app_data":"hotline,in"},"creationtime":"2026-11-21T20:57:49.613+0000","language":"en","channelvars":{"RTPAUDIOQOS":""}},"asterisk_id":"00:00:00:00:00:00","application":"hotline"}`
	const batch = 1000
	messages := make([]string, batch)
	for i := range messages {
		messages[i] = fmt.Sprintf(template, i)
	}
	received := func() float64 { return counted(b, reg, "hotline_ari_events_total") }
	events := 0
	for b.Loop() {
		for _, m := range messages {
			server.Send(m)
		}
		events += batch
		for received() < float64(events) {
			time.Sleep(100 * time.Microsecond)
		}
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	server.Replace() // ends Run
	<-ended
}

func counted(b *testing.B, reg *prometheus.Registry, name string) (sum float64) {
	families, err := reg.Gather()
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), name) {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// BenchmarkReconcile is what it takes, the fake Asterisk's side included, to
// compare a thousand calls with what Asterisk has, and to take them up in a new
// process, up to the moment it is connected. Less than a second is wanted.
func BenchmarkReconcile(b *testing.B) {
	const calls = 1000
	server := aritest.Start(b)
	server.MediaLasts(lasting)
	first, kill := serving(b, server, nil)
	for range calls {
		server.Arrive(aritest.Caller{Number: "13800000000", Answered: true})
	}
	for i := range calls {
		a := <-first.Arrivals()
		session := first.Session(fmt.Sprintf("call-%04d", i))
		b.Cleanup(session.Close)
		leg := session.Adopt(a)
		if err := leg.Subscribe(b.Context()); err != nil {
			b.Fatal(err)
		}
		if _, err := leg.Play(b.Context(), []string{"sound:/ever"}, ari.PlayOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("while connected", func(b *testing.B) {
		for b.Loop() {
			if _, err := first.Reconcile(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("after the websocket broke", func(b *testing.B) {
		for b.Loop() { // the wait before the next attempt included, 5 ms
			since := first.Status().Since
			server.Drop()
			for st := first.Status(); !st.Connected || !st.Since.After(since); st = first.Status() {
				time.Sleep(100 * time.Microsecond)
			}
		}
	})
	kill()
	b.Run("in a new process", func(b *testing.B) {
		for b.Loop() {
			restored := 0
			_, kill := serving(b, server, func(link *ari.Link, now *ari.Snapshot) {
				for id, c := range now.Channels {
					session := link.Reopen(id, 1)
					session.RestorePlayback(session.Restore(c), id+"-tone")
					restored++
				}
			})
			kill()
			if restored != calls {
				b.Fatalf("%d calls were restored, want %d", restored, calls)
			}
		}
	})
}

// serving runs a link until kill, and returns once it is connected.
func serving(b *testing.B, server *aritest.Server, onConnect func(*ari.Link, *ari.Snapshot)) (link *ari.Link, kill func()) {
	link, err := ari.New(options(server))
	if err != nil {
		b.Fatal(err)
	}
	link.OnConnect(func(_ context.Context, now *ari.Snapshot) error {
		if onConnect != nil {
			onConnect(link, now)
		}
		return nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); link.Run(ctx) }()
	for !link.Status().Connected {
		time.Sleep(100 * time.Microsecond)
	}
	return link, func() { cancel(); <-ended }
}
