package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"hotline/configs"
	"hotline/configs/asterisk"
	"hotline/ivr/prompt"
	"hotline/web/phrase"
)

// Commands about what is set up: the configuration, the calendar, the prompts.

type checkConfigCmd struct{}

func (checkConfigCmd) Run(cfg *configs.Config) error {
	catalogue, err := loadCatalogue(cfg)
	if err != nil {
		return err
	}
	var unknown []string
	for _, id := range cfg.PromptIDs() {
		if _, known := catalogue.Prompt(id); !known {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) > 0 {
		return fmt.Errorf("prompts named in hotline.yaml and not in %s.yaml: %v", cfg.Service.Language, unknown)
	}
	phrases, err := cfg.Phrases()
	if err == nil {
		_, err = phrase.Parse(phrases)
	}
	if err != nil {
		return fmt.Errorf("what agents say, %s: %w", cmp.Or(cfg.Desk.Phrases, configs.PhrasesName), err)
	}
	days, err := newCalendar(cfg)
	if err != nil {
		return err
	}
	for _, warning := range days.Warnings(time.Now()) {
		fmt.Println("warning:", warning)
	}
	fmt.Println("the configuration is right")
	return nil
}

type asteriskConfigCmd struct {
	Out string `arg:"" optional:"" help:"Folder to write the files to. Without it the whole instance is made ready: its folders, its music on hold, its etc." type:"path"`
}

func (a asteriskConfigCmd) Run(cfg *configs.Config) error {
	if a.Out == "" {
		return asterisk.Prepare(cfg)
	}
	return asterisk.Render(cfg, a.Out)
}

type calendarCmd struct {
	Year int    `arg:"" optional:"" help:"The year to print; this one where it is left out."`
	At   string `help:"Say what plays at this moment and why: '2027-02-06 09:00'."`
}

func (k calendarCmd) Run(cfg *configs.Config) error {
	days, err := newCalendar(cfg)
	if err != nil {
		return err
	}
	if k.At != "" {
		moment, err := parseMoment(k.At, cfg.Service.Timezone.Location)
		if err != nil {
			return err
		}
		return days.Explain(os.Stdout, moment)
	}
	if k.Year == 0 {
		k.Year = time.Now().In(cfg.Service.Timezone.Location).Year()
	}
	return days.PrintYear(os.Stdout, k.Year)
}

type promptsCmd struct {
	Build promptsBuildCmd `cmd:"" help:"Render every prompt that is missing or has changed."`
	Check promptsCheckCmd `cmd:"" help:"List what is missing, stale, too loud or only a placeholder."`
}

type promptsBuildCmd struct{}

func (promptsBuildCmd) Run(ctx context.Context, cfg *configs.Config) error {
	catalogue, err := loadCatalogue(cfg)
	if err != nil {
		return err
	}
	report, err := prompt.Build(ctx, prompt.BuildOptions{Catalogue: catalogue, WavDir: cfg.Service.PromptsDir, OutDir: cfg.PromptsOutside()})
	fmt.Println(summaryOf(report))
	return err
}

// summaryOf is a report's last line: a build need not list what it kept.
func summaryOf(r prompt.Report) string {
	lines := strings.Split(strings.TrimSpace(r.String()), "\n")
	return lines[len(lines)-1]
}

type promptsCheckCmd struct{}

func (promptsCheckCmd) Run(cfg *configs.Config) error {
	catalogue, err := loadCatalogue(cfg)
	if err != nil {
		return err
	}
	library, err := prompt.OpenLibrary(cfg.PromptsOutside())
	if err != nil {
		return err
	}
	report := prompt.Check(library, catalogue)
	if _, err := report.WriteTo(os.Stdout); err != nil {
		return err
	}
	if problems := report.Problems(); len(problems) > 0 {
		return fmt.Errorf("%d prompts need somebody; see above", len(problems))
	}
	return nil
}

// loadCatalogue reads the catalogue of the service's language: the operator's
// where there is one, otherwise the one built in. An operator's must have every
// prompt that calls play by themselves, so that a slip in a name is found before
// a caller hears nothing.
func loadCatalogue(cfg *configs.Config) (*prompt.Catalogue, error) {
	name := string(cfg.Service.Language) + ".yaml"
	catalogue, err := prompt.LoadCatalogue(cfg.PromptTexts(), name)
	if err != nil || cfg.Service.PromptsDir == "" {
		return catalogue, err
	}
	needed, err := promptsOfEveryCall()
	if err != nil {
		return nil, err
	}
	has := func(id string) bool { _, has := catalogue.Prompt(id); return has }
	if missing := slices.DeleteFunc(needed, has); len(missing) > 0 {
		return nil, fmt.Errorf("%s lacks prompts that calls play: %s; add them, or correct the names they have there",
			filepath.Join(cfg.Service.PromptsDir, name), strings.Join(missing, ", "))
	}
	return catalogue, nil
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

type versionCmd struct{}

func (versionCmd) Run() error {
	fmt.Println(filepath.Base(os.Args[0]), version())
	return nil
}

// version is this program's.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "development"
}
