package configs

import (
	"bytes"
	"embed"
	"errors"
	"io/fs"
	"os"
	"unicode/utf8"
)

// What is built in, so that the program is one file: the notices of days off,
// the texts of the prompts, and what agents say.
//
//go:embed holidays/*.json prompts/*.yaml phrases.yaml
var builtIn embed.FS

// Holidays is the folder of the YEAR.json notices: the operator's where
// hours.holidays_dir names one, otherwise those built in.
func (c *Config) Holidays() fs.FS {
	if c.Hours.HolidaysDir != "" {
		return texts{os.DirFS(c.Hours.HolidaysDir)}
	}
	return sub("holidays")
}

// PromptTexts is the folder of the prompts' catalogues, zh-CN.yaml and
// en.yaml: the operator's where service.prompts_dir names one, otherwise
// those built in.
func (c *Config) PromptTexts() fs.FS {
	if c.Service.PromptsDir != "" {
		return texts{os.DirFS(c.Service.PromptsDir)}
	}
	return sub("prompts")
}

// PhrasesName is what the file of what agents say is called where it is built in.
const PhrasesName = "phrases.yaml"

// Phrases is that file's text: the operator's where desk.phrases names one,
// otherwise the one built in.
func (c *Config) Phrases() ([]byte, error) {
	if c.Desk.Phrases != "" {
		text, err := os.ReadFile(c.Desk.Phrases)
		if err != nil {
			return nil, err
		}
		return readable(text)
	}
	return builtIn.ReadFile(PhrasesName)
}

func sub(folder string) fs.FS {
	dir, err := fs.Sub(builtIn, folder)
	if err != nil {
		panic("configs: " + folder + " is not a folder's name: " + err.Error()) // it is, see above
	}
	return dir
}

// texts is a folder of an operator's files.
type texts struct{ fs.FS }

// ReadFile reads one whole.
func (t texts) ReadFile(name string) ([]byte, error) {
	text, err := fs.ReadFile(t.FS, name)
	if err != nil {
		return nil, err
	}
	return readable(text)
}

// readable is a text without the mark that some editors put before it; one that is not UTF-8 is an error.
func readable(text []byte) ([]byte, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !utf8.Valid(text) {
		return nil, errNotUTF8
	}
	return text, nil
}

var errNotUTF8 = errors.New("is not UTF-8: save it as UTF-8")

// firstBroken is the line of a text on which it is not UTF-8 any more.
func firstBroken(text []byte) (line int) {
	line = 1
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			return line
		case r == '\n':
			line++
		}
		text = text[size:]
	}
	return line
}
