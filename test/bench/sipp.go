package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"hotline/test/stand"
)

//go:embed scenarios/caller.xml
var callerScenario string

//go:embed scenarios/agent.xml
var agentScenario string

// phonesAt is where agents' phones are: trunk callers come from another loopback address, by which they are known.
const phonesAt = "127.0.0.1"

// sipp is one SIPp at work.
type sipp struct {
	cmd    *exec.Cmd
	dir    string
	stats  string
	said   bytes.Buffer // on its standard error; to be read once it has exited
	exited chan struct{}
}

// startSIPp runs SIPp with a scenario. Everything it writes is in dir.
func startSIPp(dir, scenario, ip string, port int, to string, args ...string) (*sipp, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "scenario.xml")
	if err := os.WriteFile(file, []byte(scenario), 0o644); err != nil {
		return nil, err
	}
	media, err := freePort(ip)
	if err != nil {
		return nil, err
	}
	s := &sipp{dir: dir, stats: filepath.Join(dir, "stats.csv"), exited: make(chan struct{})}
	s.cmd = exec.Command("sipp", append([]string{
		to, "-sf", file, "-i", ip, "-p", strconv.Itoa(port), "-mi", ip, "-mp", strconv.Itoa(media), "-nostdin",
		"-trace_stat", "-stf", s.stats, "-fd", "1", "-trace_err", "-error_file", filepath.Join(dir, "errors.log"),
		"-timer_resol", "1", "-buff_size", "8388608",
	}, args...)...)
	s.cmd.Dir = dir
	s.cmd.Stderr = &s.said
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start SIPp: %w (package sip-tester)", err)
	}
	go func() {
		defer close(s.exited)
		_ = s.cmd.Wait() // it tells of failed calls, which its figures do
	}()
	return s, nil
}

// stop ends SIPp and leaves its calls as they are.
func (s *sipp) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.exited
	return nil
}

// someFailed is how SIPp exits when not all calls went well, which its figures tell.
const someFailed = 1

// wait waits until SIPp has ended by itself.
func (s *sipp) wait(ctx context.Context) error {
	select {
	case <-s.exited:
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), s.stop())
	}
	if status := s.cmd.ProcessState.ExitCode(); status != 0 && status != someFailed {
		return fmt.Errorf("SIPp exited with %d: %s", status, bytes.TrimSpace(s.said.Bytes()))
	}
	return nil
}

// tally are SIPp's own figures.
type tally struct{ made, open, well, failed, repeated int }

// tally reads the last line of the statistics, which are a second old at most.
func (s *sipp) tally() (t tally, err error) {
	text, err := os.ReadFile(s.stats)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return t, nil // it is not a second old
	case err != nil:
		return t, err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	names, last := strings.Split(lines[0], ";"), strings.Split(lines[len(lines)-1], ";")
	column := map[string]string{}
	for i, name := range names {
		if i < len(last) {
			column[name] = last[i]
		}
	}
	for name, into := range map[string]*int{
		"TotalCallCreated": &t.made, "CurrentCall": &t.open, "SuccessfulCall(C)": &t.well, "FailedCall(C)": &t.failed, "Retransmissions(C)": &t.repeated,
	} {
		if *into, err = strconv.Atoi(column[name]); err != nil && len(lines) > 1 {
			return t, fmt.Errorf("SIPp's figure %s: %w", name, err)
		}
	}
	return t, nil
}

// answers are the times from each INVITE to its 200.
func (s *sipp) answers() ([]time.Duration, error) {
	files, err := filepath.Glob(filepath.Join(s.dir, "*_rtt.csv"))
	if err != nil || len(files) != 1 {
		return nil, fmt.Errorf("SIPp's response times: %d files: %w", len(files), errors.Join(err, os.ErrNotExist))
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		return nil, err
	}
	reader := csv.NewReader(bytes.NewReader(text))
	reader.Comma, reader.FieldsPerRecord = ';', -1
	rows, err := reader.ReadAll()
	if err != nil {
		return nil, err
	}
	var list []time.Duration
	for _, row := range rows[1:] {
		ms, err := strconv.ParseFloat(row[1], 64)
		if err != nil {
			return nil, fmt.Errorf("SIPp's response times: %w", err)
		}
		list = append(list, time.Duration(ms*float64(time.Millisecond)))
	}
	return list, nil
}

// complaints are SIPp's last words.
func (s *sipp) complaints() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "errors.log"))
	if err != nil || len(text) == 0 {
		return "SIPp complains of nothing"
	}
	return "SIPp: " + string(text[:min(len(text), 1500)])
}

// newDesks chooses where the agents' phones are going to be.
func newDesks() (netip.AddrPort, error) {
	port, err := freePort(phonesAt)
	return netip.AddrPortFrom(netip.MustParseAddr(phonesAt), uint16(port)), err
}

// desk is what an agent does with a call: the phone rings, then they talk.
type desk struct{ rings, talks time.Duration }

// startDesks runs one SIPp that is every agent's phone.
func startDesks(dir string, at netip.AddrPort, d desk, p profile, to string) (*sipp, error) {
	scenario := strings.NewReplacer(
		"RINGS", strconv.FormatInt(d.rings.Milliseconds(), 10), "TALKS", strconv.FormatInt(d.talks.Milliseconds(), 10),
	).Replace(agentScenario)
	var args []string
	if p.media {
		args = append(args, "-rtp_echo")
	}
	return startSIPp(dir, scenario, phonesAt, int(at.Port()), to, args...)
}

// crowd is how callers come.
type crowd struct {
	perSecond int
	calls     int // in all
	atOnce    int // at most; 0: any number
}

// startCallers runs one SIPp that is every caller.
func startCallers(dir string, c crowd, p profile, exten, to string) (*sipp, error) {
	port, err := freePort(stand.TrunkAddress)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	lines := filepath.Join(dir, "trunks.csv")
	if err := os.WriteFile(lines, []byte(trunkLines()), 0o644); err != nil {
		return nil, err
	}
	speak, media := "", "[media_port]"
	if p.media {
		voice := filepath.Join(dir, "voice.alaw")
		if err := os.WriteFile(voice, hum(), 0o644); err != nil {
			return nil, err
		}
		speak, media = fmt.Sprintf(`<nop><action><exec rtp_stream="%s,-1,8"/></action></nop>`, voice), "[rtpstream_audio_port]"
	}
	if c.atOnce == 0 {
		c.atOnce = c.calls
	}
	scenario := strings.NewReplacer("SPEAK", speak, "MEDIAPORT", media, "TRUNKHEADER", trunkHeader).Replace(callerScenario)
	return startSIPp(dir, scenario, stand.TrunkAddress, port, to, "-s", exten, "-inf", lines,
		"-r", strconv.Itoa(c.perSecond), "-m", strconv.Itoa(c.calls), "-l", strconv.Itoa(c.atOnce), "-trace_rtt", "-rtt_freq", "1")
}

// trunkLines has SIPp's callers take the trunks in turn.
func trunkLines() string {
	var b strings.Builder
	b.WriteString("SEQUENTIAL\n")
	for n := range trunks {
		fmt.Fprintf(&b, "%d;\n", n+1)
	}
	return b.String()
}

// hum is a second of something to say, in A-law.
func hum() []byte {
	voice := make([]byte, 8000)
	for i := range voice {
		voice[i] = []byte{0xB5, 0x35}[i/10%2] // a square wave of 400 Hz, softly
	}
	return voice
}

// freePort is one that nobody has at the moment.
func freePort(ip string) (int, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(ip)})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).Port, nil
}
