package softphone

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"github.com/pion/ice/v2"
)

// receiveBuffer holds what arrives while the process is kept from reading: a
// fifth of a second of 500 lines, at what the kernel counts for a packet.
const receiveBuffer = 4 << 20

// muxes are the sockets of all lines: UDP, and TCP beside it for browsers
// behind firewalls.
type muxes struct {
	udp ice.UDPMux
	tcp *ice.TCPMuxDefault

	addr    netip.AddrPort // where UDP is listened on; of several, the first
	sockets []*guarded
}

func openMuxes(listen, listenTCP netip.AddrPort, heir bool, log *slog.Logger, failed func()) (m *muxes, err error) {
	m = &muxes{}
	defer func() {
		if err != nil {
			_ = m.close()
		}
	}()
	addresses := []netip.Addr{listen.Addr()}
	if listen.Addr().IsUnspecified() {
		if addresses, err = interfaces(listen.Addr()); err != nil {
			return m, err
		}
	}
	port := listen.Port()
	var parts []ice.UDPMux
	for _, address := range addresses {
		socket, err := listenGuarded(net.UDPAddrFromAddrPort(netip.AddrPortFrom(address, port)), receiveBuffer, heir, log, failed)
		if err != nil {
			return m, err
		}
		bound := socket.LocalAddr().(*net.UDPAddr).AddrPort()
		if port == 0 {
			port = bound.Port()
		}
		if !m.addr.IsValid() {
			m.addr = netip.AddrPortFrom(bound.Addr().Unmap(), port)
		}
		m.sockets = append(m.sockets, socket)
		parts = append(parts, ice.NewUDPMuxDefault(ice.UDPMuxParams{UDPConn: socket, Logger: quiet{}}))
	}
	m.udp = ice.NewMultiUDPMuxDefault(parts...)
	if listenTCP.IsValid() {
		listener, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(listenTCP))
		if err != nil {
			return m, fmt.Errorf("softphone: listening on %s for media: %w", listenTCP, err)
		}
		m.tcp = ice.NewTCPMuxDefault(ice.TCPMuxParams{Listener: listener, Logger: quiet{}, ReadBufferSize: 64, WriteBufferSize: 1 << 20})
	}
	return m, nil
}

func (m *muxes) close() error {
	var errs []error
	if m.tcp != nil {
		errs = append(errs, m.tcp.Close())
	}
	if m.udp != nil {
		errs = append(errs, m.udp.Close())
	}
	for _, s := range m.sockets {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// interfaces are the addresses that others may reach this machine by: a socket
// for each, so that what is answered comes from where it was asked. Loopback
// only where there is no other.
func interfaces(unspecified netip.Addr) ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("softphone: this machine's addresses: %w", err)
	}
	var found, loopback []netip.Addr
	for _, a := range all {
		network, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		address, ok := netip.AddrFromSlice(network.IP)
		address = address.Unmap()
		switch {
		case !ok || unspecified.Is4() && !address.Is4() || address.IsLinkLocalUnicast():
		case address.IsLoopback():
			loopback = append(loopback, address)
		default:
			found = append(found, address)
		}
	}
	if len(found) == 0 {
		found = loopback
	}
	if len(found) == 0 {
		return nil, errors.New("softphone: this machine has no address to listen on; name one in the configuration")
	}
	return found, nil
}
