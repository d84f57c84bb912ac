package call

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"hotline/ari"
	"hotline/journal"
	"hotline/queue"
)

// The journal says what was meant, a snapshot of Asterisk says what is there.
// Bringing the two together is one thing, done on every connect, on suspicion
// and every half minute; each difference has its answer:
//
//	a live call whose caller is there      its script goes on at its stage (resume.go)
//	… who waits                            at the place and on the clock of before
//	… who talks                            watched again, without touching the sound
//	… who is not joined with the agent     joined, or parted, as the scene wants
//	… whose agent is gone                  an apology, and the head of the line
//	… for whom a phone rings               the phone is released, the next offer follows
//	… whose agent has answered meanwhile   they are joined
//	… who is dialled again                 the phone rings on; nobody is dialled twice
//	… whom the dialplan's net has          goes on when the net brings them back
//	a live call without a caller           ended as lost, with what is known
//	a caller nobody knows                  a new call (ari announces it)
//	a leg or a bridge of ours for no call  ended
//	an agent who talks in no call          freed

// reconcileEvery is how often the two are compared while nothing seems wrong.
const reconcileEvery = 30 * time.Second

// cleanAfter is when nothing of a call may be left in Asterisk any more.
const cleanAfter = 10 * time.Second

// connected is called by the link on every connect, while events are held back.
func (s *Service) connected(ctx context.Context, snap *ari.Snapshot) error {
	select {
	case <-s.running:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	note := ServiceConnected{Away: time.Since(s.link.Status().Since).Seconds()}
	if !s.isRestored() {
		if err := s.restore(ctx, snap, &note); err != nil {
			return fmt.Errorf("taking up the calls of before: %w", err)
		}
		s.settle()
	}
	s.clear(ctx, snap)
	s.queue.Open()
	s.learnFromNet()
	s.note(KindServiceConnected, note)
	return nil
}

// restore takes up what an earlier process left: agents first, then callers in
// the order in which they stand in line, then every call at its stage.
func (s *Service) restore(ctx context.Context, snap *ari.Snapshot, note *ServiceConnected) error {
	if s.o.Reader == nil {
		return nil
	}
	if s.o.Claim != nil {
		if err := s.o.Claim(ctx); err != nil {
			return err
		}
		if err := s.recallService(ctx); err != nil {
			return err
		}
	}
	if seen, err := s.lastSeen(ctx); err != nil {
		return err
	} else if !seen.IsZero() {
		note.Away = max(s.now().Sub(seen).Seconds(), 0)
	}
	if err := s.recallLost(ctx); err != nil {
		s.log.Error("callers whose line was lost lately are not known when they call again", "err", err)
	}
	calls, unclean, err := recall(ctx, s.o.Reader)
	if err != nil {
		return err
	}
	s.unconfirmed(unclean, snap.At)
	taken := make([]*resumed, 0, len(calls))
	for _, left := range calls {
		s.alive(left.id, left.seq-1)
		if s.elsewhere(left, snap) {
			continue
		}
		r := s.takeUp(left, snap, nil)
		r.freeAgents()
		r.keepPlace()
		taken = append(taken, r)
		if r.lost {
			note.Lost++
		} else {
			note.Resumed++
		}
	}
	for _, r := range taken {
		s.start(r.begin)
	}
	s.freeAgents()
	return nil
}

// lastSeen is the last sign of whoever had the calls before this process; zero
// where there was nobody.
func (s *Service) lastSeen(ctx context.Context) (time.Time, error) {
	query := journal.Query{Stream: ServiceStream, Kinds: []string{KindServiceStarted}, Newest: true, Limit: 1}
	return journal.Fold(s.o.Reader.Read(ctx, query), time.Time{}, func(_ time.Time, e journal.Entry) time.Time {
		started, _ := read[ServiceStarted](e)
		return started.LastSeen
	})
}

// elsewhere keeps a call for later whose caller is there and not in our hands:
// the dialplan has the caller for a moment, or its net does, which brings the
// caller back.
func (s *Service) elsewhere(left *standing, snap *ari.Snapshot) bool {
	channel, there := snap.Channels[left.channel]
	if !there || channel.App == s.link.App() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inNet[channel.ID] = left
	return true
}

// isElsewhere says whether a call is kept for when the dialplan brings its
// caller back: its legs wait.
func (s *Service) isElsewhere(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, left := range s.inNet {
		if left.id == id {
			return true
		}
	}
	return false
}

// comesBack is the call of a caller whom the dialplan brings back; nil for a new
// caller.
func (s *Service) comesBack(channelID string) *standing {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := s.inNet[channelID]
	delete(s.inNet, channelID)
	return left
}

// serveAgain goes on with a call whose caller the dialplan brought back.
func (s *Service) serveAgain(ctx context.Context, left *standing, arrival ari.Arrival) {
	snap, err := s.link.Reconcile(ctx)
	if err != nil {
		s.log.Warn("what is left of the call in Asterisk is not known", "call_id", left.id, "err", err)
		snap = &ari.Snapshot{}
	}
	r := s.takeUp(left, snap, &arrival)
	r.freeAgents()
	r.keepPlace()
	r.begin(ctx)
}

// loseFromNet ends the calls whose callers left while the dialplan had them.
func (s *Service) loseFromNet(snap *ari.Snapshot) {
	s.mu.Lock()
	var lost []*standing
	for id, left := range s.inNet {
		if _, there := snap.Channels[id]; !there {
			lost = append(lost, left)
			delete(s.inNet, id)
		}
	}
	s.mu.Unlock()
	for _, left := range lost {
		r := s.takeUp(left, snap, nil)
		r.freeAgents()
		s.start(r.begin)
	}
}

// recallService puts in force again what was: the agents' states, and what the
// operator announces.
func (s *Service) recallService(ctx context.Context) error {
	if s.o.Reader == nil {
		return nil
	}
	announced, err := lastAnnounced(ctx, s.o.Reader)
	if err != nil {
		return err
	}
	s.announcements.restore(announced, s.log)
	var ids []string
	for _, agent := range s.queue.Agents() {
		ids = append(ids, agent.ID)
	}
	agents, err := lastAgents(ctx, s.o.Reader, ids, s.now(), func(id string) time.Duration { return s.o.Queues[id].WrapUp })
	if err != nil {
		return err
	}
	if err := s.queue.Restore(agents); err != nil {
		s.log.Warn("an agent has to sign in again", "err", err)
	}
	return nil
}

// freeAgents ends talks of agents whose call is no more.
func (s *Service) freeAgents() {
	for _, agent := range s.queue.Agents() {
		if agent.State != queue.StateTalking && agent.State != queue.StateHold || s.isLive(agent.Call) {
			continue
		}
		s.log.Warn("an agent is freed from a call that is no more", "agent_id", agent.ID, "call_id", agent.Call)
		if err := s.queue.EndTalk(agent.ID, agent.Call); err != nil {
			s.log.Error("the agent is not free", "agent_id", agent.ID, "err", err)
		}
	}
}

// watchAsterisk compares again: every half minute, on suspicion, and when
// nothing of an ended call may be left.
func (s *Service) watchAsterisk(ctx context.Context) {
	for {
		wait := time.NewTimer(s.nextLook())
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-s.suspicion:
			wait.Stop()
		case <-wait.C:
		}
		if !s.link.Status().Connected {
			_ = pause(ctx, time.Second) // the next connect looks anyway
			continue
		}
		snap, err := s.link.Reconcile(ctx)
		if err != nil {
			if ctx.Err() == nil {
				s.log.Warn("Asterisk could not be looked at", "err", err)
			}
			_ = pause(ctx, time.Second)
			continue
		}
		s.clear(ctx, snap)
		s.freeAgents()
		s.learnFromNet()
	}
}

