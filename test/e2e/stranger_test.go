package e2e

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pion/rtp"

	"hotline/call"
	"hotline/configs"
	"hotline/queue"
	"hotline/test/ear"
	"hotline/test/stand"
)

// The same call with phones we did not write: SIPp calls, baresip is the agent. What either is sent is listened to on
// the wire, so that no code of theirs or ours stands between.
func TestPhonesWeDidNotWrite(t *testing.T) {
	t.Parallel()
	needProgram(t, "sipp", "sip-tester")
	needProgram(t, "baresip", "baresip-core")
	w := newWorld(t, 3*time.Minute, func(cfg *configs.Config) {
		cfg.Queues[0].WrapUp.Duration = time.Second
		cfg.Rating.Timeout.Duration = 3 * time.Second
	})
	desk := startBaresip(w, "1001")
	w.await("baresip has registered", func() bool {
		out, err := w.CLI("pjsip show contacts")
		return err == nil && strings.Contains(out, "1001/sip:")
	})
	w.must("agent", "sign-in", "1001")

	t.Run("the caller hangs up", func(t *testing.T) {
		w := w.in(t)
		talkFor := 6 * time.Second
		caller := startSIPp(w, "13800000001", fmt.Sprintf("<pause milliseconds=%q/>%s", ms(talkFor), byeSent))
		toAgent := tapRTP(w, desk.rtp)
		s := w.summary(mask("13800000001"))
		caller.wait()
		if s.Outcome != (call.Outcome{Result: call.Served, Reason: "talked"}) || s.Agent != "1001" || s.HungUp != callerPressed {
			t.Errorf("the journal says %+v, want served by 1001 and hung up by the caller, proven", s)
		}
		heard := caller.heard.transcript()
		wantInOrder(t, "the caller (SIPp)", heard, "greeting.morning", "greeting.company", "notice.recording", "menu.main", "agent.before", "agent.after")
		wantHeard(t, "the caller (SIPp)", heard, "voice.agent")
		wantInOrder(t, "the agent (baresip)", toAgent.transcript(), "agent.before", "agent.after")
		wantHeard(t, "the agent (baresip)", toAgent.transcript(), "voice.caller")
		wantBothDirectionsRecorded(t, s)
	})

	t.Run("the agent holds, takes back and hangs up", func(t *testing.T) {
		w := w.in(t)
		w.await("the agent is ready again", func() bool { return w.stateOf("1001") == queue.StateReady })
		caller := startSIPp(w, "13800000002", byeReceived)
		caller.hears("agent.after", 0)
		caller.hears("voice.agent", 0)
		desk.command(w, "hold")
		held := caller.hears(ear.HoldTone, caller.heard.now())
		w.await("the tone has sounded for a second", func() bool {
			heard := caller.heard.transcript().Of(ear.HoldTone)
			return heard[len(heard)-1].Duration() >= time.Second
		})
		desk.command(w, "resume")
		back := caller.hears("voice.agent", held.At+time.Second)
		desk.command(w, "hangup")
		caller.hears("rating.ask", back.At)
		caller.wait()
		s := w.summary(mask("13800000002"))
		if s.Outcome != (call.Outcome{Result: call.Served, Reason: "talked"}) || s.HungUp != agentPressed {
			t.Errorf("the journal says %+v, want served and hung up by the agent, proven", s)
		}
		heard := caller.heard.transcript()
		wantInOrder(t, "the caller (SIPp)", heard, "menu.main", "agent.before", "agent.after", ear.HoldTone, "voice.agent", "rating.ask", "closing.day")
		talk := heard.Of("agent.before")[0]
		if quiet := heard.Silences(talk.At, back.At, time.Second); len(quiet) > 0 {
			t.Errorf("the caller heard silence between the agent's answer and being taken back: %v\nheard: %s", quiet, heard)
		}
		wantBothDirectionsRecorded(t, s)
	})
}

