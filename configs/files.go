package configs

import (
	"embed"
	"io/fs"
	"os"
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
		return os.DirFS(c.Hours.HolidaysDir)
	}
	return sub("holidays")
}

// PromptTexts is the folder of the prompts' catalogues, zh-CN.yaml and
// en.yaml: the operator's where service.prompts_dir names one, otherwise
// those built in.
func (c *Config) PromptTexts() fs.FS {
	if c.Service.PromptsDir != "" {
		return os.DirFS(c.Service.PromptsDir)
	}
	return sub("prompts")
}

// PhrasesName is what the file of what agents say is called where it is built in.
const PhrasesName = "phrases.yaml"

// Phrases is that file's text: the operator's where desk.phrases names one,
// otherwise the one built in.
func (c *Config) Phrases() ([]byte, error) {
	if c.Desk.Phrases != "" {
		return os.ReadFile(c.Desk.Phrases)
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
