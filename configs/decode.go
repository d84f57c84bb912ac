package configs

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Problem is one thing wrong in a configuration: where it stands, what it says and what would be right.
type Problem struct {
	File         string
	Line, Column int    // from 1
	Path         string // answer.after_rings; empty for the file as a whole
	Message      string
}

// Error is the line an operator reads: hotline.yaml:12:7: answer.after_rings: 5 is out of range; use 1, 2 or 3.
func (p Problem) Error() string {
	where := fmt.Sprintf("%s:%d:%d: ", p.File, p.Line, p.Column)
	if p.Path != "" {
		where += p.Path + ": "
	}
	return where + p.Message
}

// Wrong is a problem of a setting for a reason that stands outside of the file.
func (c *Config) Wrong(setting, format string, args ...any) Problem {
	r := &rules{src: c.source}
	r.wrong(setting, format, args...)
	return r.problems[0]
}

// Problems are all that is wrong in one configuration, in the order of the file.
type Problems []Problem

// Error gives one line per problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// without drops from others what is wrong at a place already named here: a value that could not be read is empty, and
// a rule would complain of that a second time; of a file that could not be read at all no rule knows anything.
func (p Problems) without(others Problems) Problems {
	return slices.DeleteFunc(others, func(other Problem) bool {
		return slices.ContainsFunc(p, func(named Problem) bool {
			return named.Path == "" || within(other.Path, named.Path)
		})
	})
}

// concerns says whether it is a problem of one of these settings: of what is in one, of what one is in, or of the file.
func (p Problem) concerns(settings []string) bool {
	return p.Path == "" || slices.ContainsFunc(settings, func(s string) bool { return within(p.Path, s) || within(s, p.Path) })
}

// within says whether a path is that of a setting or of what is in it.
func within(path, setting string) bool {
	rest, is := strings.CutPrefix(path, setting)
	return is && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// Sorted puts problems in the order an editor walks through them.
func (p Problems) Sorted() Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path))
	})
	return p
}

type position struct{ line, column int }

// source remembers where each value stands, so that rules checked after reading can point at it.
type source struct {
	file        string
	positions   map[string]position // by path: agents[0].queues[1]
	environment map[string]string   // by path: the variable whose value was laid over the file's
}

// find gives the place of the value at path; a value that the file leaves out is placed at the nearest thing around it
// that the file does say. shipped tells whether the value is the one shipped: what stands in a list or map of the file
// never is.
func (s source) find(path string) (at position, shipped bool) {
	for p := path; p != ""; p = parent(p) {
		if at, ok := s.positions[p]; ok {
			return at, p != path && !isElement(p)
		}
	}
	return position{1, 1}, true
}

// isElement tells whether a path is that of a list's or map's element: what it lacks is missing and not shipped.
func isElement(path string) bool {
	around := parent(path)
	return strings.HasSuffix(path, "]") || around == "menus.menus" || around == "announcements" || strings.HasSuffix(around, ".keys")
}

// parent cuts the last step of a path: agents[0].id → agents[0] → agents → "".
func parent(path string) string {
	if i := strings.LastIndexAny(path, ".["); i >= 0 {
		return path[:i]
	}
	return ""
}

// maxBytes and maxNesting bound what is given to the YAML parser, which recurses: a configuration is a few hundred lines.
const (
	maxBytes   = 1 << 20
	maxNesting = 64
)

// decode reads text over cfg. The YAML library's own decoder stops at the first mistake; this walk of the parsed tree
// goes on, because an operator wants to hear of all of them at once.
func decode(name string, text []byte, cfg *Config) Problems {
	d := &decoder{
		src:  source{file: filepath.Base(name), positions: map[string]position{}, environment: map[string]string{}},
		seed: seeds(cfg),
	}
	d.file(text, cfg)
	cfg.source = d.src
	return d.problems.Sorted()
}

type decoder struct {
	src      source
	seed     map[reflect.Type]reflect.Value // what a new element of a list or map begins as
	problems Problems
}

// seeds lets a queue or menu leave out what it has in common with the one shipped; its name and where it leads are its own.
func seeds(shipped *Config) map[reflect.Type]reflect.Value {
	seed := map[reflect.Type]reflect.Value{}
	if len(shipped.Queues) > 0 {
		queue := shipped.Queues[0]
		queue.ID = ""
		seed[reflect.TypeFor[Queue]()] = reflect.ValueOf(queue)
	}
	if menu, ok := shipped.Menus.Menus[shipped.Menus.Start]; ok {
		seed[reflect.TypeFor[Menu]()] = reflect.ValueOf(Menu{Timeout: menu.Timeout, Tries: menu.Tries})
	}
	seed[reflect.TypeFor[Agent]()] = reflect.ValueOf(Agent{Role: RoleAgent})
	return seed
}

