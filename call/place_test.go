package call

import (
	"testing"
	"time"
)

// Who stands in line takes an old place only where that is the same queue, and not behind; another caller's choice, or
// one that is not wanted, stays remembered.
func TestWhatACallerInLineGains(t *testing.T) {
	here := Place{Queue: "repairs", Priority: 5, Since: at(60)}
	for name, tt := range map[string]struct {
		old  Place
		want bool
	}{
		"earlier":                     {Place{Queue: "repairs", Priority: 5, Since: at(0)}, true},
		"the head, after a talk":      {Place{Queue: "repairs", Head: true, Since: at(0)}, true},
		"a higher priority":           {Place{Queue: "repairs", Priority: 9, Since: at(90)}, true},
		"another queue":               {Place{Queue: "bills", Priority: 5, Since: at(0)}, false},
		"the head of another queue":   {Place{Queue: "bills", Head: true, Since: at(0)}, false},
		"a lower priority, earlier":   {Place{Queue: "repairs", Since: at(0)}, false},
		"the same priority, later on": {Place{Queue: "repairs", Priority: 5, Since: at(90)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := &call{waiting: here}
			var lost lostLines
			lost.add("13800138000", lostLine{call: "before", at: time.Now(), place: tt.old}, time.Minute)
			take := func(wanted func(Place) bool) bool {
				_, known := lost.take("13800138000", time.Minute, time.Now(), 0, wanted)
				return known
			}
			if got := take(c.gains); got != tt.want {
				t.Errorf("taken: %v, want %v", got, tt.want)
			}
			if kept := take(anyPlace); kept == tt.want {
				t.Errorf("still remembered: %v, want %v", kept, !tt.want)
			}
		})
	}
}
