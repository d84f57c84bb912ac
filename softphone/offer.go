package softphone

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/ice/v2"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v3"
)

// Refusal is an error that the browser is told of by a code, with values for
// the sentence that its page makes of it.
type Refusal interface {
	error
	Code() string
	Values() map[string]any
}

// refusal is one of our own.
type refusal struct {
	code   string
	values map[string]any
	why    string // for the log
}

func (r refusal) Error() string          { return "softphone: " + r.code + ": " + r.why }
func (r refusal) Code() string           { return r.code }
func (r refusal) Values() map[string]any { return r.values }

func badOffer(format string, a ...any) error {
	return refusal{code: codeBadOffer, why: fmt.Sprintf(format, a...)}
}

// offer is an offer that has been looked through.
type offer struct {
	origin string // the session of its o= line: which RTCPeerConnection it is of
	sdp    string // what of it is given to pion
	ufrag  string // ICE's; another one of the same origin is an ICE restart
	event  uint8  // telephone-event's payload type; 0: none
}

// passed are the attributes that are given to pion; the others are about what
// is not negotiated here (header extensions, bandwidth, feedback, video).
var passed = struct{ session, media []string }{
	session: []string{"group", "ice-ufrag", "ice-pwd", "ice-options", "fingerprint", "setup"},
	media: []string{"ice-ufrag", "ice-pwd", "ice-options", "fingerprint", "setup", "mid", "rtcp-mux",
		"sendrecv", "sendonly", "recvonly", "ssrc", "msid", "candidate", "end-of-candidates"},
}

// The most that an offer of one audio line has.
const (
	maxAttributes = 256
	maxValue      = 1024
	maxCandidates = 64
	maxCandidate  = 512
)

// readOffer looks an offer through and keeps of it what is understood, so that
// pion sees nothing else: an offer is the one thing of a browser's that is
// complicated.
func readOffer(text string, codec Codec) (offer, error) {
	var d sdp.SessionDescription
	if err := d.Unmarshal([]byte(text)); err != nil {
		return offer{}, badOffer("%v", err)
	}
	if len(d.MediaDescriptions) != 1 || d.MediaDescriptions[0].MediaName.Media != "audio" {
		return offer{}, badOffer("it has not one line of audio alone")
	}
	m := d.MediaDescriptions[0]
	attribute := func(key string) string {
		value, _ := m.Attribute(key)
		if value == "" {
			value, _ = d.Attribute(key)
		}
		return value
	}
	if err := checkTransport(m, attribute); err != nil {
		return offer{}, err
	}
	formats, event, err := chooseFormats(m, codec)
	if err != nil {
		return offer{}, err
	}

	o := offer{origin: fmt.Sprint(d.Origin.Username, " ", d.Origin.SessionID), ufrag: attribute("ice-ufrag"), event: event}
	mid := attribute("mid")
	d.URI, d.EmailAddress, d.PhoneNumber, d.ConnectionInformation, d.SessionInformation, d.EncryptionKey = nil, nil, nil, nil, nil, nil
	d.Bandwidth, d.TimeZones = nil, nil
	d.TimeDescriptions = []sdp.TimeDescription{{}}
	d.Attributes = keep(d.Attributes, passed.session)
	for i := range d.Attributes {
		if d.Attributes[i].Key == "group" {
			d.Attributes[i].Value = "BUNDLE " + mid
		}
	}
	m.MediaName.Formats = m.MediaName.Formats[:0]
	attributes := keep(m.Attributes, passed.media)
	attributes = slices.DeleteFunc(attributes, func(a sdp.Attribute) bool { return a.Key == "candidate" && !usable(a.Value) })
	for _, f := range formats {
		m.MediaName.Formats = append(m.MediaName.Formats, f.number)
		attributes = append(attributes, sdp.Attribute{Key: "rtpmap", Value: f.number + " " + f.name})
	}
	m.Attributes = attributes
	m.MediaTitle, m.ConnectionInformation, m.Bandwidth, m.EncryptionKey = nil, nil, nil, nil
	cleaned, err := d.Marshal()
	if err != nil {
		return offer{}, badOffer("%v", err)
	}
	o.sdp = string(cleaned)
	return o, nil
}

