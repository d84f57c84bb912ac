package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkOpen measures opening a journal of a million entries, until it can be appended to.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "journal.db")
	reopen := func() {
		j, err := Open(context.Background(), Options{Path: path})
		if err == nil {
			err = j.Close()
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	reopen()
	fillWith(b, path, 1_000_000)
	for b.Loop() {
		reopen()
	}
}

// BenchmarkAppend measures appends of one typical entry; max-ms is the slowest append, p99-ms the slowest but one in a hundred.
func BenchmarkAppend(b *testing.B) {
	for _, appenders := range []int{1, 100} {
		b.Run(fmt.Sprintf("appenders=%d", appenders), func(b *testing.B) {
			benchmarkAppend(b, appenders, Appender.Append)
		})
		b.Run(fmt.Sprintf("durable/appenders=%d", appenders), func(b *testing.B) {
			benchmarkAppend(b, appenders, Appender.AppendDurable)
		})
	}
}

// benchScribe is a scribe over a journal, as the service has it.
func benchScribe(b *testing.B) *Scribe {
	j, err := Open(context.Background(), Options{Path: filepath.Join(b.TempDir(), "journal.db")})
	if err != nil {
		b.Fatal(err)
	}
	s, err := NewScribe(j, ScribeOptions{Patience: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := errors.Join(s.Close(context.Background()), j.Close()); err != nil {
			b.Error(err)
		}
	})
	return s
}

func benchmarkAppend(b *testing.B, appenders int, appendTo func(Appender, context.Context, ...Entry) (int64, error)) {
	ctx := context.Background()
	s := benchScribe(b)
	waits := make([][]time.Duration, appenders)
	b.ResetTimer()
	var all sync.WaitGroup
	for a := range appenders {
		all.Go(func() {
			for i := a; i < b.N; i += appenders {
				began := time.Now()
				call := fmt.Sprintf("call/20260206-%06d-%04d", i/20, a)
				if _, err := appendTo(s, ctx, NewEntry("call.played", benchFact, call)); err != nil {
					b.Error(err)
					return
				}
				waits[a] = append(waits[a], time.Since(began))
			}
		})
	}
	all.Wait()
	b.StopTimer()
	sorted := slices.Sorted(slices.Values(slices.Concat(waits...)))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
	b.ReportMetric(sorted[len(sorted)*99/100].Seconds()*1e3, "p99-ms")
	b.ReportMetric(sorted[len(sorted)-1].Seconds()*1e3, "max-ms")
}

var benchFact = struct {
	Prompts []string `json:"prompts"`
	Ms      int      `json:"ms"`
}{[]string{"greeting.festival.spring", "greeting.company", "notice.recording", "menu.main"}, 8420}

// BenchmarkRead measures reading a call's timeline out of a journal of many calls.
func BenchmarkReadStream(b *testing.B) {
	ctx := context.Background()
	j, err := Open(ctx, Options{Path: filepath.Join(b.TempDir(), "journal.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	const calls, perCall = 2000, 20
	for range perCall {
		var entries []Entry
		for c := range calls {
			entries = append(entries, NewEntry("call.played", benchFact, fmt.Sprintf("call/%d", c)))
		}
		if _, err := j.Append(ctx, entries...); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		read := 0
		for _, err := range j.Reader().Read(ctx, Query{Stream: "call/1234"}) {
			if err != nil {
				b.Fatal(err)
			}
			read++
		}
		if read != perCall {
			b.Fatalf("read %d entries of %d", read, perCall)
		}
	}
}

// BenchmarkAppendPaced measures how long an append takes at 1,000 a second, the load of 50 calls starting every second.
func BenchmarkAppendPaced(b *testing.B) {
	ctx := context.Background()
	s := benchScribe(b)
	waits := make([]time.Duration, b.N)
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	b.ResetTimer()
	var all sync.WaitGroup
	for i := range b.N {
		<-pace.C
		all.Go(func() {
			began := time.Now()
			if _, err := s.Append(ctx, NewEntry("call.played", benchFact, fmt.Sprintf("call/20260206-%06d", i/20))); err != nil {
				b.Error(err)
			}
			waits[i] = time.Since(began)
		})
	}
	all.Wait()
	b.StopTimer()
	slices.Sort(waits)
	b.ReportMetric(waits[b.N/2].Seconds()*1e3, "p50-ms")
	b.ReportMetric(waits[b.N*99/100].Seconds()*1e3, "p99-ms")
	b.ReportMetric(waits[b.N-1].Seconds()*1e3, "max-ms")
}

// BenchmarkAppendLate measures what an append costs a caller while the disk does not take anything: bytes/entry is what
// each one occupies in memory.
func BenchmarkAppendLate(b *testing.B) {
	d := &disk{}
	goOn := d.stop()
	s, err := NewScribe(d, ScribeOptions{Patience: time.Nanosecond, Keep: 1 << 30, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ResetTimer()
	for i := range b.N {
		if _, err := s.Append(context.Background(), NewEntry("call.played", benchFact, fmt.Sprintf("call/20260206-%06d", i/20))); !errors.Is(err, ErrLate) {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(b.N), "bytes/entry")
	goOn()
	if err := s.Close(context.Background()); err != nil {
		b.Error(err)
	}
}