// begin gives a fresh element its seed.
func (d *decoder) begin(v reflect.Value) {
	if seed, ok := d.seed[v.Type()]; ok {
		v.Set(seed)
	}
}

func (d *decoder) report(at position, path, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.src.file, at.line, at.column, path, fmt.Sprintf(format, args...)})
}

func (d *decoder) file(text []byte, cfg *Config) {
	if len(text) > maxBytes {
		d.report(position{1, 1}, "", "the file has %d bytes; a configuration has at most %d", len(text), maxBytes)
		return
	}
	utf8, err := readable(text)
	if err != nil {
		d.report(position{firstBroken(text), 1}, "", "the file %v", err)
		return
	}
	text = utf8
	if line := tooDeep(string(text)); line > 0 {
		d.report(position{line, 1}, "", "brackets are nested more than %d deep; close the ones left open", maxNesting)
		return
	}
	tree, err := parse(text)
	if err != nil {
		at, message := syntaxError(err)
		d.report(at, "", "this is not YAML: %s", message)
		return
	}
	if len(tree.Docs) > 1 {
		d.report(place(tree.Docs[1].Start), "", "a second document begins here; remove the line with ---")
		return
	}
	if len(tree.Docs) == 0 || isEmpty(tree.Docs[0].Body) {
		return // nothing said: everything as shipped
	}
	d.value(tree.Docs[0].Body, reflect.ValueOf(cfg).Elem(), "")
}

// parse guards against the parser's own mistakes on hostile text: a configuration must never bring the program down.
func parse(text []byte) (tree *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			tree, err = nil, errors.New("the parser cannot make sense of it")
		}
	}()
	return parser.ParseBytes(text, 0)
}

func syntaxError(err error) (position, string) {
	var located yaml.Error
	if errors.As(err, &located) {
		return place(located.GetToken()), located.GetMessage()
	}
	return position{1, 1}, err.Error()
}

// tooDeep gives the line at which brackets or indentation pass maxNesting, or 0.
func tooDeep(text string) int {
	depth := 0
	for i, line := range strings.Split(text, "\n") {
		indent := len(line) - len(strings.TrimLeft(line, " -?:\t"))
		depth += strings.Count(line, "[") + strings.Count(line, "{")
		if depth > maxNesting || indent > 4*maxNesting {
			return i + 1
		}
		depth = max(0, depth-strings.Count(line, "]")-strings.Count(line, "}"))
	}
	return 0
}

func place(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{1, 1}
	}
	return position{max(1, t.Position.Line), max(1, t.Position.Column)}
}

// start is where a node begins to the eye: a group of settings at its first key or bracket, not at its first colon.
func start(n ast.Node) position {
	switch m := n.(type) {
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			return place(m.Values[0].Key.GetToken())
		}
	case *ast.MappingValueNode:
		return place(m.Key.GetToken())
	}
	return place(n.GetToken())
}

func isEmpty(n ast.Node) bool {
	if n == nil {
		return true
	}
	switch n.(type) {
	case *ast.NullNode, *ast.CommentGroupNode, *ast.CommentNode:
		return true
	}
	return false
}

// value reads one node into v, whose path is known for messages.
func (d *decoder) value(n ast.Node, v reflect.Value, path string) {
	if path != "" {
		if _, known := d.src.positions[path]; !known {
			d.src.positions[path] = start(n)
		}
	}
	at := start(n)
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		d.report(at, path, "anchors, aliases and tags are not read here; write the value out")
		return
	}
	if isEmpty(n) {
		d.report(at, path, "has no value; write one, or remove the line to have the one shipped")
		return
	}
	if v.CanAddr() {
		if t, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
			d.text(n, t, at, path)
			return
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Map:
		d.mapping(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	default:
		d.scalar(n, v, at, path)
	}
}

