package web

import (
	"context"
	"errors"

	"hotline/web/account"
)

// What is written into the journal of those who sign in and what they look at.

// Kinds of entries.
const (
	KindAccount   = "account.changed"    // account.Change
	KindSignedIn  = "account.signed-in"  // SignedIn
	KindLockedOut = "account.locked-out" // SignedIn: somebody failed too often
	KindLooked    = "desk.looked"        // Looked: at a customer's data
	KindNotes     = "desk.notes"         // NotesKept
	KindWrapped   = "desk.wrapped"       // Wrapped: a call has its code
	KindMonitored = "desk.monitored"     // Monitored: before it is done
)

// SignedIn is somebody who came in, or did not.
type SignedIn struct {
	Account string `json:"account,omitempty"`
	From    string `json:"from"` // the address
	How     string `json:"how"`  // password, sso; locked out: by which limit
}

// Looked is a look at a customer's data.
type Looked struct {
	By   string `json:"by"`
	What string `json:"what"` // history, notes
	Call string `json:"call"`
}

// NotesKept are notes as they were at a moment.
type NotesKept struct {
	Call string `json:"call"`
	By   string `json:"by"`
	Notes
}

// Wrapped is a call's code.
type Wrapped struct {
	Call  string `json:"call"`
	By    string `json:"by"`
	Agent string `json:"agent"`
	Code  string `json:"code"`
}

// Monitored is a supervisor in a talk.
type Monitored struct {
	By   string `json:"by"`
	Call string `json:"call"`
	Mode string `json:"mode"`
}

// AccountStream is an account's stream in the journal.
func AccountStream(name string) string { return "account/" + name }

func accountStreams(name string) []string {
	if name == "" {
		return nil
	}
	return []string{AccountStream(name)}
}

func callStream(call string) string { return "call/" + call }

// RecordAccounts writes changes of accounts down.
func RecordAccounts(record Record) func(context.Context, account.Change) error {
	return func(ctx context.Context, c account.Change) error {
		return record(ctx, KindAccount, c, accountStreams(c.Account)...)
	}
}

// Record writes an entry into the journal, and returns nil once it is kept.
type Record func(ctx context.Context, kind string, data any, streams ...string) error

var errNoJournal = errors.New("web: nothing is written down here")

func (a *API) record(ctx context.Context, kind string, data any, streams ...string) error {
	if a.o.Record == nil {
		return errNoJournal
	}
	return a.o.Record(ctx, kind, data, streams...)
}
