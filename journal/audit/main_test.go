package audit

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hotline/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// story writes a journal, an entry a second unless told otherwise. Data is written as JSON by hand: these tests must
// not lean on anybody's types.
type story struct {
	testing.TB
	dir     string
	journal *journal.Journal
	now     time.Time
	kept    []journal.Entry   // to be appended
	told    int64             // entries so far
	states  map[string]string // of agents, as told
}

func newStory(t testing.TB) *story {
	t.Helper()
	s := &story{TB: t, dir: t.TempDir(), now: time.Date(2026, 2, 6, 9, 0, 0, 0, time.UTC), states: map[string]string{}}
	s.open()
	t.Cleanup(s.close)
	return s
}

func (s *story) open() {
	s.Helper()
	var err error
	if s.journal, err = journal.Open(context.Background(), journal.Options{Path: s.path()}); err != nil {
		s.Fatal(err)
	}
}

func (s *story) close() {
	s.Helper()
	if err := s.journal.Close(); err != nil {
		s.Error(err)
	}
}

func (s *story) path() string { return filepath.Join(s.dir, "journal.db") }

// tell adds an entry and returns its number.
func (s *story) tell(kind, data string, streams ...string) int64 {
	s.now = s.now.Add(time.Second)
	s.kept = append(s.kept, journal.Entry{Kind: kind, Data: json.RawMessage(data), Streams: streams, At: s.now})
	s.told++
	return s.told
}

func (s *story) pass(d time.Duration) { s.now = s.now.Add(d) }

// write appends what was told.
func (s *story) write() {
	s.Helper()
	if _, err := s.journal.Append(context.Background(), s.kept...); err != nil {
		s.Fatal(err)
	}
	s.kept = nil
}

func (s *story) audit(o Options) *Report {
	s.Helper()
	s.write()
	r, err := Run(context.Background(), s.journal.Reader(), o)
	if err != nil {
		s.Fatal(err)
	}
	return r
}

// auditAsBefore is an audit of the same entries as if they had been written before there were epochs.
func (s *story) auditAsBefore() *Report {
	s.Helper()
	s.write()
	a := newAuditor(Options{})
	for e, err := range s.journal.Reader().Read(context.Background(), journal.Query{}) {
		if err != nil {
			s.Fatal(err)
		}
		e.Epoch = 0
		a.step(e)
	}
	a.end()
	return a.report
}

// sql changes the file behind the journal's back.
func (s *story) sql(script string) {
	s.Helper()
	s.write()
	db, err := sql.Open("sqlite", "file:"+s.path()+"?_pragma=busy_timeout(5000)")
	if err != nil {
		s.Fatal(err)
	}
	_, err = db.Exec(script)
	if err := errors.Join(err, db.Close()); err != nil {
		s.Fatal(err)
	}
}

// What the service tells of itself.

// restart has another process write the journal from here on.
func (s *story) restart() {
	s.Helper()
	s.write()
	s.close()
	s.open()
}

// started is another process starting.
func (s *story) started() int64 {
	s.Helper()
	s.restart()
	return s.service("started", fmt.Sprintf(`{"epoch":%d,"version":"v2"}`, s.journal.Epoch()))
}

// up is another process starting and finding Asterisk.
func (s *story) up() {
	s.Helper()
	s.started()
	s.service("connected", `{"away_s":1}`)
}

func (s *story) clean(seen int64, calls ...string) int64 {
	list, _ := json.Marshal(calls)
	return s.service("clean", fmt.Sprintf(`{"calls":%s,"seen":%d}`, list, seen))
}

func (s *story) service(kind, data string) int64 { return s.tell("service."+kind, data, "service/run") }

// What a call tells.

func (s *story) call(id, kind, data string) int64 { return s.tell("call."+kind, data, "call/"+id) }

func (s *story) arrive(id string) int64 {
	at, _ := s.now.Add(time.Second).MarshalJSON()
	return s.call(id, "arrived", `{"number":"13800000001","dialled":"96196","at":`+string(at)+`}`)
}

func (s *story) end(id, result, reason string) int64 {
	return s.call(id, "ended", fmt.Sprintf(`{"result":%q,"reason":%q,"seconds":12}`, result, reason))
}

// abandoned is the whole of a call whose caller leaves.
func (s *story) abandoned(id string) {
	s.arrive(id)
	s.end(id, "abandoned", "menu")
}

// What the queue tells.

// line is a place in a queue: "head", a priority "p1", seconds after nine "+20", an agent to wait for "=1001", what is
// needed of an agent "needs", seconds after nine as which they stand "as+10".
func (s *story) join(id, queue string, place ...string) int64 {
	arrived := s.now
	fields := map[string]any{"queue": queue, "call": id}
	for _, p := range place {
		switch {
		case p == "head":
			fields["head"] = true
		case p == "needs":
			fields["needs"] = `"english":2`
		case strings.HasPrefix(p, "as+"):
			fields["stands_as"] = s.afterNine(p[3:])
		case p[0] == 'p':
			fields["priority"] = int(p[1] - '0')
		case p[0] == '=':
			fields["prefer"] = p[1:]
		case p[0] == '+':
			arrived = s.afterNine(p[1:])
		}
	}
	fields["arrived"] = arrived
	return s.queue("queue.joined", id, "", fields)
}