// checkTransport asks for all that a WebRTC browser offers.
func checkTransport(m *sdp.MediaDescription, attribute func(string) string) error {
	if got := strings.Join(m.MediaName.Protos, "/"); got != "UDP/TLS/RTP/SAVPF" {
		return badOffer("its transport is not UDP/TLS/RTP/SAVPF")
	}
	if len(m.Attributes) > maxAttributes {
		return badOffer("it has %d attributes", len(m.Attributes))
	}
	candidates := 0
	for _, a := range m.Attributes {
		if len(a.Value) > maxValue {
			return badOffer("attribute %s is too long", a.Key)
		}
		if a.Key == "candidate" {
			candidates++
		}
	}
	if candidates > maxCandidates {
		return badOffer("it has %d candidates", candidates)
	}
	if _, muxed := m.Attribute("rtcp-mux"); !muxed {
		return badOffer("it has no rtcp-mux")
	}
	if mid := attribute("mid"); mid == "" || len(mid) > 32 || strings.ContainsAny(mid, " \t") {
		return badOffer("its mid")
	}
	if ufrag, pwd := attribute("ice-ufrag"), attribute("ice-pwd"); len(ufrag) < 4 || len(ufrag) > 256 || len(pwd) < 22 || len(pwd) > 256 {
		return badOffer("its ice-ufrag or ice-pwd (RFC 8839 §5.4)")
	}
	hash, digest, found := strings.Cut(attribute("fingerprint"), " ")
	if !found || hash == "" || digest == "" {
		return badOffer("it has no fingerprint")
	}
	if setup := attribute("setup"); setup != "actpass" && setup != "active" && setup != "passive" {
		return badOffer("its setup")
	}
	if _, inactive := m.Attribute("inactive"); inactive {
		return badOffer("it is inactive")
	}
	return nil
}

// format is one of an m= line: its number, and codec and clock rate.
type format struct{ number, name string }

// chooseFormats returns those of the codec and of telephone-event.
func chooseFormats(m *sdp.MediaDescription, codec Codec) (chosen []format, event uint8, err error) {
	static := strconv.Itoa(int(codec.payloadType()))
	if !slices.Contains(m.MediaName.Formats, static) {
		return nil, 0, refusal{code: codeNoCodec, values: map[string]any{"codec": string(codec)}, why: "the offer has no " + string(codec)}
	}
	chosen = []format{{static, string(codec) + "/" + eventRate}}
	for _, a := range m.Attributes {
		number, name, _ := strings.Cut(a.Value, " ")
		if a.Key != "rtpmap" || !strings.EqualFold(name, "telephone-event/"+eventRate) || !slices.Contains(m.MediaName.Formats, number) {
			continue
		}
		if pt, err := strconv.Atoi(number); err == nil && pt >= 96 && pt <= 127 && strconv.Itoa(pt) == number {
			return append(chosen, format{number, "telephone-event/" + eventRate}), uint8(pt), nil
		}
	}
	return chosen, 0, nil
}

func keep(attributes []sdp.Attribute, keys []string) []sdp.Attribute {
	return slices.DeleteFunc(slices.Clone(attributes), func(a sdp.Attribute) bool { return !slices.Contains(keys, a.Key) })
}

// usable says whether a candidate line of an offer, or a trickled one, can be
// tried: names under .local can not, as mDNS is off.
func usable(line string) bool {
	c, err := ice.UnmarshalCandidate(strings.TrimPrefix(line, "candidate:"))
	return err == nil && len(line) <= maxCandidate && !strings.HasSuffix(c.Address(), ".local")
}

// readCandidate reads a candidate as RTCIceCandidate.toJSON() gives it. An empty
// one, which ends them, and one under .local are nil.
func readCandidate(c *webrtc.ICECandidateInit) (*webrtc.ICECandidateInit, error) {
	if c == nil || c.Candidate == "" {
		return nil, nil
	}
	bad := func(why string) error { return refusal{code: codeBadCandidate, why: why} }
	if len(c.Candidate) > maxCandidate {
		return nil, bad("it is too long")
	}
	parsed, err := ice.UnmarshalCandidate(strings.TrimPrefix(c.Candidate, "candidate:"))
	if err != nil {
		return nil, bad(err.Error())
	}
	if strings.HasSuffix(parsed.Address(), ".local") {
		return nil, nil
	}
	return c, nil
}
