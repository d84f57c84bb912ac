package recordings

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var shanghai = time.FixedZone("CST", 8*3600)

// arrived is when the calls of these tests arrive: in UTC it is still the day before.
var arrived = time.Date(2026, 2, 17, 6, 30, 0, 0, shanghai)

func newStore(t *testing.T) *Store {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(Options{Dir: filepath.Join(dir, "kept"), RawDir: filepath.Join(dir, "raw"), Location: shanghai})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// rawStream is what MixMonitor writes for so many sample pairs: the caller's sample k is k, what is heard is −k−1.
func rawStream(pairs int) []byte {
	raw := make([]byte, 0, 4*pairs)
	for k := range pairs {
		raw = binary.LittleEndian.AppendUint16(raw, uint16(int16(k)))
		raw = binary.LittleEndian.AppendUint16(raw, uint16(int16(-k-1)))
	}
	return raw
}

func writeFile(t *testing.T, path string, content []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o640); err != nil {
		t.Fatal(err)
	}
	return path
}

// age makes a file look as if it was last written so long ago.
func age(t *testing.T, path string, by time.Duration) {
	t.Helper()
	then := time.Now().Add(-by)
	if err := os.Chtimes(path, then, then); err != nil {
		t.Fatal(err)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// wavFile is a WAV file as a stranger's plain reader sees it.
type wavFile struct {
	Riff           [4]byte
	RiffSize       uint32
	Wave, Fmt      [4]byte
	FmtSize        uint32
	Encoding       uint16
	Channels       uint16
	Rate, ByteRate uint32
	Frame, Bits    uint16
	Data           [4]byte
	DataSize       uint32
}

// readWAV reads a file back and checks that its header agrees with itself and with the file's size.
func readWAV(t interface {
	Helper()
	Fatalf(string, ...any)
}, path string) (head wavFile, channels [][]int16) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read back: %v", err)
	}
	r := bytes.NewReader(content)
	if err := binary.Read(r, binary.LittleEndian, &head); err != nil {
		t.Fatalf("%s: header: %v", path, err)
	}
	samples := make([]int16, r.Len()/2)
	if err := binary.Read(r, binary.LittleEndian, samples); err != nil {
		t.Fatalf("%s: samples: %v", path, err)
	}
	size := uint32(len(content))
	switch {
	case string(head.Riff[:])+string(head.Wave[:])+string(head.Fmt[:])+string(head.Data[:]) != "RIFFWAVEfmt data",
		head.RiffSize != size-8, head.DataSize != size-44, head.FmtSize != 16, head.Encoding != 1, head.Bits != 16,
		head.Frame != 2*head.Channels, head.ByteRate != head.Rate*uint32(head.Frame), r.Len() != 0:
		t.Fatalf("%s of %d bytes has the header %+v", path, size, head)
	}
	channels = make([][]int16, head.Channels)
	for i, s := range samples {
		c := i % int(head.Channels)
		channels[c] = append(channels[c], s)
	}
	return head, channels
}

// smallDisk mounts a full file system of 256 KiB, for which makeRoom makes room; ok is false where this user cannot mount.
func smallDisk(t *testing.T) (dir string, makeRoom func(), ok bool) {
	t.Helper()
	dir = t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k")
	if errors.Is(err, syscall.EPERM) {
		return "", nil, false
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Detached, so that a failed test which still has files open leaves no mount behind.
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	ballast, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer ballast.Close()
	for err == nil {
		_, err = ballast.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk ended with %v", err)
	}
	return dir, func() {
		if err := os.Remove(ballast.Name()); err != nil {
			t.Fatal(err)
		}
	}, true
}
