// Package account owns who may sign in: their names, roles and passwords, kept
// in one file, and how often anybody may try. It must not know HTTP, sessions
// or what a role may do.
package account

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Role is what somebody may do; the table of package web says what that is.
type Role string

// The roles.
const (
	Agent       Role = "agent"
	Supervisor  Role = "supervisor"
	Reviewer    Role = "reviewer"
	DutyManager Role = "duty_manager"
	Admin       Role = "admin"
)

// Roles are all there are.
var Roles = []Role{Agent, Supervisor, Reviewer, DutyManager, Admin}

// UnmarshalText accepts the roles and nothing else.
func (r *Role) UnmarshalText(text []byte) error {
	if !slices.Contains(Roles, Role(text)) {
		return fmt.Errorf("%q is no role; use %s", clip(string(text)), roleNames())
	}
	*r = Role(text)
	return nil
}

func roleNames() string {
	names := make([]string, len(Roles))
	for i, r := range Roles {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}

// Account is somebody who may sign in. It has no password in it: only
// [Book.Verify] knows that.
type Account struct {
	Name     string `json:"name" yaml:"name"`
	Roles    []Role `json:"roles" yaml:"roles"`
	Agent    string `json:"agent" yaml:"agent,omitempty"`       // the agent they are at the desk; "": none
	Language string `json:"language" yaml:"language,omitempty"` // zh-CN, en; "": the service's
	Locked   bool   `json:"locked" yaml:"locked,omitempty"`     // by an administrator, until unlocked

	// Generation is how often the password was changed: who signed in with another
	// one is not signed in any more.
	Generation int `json:"-" yaml:"generation,omitempty"`

	// Development says that the password is one that everybody can read in the
	// source, good on the machine itself only.
	Development bool `json:"development" yaml:"-"`
}

// Has says whether the account has one of these roles.
func (a Account) Has(roles ...Role) bool {
	return slices.ContainsFunc(roles, func(r Role) bool { return slices.Contains(a.Roles, r) })
}

// Errors of the book, wrapped with the account they are about.
var (
	ErrUnknown = errors.New("there is no such account")
	ErrTaken   = errors.New("there is such an account already")
	ErrInvalid = errors.New("not usable")
)

var (
	nameForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,63}$`)
	agentForm = regexp.MustCompile(`^[0-9]{3,8}$`)
)

// check says what is wrong with an account, with the name of the part that is.
func (a Account) check() error {
	invalid := func(field, format string, args ...any) error {
		return &FieldError{Field: field, Err: fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))}
	}
	if !nameForm.MatchString(a.Name) {
		return invalid("name", "%q; use lower-case letters, digits and . _ @ -, 64 at most", clip(a.Name))
	}
	if len(a.Roles) == 0 {
		return invalid("roles", "there are none; use one or more of %s", roleNames())
	}
	for i, r := range a.Roles {
		if err := r.UnmarshalText([]byte(r)); err != nil {
			return invalid("roles", "%v", err)
		}
		if slices.Contains(a.Roles[:i], r) {
			return invalid("roles", "%s is there twice", r)
		}
	}
	if a.Agent != "" && !agentForm.MatchString(a.Agent) {
		return invalid("agent", "%q; use the id of an agent in hotline.yaml, for example 1001", clip(a.Agent))
	}
	if a.Agent == "" && slices.Contains(a.Roles, Agent) {
		return invalid("agent", "the role agent needs one of hotline.yaml, for example --agent 1001")
	}
	if !slices.Contains([]string{"", "zh-CN", "en"}, a.Language) {
		return invalid("language", "%q; use zh-CN or en", clip(a.Language))
	}
	return nil
}

// FieldError says which part of an account is not usable.
type FieldError struct {
	Field string
	Err   error
}

// Error names the part and what would be right.
func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap is why.
func (e *FieldError) Unwrap() error { return e.Err }

// clip is as much of what somebody sent as helps to find it.
func clip(s string) string {
	const most = 40
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}
