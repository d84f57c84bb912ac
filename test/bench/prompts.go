package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"hotline/configs"
	"hotline/ivr/prompt"
)

// beep is a voice that says everything in a fiftieth of a second, so that greetings and goodbyes, which app_queue has
// none of, take no time; hold tones have the length they must have.
type beep struct{}

func (beep) Render(_ context.Context, p prompt.Prompt) ([]int16, string, error) {
	const rate, hertz, amplitude = 16000, 1000, 4600 // a note that nobody in a benchmark hums
	length := p.Length
	if length == 0 {
		length = prompt.Frame
	}
	pcm := make([]int16, int(length*rate/time.Second))
	for i := range pcm {
		pcm[i] = int16(amplitude * math.Sin(2*math.Pi*hertz*float64(i)/rate))
	}
	return pcm, prompt.Composed, nil
}

// Key is part of what a prompt is built anew for.
func (beep) Key(prompt.Prompt) (string, error) { return "beep 1000", nil }

// buildPrompts lays the library down, once.
func buildPrompts(ctx context.Context, dir string) error {
	cfg := configs.Default()
	catalogue, err := prompt.LoadCatalogue(cfg.PromptTexts(), string(cfg.Service.Language)+".yaml")
	if err != nil {
		return err
	}
	if _, err := prompt.Build(ctx, prompt.BuildOptions{Catalogue: catalogue, OutDir: dir, Voice: beep{}}); err != nil {
		return fmt.Errorf("build the benchmark's prompts: %w", err)
	}
	return nil
}
