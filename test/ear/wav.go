package ear

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
)

// Recording is a decoded two-channel recording: left what the caller said, right
// what the caller heard.
type Recording struct {
	Left, Right Transcript
	Duration    time.Duration
}

// DecodeFile decodes a recording of 16-bit PCM: a .wav file of one or two
// channels at 8 or 16 kHz (one channel is Left), or any other name as raw
// little-endian interleaved stereo at 8 kHz. Times count from its beginning.
func DecodeFile(path string, o DecoderOptions) (Recording, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Recording{}, fmt.Errorf("ear: recording: %w", err)
	}
	f := wavFormat{channels: 2, rate: 8000}
	if len(data) >= 4 && string(data[:4]) == "RIFF" {
		if f, data, err = parseWAV(data); err != nil {
			return Recording{}, fmt.Errorf("ear: recording %s: %w", path, err)
		}
	}
	r, err := decodeChannels(f, data, o)
	if err != nil {
		return Recording{}, fmt.Errorf("ear: recording %s: %w", path, err)
	}
	return r, nil
}

func decodeChannels(f wavFormat, data []byte, o DecoderOptions) (Recording, error) {
	o.Rate = f.rate
	samples := len(data) / (2 * f.channels)
	r := Recording{Duration: time.Duration(samples) * time.Second / time.Duration(f.rate)}
	for ch, into := range []*Transcript{&r.Left, &r.Right}[:f.channels] {
		d, err := NewDecoder(o)
		if err != nil {
			return Recording{}, err
		}
		pcm := make([]int16, samples)
		for i := range pcm {
			pcm[i] = int16(binary.LittleEndian.Uint16(data[2*(i*f.channels+ch):]))
		}
		d.Write(0, pcm)
		*into = d.Transcript()
	}
	return r, nil
}

type wavFormat struct{ channels, rate int }

// parseWAV finds the format and the samples. A data chunk that claims more than
// the file holds (it is still being written) gives what is there.
func parseWAV(data []byte) (f wavFormat, pcm []byte, err error) {
	if len(data) < 12 || string(data[8:12]) != "WAVE" {
		return f, nil, errors.New("no WAVE header")
	}
	for rest := data[12:]; len(rest) >= 8; {
		kind, size := string(rest[:4]), int(binary.LittleEndian.Uint32(rest[4:]))
		body := rest[8:]
		whole := min(size, len(body))
		switch kind {
		case "fmt ":
			if f, err = parseFormat(body[:whole]); err != nil {
				return f, nil, err
			}
		case "data":
			if f.rate == 0 {
				return f, nil, errors.New("data before the format")
			}
			return f, body[:whole], nil
		}
		rest = body[min(whole+size%2, len(body)):]
	}
	return f, nil, errors.New("no data")
}

func parseFormat(b []byte) (wavFormat, error) {
	if len(b) < 16 {
		return wavFormat{}, errors.New("format cut short")
	}
	tag, bits := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[14:])
	f := wavFormat{channels: int(binary.LittleEndian.Uint16(b[2:])), rate: int(binary.LittleEndian.Uint32(b[4:]))}
	const pcm, extensible = 1, 0xfffe
	if (tag != pcm && tag != extensible) || bits != 16 || f.channels < 1 || f.channels > 2 || (f.rate != 8000 && f.rate != 16000) {
		return f, fmt.Errorf("format %d, %d bits, %d channels, %d Hz: want 16-bit PCM, one or two channels, 8000 or 16000 Hz", tag, bits, f.channels, f.rate)
	}
	return f, nil
}
