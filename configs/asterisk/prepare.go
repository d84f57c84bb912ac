package asterisk

import (
	"fmt"
	"os"
	"path/filepath"

	"hotline/configs"
)

// folders of an instance. Asterisk makes none of them by itself.
var folders = []string{"etc", "run", "log", "spool", "spool/recording", "lib", "raw", "moh"}

// The prompts Asterisk plays by itself while the service is away.
const (
	holdApology        = "hold.apology"
	serviceUnavailable = "service.unavailable"
	closing            = "closing.day"
	unknownCode        = "agent.unknown_code"
)

// PromptIDs are the prompts the dialplan needs; Prepare refuses to go on without them.
func PromptIDs() []string {
	return []string{holdApology, holdTone(holdSeconds), serviceUnavailable, closing, unknownCode}
}

const (
	holdSeconds    = 30   // an apology begins at 30, 60, 90 … s (C3)
	bytesPerSecond = 8000 // G.711
)

func holdTone(seconds int) string { return fmt.Sprintf("hold.tone.%d", seconds) }

// silence is the byte of silence in each format music on hold is made in.
var silence = map[string]byte{"alaw": 0xD5, "ulaw": 0xFF}

// Prepare makes an instance of Asterisk ready to start: its folders, its configuration in etc, and its music on hold
// out of the prompts, which must have been built. It changes nothing of a running Asterisk but the files it reloads.
func Prepare(cfg *configs.Config) error {
	for _, folder := range folders {
		if err := os.MkdirAll(cfg.Asterisk.Outside(folder), 0o755); err != nil {
			return fmt.Errorf("make the folders of the Asterisk instance: %w", err)
		}
	}
	for _, id := range PromptIDs() {
		if _, err := os.Stat(filepath.Join(cfg.PromptsOutside(), id+"."+string(cfg.Service.Codec))); err != nil {
			return fmt.Errorf("the dialplan needs the prompt %s: %w; build the prompts with `hotline prompts build`", id, err)
		}
	}
	if err := holdMusic(cfg.PromptsOutside(), cfg.Asterisk.Outside("moh")); err != nil {
		return fmt.Errorf("make the music on hold: %w", err)
	}
	return Render(cfg, cfg.Asterisk.Outside("etc"))
}

// holdMusic makes the two pieces of 30.000 s that music on hold is played from: tone, the hold tone alone, and loop,
// which begins with the apology. Asterisk repeats the last piece of a list, so the apology must be in one piece with
// its tone.
func holdMusic(prompts, dir string) error {
	for _, format := range []string{"alaw", "ulaw"} {
		read := func(id string) ([]byte, error) { return os.ReadFile(filepath.Join(prompts, id+"."+format)) }
		tone, err := read(holdTone(holdSeconds))
		if err != nil {
			return err
		}
		loop, err := read(holdApology)
		if err != nil {
			return err
		}
		rest := holdSeconds*bytesPerSecond - len(loop)
		if rest < bytesPerSecond {
			return fmt.Errorf("%s.%s lasts %d ms and leaves no room for the hold tone in %d s; record a shorter one",
				holdApology, format, len(loop)*1000/bytesPerSecond, holdSeconds)
		}
		for range rest % bytesPerSecond {
			loop = append(loop, silence[format])
		}
		melody, err := read(holdTone(rest / bytesPerSecond))
		if err != nil {
			return err
		}
		loop = append(loop, melody...)
		for name, piece := range map[string][]byte{"tone": tone, "loop": loop} {
			if len(piece) != holdSeconds*bytesPerSecond {
				return fmt.Errorf("%s.%s lasts %d ms instead of %d s: %s is of the wrong length; build the prompts anew",
					name, format, len(piece)*1000/bytesPerSecond, holdSeconds, holdTone(rest/bytesPerSecond))
			}
			if err := replace(filepath.Join(dir, name+"."+format), piece); err != nil {
				return err
			}
		}
	}
	return nil
}
