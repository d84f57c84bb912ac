package call

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"hotline/journal"
)

// NetStream is the stream of the callers whom the dialplan had by itself.
const NetStream = "net/callers"

// KindNetCaller is the kind of its entries. A channel that is told twice is
// one caller: a process that died while it read the net's file reads it again.
const KindNetCaller = "net.caller"

// NetCaller is a caller whom the service may never have seen, told by the
// dialplan at the end of the call.
type NetCaller struct {
	Number  string    `json:"number"` // "" when withheld
	Channel string    `json:"channel"`
	Entered time.Time `json:"entered"` // on the service's clock, as what follows
	Left    time.Time `json:"left"`
	End     string    `json:"end"` // one of those below
}

// How a caller ends whom the dialplan has by itself.
const (
	NetHungUp     = "hung-up"     // by the caller, in the net
	NetTurnedAway = "turned-away" // told that the service is away
	NetServed     = "served"      // talked with an agent, whose phone rang without the service
	NetUnanswered = "unanswered"  // gave up ringing; the service may know the call
	NetGiven      = "given"       // was given to the service out of the net; it may know the call
)

// netLog is what has been read of the files of the dialplan's net.
type netLog struct {
	mu   sync.Mutex     // held while the files are read
	read map[string]int // by a taken file's name: the bytes of it that are in the journal
}

// What the net's file is renamed to: while it is read, and for good where
// lines of it say nothing to us.
const (
	takenSuffix  = ".taken-"
	unreadSuffix = ".unread-"
)

// netLimit is how long reading the net's file may take.
const netLimit = 5 * time.Second

// learnFromNet reads which callers were in the dialplan's net, beside everything
// else: a disk that does not answer keeps nobody waiting. A reading that is
// under way will do.
func (s *Service) learnFromNet() {
	s.start(func(ctx context.Context) {
		if !s.net.mu.TryLock() {
			return
		}
		defer s.net.mu.Unlock()
		limited, cancel := context.WithTimeout(ctx, netLimit)
		defer cancel()
		if err := s.readNet(limited); err != nil && ctx.Err() == nil {
			s.log.Error("callers of the dialplan's net are not in the journal yet; the next look tries again", "err", err)
		}
	})
}

// readNet journals the callers whom the dialplan has written down since the
// last time. Its file is renamed, read, and removed at the next time only:
// Asterisk may be just about to write to what it has opened before. An error
// leaves the files as they are, for the next time.
func (s *Service) readNet(ctx context.Context) error {
	if s.o.NetLog == "" {
		return nil
	}
	err := s.finishTaken(ctx)
	if err == nil {
		err = s.take(ctx)
	}
	if err != nil {
		return fmt.Errorf("the callers whom the dialplan had by itself are not in the journal yet: %w", err)
	}
	return nil
}

// finishTaken reads to their ends the files taken before, by this process or
// one that died, and does away with them.
func (s *Service) finishTaken(ctx context.Context) error {
	names, err := takenFrom(s.o.NetLog)
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := s.journalNet(ctx, name, text); err != nil {
			return err
		}
		if err := s.putAway(name, text); err != nil {
			return err
		}
		delete(s.net.read, name)
	}
	return nil
}

// takenFrom lists the files that the one at path was renamed to.
func takenFrom(path string) (names []string, err error) {
	files, err := os.ReadDir(filepath.Dir(path))
	for _, file := range files {
		if strings.HasPrefix(file.Name(), filepath.Base(path)+takenSuffix) {
			names = append(names, filepath.Join(filepath.Dir(path), file.Name()))
		}
	}
	return names, err
}

// take renames the net's file and reads the whole lines of it: what has no end
// is still being written.
func (s *Service) take(ctx context.Context) error {
	name := s.o.NetLog + takenSuffix + strconv.FormatInt(time.Now().UnixNano(), 10)
	err := os.Rename(s.o.NetLog, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // there were no callers
	}
	if err != nil {
		return err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	return s.journalNet(ctx, name, text[:bytes.LastIndexByte(text, '\n')+1])
}

// journalNet journals the callers in a file's text that are not in the journal
// yet.
func (s *Service) journalNet(ctx context.Context, name string, text []byte) error {
	callers, _ := parseNet(string(text[min(s.net.read[name], len(text)):]))
	if len(callers) > 0 {
		now := s.now()
		ahead := time.Until(now) // of Asterisk's clock, where the service's was set
		entries := make([]journal.Entry, len(callers))
		for i, c := range callers {
			entries[i] = journal.NewEntry(KindNetCaller, c.told(ahead), NetStream)
			entries[i].At = now.UTC()
		}
		if _, err := s.journal.AppendDurable(ctx, entries...); err != nil {
			return err
		}
		s.log.Info("the dialplan told of callers whom it had by itself; see: hotline outage", "callers", len(callers))
	}
	if s.net.read == nil {
		s.net.read = map[string]int{}
	}
	s.net.read[name] = len(text)
	return nil
}

// putAway removes a file that is in the journal. One with lines that say
// nothing to us is kept: behind each may be a caller.
func (s *Service) putAway(name string, text []byte) error {
	_, unread := parseNet(string(text))
	if unread == 0 {
		return os.Remove(name)
	}
	kept := strings.Replace(name, takenSuffix, unreadSuffix, 1)
	if err := os.Rename(name, kept); err != nil {
		return err
	}
	s.log.Error("the dialplan told of callers in lines that cannot be read: look at the file, the callers may want to be called back",
		"file", kept, "lines", unread)
	return nil
}

// parseNet reads what the net wrote, a caller per line, and counts the lines
// that say nothing to us.
func parseNet(text string) (callers []netLine, unread int) {
	for line := range strings.Lines(text) {
		if caller, ok := parseNetLine(line); ok {
			callers = append(callers, caller)
		} else {
			unread++
		}
	}
	return callers, unread
}

// netLine is a caller as the dialplan writes it; see extensions.conf.
type netLine struct {
	entered, left time.Time // on the machine's clock
	number        string    // as it was sent, "-" for none
	channel, end  string
}

// netFormat is a line with its end: milliseconds since 1970 twice, the number
// or "-", the channel's ID, how it ended.
var netFormat = regexp.MustCompile(`^([1-9][0-9]{12}) ([1-9][0-9]{12}) (-|[0-9+]{1,29}) ([!-~]{1,200}) (` +
	strings.Join([]string{NetHungUp, NetTurnedAway, NetServed, NetUnanswered, NetGiven}, "|") + `)\n$`)

func parseNetLine(line string) (caller netLine, ok bool) {
	fields := netFormat.FindStringSubmatch(line)
	if fields == nil {
		return netLine{}, false
	}
	entered, enteredErr := milliseconds(fields[1])
	left, leftErr := milliseconds(fields[2])
	return netLine{entered, left, fields[3], fields[4], fields[5]}, enteredErr == nil && leftErr == nil
}

func milliseconds(text string) (time.Time, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	return time.UnixMilli(n), err
}

// told is the caller for the journal, on a clock so much ahead of the
// machine's. Who left before coming did so while the machine's clock was set.
func (l netLine) told(ahead time.Duration) NetCaller {
	entered := l.entered.Add(ahead).Round(time.Millisecond).UTC()
	return NetCaller{
		Number: callerNumber(l.number), Channel: l.channel, End: l.end,
		Entered: entered, Left: entered.Add(max(l.left.Sub(l.entered), 0)),
	}
}