// wantBothDirectionsRecorded decodes the recording: left what SIPp said, right what was said to it.
func wantBothDirectionsRecorded(t *testing.T, s call.Summary) {
	t.Helper()
	if s.Recording == nil {
		t.Fatal("there is no recording")
	}
	t.Logf("the recording: %+v", *s.Recording)
	// A machine that is held up loses time, which another test is about; here it is to be told.
	missing := seconds(s.Recording.Expected - s.Recording.Seconds)
	if told := s.Recording.Gap != ""; told != (missing.Abs() > 100*time.Millisecond) {
		t.Errorf("the recording differs from the clock by %v, and its gap is told as %q", missing, s.Recording.Gap)
	}
	code, err := stand.Code("zh-CN")
	if err != nil {
		t.Fatal(err)
	}
	rec, err := ear.DecodeFile(s.Recording.File, ear.DecoderOptions{Code: code, Voices: voices})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("recorded %s, left %s\nright %s", rec.Duration, rec.Left, rec.Right)
	wantHeard(t, "the recording's left channel", rec.Left, "voice.caller")
	wantInOrder(t, "the recording's right channel", rec.Right, "menu.main", "agent.before", "agent.after")
	wantHeard(t, "the recording's right channel", rec.Right, "voice.agent")
}

// wantHeard looks for a sound anywhere.
func wantHeard(t *testing.T, who string, heard ear.Transcript, id string) {
	t.Helper()
	if len(heard.Of(id)) == 0 {
		t.Errorf("%s: %s is missing\nheard: %s", who, id, heard)
	}
}

// wantInOrder looks for sounds that follow one another, others between them allowed.
func wantInOrder(t *testing.T, who string, heard ear.Transcript, want ...string) {
	t.Helper()
	next := 0
	for _, h := range heard {
		if next < len(want) && h.ID == want[next] {
			next++
		}
	}
	if next < len(want) {
		t.Errorf("%s: %s is missing or not in its place: want in order %v\nheard: %s", who, want[next], want, heard)
	}
}

// needProgram fails the test where a program is not installed, and names its package.
func needProgram(t *testing.T, name, debian string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is not installed: apt-get install %s, or make bootstrap", name, debian)
	}
}

// stateOf is what the service says an agent is doing.
func (w *world) stateOf(id string) (state queue.State) {
	w.t.Helper()
	for _, line := range strings.Split(w.must("agent", "list", id), "\n") {
		if fields := strings.Fields(line); len(fields) > 2 && fields[0] == id {
			if err := state.UnmarshalText([]byte(fields[2])); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	return state
}

// freePort is a UDP port of an address that nobody has at the moment, and its neighbour neither.
func freePort(t testing.TB, ip string) netip.AddrPort {
	t.Helper()
	for range 100 {
		first, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(ip)})
		if err != nil {
			t.Fatal(err)
		}
		at := first.LocalAddr().(*net.UDPAddr).AddrPort()
		first.Close()
		if at.Port()%2 != 0 { // RTP is on an even port, RTCP on the next
			continue
		}
		if next, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at.Addr(), at.Port()+1))); err == nil {
			next.Close()
			return at
		}
	}
	t.Fatalf("no free pair of UDP ports on %s", ip)
	return netip.AddrPort{}
}

// running is a program under test and what it prints.
type running struct {
	name string
	cmd  *exec.Cmd
	out  *lockedBuffer
	done chan error
}

