package call

import (
	"log/slog"
	"testing"

	"hotline/queue"
)

// A phone that could not be rung because another process has the calls is not unreachable: the offer is that
// process's to make.
func TestAnOfferOfAProcessThatIsReplacedIsNotTheAgentsFault(t *testing.T) {
	for name, replaced := range map[string]bool{"at work": false, "replaced": true} {
		t.Run(name, func(t *testing.T) {
			lines, err := queue.New(queue.Options{
				Queues: []queue.Rules{{ID: "service"}},
				Agents: []queue.Profile{{ID: "1001", Number: "789", Queues: []string{"service"}}},
				Logger: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(lines.Stop)
			if err := lines.SignIn("1001"); err != nil {
				t.Fatal(err)
			}
			s := newService(t, Options{Queue: lines}) // whose Asterisk answers nothing
			c := &call{Service: s, id: "a", log: s.log, session: s.link.Session("a"), waiting: Place{Queue: "service"}}
			ticket, err := c.join(false)
			if err != nil {
				t.Fatal(err)
			}
			s.fenced.Store(replaced)
			c.offer(t.Context(), <-ticket.Offers())
			want := queue.StateUnreachable
			if replaced {
				want = queue.StateReserved
			}
			if agent, _ := lines.Agent("1001"); agent.State != want {
				t.Errorf("the agent is %s, want %s", agent.State, want)
			}
		})
	}
}
