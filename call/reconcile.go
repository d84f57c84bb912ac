package call

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"hotline/ari"
	"hotline/journal"
)

// The journal says what was meant, a snapshot of Asterisk says what is there.
// Bringing the two together is one thing, done on every connect, on suspicion
// and every half minute; each difference has its answer:
//
//	a live call whose caller is there      its script goes on at its stage (resume.go)
//	… who waits                            at the place and on the clock of before
//	… who talks                            watched again, without touching the sound
//	… who is not joined with the agent     joined, or parted, as the scene wants
//	… who is not recorded any more         recorded again, in a part of its own
//	… whose agent is gone                  an apology, and the head of the line
//	… for whom a phone rings               the phone is released, and then the next offer follows
//	… whose agent has answered meanwhile   they are joined
//	… who is dialled again                 the phone rings on; nobody is dialled twice
//	… whom the dialplan's net has          goes on when the net brings them back
//	… who was let go of                    the net's; served anew when it brings them back
//	a live call without a caller           ended as lost, with what is known
//	a caller nobody knows                  a new call (ari announces it)
//	a leg or a bridge of ours for no call  ended, unless a stranger talks there
//	the caller of a call that has ended    hung up
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
	if s.Restored() {
		s.clear(ctx, snap)
	} else {
		engaged, err := s.restore(ctx, snap, &note)
		if err != nil {
			return fmt.Errorf("taking up the calls of before: %w", err)
		}
		s.settle()
		s.clear(ctx, snap)
		s.openQueue(engaged)
	}
	s.learnFromNet()
	s.note(KindServiceConnected, note)
	return nil
}

// restore takes up what an earlier process left: agents first, then callers in
// the order in which they stand in line, then every call at its stage. Engaged
// are the legs to agents' phones with which no call goes on.
func (s *Service) restore(ctx context.Context, snap *ari.Snapshot, note *ServiceConnected) (engaged []string, err error) {
	if s.o.Reader == nil {
		return nil, nil
	}
	if s.o.Claim != nil {
		if err := s.o.Claim(ctx); err != nil {
			return nil, err
		}
		if err := s.recallService(ctx); err != nil {
			return nil, err
		}
	}
	if seen, err := s.lastSeen(ctx); err != nil {
		return nil, err
	} else if !seen.IsZero() {
		note.Away = max(s.now().Sub(seen).Seconds(), 0)
	}
	if err := s.recallLost(ctx); err != nil {
		s.log.Error("callers whose line was lost lately are not known when they call again", "err", err)
	}
	calls, unclean, err := recall(ctx, s.o.Reader)
	if err != nil {
		return nil, err
	}
	s.unconfirmed(unclean, snap.At)
	taken := make([]*resumed, 0, len(calls))
	for _, left := range calls {
		s.alive(left.id, left.seq-1)
		s.order.NotBefore(left.arrived.since())
		if s.leaveInNet(left, snap) {
			note.Resumed++
			continue
		}
		r := s.takeUp(left, snap, nil)
		taken = append(taken, r)
		if r.lost {
			note.Lost++
		} else {
			note.Resumed++
		}
	}
	s.freeAgentsOf(taken...)
	for _, r := range taken {
		r.keepPlace()
	}
	for _, r := range taken {
		s.start(r.begin)
	}
	s.freeAgents(snap)
	return s.engaged(taken, snap), nil
}

// engaged are the legs to agents' phones that an earlier process made and that
// are in no talk: most of them ring for an offer that is no more.
func (s *Service) engaged(taken []*resumed, snap *ari.Snapshot) (legs []string) {
	talks := map[string]bool{}
	for _, r := range taken {
		if r.agent != nil && r.agent.connected {
			talks[r.agent.leg.ID()] = true
		}
		if r.talking != nil && r.talking.third != nil && r.talking.third.answered {
			talks[r.talking.third.leg.ID()] = true
		}
	}
	for _, c := range snap.Channels {
		switch {
		case c.App != s.link.App(), !c.Leg(), len(c.Args) < 3, c.Args[2] != roleAgent, talks[c.ID]:
		case c.State == "Up" && (s.isInNet(c.Args[1]) || s.talksToStranger(c, snap)): // who has answered stays
		default:
			legs = append(legs, c.ID)
		}
	}
	return legs
}

// openQueue has callers and agents offered to each other, once these legs are
// let go of: a phone that still rings is busy for the next offer, and its agent
// would rest for it. Events are not held up by that, nor by coming to the other
// services, which lasts as long as what they share takes to answer: callers who
// arrive meanwhile take their places behind those of before.
func (s *Service) openQueue(engaged []string) {
	s.start(func(ctx context.Context) {
		s.endEngaged(ctx, engaged)
		if ctx.Err() == nil {
			s.queue.Open()
		}
	})
}