func start(w *world, name, dir string, args ...string) *running {
	w.t.Helper()
	r := &running{name: name, cmd: exec.Command(name, args...), out: &lockedBuffer{}, done: make(chan error, 1)}
	r.cmd.Dir, r.cmd.Stdout, r.cmd.Stderr = dir, r.out, r.out
	r.cmd.Env = append(os.Environ(), "HOME="+dir, "TERM=dumb")
	if err := r.cmd.Start(); err != nil {
		w.t.Fatalf("start %s: %v", name, err)
	}
	go func() { r.done <- r.cmd.Wait() }()
	w.t.Cleanup(func() {
		_ = r.cmd.Process.Kill() // it has ended by itself, or is to end now
		if w.t.Failed() {
			w.t.Logf("%s said:\n%s", name, r.out)
		}
	})
	return r
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// baresip is an agent's softphone.
type baresip struct {
	*running
	rtp     netip.AddrPort
	control netip.AddrPort
}

// startBaresip starts it with a folder of its own: it registers as the agent, answers by itself, says the agents' note
// and plays to nobody.
func startBaresip(w *world, id string) *baresip {
	w.t.Helper()
	account, _ := w.Config.Agent(id)
	dir := w.t.TempDir()
	b := &baresip{rtp: freePort(w.t, "127.0.0.1"), control: freePort(w.t, "127.0.0.1")}
	write(w.t, filepath.Join(dir, "config"), fmt.Sprintf(`
module_path /usr/lib/baresip/modules
module g711.so
module ausine.so
module aubridge.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen %s
sip_listen %s
rtp_ports %d-%d
audio_source ausine,%d
audio_player aubridge,nobody
audio_alert aubridge,nobody
ausrc_srate 48000
auplay_srate 8000
ausrc_channels 2
auplay_channels 1
`, b.control, freePort(w.t, "127.0.0.1"), b.rtp.Port(), b.rtp.Port()+1, voices["agent"]))
	write(w.t, filepath.Join(dir, "accounts"), fmt.Sprintf("<sip:%s@%s;transport=udp>;auth_user=%s;auth_pass=%s;answermode=auto;audio_codecs=PCMA/8000/1;regint=60;dtmfmode=rtpevent\n",
		id, w.SIP(), id, account.Password.Reveal()))
	write(w.t, filepath.Join(dir, "contacts"), "")
	b.running = start(w, "baresip", dir, "-f", dir)
	return b
}

// command sends a command of baresip's menu through its control port, a netstring of JSON.
func (b *baresip) command(w *world, command string) {
	w.t.Helper()
	conn, err := net.DialTimeout("tcp", b.control.String(), 2*time.Second)
	if err != nil {
		w.t.Fatalf("baresip's control port: %v\n%s", err, b.out)
	}
	defer conn.Close()
	text, err := json.Marshal(map[string]string{"command": command})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "%d:%s,", len(text), text); err != nil {
		w.t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(2 * time.Second)) // the answer is read so that the command is not cut off
	answer := make([]byte, 4096)
	if n, err := conn.Read(answer); err != nil && err != io.EOF {
		w.t.Fatalf("baresip does not answer %q: %v", command, err)
	} else {
		w.t.Logf("baresip: %s: %s", command, bytes.TrimSpace(answer[:n]))
	}
}

// sipp is a caller.
type sipp struct {
	*running
	w     *world
	heard *tap
}

// startSIPp places a call: it waits for the answer, listens for a while, presses 0 in the menu and then says the
// callers' note for a minute. then is how its scenario ends.
func startSIPp(w *world, number, then string) *sipp {
	w.t.Helper()
	dir := w.t.TempDir()
	media := freePort(w.t, stand.TrunkAddress)
	write(w.t, filepath.Join(dir, "scenario.xml"), fmt.Sprintf(sippScenario, number, filepath.Join(dir, "voice.pcap"), then))
	write(w.t, filepath.Join(dir, "voice.pcap"), string(voicePcap(w.t, voices["caller"], time.Minute)))
	s := &sipp{w: w, heard: tapRTP(w, media)}
	s.running = start(w, "sipp", dir, w.SIP().String(), "-sf", "scenario.xml", "-s", w.Config.Service.Number,
		"-i", stand.TrunkAddress, "-p", fmt.Sprint(freePort(w.t, stand.TrunkAddress).Port()),
		"-mi", stand.TrunkAddress, "-mp", fmt.Sprint(media.Port()), "-m", "1", "-nostdin",
		"-trace_err", "-error_file", "errors.log", "-trace_msg", "-message_file", "messages.log")
	w.t.Cleanup(func() {
		if w.t.Failed() {
			w.t.Logf("the caller (SIPp) heard: %s", s.heard.transcript())
			for _, name := range []string{"errors.log", "messages.log"} {
				text, _ := os.ReadFile(filepath.Join(dir, name))
				w.t.Logf("SIPp's %s:\n%s", name, text)
			}
		}
	})
	return s
}

