package ari_test

import (
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
