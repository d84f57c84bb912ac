package prompt

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// BuildOptions say what to render and where to.
type BuildOptions struct {
	Catalogue *Catalogue
	WavDir    string   // folder of the recorded files the catalogue names
	OutDir    string   // folder of one language's library, made if absent
	Voice     Renderer // nil: NewVoice(Catalogue, WavDir)

	generated []Prompt // nil: all of Generated(), which takes longer than most tests need
}

// Build renders the catalogue and the generated prompts into OutDir: ID.alaw, ID.ulaw and ID.sln16, every length a
// multiple of 20 ms, speech at -20 ± 1 dBFS RMS and never clipped, and index.json for OpenLibrary. Prompts whose text,
// settings and recording have not changed are kept; files of prompts that are gone are deleted. Files are replaced
// whole, so a running service goes on playing. When prompts fail, the others are built all the same and the error
// names each that failed; the report then lists them as missing.
func Build(ctx context.Context, o BuildOptions) (Report, error) {
	if o.Catalogue == nil || o.OutDir == "" {
		return Report{}, errors.New("build prompts: a catalogue and a folder for the audio are needed")
	}
	if o.Voice == nil {
		o.Voice = NewVoice(o.Catalogue, o.WavDir)
	}
	if o.generated == nil {
		o.generated = Generated()
	}
	if err := os.MkdirAll(o.OutDir, 0o755); err != nil {
		return Report{}, fmt.Errorf("build prompts: %w", err)
	}
	old, err := readIndex(o.OutDir)
	if err != nil { // absent, damaged or of another format: build everything
		old = index{Prompts: map[string]entry{}}
	}
	if old.Language != o.Catalogue.Language {
		old.Prompts = keepNone(old.Prompts)
	}
	b := builder{options: o, old: old.Prompts}
	lines, entries, failed := b.all(ctx)
	if err := ctx.Err(); err != nil {
		failed = context.Cause(ctx)
	}
	report := Report{Language: o.Catalogue.Language, Lines: lines}
	next := index{Format: indexFormat, Language: o.Catalogue.Language, Prompts: entries}
	if err := writeIndex(o.OutDir, next); err != nil {
		return report, errors.Join(failed, err)
	}
	if failed != nil {
		return report, failed
	}
	report.Removed, err = removeGone(o.OutDir, old.Prompts, entries)
	return report, err
}

// keepNone forgets what audio depends on but remembers which files there are, so that they are replaced or deleted.
func keepNone(prompts map[string]entry) map[string]entry {
	for id, e := range prompts {
		e.Key = ""
		prompts[id] = e
	}
	return prompts
}

type builder struct {
	options BuildOptions
	old     map[string]entry
}

type built struct {
	entry entry
	line  Line
	err   error
}

// all builds every prompt, as many at once as there are processors.
func (b *builder) all(ctx context.Context) ([]Line, map[string]entry, error) {
	prompts := append(slices.Clone(b.options.generated), b.options.Catalogue.Prompts...)
	results := make([]built, len(prompts))
	var group errgroup.Group
	group.SetLimit(runtime.NumCPU())
	for i, p := range prompts {
		group.Go(func() error {
			results[i] = b.one(ctx, p)
			return nil
		})
	}
	_ = group.Wait() // every result carries its own error, so that all are reported
	entries := make(map[string]entry, len(prompts))
	lines := make([]Line, len(prompts))
	var faults []error
	said := map[string]bool{} // one reason, such as a missing espeak-ng, can be everybody's
	for i, r := range results {
		lines[i] = r.line
		if r.err != nil {
			if !said[r.err.Error()] {
				faults = append(faults, r.err)
			}
			said[r.err.Error()] = true
			continue
		}
		entries[prompts[i].ID] = r.entry
	}
	return lines, entries, errors.Join(faults...)
}

func (b *builder) one(ctx context.Context, p Prompt) built {
	key, err := b.key(p)
	if err != nil {
		return failure(p, err)
	}
	if e, ok := b.old[p.ID]; ok && e.Key == key && intact(b.options.OutDir, p.ID, e) {
		return built{entry: e, line: newLine(p.ID, Kept, e)}
	}
	if ctx.Err() != nil {
		return failure(p, context.Cause(ctx))
	}
	e, err := b.render(ctx, p)
	if err != nil {
		return failure(p, err)
	}
	e.Key, e.Entry = key, digest(p)
	return built{entry: e, line: newLine(p.ID, Built, e)}
}

