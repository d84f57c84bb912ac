package journal

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// BenchmarkCommit measures what entries cost this process while the journal has time to spare, so that each group of
// them is a commit of its own: processor time of an entry, the disk left out.
func BenchmarkCommit(b *testing.B) {
	for _, group := range []int{1, 2, 5, 20} {
		b.Run(fmt.Sprintf("entries=%d", group), func(b *testing.B) {
			j, err := Open(context.Background(), Options{Path: filepath.Join(b.TempDir(), "journal.db")})
			if err != nil {
				b.Fatal(err)
			}
			defer j.Close()
			var entries []Entry
			b.ReportAllocs()
			began := processorTime(b)
			for i := 0; b.Loop(); i++ {
				call := fmt.Sprintf("call/20260206-%06d", i/20)
				if entries = append(entries, NewEntry("call.played", benchFact, call)); len(entries) < group {
					continue
				}
				if _, err := j.Append(context.Background(), entries...); err != nil {
					b.Fatal(err)
				}
				entries = entries[:0]
			}
			b.ReportMetric(float64((processorTime(b)-began).Microseconds())/float64(b.N), "cpu-µs/entry")
		})
	}
}

// processorTime is what this process has used so far.
func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
