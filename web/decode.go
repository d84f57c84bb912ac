package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

// JSON is read more strictly than the standard library does: whoever mistypes a
// field's name would otherwise have rules in force that they did not ask for. A
// field that is unknown, is there twice, has another case or no value is
// refused by name.

// read reads a request's body over into, a pointer to a struct: what the body
// leaves out stays as it is there.
func read(r request, into any) error {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return problem(http.StatusUnsupportedMediaType, "media-type", "the body must be JSON and say so: Content-Type: application/json")
	}
	body, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return problem(http.StatusRequestEntityTooLarge, "too-large", "the body has more than %d bytes", large.Limit)
	case err != nil:
		return problem(http.StatusBadRequest, "incomplete", "the body did not arrive whole")
	case !json.Valid(body):
		return wrong("no-json", "", "the body is not one JSON value: %v", json.Unmarshal(body, new(any)))
	}
	return decode(body, reflect.ValueOf(into).Elem(), "")
}

// decode reads valid JSON into v; path is where it stands in the body.
func decode(text json.RawMessage, v reflect.Value, path string) error {
	if string(text) == "null" {
		return wrong("no-value", path, "has no value; write one, or leave the field out")
	}
	if _, itself := v.Addr().Interface().(json.Unmarshaler); !itself {
		switch v.Kind() {
		case reflect.Struct:
			return decodeFields(text, path, func(name string, value json.RawMessage) error {
				field, known := fieldOf(v, name)
				if !known {
					return wrong("unknown-field", join(path, name), "is not known; known here are %s", strings.Join(fieldNames(v.Type()), ", "))
				}
				return decode(value, field, join(path, name))
			})
		case reflect.Map:
			v.Set(reflect.MakeMap(v.Type()))
			return decodeFields(text, path, func(name string, value json.RawMessage) error {
				item := reflect.New(v.Type().Elem()).Elem()
				err := decode(value, item, join(path, name))
				v.SetMapIndex(reflect.ValueOf(name), item)
				return err
			})
		case reflect.Slice:
			return decodeList(text, v, path)
		}
	}
	if err := json.Unmarshal(text, v.Addr().Interface()); err != nil {
		return wrong("value", path, "%s", advice(text, v, err))
	}
	return nil
}

// decodeFields takes an object apart.
func decodeFields(text json.RawMessage, path string, each func(name string, value json.RawMessage) error) error {
	tokens := json.NewDecoder(bytes.NewReader(text))
	if first, _ := tokens.Token(); first != json.Delim('{') {
		return wrong("value", path, "%s cannot be read; an object belongs here: {…}", clip(text))
	}
	var seen []string
	for tokens.More() {
		name, err := tokens.Token()
		if err != nil {
			return err
		}
		if slices.Contains(seen, name.(string)) {
			return wrong("twice", join(path, name.(string)), "is there twice")
		}
		seen = append(seen, name.(string))
		if len(seen) > maxItems {
			return wrong("value", path, "has more than %d fields", maxItems)
		}
		var value json.RawMessage
		if err := tokens.Decode(&value); err != nil {
			return err
		}
		if err := each(name.(string), value); err != nil {
			return err
		}
	}
	return nil
}

// maxItems bounds objects and lists, which are compared one with another.
const maxItems = 1000

func decodeList(text json.RawMessage, v reflect.Value, path string) error {
	var items []json.RawMessage
	if err := json.Unmarshal(text, &items); err != nil {
		return wrong("value", path, "%s cannot be read; a list belongs here: […]", clip(text))
	}
	if len(items) > maxItems {
		return wrong("value", path, "has more than %d items", maxItems)
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		if err := decode(item, v.Index(i), fmt.Sprintf("%s[%d]", path, i)); err != nil {
			return err
		}
	}
	return nil
}

// advice says what is wrong, and what would be right.
func advice(text json.RawMessage, v reflect.Value, err error) string {
	if kind := new(json.UnmarshalTypeError); !errors.As(err, &kind) {
		return err.Error() // of a type that knows what it wants, and says what it was given
	}
	return clip(text) + " cannot be read; " + wanted(v, err)
}

func wanted(v reflect.Value, err error) string {
	switch v.Kind() {
	case reflect.String:
		return `a text belongs here: "…"`
	case reflect.Bool:
		return "use true or false"
	case reflect.Int:
		return "a whole number belongs here"
	}
	return err.Error()
}

// clip is as much of a value as helps to find it.
func clip(text json.RawMessage) string {
	const most = 60
	if runes := []rune(string(text)); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return string(text)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func fieldOf(v reflect.Value, name string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if nameOf(v.Type().Field(i)) == name {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func fieldNames(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		names = append(names, nameOf(t.Field(i)))
	}
	return names
}

func nameOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}
