package softphone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v2"
	"github.com/pion/transport/v2/packetio"
	"github.com/pion/webrtc/v3"
)

// gatherWithin bounds the gathering of our candidates: they are all known, as
// the sockets are.
const gatherWithin = 2 * time.Second

// streamName is our track's stream in answers, and its CNAME.
const streamName = "hotline"

// peer is one RTCPeerConnection of a browser's, as its session uses it: verbs
// that block, and one channel on which it tells that it failed. What comes from
// the browser it hands to its line in the goroutine that decrypted it.
type peer struct {
	pc     *webrtc.PeerConnection
	track  *webrtc.TrackLocalStaticRTP
	ssrc   uint32        // the track's
	origin string        // of its offers
	ufrag  string        // of the last offer that was taken; the session's goroutine alone knows it
	event  atomic.Uint32 // the payload type of the browser's telephone-event; 0: none

	sent struct { // on the track; guarded by the line's down
		packets, octets uint32
		reported        uint32 // packets, when the last report was made
	}

	gathered chan struct{} // of capacity 1
	over     context.Context
	cancel   context.CancelFunc
}

// common is what all connections have in common.
type common struct {
	settings webrtc.SettingEngine
	codecs   webrtc.MediaEngine
}

func newCommon(o Options, t times, m *muxes) (*common, error) {
	var c common
	if err := o.Codec.register(&c.codecs); err != nil {
		return nil, err
	}
	c.settings = webrtc.SettingEngine{LoggerFactory: loggers{}}
	s := &c.settings
	networks := []webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6}
	s.SetICEUDPMux(m.udp)
	if m.tcp != nil {
		networks = append(networks, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6)
		s.SetICETCPMux(m.tcp)
	}
	s.SetNetworkTypes(networks)
	s.SetIncludeLoopbackCandidate(true) // which addresses are used is decided by the sockets
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.DisableActiveTCP(true)
	s.SetICETimeouts(t.disconnected, t.failed, t.keepAlive)
	if len(o.NAT) > 0 {
		outside := make([]string, len(o.NAT))
		for i, a := range o.NAT {
			outside[i] = a.String()
		}
		s.SetNAT1To1IPs(outside, webrtc.ICECandidateTypeHost)
	}
	return &c, nil
}

// api puts pion together for one connection, whose packets are used where they
// were decrypted. There are no interceptors: what is reported the line counts.
func (c *common) api(use func(kind packetio.BufferPacketType, source uint32) passage) *webrtc.API {
	s := c.settings
	s.BufferFactory = func(kind packetio.BufferPacketType, source uint32) io.ReadWriteCloser { return use(kind, source) }
	return webrtc.NewAPI(webrtc.WithSettingEngine(s), webrtc.WithMediaEngine(&c.codecs))
}

// passage stands in the place of the buffers between pion's decryption and its
// tracks: a packet is used at once, in the goroutine that decrypted it, and
// nothing is kept to be read. So there is nobody to be woken for each packet,
// and nobody who must go on reading.
type passage func(packet []byte)

func (p passage) Write(packet []byte) (int, error) { p(packet); return len(packet), nil }

// Read has nothing.
func (passage) Read([]byte) (int, error) { return 0, io.EOF }

// Close has nothing to close.
func (passage) Close() error { return nil }

// newPeer makes the gateway's end for an offer. failed gets the peer when its
// connection has failed or was closed by the browser.
func (g *Gateway) newPeer(l *line, origin string, failed chan<- *peer) (*peer, error) {
	certificate, err := g.certificate()
	if err != nil {
		return nil, err
	}
	p := &peer{origin: origin, gathered: make(chan struct{}, 1)}
	api := g.common.api(func(kind packetio.BufferPacketType, source uint32) passage {
		if kind == packetio.RTCPBufferPacket {
			return func(data []byte) { l.control(p, source, data) }
		}
		return func(data []byte) { l.fromBrowser(p, data) }
	})
	if p.pc, err = api.NewPeerConnection(webrtc.Configuration{Certificates: []webrtc.Certificate{certificate}}); err != nil {
		return nil, fmt.Errorf("softphone: making a connection: %w", err)
	}
	p.over, p.cancel = context.WithCancel(context.Background())
	p.pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c == nil {
			select {
			case p.gathered <- struct{}{}:
			default:
			}
		}
	})
	p.pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateFailed || state == webrtc.PeerConnectionStateClosed {
			select {
			case failed <- p:
			case <-p.over.Done():
			}
		}
	})
	if err := p.addTrack(g.o.Codec); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *peer) addTrack(codec Codec) error {
	track, err := webrtc.NewTrackLocalStaticRTP(codec.capability(), "audio", streamName)
	if err != nil {
		return fmt.Errorf("softphone: making a track: %w", err)
	}
	sender, err := p.pc.AddTrack(track)
	if err != nil {
		return fmt.Errorf("softphone: adding a track: %w", err)
	}
	p.track, p.ssrc = track, uint32(sender.GetParameters().Encodings[0].SSRC)
	return nil
}

// answer takes an offer, the first or another, and returns the answer with all
// our candidates. Whatever pion makes of an offer, it does not take the other
// lines down with it.
func (p *peer) answer(o offer) (sdp string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("softphone: pion panicked at an offer: %v", r)
		}
	}()
	select {
	case <-p.gathered: // of the offer before
	default:
	}
	if err := p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: o.sdp}); err != nil {
		return "", fmt.Errorf("softphone: taking an offer: %w", err)
	}
	p.event.Store(uint32(o.event))
	answer, err := p.pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("softphone: answering: %w", err)
	}
	if err := p.pc.SetLocalDescription(answer); err != nil {
		return "", fmt.Errorf("softphone: answering: %w", err)
	}
	if p.pc.ICEGatheringState() != webrtc.ICEGatheringStateComplete {
		select {
		case <-p.gathered:
		case <-time.After(gatherWithin):
			return "", errors.New("softphone: our candidates were not gathered in time")
		}
	}
	return p.pc.LocalDescription().SDP, nil
}

// close ends the connection, and returns when none of its packets is used any
// more.
func (p *peer) close() {
	p.cancel()
	_ = p.pc.GracefulClose()
}
