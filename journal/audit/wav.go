package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// wavLength is how many seconds of sound the WAV file at path holds. It returns an error, with the path, when there is
// no file, when it is not a WAV of PCM samples, holds none, or is shorter than its header says.
func wavLength(path string) (seconds float64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if seconds, err = wavSeconds(f, info.Size()); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return seconds, nil
}

// mostChunks is how far the samples are looked for.
const mostChunks = 100

// wavSeconds reads a WAV file of so many bytes up to its samples.
func wavSeconds(r io.ReaderAt, size int64) (float64, error) {
	head := make([]byte, 16)
	if _, err := r.ReadAt(head[:12], 0); err != nil || string(head[:4]) != "RIFF" || string(head[8:12]) != "WAVE" {
		return 0, errors.New("it is not a WAV file")
	}
	perSecond, at := int64(0), int64(12)
	for range mostChunks {
		if _, err := r.ReadAt(head[:8], at); err != nil {
			break
		}
		name, length := string(head[:4]), int64(binary.LittleEndian.Uint32(head[4:]))
		at += 8
		switch name {
		case "fmt ":
			if _, err := r.ReadAt(head, at); err != nil || binary.LittleEndian.Uint16(head) != 1 {
				return 0, errors.New("its samples are not PCM")
			}
			perSecond = int64(binary.LittleEndian.Uint32(head[8:]))
		case "data":
			switch {
			case perSecond == 0:
				return 0, errors.New("it does not say what its samples are")
			case length == 0:
				return 0, errors.New("it holds no sample")
			case at+length > size:
				return 0, fmt.Errorf("it is cut short: %d bytes of %d", size, at+length)
			}
			return float64(length) / float64(perSecond), nil
		}
		at += length + length%2
	}
	return 0, errors.New("it has no samples")
}
