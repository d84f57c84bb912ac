package redisq

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"hotline/queue"
)

// Each service tells of its own callers and agents, so that the sum over services
// has everybody once.
func TestTheSumOverServicesCountsNobodyTwice(t *testing.T) {
	s := startRedis(t)
	registries := map[string]*prometheus.Registry{"north": prometheus.NewRegistry(), "south": prometheus.NewRegistry()}
	at := func(name string, agents ...string) *house {
		return openAs(t, s, name, func(o *queue.Options) { o.Registerer = registries[name] }, agents...)
	}
	north, south := at("north", "1001"), at("south", "2001", "2002")
	north.signIn("1001")
	south.signIn("2001")
	north.must(north.offered(north.join("talk"), "1001").Connected())
	south.must(south.offered(south.join("talk too"), "2001").Connected())
	for _, id := range []string{"a", "b"} {
		north.join(id)
	}
	south.join("c")
	for _, h := range []*house{north, south} {
		h.stands("a", "b", "c")
		h.inState("1001", queue.StateTalking)
		h.inState("2001", queue.StateTalking)
	}
	sums := map[string]float64{}
	for _, r := range registries {
		families, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			for _, m := range family.GetMetric() {
				name := family.GetName()
				for _, label := range m.GetLabel() {
					name += " " + label.GetValue()
				}
				sums[name] += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	for name, want := range map[string]float64{
		"hotline_queue_waiting bills":                3,
		"hotline_queue_agents talking":               2,
		"hotline_queue_agents offline":               1,
		"hotline_queue_offers_total bills connected": 2,
	} {
		if sums[name] != want {
			t.Errorf("the sum of %s is %v, want %v", name, sums[name], want)
		}
	}
}
