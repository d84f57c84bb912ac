package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"hotline/ari"
	"hotline/configs"
	"hotline/configs/asterisk"
)

type asteriskConfigCmd struct {
	Out string `arg:"" optional:"" help:"Folder to write the files to. Without it the whole instance is made ready: its folders, its music on hold, its etc; and an Asterisk that runs reads anew what it can."`
}

func (a asteriskConfigCmd) Run(ctx context.Context, cfg *configs.Config) error {
	if a.Out != "" {
		_, err := asterisk.Render(cfg, a.Out)
		return err
	}
	changed, err := asterisk.Prepare(cfg)
	if err != nil || len(changed) == 0 {
		return err
	}
	return tellAsterisk(ctx, os.Stdout, cfg, changed)
}

// tellAsterisk has an Asterisk that runs read the files that have changed, and says which of them it reads only as it
// begins.
func tellAsterisk(ctx context.Context, w io.Writer, cfg *configs.Config, changed []string) error {
	link, err := ari.New(ari.Options{
		URL: cfg.Asterisk.ARI.URL(), App: cfg.Asterisk.ARI.App, Username: cfg.Asterisk.ARI.User, Password: cfg.Asterisk.ARI.Password.Reveal(),
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	modules, begins := asterisk.Readers(changed)
	fmt.Fprintln(w, "changed:", strings.Join(changed, ", "))
	for _, module := range modules {
		err := link.ReloadModule(ctx, module)
		var refused *ari.Error
		switch {
		case err == nil:
		case errors.As(err, &refused) && refused.Status == 0: // nothing runs there
			return nil
		default:
			return fmt.Errorf("the files are written, and the Asterisk that runs goes on with those of before: start it anew: %w", err)
		}
	}
	if len(modules) > 0 {
		fmt.Fprintln(w, "The Asterisk that runs has read", strings.Join(without(changed, begins), ", "), "anew.")
	}
	if len(begins) > 0 {
		fmt.Fprintln(w, "It reads", strings.Join(begins, ", "), "only as it begins: start it anew (hotline drain, then Asterisk and the service).")
	}
	return nil
}

func without(list, those []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(those, s) })
}
