package softphone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v2"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v3"
)

// gatherWithin bounds the gathering of our candidates: they are all known, as
// the sockets are.
const gatherWithin = 2 * time.Second

// peer is one RTCPeerConnection of a browser's, as its session uses it: verbs
// that block, and one channel on which it tells that it failed.
type peer struct {
	pc     *webrtc.PeerConnection
	line   *line
	track  *webrtc.TrackLocalStaticRTP
	origin string        // of its offers
	event  atomic.Uint32 // the payload type of the browser's telephone-event; 0: none

	gathered chan struct{} // of capacity 1
	over     context.Context
	cancel   context.CancelFunc

	mu      sync.Mutex
	closing bool
	readers sync.WaitGroup
}

// newAPI puts pion together once for all lines.
func newAPI(o Options, t times, m *muxes) (*webrtc.API, error) {
	var engine webrtc.MediaEngine
	if err := o.Codec.register(&engine); err != nil {
		return nil, err
	}
	var interceptors interceptor.Registry
	receiver, err := report.NewReceiverInterceptor(report.ReceiverInterval(t.report), report.ReceiverLog(quiet{}))
	if err != nil {
		return nil, fmt.Errorf("softphone: %w", err)
	}
	sender, err := report.NewSenderInterceptor(report.SenderInterval(t.report), report.SenderLog(quiet{}))
	if err != nil {
		return nil, fmt.Errorf("softphone: %w", err)
	}
	interceptors.Add(receiver)
	interceptors.Add(sender)

	s := webrtc.SettingEngine{LoggerFactory: loggers{}}
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
	return webrtc.NewAPI(webrtc.WithSettingEngine(s), webrtc.WithMediaEngine(&engine), webrtc.WithInterceptorRegistry(&interceptors)), nil
}

// newPeer makes the gateway's end for an offer. failed gets the peer when its
// connection has failed or was closed by the browser.
func (g *Gateway) newPeer(l *line, origin string, failed chan<- *peer) (*peer, error) {
	certificate, err := g.certificate()
	if err != nil {
		return nil, err
	}
	pc, err := g.api.NewPeerConnection(webrtc.Configuration{Certificates: []webrtc.Certificate{certificate}})
	if err != nil {
		return nil, fmt.Errorf("softphone: making a connection: %w", err)
	}
	p := &peer{pc: pc, line: l, origin: origin, gathered: make(chan struct{}, 1)}
	p.over, p.cancel = context.WithCancel(context.Background())
	pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c == nil {
			select {
			case p.gathered <- struct{}{}:
			default:
			}
		}
	})
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) {
		if state == webrtc.PeerConnectionStateFailed || state == webrtc.PeerConnectionStateClosed {
			select {
			case failed <- p:
			case <-p.over.Done():
			}
		}
	})
	pc.OnTrack(func(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		p.read(func() { drain(p.over, receiver.Read, nil) })
		p.read(func() { drain(p.over, track.Read, func(data []byte) { l.fromBrowser(p, data) }) })
	})
	if err := p.addTrack(g.o.Codec); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *peer) addTrack(codec Codec) error {
	track, err := webrtc.NewTrackLocalStaticRTP(codec.capability(), "audio", "hotline")
	if err != nil {
		return fmt.Errorf("softphone: making a track: %w", err)
	}
	sender, err := p.pc.AddTrack(track)
	if err != nil {
		return fmt.Errorf("softphone: adding a track: %w", err)
	}
	p.track = track
	p.read(func() {
		drain(p.over, sender.Read, func(data []byte) {
			if packets, err := rtcp.Unmarshal(data); err == nil {
				p.line.reported(packets, time.Now())
			}
		})
	})
	return nil
}

// read runs a reader that close waits for.
func (p *peer) read(reader func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closing {
		p.readers.Go(reader)
	}
}

// drain reads until the connection is over. It must always go on, or pion's
// interceptors see no reports; an error that is not the end is of one packet (a
// payload type that was not negotiated).
func drain(over context.Context, read func([]byte) (int, interceptor.Attributes, error), use func([]byte)) {
	buffer := make([]byte, 1500)
	for over.Err() == nil {
		n, _, err := read(buffer)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrClosedPipe):
			return
		case err == nil && use != nil:
			use(buffer[:n])
		}
	}
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

// close ends the connection and waits for all that belongs to it.
func (p *peer) close() {
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	p.cancel()
	_ = p.pc.GracefulClose()
	p.readers.Wait()
}