// wait waits until the scenario has come to its end, and as it was to.
func (s *sipp) wait() {
	s.w.t.Helper()
	select {
	case err := <-s.done:
		if err != nil {
			s.w.t.Errorf("SIPp's scenario failed: %v", err)
		}
	case <-s.w.ctx.Done():
		s.w.t.Fatalf("SIPp is still on the line: %v", context.Cause(s.w.ctx))
	}
}

func (s *sipp) hears(id string, from time.Duration) (found ear.Heard) {
	s.w.t.Helper()
	s.w.await("the caller (SIPp) hears "+id, func() bool {
		for _, h := range s.heard.transcript().Of(id) {
			if h.At >= from {
				found = h
				return true
			}
		}
		return false
	})
	return found
}

// The menu key is pressed 5 s after the answer: greeting, notice and menu last 4.4 s in the tests' prompts, and the
// menu then waits 5 s before it asks again, three times; so the moment is right for any machine.
const sippScenario = `<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="a caller">
  <send retrans="500"><![CDATA[
    INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:%[1]s@[local_ip]:[local_port]>;tag=[pid]SIPpTag[call_number]
    To: <sip:[service]@[remote_ip]:[remote_port]>
    Call-ID: [call_id]
    CSeq: 1 INVITE
    Contact: <sip:%[1]s@[local_ip]:[local_port]>
    Max-Forwards: 70
    Content-Type: application/sdp
    Content-Length: [len]

    v=0
    o=stranger 1 1 IN IP[local_ip_type] [local_ip]
    s=-
    c=IN IP[media_ip_type] [media_ip]
    t=0 0
    m=audio [media_port] RTP/AVP 8 101
    a=rtpmap:8 PCMA/8000
    a=rtpmap:101 telephone-event/8000
    a=fmtp:101 0-15
    a=ptime:20
  ]]></send>
  <recv response="100" optional="true"/>
  <recv response="180" optional="true"/>
  <recv response="183" optional="true"/>
  <recv response="200" rrs="true"/>
  <send><![CDATA[
    ACK [next_url] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:%[1]s@[local_ip]:[local_port]>;tag=[pid]SIPpTag[call_number]
    To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
    Call-ID: [call_id]
    CSeq: 1 ACK
    Max-Forwards: 70
    Content-Length: 0
  ]]></send>
  <pause milliseconds="5000"/>
  <nop><action><exec play_pcap_audio="/usr/share/sip-tester/dtmf_2833_0.pcap"/></action></nop>
  <pause milliseconds="500"/>
  <nop><action><exec play_pcap_audio="%[2]s"/></action></nop>
  %[3]s
</scenario>
`

// How a caller's scenario ends: by its own BYE, or by ours.
const (
	byeSent = `<send retrans="500"><![CDATA[
    BYE [next_url] SIP/2.0
    Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
    From: <sip:13800000001@[local_ip]:[local_port]>;tag=[pid]SIPpTag[call_number]
    To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
    Call-ID: [call_id]
    CSeq: 2 BYE
    Max-Forwards: 70
    Content-Length: 0
  ]]></send>
  <recv response="200"/>`
	byeReceived = `<recv request="BYE" timeout="60000"/>
  <send><![CDATA[
    SIP/2.0 200 OK
    [last_Via:]
    [last_From:]
    [last_To:]
    [last_Call-ID:]
    [last_CSeq:]
    Content-Length: 0
  ]]></send>`
)