// endEngaged lets go of legs to agents' phones.
func (s *Service) endEngaged(ctx context.Context, legs []string) {
	limited, cancel := context.WithTimeout(ctx, letGoLimit)
	defer cancel()
	var each sync.WaitGroup
	for _, leg := range legs {
		each.Go(func() {
			if err := s.link.EndStray(limited, leg); err != nil && ctx.Err() == nil {
				s.log.Warn("a phone may still ring for a call of before, and be busy for the next", "channel_id", leg, "err", err)
			}
		})
	}
	each.Wait()
}

// letGoLimit is how long callers wait for phones to be let go of.
const letGoLimit = 2 * time.Second

// lastSeen is the last sign of whoever had the calls before this process; zero
// where there was nobody.
func (s *Service) lastSeen(ctx context.Context) (time.Time, error) {
	query := journal.Query{Stream: ServiceStream, Kinds: []string{KindServiceStarted}, Newest: true, Limit: 1}
	return journal.Fold(s.o.Reader.Read(ctx, query), time.Time{}, func(_ time.Time, e journal.Entry) time.Time {
		started, _ := read[ServiceStarted](e)
		return started.LastSeen
	})
}

// netCall is a call whose caller the dialplan has: for a moment, or its net does,
// which brings the caller back. Its legs wait.
type netCall struct {
	*standing
	back bool // the caller has been brought back, and is being taken up
}

// leaveInNet leaves a call for later whose caller is there and not in our hands.
// One that has come to its end is not brought back: its caller is the net's.
func (s *Service) leaveInNet(left *standing, snap *ari.Snapshot) bool {
	channel, there := snap.Channels[left.channel]
	if !there || channel.App == s.link.App() {
		return false
	}
	if left.stage.Stage == stageEnd {
		left.stage.Released = true
		return false
	}
	s.log.Info("a call is taken up when the dialplan brings its caller back", "call_id", left.id, "channel_id", left.channel)
	s.noteIn(Stream(left.id), KindResumed, Resumed{Stage: stageName(left.stage.Stage), Run: left.runs + 1, Away: s.now().Sub(left.last).Seconds()})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inNet[left.id] = &netCall{standing: left}
	return true
}

// isInNet says whether the dialplan has a call's caller.
func (s *Service) isInNet(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inNet[id] != nil
}

// backFromNet is the call of a caller whom the dialplan brings back; nil for a new
// caller.
func (s *Service) backFromNet(channelID string) *standing {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, left := range s.inNet {
		if left.channel == channelID && !left.back {
			left.back = true
			return left.standing
		}
	}
	return nil
}

// serveAgain goes on with a call whose caller the dialplan brought back.
func (s *Service) serveAgain(ctx context.Context, left *standing, arrival ari.Arrival) {
	snap, err := s.link.Reconcile(ctx)
	if err != nil {
		s.log.Warn("what is left of the call in Asterisk is not known", "call_id", left.id, "err", err)
		snap = &ari.Snapshot{}
	}
	r := s.takeUpFromNet(left, snap, &arrival)
	r.keepPlace()
	r.begin(ctx)
}

// takeUpFromNet takes a call up; back is the caller's channel, nil where it is no
// more.
func (s *Service) takeUpFromNet(left *standing, snap *ari.Snapshot, back *ari.Arrival) *resumed {
	r := s.takeUp(left, snap, back)
	s.mu.Lock()
	delete(s.inNet, left.id)
	s.mu.Unlock()
	s.freeAgentsOf(r)
	return r
}

// loseFromNet ends the calls whose callers left while the dialplan had them.
func (s *Service) loseFromNet(snap *ari.Snapshot) {
	s.mu.Lock()
	var lost []*standing
	for _, left := range s.inNet {
		if _, there := snap.Channels[left.channel]; !there && !left.back {
			left.back = true
			lost = append(lost, left.standing)
		}
	}
	s.mu.Unlock()
	for _, left := range lost {
		s.start(s.takeUpFromNet(left, snap, nil).begin)
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
		if agent.Home == s.o.Name {
			ids = append(ids, agent.ID)
		}
	}
	wrapUps := map[string]time.Duration{}
	for _, rules := range s.queue.Rules() {
		wrapUps[rules.ID] = rules.WrapUp
	}
	agents, err := lastAgents(ctx, s.o.Reader, ids, s.now(), func(queueID string) time.Duration { return wrapUps[queueID] })
	if err != nil {
		return err
	}
	if err := s.queue.Restore(agents); err != nil {
		s.log.Warn("an agent has to sign in again", "err", err)
	}
	return nil
}

