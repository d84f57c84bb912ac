package asterisk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"hotline/configs"
)

// folders of an instance with their modes. Asterisk makes none of them by itself. What callers said is for the owner and
// the group alone.
var folders = []struct {
	name string
	mode fs.FileMode
}{
	{"etc", 0o755}, {"run", 0o755}, {"log", 0o755}, {"lib", 0o755}, {"moh", 0o755},
	{"spool", 0o750}, {"spool/recording", 0o750}, {"raw", 0o750},
}

// The prompts Asterisk plays by itself while the service is away.
const (
	holdApology        = "hold.apology"
	serviceUnavailable = "service.unavailable"
	closingByDay       = "closing.day"
	closingAtNight     = "closing.night"
	unknownCode        = "agent.unknown_code"
)

// PromptIDs are the prompts the dialplan needs; Prepare refuses to go on without them.
func PromptIDs() []string {
	ids := []string{holdApology, serviceUnavailable, closingByDay, closingAtNight, unknownCode}
	for n := 1; n <= holdSeconds; n++ {
		ids = append(ids, holdTone(n))
	}
	return ids
}

const (
	holdSeconds    = 30   // an apology begins at 30, 60, 90 … s (C3)
	bytesPerSecond = 8000 // G.711
)

func holdTone(seconds int) string { return fmt.Sprintf("hold.tone.%d", seconds) }

// silence is the byte of silence in each format music on hold is made in.
var silence = map[string]byte{"alaw": 0xD5, "ulaw": 0xFF}

// Prepare makes an instance of Asterisk ready to start: its folders, its configuration in etc, and its music on hold
// out of the prompts, which must have been built: without them nothing is made. It changes nothing of a running Asterisk
// but the files it reloads; changed are as in Render.
func Prepare(cfg *configs.Config) (changed []string, err error) {
	for _, id := range PromptIDs() {
		if _, err := os.Stat(filepath.Join(cfg.PromptsOutside(), id+"."+string(cfg.Service.Codec))); err != nil {
			return nil, fmt.Errorf("the dialplan needs the prompt %s: %w; build the prompts with `hotline prompts build`", id, err)
		}
	}
	for _, folder := range folders {
		dir := cfg.Asterisk.Outside(folder.name)
		if err := makeFolder(dir, folder.mode); err != nil {
			return nil, fmt.Errorf("make the folders of the Asterisk instance: %w", err)
		}
	}
	if err := holdMusic(cfg); err != nil {
		return nil, fmt.Errorf("make the music on hold: %w", err)
	}
	return Render(cfg, cfg.Asterisk.Outside("etc"))
}

// makeFolder makes a folder, or takes from one that is there what mode does not allow.
func makeFolder(dir string, mode fs.FileMode) error {
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&^mode == 0 {
		return err
	}
	return os.Chmod(dir, info.Mode().Perm()&mode)
}

// holdMusic makes what music on hold is played from: tone-N, a link to the hold tone of N seconds under a name without
// a dot, which Asterisk would take for an extension; and loop, the apology and its tone in 30.000 s. Asterisk repeats
// the last piece of a list, so the two must be one piece.
func holdMusic(cfg *configs.Config) error {
	prompts, dir := cfg.PromptsOutside(), cfg.Asterisk.Outside("moh")
	for _, format := range []string{"alaw", "ulaw"} {
		for n := 1; n <= holdSeconds; n++ {
			inside := path.Join(cfg.PromptsInside(), holdTone(n)+"."+format)
			if err := link(inside, filepath.Join(dir, fmt.Sprintf("tone-%d.%s", n, format))); err != nil {
				return err
			}
		}
		loop, err := holdLoop(prompts, format)
		if err != nil {
			return err
		}
		if err := replace(filepath.Join(dir, "loop."+format), loop); err != nil {
			return err
		}
	}
	return nil
}

// link makes or replaces a symbolic link; target is a path as Asterisk sees it, for whom alone the link is.
func link(target, name string) error {
	if old, err := os.Readlink(name); err == nil && old == target {
		return nil
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(target, name)
}

func holdLoop(prompts, format string) ([]byte, error) {
	loop, err := os.ReadFile(filepath.Join(prompts, holdApology+"."+format))
	if err != nil {
		return nil, err
	}
	rest := holdSeconds*bytesPerSecond - len(loop)
	if rest < bytesPerSecond {
		return nil, fmt.Errorf("%s.%s lasts %d ms and leaves no room for the hold tone in %d s; record a shorter one",
			holdApology, format, len(loop)*1000/bytesPerSecond, holdSeconds)
	}
	for range rest % bytesPerSecond {
		loop = append(loop, silence[format])
	}
	tone, err := os.ReadFile(filepath.Join(prompts, holdTone(rest/bytesPerSecond)+"."+format))
	if err != nil {
		return nil, err
	}
	if loop = append(loop, tone...); len(loop) != holdSeconds*bytesPerSecond {
		return nil, fmt.Errorf("%s.%s lasts %d ms instead of %d s; build the prompts anew",
			holdTone(rest/bytesPerSecond), format, len(tone)*1000/bytesPerSecond, rest/bytesPerSecond)
	}
	return loop, nil
}
