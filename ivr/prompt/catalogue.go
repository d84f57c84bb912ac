package prompt

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Prompt is one thing the service can say or play.
type Prompt struct {
	ID     string        // "hold.apology": lower-case words joined by dots, the name of its audio files
	Text   string        // what is said, as people read it; empty for generated prompts
	Say    string        // spelling for the placeholder voice where it misreads Text; empty: Text
	Wav    string        // recorded file, slash-separated, relative to the recordings' folder; empty: placeholder voice
	Length time.Duration // generated prompts only: the exact length wanted
}

// Catalogue is what the service says in one language, in the order of its file.
type Catalogue struct {
	Language string // "zh-CN" or "en"
	Voice    string // espeak-ng voice of the placeholders
	Speed    int    // words per minute of the placeholder voice, 80..450
	Prompts  []Prompt

	byID map[string]int
}

// IDs lists the catalogue's prompt IDs in the order of its file.
func (c *Catalogue) IDs() []string {
	ids := make([]string, len(c.Prompts))
	for i, p := range c.Prompts {
		ids[i] = p.ID
	}
	return ids
}

// Prompt finds one prompt.
func (c *Catalogue) Prompt(id string) (Prompt, bool) {
	i, ok := c.byID[id]
	if !ok {
		return Prompt{}, false
	}
	return c.Prompts[i], true
}

// LoadCatalogue reads one catalogue file. Every fault is reported with its line and column, all of them at once;
// unknown fields, empty texts, repeated IDs and IDs the service generates itself are faults.
func LoadCatalogue(fsys fs.FS, name string) (*Catalogue, error) {
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("read the prompt catalogue: %w", err)
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, syntaxFault(name, err)
	}
	r := reader{file: name, catalogue: &Catalogue{byID: map[string]int{}}}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, fmt.Errorf("%s:1:1: want exactly one document with language, voice and prompts", name)
	}
	r.document(file.Docs[0].Body)
	if len(r.faults) > 0 {
		return nil, errors.Join(r.faults...)
	}
	return r.catalogue, nil
}

func syntaxFault(name string, err error) error {
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil {
		p := at.GetToken().Position
		return fmt.Errorf("%s:%d:%d: not YAML: %s", name, p.Line, p.Column, at.GetMessage())
	}
	return fmt.Errorf("%s: not YAML: %w", name, err)
}

// reader walks one document and collects its faults, so that an operator sees all of them in one run.
type reader struct {
	file      string
	catalogue *Catalogue
	faults    []error
}

func (r *reader) fault(at ast.Node, format string, args ...any) {
	pos := at.GetToken().Position
	if m, ok := at.(*ast.MappingNode); ok && len(m.Values) > 0 { // a mapping's own token is its first colon
		pos = m.Values[0].Key.GetToken().Position
	}
	r.faults = append(r.faults, fmt.Errorf("%s:%d:%d: %s", r.file, pos.Line, pos.Column, fmt.Sprintf(format, args...)))
}

// fields hands every field of a mapping to the setter of its name.
func (r *reader) fields(n ast.Node, what string, set map[string]func(ast.Node)) {
	m, ok := n.(*ast.MappingNode)
	if !ok {
		r.fault(n, "want %s as fields, got %s", what, strings.ToLower(n.Type().String()))
		return
	}
	for _, kv := range m.Values {
		key := kv.Key.GetToken().Value
		if setter, ok := set[key]; ok {
			setter(kv.Value)
			continue
		}
		r.fault(kv.Key, "unknown field %q in %s; known: %s", key, what, strings.Join(sorted(set), ", "))
	}
}