// literal is a scalar as it is written: 0789 stays 0789, whatever YAML takes it for.
func literal(n ast.Node) (string, bool) {
	switch s := n.(type) {
	case *ast.StringNode:
		return s.Value, true
	case *ast.LiteralNode:
		return s.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func (d *decoder) text(n ast.Node, into encoding.TextUnmarshaler, at position, path string) {
	s, ok := literal(n)
	if !ok {
		d.report(at, path, "is %s; a single value belongs here", shape(n))
		return
	}
	if err := into.UnmarshalText([]byte(s)); err != nil {
		d.report(at, path, "%s", advice(into, s, err))
	}
}

// advice says what would be right for the types of the standard library, whose own errors only say what is wrong.
func advice(into any, s string, err error) string {
	if fmt.Sprintf("%T", into) == "*netip.AddrPort" {
		return fmt.Sprintf("%q is not an address with a port; use for example 127.0.0.1:9090", s)
	}
	return err.Error()
}

func (d *decoder) scalar(n ast.Node, v reflect.Value, at position, path string) {
	s, ok := literal(n)
	if !ok {
		d.report(at, path, "is %s; a single value belongs here", shape(n))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		if s != "true" && s != "false" {
			d.report(at, path, "%q is neither true nor false; use one of them", s)
			return
		}
		v.SetBool(s == "true")
	case reflect.Int:
		number, err := strconv.Atoi(s)
		if err != nil {
			d.report(at, path, "%q is not a whole number; use one, for example 3", s)
			return
		}
		v.SetInt(int64(number))
	default:
		panic("configs: no way to read a " + v.Type().String()) // a field was added without its reader
	}
}

// pairs gives the entries of a map node.
func pairs(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}, true
	}
	return nil, false
}

// alone is the setting of a group that may be written without the others: `a` is
// {id: a}.
func alone(group reflect.Type) (field int, may bool) {
	for i := range group.NumField() {
		if group.Field(i).Tag.Get("alone") != "" {
			return i, true
		}
	}
	return 0, false
}

func (d *decoder) structure(n ast.Node, v reflect.Value, path string) {
	entries, ok := pairs(n)
	if field, may := alone(v.Type()); !ok && may {
		d.value(n, v.Field(field), path)
		return
	}
	if !ok {
		d.report(start(n), path, "is %s; settings belong here, one `key: value` on each line", shape(n))
		return
	}
	fields := map[string]int{}
	for i := range v.NumField() {
		if name := v.Type().Field(i).Tag.Get("yaml"); name != "" {
			fields[name] = i
		}
	}
	for _, entry := range entries {
		key := entry.Key.GetToken().Value
		field, known := fields[key]
		if !known {
			d.report(place(entry.Key.GetToken()), join(path, key), "is not a setting%s", suggestion(key, sortedKeys(fields)))
			continue
		}
		d.src.positions[join(path, key)] = d.valuePlace(entry)
		d.value(entry.Value, v.Field(field), join(path, key))
	}
}

// valuePlace points at a scalar itself, and at the key of anything longer.
func (d *decoder) valuePlace(entry *ast.MappingValueNode) position {
	if _, ok := literal(entry.Value); ok {
		return place(entry.Value.GetToken())
	}
	return place(entry.Key.GetToken())
}

func (d *decoder) mapping(n ast.Node, v reflect.Value, path string) {
	entries, ok := pairs(n)
	if !ok {
		d.report(start(n), path, "is %s; names with their settings belong here", shape(n))
		return
	}
	fresh := reflect.MakeMap(v.Type())
	for _, entry := range entries {
		key := entry.Key.GetToken().Value
		d.src.positions[join(path, key)] = d.valuePlace(entry)
		element := reflect.New(v.Type().Elem()).Elem()
		d.begin(element)
		d.value(entry.Value, element, join(path, key))
		fresh.SetMapIndex(reflect.ValueOf(key), element)
	}
	v.Set(fresh)
}

func (d *decoder) list(n ast.Node, v reflect.Value, path string) {
	sequence, ok := n.(*ast.SequenceNode)
	if !ok {
		d.report(start(n), path, "is %s; a list belongs here, for example [a, b]", shape(n))
		return
	}
	fresh := reflect.MakeSlice(v.Type(), len(sequence.Values), len(sequence.Values))
	for i, element := range sequence.Values {
		d.begin(fresh.Index(i))
		d.value(element, fresh.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(fresh)
}

// shape names what stands there, for a reader who does not think in node types.
func shape(n ast.Node) string {
	if _, ok := pairs(n); ok {
		return "a group of settings"
	}
	if _, ok := n.(*ast.SequenceNode); ok {
		return "a list"
	}
	return "a single value"
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// suggestion names the known key that was probably meant, or all of them when none is near.
func suggestion(key string, known []string) string {
	best, distance := "", len(key)/2+1
	for _, k := range known {
		if dist := edits(key, k); dist < distance {
			best, distance = k, dist
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %s?", best)
	}
	return "; known here: " + strings.Join(known, ", ")
}

// edits is the Levenshtein distance: letters to insert, remove or change to turn a into b.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