// suspect has Asterisk looked at soon: something may be left in it.
func (s *Service) suspect() {
	select {
	case s.suspicion <- struct{}{}:
	default:
	}
}

// clear ends what is in Asterisk for no call of ours, tells talks who is in
// their bridges, and confirms in the journal which ended calls have left nothing
// behind.
func (s *Service) clear(ctx context.Context, snap *ari.Snapshot) {
	s.tellJoined(snap)
	left := map[string]bool{}
	for _, c := range snap.Channels {
		if c.App != s.link.App() || !c.Leg() || len(c.Args) < 2 || s.link.Knows(c.ID) || s.isElsewhere(c.Args[1]) || s.talksToStranger(c, snap) {
			continue
		}
		s.log.Warn("a leg that belongs to no call is hung up", "call_id", c.Args[1], "channel_id", c.ID)
		s.link.HangUpStray(c.ID)
		s.note(KindServiceLeft, ServiceLeft{Call: c.Args[1], Channel: c.ID})
		left[c.Args[1]] = true
	}
	for _, b := range snap.Bridges {
		if b.Creator != "Stasis" || b.Name == "" || s.isLive(b.Name) || strangersIn(b, snap) {
			continue
		}
		s.log.Warn("a bridge that belongs to no call is ended", "call_id", b.Name, "bridge_id", b.ID)
		s.link.DestroyStray(b.ID)
		s.note(KindServiceLeft, ServiceLeft{Call: b.Name, Bridge: b.ID})
		left[b.Name] = true
	}
	again := map[string]int64{}
	for id := range left {
		if !s.isLive(id) { // confirmed too soon: what was left has to be seen gone
			again[id] = s.newest()
		}
	}
	s.unconfirmed(again, snap.At)
	s.loseFromNet(snap)
	s.confirm(snap, left)
}