func failure(p Prompt, err error) built {
	return built{err: err, line: Line{ID: p.ID, Status: Missing, Note: firstLine(err)}}
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// key is the digest of everything a prompt's audio depends on.
func (b *builder) key(p Prompt) (string, error) {
	voice := fmt.Sprintf("%T", b.options.Voice)
	if keyed, ok := b.options.Voice.(interface{ Key(Prompt) (string, error) }); ok {
		k, err := keyed.Key(p)
		if err != nil {
			return "", err
		}
		voice += "|" + k
	}
	return short(fmt.Sprintf("%d|%s|%s|%s", indexFormat, b.options.Catalogue.Language, voice, digest(p))), nil
}

// digest of a catalogue's entry: what Check compares to find stale audio.
func digest(p Prompt) string {
	return short(fmt.Sprintf("%q|%q|%q|%q|%d", p.ID, p.Text, p.Say, p.Wav, p.Length))
}

func short(s string) string {
	sum := sha256.Sum256([]byte(s))
	return fmt.Sprintf("%x", sum[:12])
}

// silent tells the pauses, which no renderer is asked for.
func silent(id string) bool {
	return isGenerated(id) && (strings.HasPrefix(id, "pause.") || strings.HasPrefix(id, "silence."))
}

// render makes the audio. Wide and telephone band are levelled each for itself: what the narrow band takes away is
// different for every sentence.
func (b *builder) render(ctx context.Context, p Prompt) (entry, error) {
	if silent(p.ID) {
		n := int(p.Length * workRate / time.Second)
		return b.write(p, make([]float64, n), make([]float64, n/2), Composed)
	}
	pcm, source, err := b.options.Voice.Render(ctx, p)
	if err != nil {
		return entry{}, err
	}
	samples := fromPCM(pcm)
	switch {
	case p.Length > 0 && len(pcm) != int(p.Length*workRate/time.Second):
		return entry{}, fmt.Errorf("prompt %s: rendered %d samples, want exactly %v of audio", p.ID, len(pcm), p.Length)
	case p.Length == 0 && math.IsInf(loudness(samples, workRate), -1):
		return entry{}, fmt.Errorf("prompt %s: its %s audio is silent", p.ID, cmp.Or(source, "rendered"))
	case p.Length == 0:
		samples = padded(samples)
	}
	narrow := resample(samples, workRate, workRate/2)
	if p.Length == 0 {
		samples, narrow = level(samples, workRate), level(narrow, workRate/2)
	}
	return b.write(p, samples, narrow, source)
}

// padded to whole packets of 20 ms.
func padded(samples []float64) []float64 {
	const packet = workRate / 50
	if over := len(samples) % packet; over > 0 {
		samples = append(samples, make([]float64, packet-over)...)
	}
	return samples
}

// write puts the three formats beside one another.
func (b *builder) write(p Prompt, wide, narrow []float64, source string) (entry, error) {
	pcm := toPCM(narrow)
	files := map[string][]byte{"alaw": ALaw(pcm), "ulaw": ULaw(pcm), "sln16": littleEndian(toPCM(wide))}
	for format, data := range files {
		if err := writeFile(filepath.Join(b.options.OutDir, p.ID+"."+format), data); err != nil {
			return entry{}, fmt.Errorf("prompt %s: %w", p.ID, err)
		}
	}
	e := entry{Source: source, Ms: int64(len(wide)) * 1000 / workRate}
	if peak(narrow) > 0 {
		e.Loudness, e.Peak = tenth(max(loudness(narrow, workRate/2), -99)), tenth(2*toDB(peak(narrow)))
	}
	return e, nil
}

func tenth(db float64) float64 { return math.Round(db*10) / 10 }

func littleEndian(pcm []int16) []byte {
	out := make([]byte, 0, 2*len(pcm))
	for _, s := range pcm {
		out = binary.LittleEndian.AppendUint16(out, uint16(s))
	}
	return out
}

// writeFile replaces a file whole: a reader sees the old one or the new one.
func writeFile(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails, rightly, once it has been renamed
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return os.Rename(f.Name(), name)
}

func writeIndex(dir string, ix index) error {
	data, err := json.MarshalIndent(ix, "", " ")
	if err != nil {
		return fmt.Errorf("write the index of the prompts: %w", err)
	}
	return writeFile(filepath.Join(dir, indexName), append(data, '\n'))
}

func removeGone(dir string, old, now map[string]entry) ([]string, error) {
	var removed []string
	for _, id := range sorted(old) {
		if _, ok := now[id]; ok || !idForm.MatchString(id) {
			continue
		}
		for _, format := range Formats {
			if err := os.Remove(filepath.Join(dir, id+"."+format)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return removed, fmt.Errorf("delete the audio of prompt %s, which is gone: %w", id, err)
			}
		}
		removed = append(removed, id)
	}
	return removed, nil
}
