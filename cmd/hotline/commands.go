package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"hotline/configs"
	"hotline/ivr/prompt"
)

// Commands about what is set up: the configuration, the calendar, the prompts.

type checkConfigCmd struct{}

// Run says which file it has looked at: an operator in another folder looks at
// another one.
func (checkConfigCmd) Run(file configFile) error { return file.check(os.Stdout, time.Now()) }

// configFile is where the configuration is; "" is what is built in.
type configFile string

// String names it.
func (f configFile) String() string {
	if f == "" {
		return "the configuration built in"
	}
	if path, err := filepath.Abs(string(f)); err == nil {
		return path
	}
	return string(f)
}

// check names everything that is wrong, in the file and in those beside it, and
// what an operator should know besides.
func (f configFile) check(w io.Writer, now time.Time) error {
	cfg, err := configs.Read(string(f))
	if err != nil {
		return err
	}
	var wrong configs.Problems
	errors.As(cfg.Validate(), &wrong)
	if wrong = append(wrong, beside(cfg)...); len(wrong) > 0 {
		return fmt.Errorf("%s is not right:\n%w", f, wrong.Sorted())
	}
	if f == "" {
		fmt.Fprintln(w, "warning: there is neither hotline.yaml nor configs/hotline.yaml in this folder; name yours with -c FILE")
	}
	for _, warning := range cfg.Warnings() {
		fmt.Fprintln(w, "warning:", warning)
	}
	days, err := newCalendar(cfg)
	if err != nil {
		return err
	}
	for _, warning := range days.Warnings(now) {
		fmt.Fprintln(w, "warning:", warning)
	}
	fmt.Fprintln(w, f, "is right")
	return nil
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
