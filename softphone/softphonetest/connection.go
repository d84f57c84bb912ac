package softphonetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/pion/ice/v2"
	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v3"
)

// EventType is the payload type of telephone-event that connections offer.
const EventType = 126

// Connection is one RTCPeerConnection of a page's, with a microphone that sends
// what a test puts into it.
type Connection struct {
	PC *webrtc.PeerConnection

	// Heard gets each packet from the gateway, if it is set before Connect; it must
	// not keep it.
	Heard func(*rtp.Packet)

	// Reported gets the RTCP of the gateway's that comes with its audio track, if
	// it is set before Connect.
	Reported func([]rtcp.Packet)

	browser *Browser
	mic     *microphone
	state   chan webrtc.PeerConnectionState
	count   atomic.Uint64
	readers sync.WaitGroup
}

// NewConnection makes one; Connect offers it.
func (b *Browser) NewConnection() (*Connection, error) {
	return b.newConnection(webrtc.NetworkTypeUDP4)
}

// NewTCPConnection makes one that reaches the gateway over TCP alone.
func (b *Browser) NewTCPConnection() (*Connection, error) {
	return b.newConnection(webrtc.NetworkTypeTCP4)
}

func (b *Browser) newConnection(network webrtc.NetworkType) (*Connection, error) {
	pc, err := newPC(network)
	if err != nil {
		return nil, err
	}
	c := &Connection{PC: pc, browser: b, mic: &microphone{}, state: make(chan webrtc.PeerConnectionState, 64)}
	b.conns = append(b.conns, c)
	sender, err := pc.AddTrack(c.mic)
	if err != nil {
		return nil, err
	}
	c.readers.Go(func() { drain(sender.Read, nil) })
	c.readers.Go(func() { drain(pc.GetTransceivers()[0].Receiver().Read, c.report) })
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { c.state <- s })
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		c.readers.Go(func() {
			for {
				p, _, err := track.ReadRTP()
				if err != nil {
					return
				}
				c.count.Add(1)
				if c.Heard != nil {
					c.Heard(p)
				}
			}
		})
	})
	return c, nil
}

func newPC(network webrtc.NetworkType) (*webrtc.PeerConnection, error) {
	var engine webrtc.MediaEngine
	for _, codec := range []webrtc.RTPCodecParameters{
		{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, PayloadType: 111},
		{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypePCMU, ClockRate: 8000}, PayloadType: 0},
		{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypePCMA, ClockRate: 8000}, PayloadType: 8},
		{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "audio/telephone-event", ClockRate: 8000}, PayloadType: EventType},
	} {
		if err := engine.RegisterCodec(codec, webrtc.RTPCodecTypeAudio); err != nil {
			return nil, err
		}
	}
	var interceptors interceptor.Registry
	sender, err := report.NewSenderInterceptor()
	if err != nil {
		return nil, err
	}
	receiver, err := report.NewReceiverInterceptor()
	if err != nil {
		return nil, err
	}
	interceptors.Add(sender)
	interceptors.Add(receiver)
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetIPFilter(func(ip net.IP) bool { return ip.IsLoopback() })
	s.SetNetworkTypes([]webrtc.NetworkType{network})
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	api := webrtc.NewAPI(webrtc.WithMediaEngine(&engine), webrtc.WithInterceptorRegistry(&interceptors), webrtc.WithSettingEngine(s))
	return api.NewPeerConnection(webrtc.Configuration{})
}

func drain(read func([]byte) (int, interceptor.Attributes, error), use func([]byte)) {
	buffer := make([]byte, 1500)
	for {
		n, _, err := read(buffer)
		if err != nil {
			return
		}
		if use != nil {
			use(buffer[:n])
		}
	}
}

func (c *Connection) report(data []byte) {
	if c.Reported == nil {
		return
	}
	packets, err := rtcp.Unmarshal(data)
	if err != nil {
		panic(fmt.Sprintf("the gateway sent RTCP that is none: %v", err))
	}
	c.Reported(packets)
}