func (s *story) afterNine(seconds string) time.Time {
	after, err := time.ParseDuration(seconds + "s")
	if err != nil {
		s.Fatal(err)
	}
	return time.Date(2026, 2, 6, 9, 0, 0, 0, time.UTC).Add(after)
}

func (s *story) queue(kind, call, agent string, fields map[string]any) int64 {
	data, err := json.Marshal(fields)
	if err != nil {
		s.Fatal(err)
	}
	var streams []string
	if call != "" {
		streams = append(streams, "call/"+call)
	}
	if agent != "" {
		streams = append(streams, "agent/"+agent)
	}
	return s.tell(kind, string(data), streams...)
}

// move is an agent's change of state, by any kind of entry; also are fields that are true.
func (s *story) move(kind, agent, to, call, queue string, also ...string) int64 {
	from, known := s.states[agent]
	if !known {
		from = "offline"
	}
	s.states[agent] = to
	fields := map[string]any{"agent": agent, "from": from, "to": to}
	for _, name := range also {
		fields[name] = true
	}
	if call != "" {
		fields["call"] = call
	}
	if queue != "" {
		fields["queue"] = queue
	}
	return s.queue(kind, call, agent, fields)
}

func (s *story) signIn(agents ...string) {
	for _, a := range agents {
		s.move("agent.state", a, "ready", "", "")
	}
}

func (s *story) offer(id, agent, queue string, also ...string) int64 {
	return s.move("queue.offered", agent, "reserved", id, queue, also...)
}

// overflow is a caller who goes on waiting in another queue.
func (s *story) overflow(id, from, into string) int64 {
	return s.queue("queue.moved", id, "", map[string]any{"queue": from, "call": id, "into": into})
}

func (s *story) connect(id, agent, queue string) int64 {
	return s.move("queue.connected", agent, "talking", id, queue)
}

// callIn has an agent called in by a call, and come in beside whose call it is.
func (s *story) callIn(id, agent, queue string) int64 {
	s.move("agent.called", agent, "reserved", id, queue, "third")
	s.move("agent.state", agent, "ringing", id, queue, "third")
	return s.move("agent.consulted", agent, "consult", id, queue, "third")
}

// handOver has a call change hands, in one entry.
func (s *story) handOver(id, from, to, queue string) int64 {
	left := map[string]any{"agent": from, "from": s.states[from], "to": "wrap-up"}
	fields := map[string]any{"agent": to, "from": s.states[to], "to": "talking", "call": id, "queue": queue, "with": from, "left": left}
	s.states[from], s.states[to] = "wrap-up", "talking"
	return s.queue("agent.handed-over", id, to, fields)
}

// free ends an agent's talk and wrap-up.
func (s *story) free(id, agent, queue string) int64 {
	s.move("agent.state", agent, "wrap-up", id, queue)
	return s.move("agent.state", agent, "ready", "", "")
}

func (s *story) leave(id, queue string) int64 {
	return s.queue("queue.left", id, "", map[string]any{"queue": queue, "call": id, "cause": "abandoned"})
}

// served is the whole of a call that an agent takes.
func (s *story) served(id, agent, queue string) {
	s.arrive(id)
	s.join(id, queue)
	s.offer(id, agent, queue)
	s.move("agent.state", agent, "ringing", id, queue)
	s.connect(id, agent, queue)
	s.call(id, "talk", fmt.Sprintf(`{"agent":%q,"number":"789","waited":2}`, agent))
	s.call(id, "rated", `{"score":5,"outcome":"rated"}`)
	s.free(id, agent, queue)
	s.end(id, "served", "talked")
}

// wav is a file of so many bytes of samples, 16,000 of them a second, of which the file has some.
func (s *story) wav(name string, promised, there int) (path string) {
	s.Helper()
	head := []byte("RIFF\x00\x00\x00\x00WAVELIST\x03\x00\x00\x00abc\x00fmt \x10\x00\x00\x00\x01\x00\x01\x00")
	head = binary.LittleEndian.AppendUint32(head, 8000)
	head = binary.LittleEndian.AppendUint32(head, 16000)
	head = append(head, 2, 0, 16, 0)
	head = binary.LittleEndian.AppendUint32(append(head, "data"...), uint32(promised))
	path = filepath.Join(s.dir, name)
	if err := os.WriteFile(path, append(head, make([]byte, there)...), 0o600); err != nil {
		s.Fatal(err)
	}
	return path
}

// found is a test's expectation of one finding.
type found struct {
	check   string
	call    string
	agent   string
	entries []int64
	what    string // part of it
}

// expect compares the findings, all of them and in their order.
func expect(t testing.TB, r *Report, want ...found) {
	t.Helper()
	got := r.Findings()
	for i, f := range got {
		if i >= len(want) {
			t.Errorf("a finding too many, a check sees what is not there: %+v", f)
			continue
		}
		w := want[i]
		if f.Check != w.check || f.Call != w.call || f.Agent != w.agent || !strings.Contains(f.What, w.what) || fmt.Sprint(f.Entries) != fmt.Sprint(w.entries) {
			t.Errorf("finding %d is\n%+v, want\n%+v", i, f, w)
		}
	}
	for _, w := range want[min(len(got), len(want)):] {
		t.Errorf("not found, the check is blind to it: %+v", w)
	}
}

func checkOf(t testing.TB, r *Report, id string) *Check {
	t.Helper()
	for _, c := range r.Checks {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("no check %s", id)
	return nil
}
