package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"hotline/configs"
	"hotline/ivr/calendar"
	"hotline/ivr/prompt"
	"hotline/web/phrase"
)

// The files beside hotline.yaml that its settings name: days off, the words of
// the prompts, what agents say. What is wrong in them is told with the setting.

// beside is all that is wrong in them.
func beside(cfg *configs.Config) (wrong configs.Problems) {
	_, days := calendarOf(cfg, nil, nil, nil)
	catalogue, words := loadCatalogue(cfg)
	if words == nil {
		words = unknownPrompts(cfg, catalogue)
	}
	for _, err := range []error{days, words, phrasesOf(cfg)} {
		var problems configs.Problems
		errors.As(err, &problems)
		wrong = append(wrong, problems...)
	}
	return wrong
}

// at has what is wrong with the file or folder that a setting names be the
// setting's, a problem for each line.
func at(cfg *configs.Config, setting, path string, err error) error {
	if err == nil {
		return nil
	}
	if path != "" {
		if why := new(fs.PathError); errors.As(stat(path), &why) {
			from, _ := os.Getwd() // unknown: the error says enough
			err = fmt.Errorf("%w (seen from %s)", why.Err, cmp.Or(from, "this folder"))
		}
	}
	var wrong configs.Problems
	for line := range strings.SplitSeq(err.Error(), "\n") {
		wrong = append(wrong, cfg.Wrong(setting, "%s: %s", cmp.Or(path, "what is built in"), line))
	}
	return wrong
}

func stat(path string) error {
	_, err := os.Stat(path)
	return err
}

func newCalendar(cfg *configs.Config) (*calendar.Calendar, error) {
	return calendarOf(cfg, cfg.Hours.Workday, cfg.Hours.Weekend, cfg.Hours.Holiday)
}

// calendarOf has the days of the hotline's calendar, and these hours.
func calendarOf(cfg *configs.Config, workday, weekend, holiday []configs.Span) (*calendar.Calendar, error) {
	days, err := calendar.New(calendar.Options{
		Location:    cfg.Service.Timezone.Location,
		HolidaysDir: cfg.Holidays(),
		Hours:       calendar.Hours{Workday: spans(workday), Weekend: spans(weekend), Holiday: spans(holiday)},
	})
	return days, at(cfg, "hours.holidays_dir", cfg.Hours.HolidaysDir, err)
}

func spans(from []configs.Span) []calendar.Span {
	list := make([]calendar.Span, len(from))
	for i, s := range from {
		list[i] = calendar.Span(s)
	}
	return list
}

// phrasesOf says what is wrong with what agents say.
func phrasesOf(cfg *configs.Config) error {
	text, err := cfg.Phrases()
	if err == nil {
		_, err = phrase.Parse(text)
	}
	return at(cfg, "desk.phrases", cfg.Desk.Phrases, err)
}

// loadCatalogue reads the catalogue of the service's language: the operator's
// where there is one, otherwise the one built in. An operator's must have every
// prompt that calls play by themselves, so that a slip in a name is found before
// a caller hears nothing.
func loadCatalogue(cfg *configs.Config) (*prompt.Catalogue, error) {
	name := string(cfg.Service.Language) + ".yaml"
	catalogue, err := prompt.LoadCatalogue(cfg.PromptTexts(), name)
	if err == nil && cfg.Service.PromptsDir != "" {
		err = complete(catalogue, name)
	}
	if err != nil {
		return nil, at(cfg, "service.prompts_dir", cfg.Service.PromptsDir, err)
	}
	return catalogue, nil
}

// complete says which prompts a catalogue lacks that every call may play.
func complete(catalogue *prompt.Catalogue, name string) error {
	needed, err := promptsOfEveryCall()
	if err != nil {
		return err
	}
	has := func(id string) bool { _, has := catalogue.Prompt(id); return has }
	if missing := slices.DeleteFunc(needed, has); len(missing) > 0 {
		return fmt.Errorf("%s lacks prompts that calls play: %s; add them, or correct the names they have there", name, strings.Join(missing, ", "))
	}
	return nil
}

// promptsOfEveryCall are those that calls play whatever hotline.yaml says: what is
// built in, but for what only hotline.yaml as shipped names.
func promptsOfEveryCall() ([]string, error) {
	shipped := configs.Default()
	builtIn, err := prompt.LoadCatalogue(shipped.PromptTexts(), string(shipped.Service.Language)+".yaml")
	if err != nil {
		return nil, err
	}
	named := shipped.PromptIDs()
	return slices.DeleteFunc(builtIn.IDs(), func(id string) bool { return slices.Contains(named, id) }), nil
}

// unknownPrompts are those that settings name and the catalogue does not have.
func unknownPrompts(cfg *configs.Config, catalogue *prompt.Catalogue) error {
	file := string(cfg.Service.Language) + ".yaml, as it is built in"
	if dir := cfg.Service.PromptsDir; dir != "" {
		file = filepath.Join(dir, string(cfg.Service.Language)+".yaml")
	}
	var wrong configs.Problems
	for _, named := range cfg.NamedPrompts() {
		if _, known := catalogue.Prompt(named.ID); !known {
			wrong = append(wrong, cfg.Wrong(named.Setting, "there is no prompt %q in %s; correct the name, or write the prompt there", named.ID, file))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return wrong
}
