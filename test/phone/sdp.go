package phone

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"hotline/test/ear"
)

// direction is an SDP direction attribute.
type direction string

const (
	sendRecv direction = "sendrecv"
	sendOnly direction = "sendonly"
	recvOnly direction = "recvonly"
	inactive direction = "inactive"
)

// sends tells whether the side that describes itself so sends media.
func (d direction) sends() bool { return d == sendRecv || d == sendOnly }

// receives tells whether it wants to be sent media.
func (d direction) receives() bool { return d == sendRecv || d == recvOnly }

// answer is what a side that itself wants `own` answers to an offer of d.
func (d direction) answer(own direction) direction {
	sends, receives := d.receives() && own.sends(), d.sends() && own.receives()
	switch {
	case sends && receives:
		return sendRecv
	case sends:
		return sendOnly
	case receives:
		return recvOnly
	default:
		return inactive
	}
}

// session is one side's audio as SDP describes it.
type session struct {
	addr      netip.AddrPort
	laws      []ear.Law // in order of preference
	keys      uint8     // payload type of RFC 4733 events; 0: none
	direction direction
}

const defaultKeys = 101

func (s session) marshal(version uint64) []byte {
	var b strings.Builder
	ip := s.addr.Addr()
	fmt.Fprintf(&b, "v=0\r\no=- %d %d IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n", s.addr.Port(), version, ip, ip)
	fmt.Fprintf(&b, "m=audio %d RTP/AVP", s.addr.Port())
	for _, l := range s.laws {
		fmt.Fprintf(&b, " %d", l)
	}
	if s.keys != 0 {
		fmt.Fprintf(&b, " %d", s.keys)
	}
	b.WriteString("\r\n")
	for _, l := range s.laws {
		fmt.Fprintf(&b, "a=rtpmap:%d %s/8000\r\n", l, l)
	}
	if s.keys != 0 {
		fmt.Fprintf(&b, "a=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-16\r\n", s.keys, s.keys)
	}
	fmt.Fprintf(&b, "a=ptime:20\r\na=%s\r\n", s.direction)
	return []byte(b.String())
}

// parseSDP reads the first audio stream. Codecs it does not know are left out;
// a description without G.711 is an error.
func parseSDP(body []byte) (session, error) {
	s := session{direction: sendRecv}
	var ip netip.Addr
	var port uint64
	var err error
	inAudio, seenMedia := false, false
	for line := range strings.Lines(string(body)) {
		kind, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		if !ok {
			continue
		}
		switch {
		case kind == "m":
			inAudio = strings.HasPrefix(value, "audio ") && !seenMedia
			seenMedia = seenMedia || inAudio
			if inAudio {
				if port, s.laws, err = parseMedia(value); err != nil {
					return s, err
				}
			}
		case kind == "c" && (inAudio || !seenMedia):
			_, host, _ := strings.Cut(value, "IP4 ")
			if ip, err = netip.ParseAddr(strings.TrimSpace(host)); err != nil {
				return s, fmt.Errorf("phone: SDP connection %q: %w", value, err)
			}
		case kind == "a" && (inAudio || !seenMedia):
			s.attribute(value)
		}
	}
	if len(s.laws) == 0 {
		return s, errors.New("phone: SDP offers no G.711 audio")
	}
	s.addr = netip.AddrPortFrom(ip, uint16(port))
	if !s.addr.IsValid() || port == 0 {
		return s, fmt.Errorf("phone: SDP names no address for audio (%v port %d)", ip, port)
	}
	return s, nil
}

func parseMedia(value string) (port uint64, laws []ear.Law, err error) {
	f := strings.Fields(value)
	if len(f) < 4 {
		return 0, nil, fmt.Errorf("phone: SDP media line %q is too short", value)
	}
	if port, err = strconv.ParseUint(f[1], 10, 16); err != nil {
		return 0, nil, fmt.Errorf("phone: SDP media line %q: %w", value, err)
	}
	for _, pt := range f[3:] {
		switch pt {
		case "0":
			laws = append(laws, ear.MuLaw)
		case "8":
			laws = append(laws, ear.ALaw)
		}
	}
	return port, laws, nil
}

func (s *session) attribute(value string) {
	switch d := direction(value); d {
	case sendRecv, sendOnly, recvOnly, inactive:
		s.direction = d
		return
	}
	if m, ok := strings.CutPrefix(value, "rtpmap:"); ok {
		pt, name, _ := strings.Cut(m, " ")
		n, err := strconv.ParseUint(pt, 10, 7)
		if err == nil && strings.EqualFold(name, "telephone-event/8000") {
			s.keys = uint8(n)
		}
	}
}

// chosen is the law both sides know, by the order of theirs.
func chosen(theirs, ours []ear.Law) (ear.Law, bool) {
	for _, t := range theirs {
		for _, o := range ours {
			if t == o {
				return t, true
			}
		}
	}
	return 0, false
}
