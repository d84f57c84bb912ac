package prompt

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Sources of a prompt's audio.
const (
	Recorded    = "recorded"    // a person's voice from a WAV file
	Placeholder = "placeholder" // espeak-ng, until somebody records it
	Composed    = "generated"   // hold tone, pauses, beep
)

// Formats are the extensions every prompt is rendered in: raw G.711 at 8 kHz, raw 16-bit little-endian at 16 kHz.
var Formats = []string{"alaw", "ulaw", "sln16"}

const indexName = "index.json"

// indexFormat changes when the index or the processing of audio does; libraries of another format are rebuilt.
const indexFormat = 1

type index struct {
	Format   int              `json:"format"`
	Language string           `json:"language"`
	Prompts  map[string]entry `json:"prompts"`
}

type entry struct {
	Source   string  `json:"source"`
	Ms       int64   `json:"ms"`       // multiple of 20
	Loudness float64 `json:"loudness"` // dBFS RMS over speech; 0 for silence
	Peak     float64 `json:"peak"`     // dBFS
	Entry    string  `json:"entry"`    // digest of the catalogue's entry
	Key      string  `json:"key"`      // digest of everything the audio depends on
}

func (e entry) length() time.Duration { return time.Duration(e.Ms) * time.Millisecond }

// Library is the rendered audio of one language on disk, as it was when opened. It may be used by many calls at once.
type Library struct {
	dir   string
	index index
}

// OpenLibrary reads the index a Build wrote into dir. Prompts whose audio files are absent or of the wrong size are
// missing from the library, as if they had never been built.
func OpenLibrary(dir string) (*Library, error) {
	ix, err := readIndex(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no prompts in %s: build them with `hotline prompts build`: %w", dir, err)
	}
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open the prompts in %s: %w", dir, err)
	}
	for id, e := range ix.Prompts {
		if !intact(abs, id, e) {
			delete(ix.Prompts, id)
		}
	}
	return &Library{dir: abs, index: ix}, nil
}

func readIndex(dir string) (index, error) {
	name := filepath.Join(dir, indexName)
	data, err := os.ReadFile(name)
	if err != nil {
		return index{}, fmt.Errorf("read the index of the prompts: %w", err)
	}
	var ix index
	if err := json.Unmarshal(data, &ix); err != nil {
		return index{}, fmt.Errorf("%s is damaged; delete it and build the prompts again: %w", name, err)
	}
	if ix.Format != indexFormat {
		return index{}, fmt.Errorf("%s has format %d, want %d; build the prompts again", name, ix.Format, indexFormat)
	}
	return ix, nil
}

// bytesPerMs of each format.
var bytesPerMs = map[string]int64{"alaw": 8, "ulaw": 8, "sln16": 32}

func intact(dir, id string, e entry) bool {
	for _, format := range Formats {
		info, err := os.Stat(filepath.Join(dir, id+"."+format))
		if err != nil || info.Size() != e.Ms*bytesPerMs[format] {
			return false
		}
	}
	return true
}

// Language is "zh-CN" or "en".
func (l *Library) Language() string { return l.index.Language }

// Dir is the absolute path of the library.
func (l *Library) Dir() string { return l.dir }

// IDs lists what the library holds, sorted, generated prompts included.
func (l *Library) IDs() []string { return sorted(l.index.Prompts) }

// Missing lists those of ids the library does not hold, each once, in order.
func (l *Library) Missing(ids ...string) []string {
	var missing []string
	seen := map[string]bool{}
	for _, id := range ids {
		if _, ok := l.index.Prompts[id]; !ok && !seen[id] {
			missing = append(missing, id)
		}
		seen[id] = true
	}
	return missing
}

// Duration is the length of a prompt, a multiple of 20 ms; 0 if the library does not hold it.
func (l *Library) Duration(id string) time.Duration { return l.index.Prompts[id].length() }

// Total is the length of prompts played one after another.
func (l *Library) Total(ids ...string) time.Duration {
	var sum time.Duration
	for _, id := range ids {
		sum += l.Duration(id)
	}
	return sum
}

// Source is Recorded, Placeholder or Composed; empty if the library does not hold the prompt.
func (l *Library) Source(id string) string { return l.index.Prompts[id].Source }

// Path is the absolute path of a prompt's audio without the format's extension, which the player chooses.
func (l *Library) Path(id string) string { return filepath.Join(l.dir, id) }