func (r *reader) document(n ast.Node) {
	c := r.catalogue
	before := len(r.faults)
	var language, voice, prompts ast.Node
	c.Speed = 165
	r.fields(n, "the catalogue", map[string]func(ast.Node){
		"language": func(v ast.Node) { language = v; c.Language = r.text(v, "language") },
		"voice":    func(v ast.Node) { voice = v; c.Voice = r.text(v, "voice") },
		"speed":    func(v ast.Node) { c.Speed = r.speed(v) },
		"prompts":  func(v ast.Node) { prompts = v; r.prompts(v) },
	})
	if language != nil && c.Language != "" && grammars[c.Language] == nil {
		r.fault(language, "no grammar for language %q; known: %s", c.Language, strings.Join(sorted(grammars), ", "))
	}
	if voice != nil && c.Voice != "" && !voiceName.MatchString(c.Voice) {
		r.fault(voice, "voice %q is no espeak-ng voice name such as cmn-latn-pinyin", c.Voice)
	}
	if len(r.faults) > before {
		return // a misspelt field is not also a missing one
	}
	for name, node := range map[string]ast.Node{"language": language, "voice": voice, "prompts": prompts} {
		if node == nil {
			r.fault(n, "%s is missing", name)
		}
	}
}

func (r *reader) speed(v ast.Node) int {
	n, err := strconv.Atoi(v.GetToken().Value)
	if err != nil || n < 80 || n > 450 {
		r.fault(v, "speed must be a whole number of words per minute from 80 to 450, not %q", v.GetToken().Value)
	}
	return n
}

func (r *reader) prompts(v ast.Node) {
	list, ok := v.(*ast.SequenceNode)
	if !ok {
		r.fault(v, "prompts must be a list of {id, text, say, wav}")
		return
	}
	if len(list.Values) == 0 {
		r.fault(v, "prompts is empty")
	}
	for _, item := range list.Values {
		r.prompt(item)
	}
}

var (
	idForm    = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$`)
	voiceName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+_-]*$`)
)

func (r *reader) prompt(item ast.Node) {
	var p Prompt
	var id ast.Node
	before := len(r.faults)
	r.fields(item, "a prompt", map[string]func(ast.Node){
		"id":   func(v ast.Node) { id = v; p.ID = r.text(v, "id") },
		"text": func(v ast.Node) { p.Text = r.text(v, "text") },
		"say":  func(v ast.Node) { p.Say = r.text(v, "say") },
		"wav":  func(v ast.Node) { p.Wav = r.path(v) },
	})
	if len(r.faults) > before {
		return
	}
	switch {
	case id == nil:
		r.fault(item, "a prompt without id")
	case !idForm.MatchString(p.ID):
		r.fault(id, "id %q must be lower-case words joined by dots, such as hold.apology", p.ID)
	case isGenerated(p.ID):
		r.fault(id, "id %q is generated by the service; choose another", p.ID)
	case p.Text == "":
		r.fault(id, "prompt %q has no text", p.ID)
	default:
		r.add(id, p)
	}
}

func (r *reader) add(id ast.Node, p Prompt) {
	if _, twice := r.catalogue.byID[p.ID]; twice {
		r.fault(id, "id %q appears twice", p.ID)
		return
	}
	r.catalogue.byID[p.ID] = len(r.catalogue.Prompts)
	r.catalogue.Prompts = append(r.catalogue.Prompts, p)
}

// text reads a scalar that must say something.
func (r *reader) text(v ast.Node, field string) string {
	var s string
	switch node := v.(type) {
	case *ast.StringNode:
		s = node.Value
	case *ast.LiteralNode:
		s = node.Value.Value
	default:
		r.fault(v, "%s must be text, not %s; put it in quotes", field, strings.ToLower(v.Type().String()))
		return ""
	}
	s = strings.TrimSpace(s)
	if s == "" {
		r.fault(v, "%s is empty", field)
	}
	return s
}

func (r *reader) path(v ast.Node) string {
	s := r.text(v, "wav")
	if s != "" && !fs.ValidPath(s) {
		r.fault(v, "wav %q must be a path inside the recordings' folder, with forward slashes and without ..", s)
	}
	return s
}