// talksToStranger says whether a leg is in the talk of a call that this journal
// does not know: one of another service's, whose caller is better left in peace.
func (s *Service) talksToStranger(leg ari.Channel, snap *ari.Snapshot) bool {
	if s.knows(leg.Args[1]) {
		return false
	}
	for _, b := range snap.Bridges {
		if slices.Contains(b.Channels, leg.ID) && strangersIn(b, snap) {
			return true
		}
	}
	return false
}

// knows says whether a call is one of ours: under way, or ended and not yet seen
// to have left nothing.
func (s *Service) knows(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, live := s.live[id]
	_, ended := s.endedCalls[id]
	return live || ended
}

// strangersIn says whether somebody is in the bridge whom no journal knows, and
// who is better left in peace while talking.
func strangersIn(b ari.BridgeInfo, snap *ari.Snapshot) bool {
	for _, id := range b.Channels {
		if c := snap.Channels[id]; !c.Leg() {
			return true
		}
	}
	return false
}

// unconfirmed notes calls that have ended, each with the place of its arrival in
// the journal, of which nobody has seen yet that nothing is left.
func (s *Service) unconfirmed(calls map[string]int64, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, seq := range calls {
		if _, known := s.endedCalls[id]; !known {
			s.endedCalls[id] = endedCall{at: at, after: seq - 1}
		}
	}
}

// confirm writes which of the ended calls have nothing in Asterisk any more.
func (s *Service) confirm(snap *ari.Snapshot, left map[string]bool) {
	s.mu.Lock()
	var clean ServiceClean
	for id, ended := range s.endedCalls {
		if ended.at.After(snap.At) || left[id] {
			continue
		}
		clean.Calls = append(clean.Calls, id)
		delete(s.endedCalls, id)
	}
	clean.Seen = s.seen()
	s.mu.Unlock()
	if len(clean.Calls) > 0 {
		s.note(KindServiceClean, clean)
	}
}

// note journals what concerns the process and not one call.
func (s *Service) note(kind string, data any) {
	entry := journal.NewEntry(kind, data, ServiceStream)
	entry.At = s.now().UTC()
	ctx, cancel := context.WithTimeout(context.Background(), journalLimit)
	defer cancel()
	seq, err := s.journal.Append(ctx, entry)
	if err != nil && !errors.Is(err, journal.ErrLate) && !s.replaced() {
		s.log.Error("the journal misses an entry of the service", "kind", kind, "err", err)
	}
	s.wrote(seq)
}
