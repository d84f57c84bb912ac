package redisq

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"hotline/queue"
)

// entry is one of the log's.
type entry struct {
	id, before string
	token      string // whose commands these are
	at         time.Time
	count      int
	commands   string // JSON
}

func parseEntry(m redis.XMessage) (entry, error) {
	text := func(field string) string { s, _ := m.Values[field].(string); return s }
	e := entry{id: m.ID, before: text("p"), token: text("o"), commands: text("c")}
	_, at, _ := strings.Cut(m.ID, "-")
	micros, err := strconv.ParseInt(at, 10, 64)
	if err == nil {
		e.count, err = strconv.Atoi(text("n"))
	}
	if err != nil {
		return e, fmt.Errorf("redisq: entry %s is none of this log's: %w", m.ID, err)
	}
	e.at = time.UnixMicro(micros).UTC()
	return e, nil
}

// parse reads the commands of others. An entry without any has time pass.
func (e entry) parse() ([]queue.Command, error) {
	var list []queue.Command
	if err := json.Unmarshal([]byte(e.commands), &list); err != nil {
		return nil, fmt.Errorf("redisq: reading the commands of entry %s: %w", e.id, err)
	}
	if len(list) == 0 {
		list = append(list, queue.Command{Do: queue.VerbTick})
	}
	return list, nil
}

// ends reports whether one of the commands says that a service is gone.
func ends(list []queue.Command, service string) bool {
	return slices.ContainsFunc(list, func(c queue.Command) bool { return c.Do == queue.VerbGone && c.Owner == service })
}

// apply carries out the commands of an entry on a machine that nobody follows.
func (e entry) apply(m *queue.Machine, list []queue.Command) {
	for _, c := range list {
		c.At = e.at
		_, _ = m.Apply(c) // the answer was for whoever asked
	}
}

// follows checks that nothing is missing between two entries.
func (e entry) follows(last string) error {
	if e.before != last {
		return fmt.Errorf("redisq: entry %s comes after %s, and %s was the last read: %w", e.id, e.before, last, errLost)
	}
	return nil
}

func pack(data []byte) (string, error) {
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	_, err := w.Write(data)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return "", fmt.Errorf("redisq: packing a snapshot: %w", err)
	}
	return packed.String(), nil
}

func unpack(packed string) ([]byte, error) {
	r, err := gzip.NewReader(strings.NewReader(packed))
	var data []byte
	if err == nil {
		data, err = io.ReadAll(r)
	}
	if err != nil {
		return nil, fmt.Errorf("redisq: unpacking a snapshot: %w", err)
	}
	return data, nil
}
