package stand

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"

	"hotline/configs"
)

// instances is where, in the root, every instance has its folder.
const instances = "/srv/hotline"

// Every stand has a block of ports of its own, below those the kernel gives to sockets that ask for any. A block is
// taken by locking its file, in the folder for temporary files since another checkout on this machine uses the same
// ports: the lock ends with the process, however that ends, so no block is ever lost; and whoever takes the block next
// clears away what a killed test left running in it.
const (
	firstPort = 20000
	blockSize = 600 // SIP, ARI, metrics, a second service's metrics and some to spare, then two for each of 290 legs
	blocks    = 21
	reserved  = 20
	carrier   = 4 // of the reserved: where the hotline dials out to
)

type block struct {
	number int
	dir    string // of the instance, on this machine
	root   string
	lock   *os.File
}

func takeBlock(ctx context.Context, module, root string) (*block, error) {
	base := filepath.Join(root, filepath.FromSlash(instances))
	if err := os.MkdirAll(base, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of the instances: %w", err)
	}
	for n := range blocks {
		b := &block{number: n, root: root, dir: filepath.Join(base, fmt.Sprintf("test-%02d", n))}
		lock, free, err := tryLock(filepath.Join(os.TempDir(), fmt.Sprintf("hotline-stand-%02d.lock", n)))
		if err != nil {
			return nil, err
		}
		if !free {
			continue
		}
		b.lock = lock
		if err := b.clear(ctx, module); err != nil {
			return nil, errors.Join(err, b.release())
		}
		if b.unused() {
			return b, nil
		}
		if err := b.release(); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("all %d blocks of ports from %d on are taken: too many stands at once, or other programs listen there", blocks, firstPort)
}

// clear stops and removes what a test that was killed has left in this block.
func (b *block) clear(ctx context.Context, module string) error {
	if _, err := os.Stat(b.dir); err != nil {
		return nil
	}
	if err := script(ctx, module, b.root, "stop", b.dir); err != nil {
		return err
	}
	return os.RemoveAll(b.dir)
}

func (b *block) port(offset int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(firstPort+b.number*blockSize+offset))
}

// unused tells whether nobody listens where the stand is going to.
func (b *block) unused() bool {
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(b.port(0)))
	if err != nil {
		return false
	}
	udp.Close()
	for offset := 1; offset <= 3; offset++ {
		tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(b.port(offset)))
		if err != nil {
			return false
		}
		tcp.Close()
	}
	return true
}

func (b *block) assign(cfg *configs.Config) {
	cfg.Asterisk.SIP.Bind = b.port(0)
	cfg.Asterisk.ARI.Bind = b.port(1)
	cfg.Listen.Metrics = b.port(2)
	cfg.Web.Listen = b.port(5)
	cfg.Asterisk.Trunk.Out = netip.AddrPortFrom(netip.MustParseAddr(TrunkAddress), b.port(carrier).Port())
	cfg.Asterisk.RTP = configs.Ports{From: b.port(reserved).Port(), To: b.port(blockSize - 1).Port()}
}

func (b *block) release() error { return b.lock.Close() }

// tryLock locks the file, made if absent, unless another process or stand has it. Closing it gives it back.
func tryLock(name string) (file *os.File, free bool, err error) {
	return lock(name, syscall.LOCK_EX|syscall.LOCK_NB)
}

func lock(name string, how int) (file *os.File, free bool, err error) {
	file, err = os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, false, fmt.Errorf("take a lock: %w", err)
	}
	for {
		switch err := syscall.Flock(int(file.Fd()), how); err {
		case nil:
			return file, true, nil
		case syscall.EINTR:
			continue
		case syscall.EWOULDBLOCK:
			return nil, false, file.Close()
		default:
			return nil, false, errors.Join(fmt.Errorf("lock %s: %w", name, err), file.Close())
		}
	}
}