// freeAgents ends talks of agents whose call is no more, or waits for the dialplan
// to bring its caller back while they have left. Of other services' calls nothing
// is known here.
func (s *Service) freeAgents(snap *ari.Snapshot) {
	for _, agent := range s.queue.Agents() {
		if !agent.State.InTalk() || agent.Owner != s.o.Name || s.mayTalk(agent.Call, snap) {
			continue
		}
		s.log.Warn("an agent is freed from a call that is no more", "agent_id", agent.ID, "call_id", agent.Call)
		if err := s.endPart(agent); err != nil {
			s.log.Error("the agent is not free", "agent_id", agent.ID, "err", err)
		}
	}
}

// mayTalk says whether somebody is there for an agent to talk in a call.
func (s *Service) mayTalk(id string, snap *ari.Snapshot) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if left := s.inNet[id]; left != nil {
		_, there := snap.Channels[left.stage.Leg]
		return there
	}
	_, live := s.live[id]
	return live
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
		s.freeAgents(snap)
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
		id, stray := s.stray(c, snap)
		if !stray {
			continue
		}
		s.log.Warn("a channel that belongs to no call is hung up", "call_id", id, "channel_id", c.ID)
		s.link.HangUpStray(c.ID)
		s.note(KindServiceLeft, ServiceLeft{Call: id, Channel: c.ID})
		left[id] = true
	}
	for _, b := range snap.Bridges {
		if b.Creator != "Stasis" || b.Name == "" || s.isLive(b.Name) || s.hasEndedSince(b.Name, snap.At) || s.inUse(b, snap) {
			continue
		}
		s.log.Warn("a bridge that belongs to no call is ended", "call_id", b.Name, "bridge_id", b.ID)
		s.link.DestroyStray(b.ID)
		s.note(KindServiceLeft, ServiceLeft{Call: b.Name, Bridge: b.ID})
		left[b.Name] = true
	}
	again := map[string]endedCall{}
	for id := range left {
		if !s.isLive(id) { // confirmed too soon: what was left has to be seen gone
			again[id] = endedCall{after: s.newest() - 1}
		}
	}
	s.unconfirmed(again, snap.At)
	s.loseFromNet(snap)
	s.confirm(snap, left)
}

// stray says whether a channel in our hands belongs to no call any more, and to
// which it did: a leg of ours, or a caller who could not be hung up.
func (s *Service) stray(c ari.Channel, snap *ari.Snapshot) (id string, stray bool) {
	if c.App != s.link.App() {
		return "", false
	}
	if c.Leg() && len(c.Args) > 1 {
		id = c.Args[1]
		return id, !s.link.Knows(c.ID) && !s.isInNet(id) && !s.hasEndedSince(id, snap.At) && !s.talksToStranger(c, snap)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, ended := range s.endedCalls {
		if ended.channel == c.ID && !ended.at.After(snap.At) {
			return id, true
		}
	}
	return "", false
}

// hasEndedSince says whether a call has ended after that moment, so that what
// Asterisk had then of it tells nothing.
func (s *Service) hasEndedSince(id string, moment time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ended, known := s.endedCalls[id]
	return known && ended.at.After(moment)
}

// inUse says whether a bridge of no call is better left in peace: whoever talks
// in it. Someone in our hands who is alone in it does not.
func (s *Service) inUse(b ari.BridgeInfo, snap *ari.Snapshot) bool {
	if len(b.Channels) == 1 {
		return snap.Channels[b.Channels[0]].App != s.link.App()
	}
	return strangersIn(b, snap)
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

// unconfirmed notes calls that have ended by that moment, and of which nobody has
// seen yet that nothing is left.
func (s *Service) unconfirmed(calls map[string]endedCall, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, call := range calls {
		if _, known := s.endedCalls[id]; !known {
			call.at = at
			s.endedCalls[id] = call
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
func (s *Service) note(kind string, data any) { s.noteIn(ServiceStream, kind, data) }

// noteIn journals what no script of a call can.
func (s *Service) noteIn(stream, kind string, data any) {
	entry := journal.NewEntry(kind, data, stream)
	entry.At = s.now().UTC()
	ctx, cancel := context.WithTimeout(context.Background(), journalLimit)
	defer cancel()
	seq, err := s.journal.Append(ctx, entry)
	if err != nil && !errors.Is(err, journal.ErrLate) && !s.replaced() {
		s.log.Error("the journal misses an entry", "stream", stream, "kind", kind, "err", err)
	}
	s.wrote(seq)
}