// Connect offers the connection and waits until it is up.
func (c *Connection) Connect(ctx context.Context) error { return c.negotiate(ctx, nil) }

// Restart restarts ICE.
func (c *Connection) Restart(ctx context.Context) error {
	return c.negotiate(ctx, &webrtc.OfferOptions{ICERestart: true})
}

// Offer makes an offer with all candidates, and does not send it.
func (c *Connection) Offer(ctx context.Context) (sdp string, err error) { return c.offer(ctx, nil) }

func (c *Connection) offer(ctx context.Context, o *webrtc.OfferOptions) (sdp string, err error) {
	offer, err := c.PC.CreateOffer(o)
	if err != nil {
		return "", fmt.Errorf("making an offer: %w", err)
	}
	gathered := webrtc.GatheringCompletePromise(c.PC)
	if err := c.PC.SetLocalDescription(offer); err != nil {
		return "", fmt.Errorf("taking my offer: %w", err)
	}
	select {
	case <-gathered:
		return c.PC.LocalDescription().SDP, nil
	case <-ctx.Done():
		return "", fmt.Errorf("gathering candidates: %w", context.Cause(ctx))
	}
}

func (c *Connection) negotiate(ctx context.Context, o *webrtc.OfferOptions) error {
	sdp, err := c.offer(ctx, o)
	if err != nil {
		return err
	}
	if _, err := c.browser.Send(ctx, map[string]any{"type": "offer", "sdp": sdp}); err != nil {
		return fmt.Errorf("sending an offer: %w", err)
	}
	f, err := c.browser.Next(ctx, "answer", "refused")
	if err != nil {
		return err
	}
	if f.Type == "refused" {
		return fmt.Errorf("the offer was refused: %s", f.Code)
	}
	if err := c.PC.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: f.SDP}); err != nil {
		return fmt.Errorf("taking the answer: %w", err)
	}
	return c.up(ctx)
}

func (c *Connection) up(ctx context.Context) error {
	for c.PC.ConnectionState() != webrtc.PeerConnectionStateConnected || c.PC.ICEConnectionState() != webrtc.ICEConnectionStateConnected {
		select {
		case s := <-c.state:
			if s == webrtc.PeerConnectionStateFailed {
				return errors.New("the connection failed")
			}
		case <-ctx.Done():
			return fmt.Errorf("waiting for the connection, which is %s: %w", c.PC.ConnectionState(), context.Cause(ctx))
		}
	}
	return nil
}

// Send sends a packet with the header as it is, but for its SSRC.
func (c *Connection) Send(p rtp.Packet) error { return c.mic.send(p) }

// Received is how many packets have come.
func (c *Connection) Received() uint64 { return c.count.Load() }

// Close ends it.
func (c *Connection) Close() {
	_ = c.PC.GracefulClose()
	c.readers.Wait()
}

// microphone is a track that sends packets of any payload type.
type microphone struct {
	mu     sync.Mutex
	ssrc   uint32
	writer webrtc.TrackLocalWriter
}

var errUnbound = errors.New("the microphone's track is not bound: is the connection negotiated?")

func (m *microphone) send(p rtp.Packet) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writer == nil {
		return errUnbound
	}
	p.Version, p.SSRC = 2, m.ssrc
	_, err := m.writer.WriteRTP(&p.Header, p.Payload)
	return err
}

// Bind is called when the track is negotiated; it takes the first codec of the
// answer, as browsers do.
func (m *microphone) Bind(t webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ssrc, m.writer = uint32(t.SSRC()), t.WriteStream()
	return t.CodecParameters()[0], nil
}

// Unbind is called when it is no longer sent.
func (m *microphone) Unbind(webrtc.TrackLocalContext) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writer = nil
	return nil
}

// ID and the rest describe the track.
func (m *microphone) ID() string                { return "audio" }
func (m *microphone) RID() string               { return "" }
func (m *microphone) StreamID() string          { return "page" }
func (m *microphone) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeAudio }
