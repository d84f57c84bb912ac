// Command browsers measures the softphone's gateway: a process of its own, with so many calls at once. In this process are
// the browsers (pion clients) and Asterisk's ends of the legs, so that what they cost is not the gateway's.
//
//	go run ./test/browsers                    # 100 calls, half a minute
//	go run ./test/browsers -calls 300 -for 20s
//
// Each call has 50 packets a second in each direction, with the moment of sending in its payload. The delay of a packet is
// from before it is encrypted (or sent) here to after it is received (or decrypted) here, so that it holds what both ends
// and the loopback take as well: an upper bound of what the gateway adds.
//
// It fails when a packet was lost, and when one in a hundred took longer than 5 ms in either direction, unless the host took
// processor time from this machine meanwhile.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	calls := flag.Int("calls", 100, "calls at once")
	length := flag.Duration("for", 30*time.Second, "how long to measure")
	processors := flag.Int("processors", 0, "how many processors the gateway may use; 0: all")
	gateway := flag.Bool("gateway", false, "be the gateway that is measured (for this command itself)")
	profile := flag.String("profile", "", "a `file` for the gateway's CPU profile")
	flag.Parse()
	var err error
	if *gateway {
		err = serve(ctx, *profile)
	} else {
		err = run(ctx, *calls, *processors, *length, *profile)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "browsers:", err)
		os.Exit(1)
	}
}

// run is a measurement.
func run(ctx context.Context, calls, processors int, length time.Duration, profile string) (err error) {
	g, err := start(ctx, processors, profile)
	if err != nil {
		return err
	}
	defer func() {
		if stopped := g.stop(); err == nil {
			err = stopped
		}
	}()
	load := newLoad(g)
	defer load.close()
	for n := range calls {
		if err := load.add(ctx, n); err != nil {
			return fmt.Errorf("call %d: %w", n, err)
		}
	}
	load.speak(ctx, 2*time.Second) // to warm up
	load.forget()
	before, err := g.used()
	if err != nil {
		return err
	}
	takenBefore, err := stolen()
	if err != nil {
		return err
	}
	began := time.Now()
	load.speak(ctx, length)
	took := time.Since(began)
	after, err := g.used()
	if err != nil {
		return err
	}
	taken, err := stolen()
	if err != nil {
		return err
	}
	report(load, took, after.since(before))
	return judge(measured{
		sent: load.up.sent.Load() + load.down.sent.Load(), meant: 100 * int64(calls) * int64(took/time.Second),
		lost: load.up.lost() + load.down.lost(), p99: max(load.up.delay(.99), load.down.delay(.99)),
		stolen: (taken - takenBefore).Seconds() / (took.Seconds() * float64(runtime.NumCPU())),
	})
}

// report prints the figures as they stand in docs/benchmarks.md.
func report(l *load, took time.Duration, cpu used) {
	packets := l.up.sent.Load() + l.down.sent.Load()
	each := cpu.total().Seconds() / float64(packets)
	fmt.Printf("%d calls at once for %v, on %d cores, %s\n\n", len(l.calls), took.Round(time.Second), runtime.NumCPU(), runtime.Version())
	fmt.Println("| | browser → Asterisk | Asterisk → browser |\n|---|---|---|")
	fmt.Printf("| packets sent | %d | %d |\n", l.up.sent.Load(), l.down.sent.Load())
	fmt.Printf("| … lost | %d | %d |\n", l.up.lost(), l.down.lost())
	for _, q := range []struct {
		name  string
		share float64
	}{{"p50", .5}, {"p99", .99}, {"p99.9", .999}, {"longest", 1}} {
		fmt.Printf("| delay, %s, ms | %.2f | %.2f |\n", q.name, l.up.delay(q.share), l.down.delay(q.share))
	}
	fmt.Printf("\nThe gateway used %.1f %% of a core, %.1f µs for a packet (%.1f of it in the kernel): at 100 packets a second, %.2f ms for each call and second, and %.0f calls for a core.\n",
		100*cpu.total().Seconds()/took.Seconds(), 1e6*each, 1e6*cpu.Kernel.Seconds()/float64(packets), 1e3*100*each, 1/(100*each))
}
