package recordings

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

const (
	sampleBytes = 2 // 16-bit samples
	headerBytes = 44
	// maxData is what the 32-bit sizes of a WAV file can say; 37 hours of two channels.
	maxData = math.MaxUint32 - headerBytes
)

// shape is what a WAV file says of its samples: 16-bit PCM, so many channels interleaved, so many samples a second.
type shape struct{ channels, rate int }

// callShape is that of a call's recording: Asterisk's narrow-band rate, the caller's two directions.
var callShape = shape{channels: 2, rate: 8000}

// frame is the size in bytes of one moment: a sample of each channel.
func (s shape) frame() int64 { return int64(s.channels * sampleBytes) }

func (s shape) duration(bytes int64) time.Duration {
	frames := bytes / s.frame()
	rate := int64(s.rate)
	return time.Duration(frames/rate)*time.Second + time.Duration(frames%rate)*time.Second/time.Duration(rate)
}

// header is that of a WAV file with so many bytes of samples.
func (s shape) header(data int64) []byte {
	var b bytes.Buffer
	text := func(t string) { b.WriteString(t) }
	number := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&b, binary.LittleEndian, v) // a bytes.Buffer takes everything
		}
	}
	text("RIFF")
	number(uint32(headerBytes - 8 + data))
	text("WAVEfmt ")
	number(uint32(16), uint16(1), uint16(s.channels), uint32(s.rate), uint32(int64(s.rate)*s.frame()), uint16(s.frame()), uint16(8*sampleBytes))
	text("data")
	number(uint32(data))
	return b.Bytes()
}

var errNotWAV = errors.New("not a WAV file of 16-bit PCM")

// readHeader reads up to the first sample and returns the samples' shape and how many bytes of them the header
// promises; 0 or 0xffffffff when the file's writer died before it could fill that in.
func readHeader(r io.Reader) (s shape, promised int64, err error) {
	var riff [12]byte
	if _, err := io.ReadFull(r, riff[:]); err != nil {
		return shape{}, 0, fmt.Errorf("%w: %w", errNotWAV, err)
	}
	if string(riff[:4]) != "RIFF" || string(riff[8:]) != "WAVE" {
		return shape{}, 0, errNotWAV
	}
	for {
		var head [8]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return shape{}, 0, fmt.Errorf("%w: no samples: %w", errNotWAV, err)
		}
		id, size := string(head[:4]), int64(binary.LittleEndian.Uint32(head[4:]))
		switch {
		case id == "data" && s.channels > 0:
			return s, size, nil
		case id == "fmt ":
			s, err = readFormat(r, size)
		default:
			_, err = io.CopyN(io.Discard, r, size+size%2) // chunks begin at even places
		}
		if err != nil {
			return shape{}, 0, err
		}
	}
}

func readFormat(r io.Reader, size int64) (shape, error) {
	var f struct {
		Encoding, Channels uint16
		Rate, ByteRate     uint32
		Frame, Bits        uint16
	}
	if err := binary.Read(r, binary.LittleEndian, &f); err != nil {
		return shape{}, fmt.Errorf("%w: %w", errNotWAV, err)
	}
	if f.Encoding != 1 || f.Bits != 8*sampleBytes || f.Channels == 0 || f.Channels > 2 || f.Rate == 0 || size < 16 {
		return shape{}, errNotWAV
	}
	_, err := io.CopyN(io.Discard, r, size-16+size%2)
	return shape{channels: int(f.Channels), rate: int(f.Rate)}, err
}