func ms(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// voicePcap is a capture of somebody who says one note, A-law, as SIPp plays it.
func voicePcap(t testing.TB, hz int, length time.Duration) []byte {
	t.Helper()
	voice, err := ear.NewVoice(hz, 8000)
	if err != nil {
		t.Fatal(err)
	}
	const samples, frame = 160, 20 * time.Millisecond
	var file bytes.Buffer
	put := func(order binary.ByteOrder, fields ...any) {
		for _, f := range fields {
			if err := binary.Write(&file, order, f); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(binary.LittleEndian, uint32(0xa1b2c3d4), uint16(2), uint16(4), uint32(0), uint32(0), uint32(1500), uint32(1)) // Ethernet
	pcm := make([]int16, samples)
	for n := range int(length / frame) {
		voice.Next(pcm)
		packet := rtp.Packet{Header: rtp.Header{
			Version: 2, PayloadType: uint8(ear.ALaw), SequenceNumber: uint16(n), Timestamp: uint32(n * samples), SSRC: 7, Marker: n == 0,
		}, Payload: ear.ALaw.Encode(pcm)}
		data, err := packet.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		at := time.Duration(n) * frame
		size := uint32(14 + 20 + 8 + len(data))
		put(binary.LittleEndian, uint32(at/time.Second), uint32(at%time.Second/time.Microsecond), size, size)
		file.Write(make([]byte, 12))
		put(binary.BigEndian, uint16(0x0800))
		put(binary.BigEndian, uint16(0x4500), uint16(20+8+len(data)), uint32(0), uint16(64<<8|syscall.IPPROTO_UDP), uint16(0), [4]byte{127, 0, 0, 2}, [4]byte{127, 0, 0, 1})
		put(binary.BigEndian, uint16(4000), uint16(4000), uint16(8+len(data)), uint16(0))
		file.Write(data)
	}
	return file.Bytes()
}

// tap listens to the RTP that is sent to an address, on the wire.
type tap struct {
	began   time.Time
	decoder *ear.Decoder
}

// tapRTP begins to listen; it ends with the test.
func tapRTP(w *world, to netip.AddrPort) *tap {
	w.t.Helper()
	decoder, err := ear.NewDecoder(ear.DecoderOptions{Code: w.code, Voices: voices})
	if err != nil {
		w.t.Fatal(err)
	}
	socket, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, int(bigEndian(syscall.ETH_P_IP)))
	if err != nil {
		w.t.Fatalf("listening on the wire needs root: %v", err)
	}
	patience := syscall.NsecToTimeval(int64(100 * time.Millisecond)) // so that the end of the test is noticed
	if err := syscall.SetsockoptTimeval(socket, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &patience); err != nil {
		w.t.Fatal(err)
	}
	t := &tap{began: time.Now(), decoder: decoder}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		defer syscall.Close(socket)
		t.listen(socket, to, stop)
	}()
	w.t.Cleanup(func() { close(stop); <-stopped })
	return t
}

func (t *tap) now() time.Duration { return time.Since(t.began) }

func (t *tap) transcript() ear.Transcript { return t.decoder.Transcript() }

func (t *tap) listen(socket int, to netip.AddrPort, stop <-chan struct{}) {
	buffer := make([]byte, 4096)
	var pcm []int16
	var last rtp.Header
	for {
		select {
		case <-stop:
			return
		default:
		}
		n, from, err := syscall.Recvfrom(socket, buffer, 0)
		if err != nil {
			continue // nothing came for a while
		}
		if link, ok := from.(*syscall.SockaddrLinklayer); !ok || link.Pkttype != syscall.PACKET_HOST {
			continue // loopback shows each packet twice: as it leaves and as it arrives
		}
		payload, ok := udpTo(buffer[:n], to)
		var p rtp.Packet
		if !ok || p.Unmarshal(payload) != nil || p.PayloadType != uint8(ear.ALaw) {
			continue
		}
		pcm = ear.ALaw.Decode(pcm[:0], p.Payload)
		if p.SSRC == last.SSRC && p.SequenceNumber == last.SequenceNumber+1 && p.Timestamp == last.Timestamp+uint32(len(p.Payload)) {
			t.decoder.Continue(t.now(), pcm)
		} else {
			t.decoder.Write(t.now(), pcm)
		}
		last = p.Header
	}
}

// udpTo is the payload of an IPv4 packet that is UDP to this address.
func udpTo(packet []byte, to netip.AddrPort) ([]byte, bool) {
	if len(packet) < 20 || packet[0]>>4 != 4 || packet[9] != syscall.IPPROTO_UDP {
		return nil, false
	}
	header := int(packet[0]&15) * 4
	if len(packet) < header+8 || netip.AddrFrom4([4]byte(packet[16:20])) != to.Addr() || binary.BigEndian.Uint16(packet[header+2:]) != to.Port() {
		return nil, false
	}
	return packet[header+8:], true
}

func bigEndian(v uint16) uint16 { return v<<8 | v>>8 }
