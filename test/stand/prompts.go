package stand

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"time"

	"hotline/configs"
	"hotline/ivr/prompt"
	"hotline/test/ear"
)

// tonePrompts is the folder, in the root, of the tone-coded library all stands share.
const tonePrompts = instances + "/stand-prompts"

// Code is the tone code of the prompts in a language ("zh-CN", "en"), for the ears of test phones.
func Code(language string) (*ear.Code, error) {
	catalogue, err := catalogue(language)
	if err != nil {
		return nil, err
	}
	ids := catalogue.IDs()
	for _, p := range prompt.Generated() {
		ids = append(ids, p.ID)
	}
	return ear.NewCode(ids)
}

func catalogue(language string) (*prompt.Catalogue, error) {
	return prompt.LoadCatalogue(configs.Default().PromptTexts(), language+".yaml")
}

// Code is the tone code of the prompts this Asterisk plays.
func (i *Instance) Code() (*ear.Code, error) { return Code(string(i.Config.Service.Language)) }

// providePrompts puts the library where Asterisk sees it: the folder given, copied, or the shared tone-coded one,
// built once and kept while catalogue and code stay the same.
func providePrompts(ctx context.Context, cfg *configs.Config, library string) error {
	if library != "" {
		cfg.Asterisk.Prompts = cfg.Asterisk.Inside("prompts")
		if err := os.CopyFS(cfg.PromptsOutside(), os.DirFS(library)); err != nil {
			return fmt.Errorf("copy the prompts of %s into the root: %w", library, err)
		}
		return nil
	}
	cfg.Asterisk.Prompts = tonePrompts
	language := string(cfg.Service.Language)
	catalogue, err := catalogue(language)
	if err != nil {
		return err
	}
	code, err := Code(language)
	if err != nil {
		return err
	}
	dir := cfg.PromptsOutside()
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("make the folder of the prompts: %w", err)
	}
	held, _, err := lock(dir+".lock", syscall.LOCK_EX) // another test's process may be building the same library
	if err != nil {
		return err
	}
	defer held.Close()
	if _, err := prompt.Build(ctx, prompt.BuildOptions{Catalogue: catalogue, OutDir: dir, Voice: tones{code}}); err != nil {
		return fmt.Errorf("render the prompts as tone codes into %s: %w", path.Base(dir), err)
	}
	return nil
}

// tones renders prompts as tone codes instead of speech.
type tones struct{ code *ear.Code }

// Render is the chord of a prompt.
func (v tones) Render(_ context.Context, p prompt.Prompt) ([]int16, string, error) {
	pcm, err := v.code.Render(p.ID, p.Length)
	return pcm, prompt.Composed, err
}

// Key changes when a prompt's chord would: the code numbers all IDs together.
func (v tones) Key(p prompt.Prompt) (string, error) {
	return fmt.Sprint(v.code.IDs(), p.ID, ear.Length(p.ID, p.Length)/time.Millisecond), nil
}
