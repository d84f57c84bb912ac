package web

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
)

// Problem is why a request is refused: problem details as of RFC 9457.
type Problem struct {
	Type   string `json:"type"`            // "urn:hotline:unknown-field": the same for the same kind of mistake
	Title  string `json:"title"`           // the status in words
	Status int    `json:"status"`          // HTTP's
	Detail string `json:"detail"`          // what is wrong here, and what would be right
	Field  string `json:"field,omitempty"` // the part of the body that is: "relax[1].after"

	// Values are what a page puts into its own words for this kind.
	Values map[string]string `json:"values,omitempty"`

	header http.Header
}

// Error is the detail.
func (p *Problem) Error() string { return p.Detail }

func problem(status int, kind, format string, args ...any) *Problem {
	return &Problem{Type: "urn:hotline:" + kind, Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...)}
}

// wrong is a field of the body that cannot be read or is out of range.
func wrong(kind, field, format string, args ...any) *Problem {
	p := problem(http.StatusBadRequest, kind, format, args...)
	p.Field = field
	if field != "" {
		p.Detail = field + ": " + p.Detail
	}
	return p
}

// limit is a value that is not allowed.
func limit(field string, err error) error {
	p := wrong("limit", field, "%v", err)
	p.Status, p.Title = http.StatusUnprocessableEntity, http.StatusText(http.StatusUnprocessableEntity)
	return p
}

// contradicts is a body that can be read and does not go with the rest.
func contradicts(err error) error {
	return problem(http.StatusUnprocessableEntity, "contradiction", "%v", err)
}

// conflict is what cannot be done as things are.
func conflict(err error) error {
	return problem(http.StatusConflict, "conflict", "%v", err)
}

// asProblem is an error as it is answered. What nobody has thought of is not
// told to whoever asks.
func asProblem(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return problem(http.StatusInternalServerError, "internal", "the service could not do it; its log says why")
}

func refuse(w http.ResponseWriter, err error) int {
	p := asProblem(err)
	maps.Copy(w.Header(), p.header)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_, _ = w.Write(encode(p)) // the asker has gone: nobody to tell
	return p.Status
}
