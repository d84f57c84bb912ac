package prompt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// sound is decoded audio: mono samples from -1 to 1.
type sound struct {
	rate    int
	samples []float64
}

const (
	wavPCM        = 1
	wavExtensible = 0xFFFE
)

type wavFormat struct {
	Tag        uint16
	Channels   uint16
	Rate       uint32
	ByteRate   uint32
	BlockAlign uint16
	Bits       uint16
}

// decodeWAV reads a RIFF WAVE file with PCM of 8, 16 or 24 bits, mono or stereo (mixed to mono), at any rate.
// Everything else is refused with what it is and what would be right.
func decodeWAV(data []byte) (sound, error) {
	format, pcm, err := wavChunks(data)
	if err != nil {
		return sound{}, err
	}
	if format.Tag != wavPCM {
		return sound{}, fmt.Errorf("WAV encoding %d is not accepted; save it as PCM", format.Tag)
	}
	if format.Channels != 1 && format.Channels != 2 {
		return sound{}, fmt.Errorf("%d channels are not accepted; save it as mono or stereo", format.Channels)
	}
	if format.Rate < 1000 || format.Rate > 384000 {
		return sound{}, fmt.Errorf("a rate of %d Hz is not accepted; save it at 8000 to 48000 Hz", format.Rate)
	}
	read, ok := sampleReaders[format.Bits]
	if !ok {
		return sound{}, fmt.Errorf("%d bits per sample are not accepted; save it with 8, 16 or 24 bits", format.Bits)
	}
	width, channels := int(format.Bits/8), int(format.Channels)
	frame := width * channels
	if len(pcm) < frame {
		return sound{}, errors.New("the WAV file holds no samples")
	}
	mono := make([]float64, len(pcm)/frame)
	for i := range mono {
		for c := range channels {
			mono[i] += read(pcm[i*frame+c*width:]) / float64(channels)
		}
	}
	return sound{rate: int(format.Rate), samples: mono}, nil
}

var sampleReaders = map[uint16]func([]byte) float64{
	8:  func(b []byte) float64 { return (float64(b[0]) - 128) / 128 },
	16: func(b []byte) float64 { return float64(int16(binary.LittleEndian.Uint16(b))) / (1 << 15) },
	24: func(b []byte) float64 { return float64(int32(b[0])<<8|int32(b[1])<<16|int32(b[2])<<24) / (1 << 31) },
}

// wavChunks finds the format and the samples among a file's chunks.
func wavChunks(data []byte) (format wavFormat, pcm []byte, err error) {
	if len(data) < 12 || string(data[:4]) != "RIFF" || string(data[8:12]) != "WAVE" {
		return format, nil, errors.New("not a RIFF WAVE file")
	}
	haveFormat := false
	for rest := data[12:]; len(rest) >= 8; {
		name, size := string(rest[:4]), uint64(binary.LittleEndian.Uint32(rest[4:8]))
		rest = rest[8:]
		if size > uint64(len(rest)) {
			return format, nil, fmt.Errorf("the WAV file is cut off: its %q chunk wants %d bytes and has %d", name, size, len(rest))
		}
		body := rest[:size]
		rest = rest[min(size+size%2, uint64(len(rest))):] // chunks are padded to even sizes
		switch name {
		case "fmt ":
			if format, err = parseFormat(body); err != nil {
				return format, nil, err
			}
			haveFormat = true
		case "data":
			if !haveFormat {
				return format, nil, errors.New("the WAV file has samples before their format")
			}
			return format, body, nil
		}
	}
	return format, nil, errors.New("the WAV file has no samples")
}

func parseFormat(body []byte) (wavFormat, error) {
	var f wavFormat
	if err := binary.Read(bytes.NewReader(body), binary.LittleEndian, &f); err != nil {
		return f, fmt.Errorf("the WAV file's format is cut off: %w", err)
	}
	if f.Tag == wavExtensible && len(body) >= 26 {
		f.Tag = binary.LittleEndian.Uint16(body[24:]) // the sub-format's first two bytes are the plain tag
	}
	return f, nil
}
