package web

import (
	"errors"
	"fmt"
	"net/http"
	"reflect"

	"hotline/web/account"
)

// Account is somebody who may sign in, as it is read and shown.
type Account struct {
	Name        string         `json:"name"`
	Roles       []account.Role `json:"roles"`
	Agent       string         `json:"agent"`
	Language    string         `json:"language"`
	Locked      bool           `json:"locked"`
	Development bool           `json:"development"`
}

func accountOf(a account.Account) Account {
	return Account{a.Name, a.Roles, a.Agent, a.Language, a.Locked, a.Development}
}

func (a *API) book() (*account.Book, error) {
	if a.signing == nil {
		return nil, errNoSigning
	}
	return a.signing.Accounts, nil
}

func (a *API) listAccounts(request) (reply, error) {
	book, err := a.book()
	if err != nil {
		return reply{}, err
	}
	list := []Account{}
	for _, one := range book.List() {
		list = append(list, accountOf(one))
	}
	return reply{body: map[string]any{"accounts": list}}, nil
}

// NewAccount is one to be added.
type NewAccount struct {
	Name     string         `json:"name"`
	Roles    []account.Role `json:"roles"`
	Agent    string         `json:"agent"`
	Language string         `json:"language"`
	Password string         `json:"password"` // "": one is made, or none with sso
	SSO      bool           `json:"sso"`      // signs in elsewhere alone
}

// Given is a password that was made for somebody, shown this once.
type Given struct {
	Password string `json:"password"` // "": the one that was asked for, or none
}

func (a *API) addAccount(r request) (reply, error) {
	var asked NewAccount
	book, err := a.book()
	if err == nil {
		err = read(r, &asked)
	}
	if err != nil {
		return reply{}, err
	}
	password, given := asked.Password, Given{}
	switch {
	case asked.SSO && password != "":
		return reply{}, limit("password", errors.New("who signs in elsewhere alone has none here"))
	case !asked.SSO && password == "":
		password = account.Generate()
		given.Password = password
	}
	if err := a.isAgent(asked.Agent); err != nil {
		return reply{}, err
	}
	who := account.Account{Name: asked.Name, Roles: asked.Roles, Agent: asked.Agent, Language: asked.Language}
	if err := book.Add(r.Context(), who, password, r.by); err != nil {
		return reply{}, aboutAccount(err)
	}
	return reply{status: http.StatusCreated, body: given}, nil
}

// AccountChange is what an account becomes; what is left out stays as it is.
type AccountChange struct {
	Roles    []account.Role `json:"roles"`
	Agent    string         `json:"agent"`
	Language string         `json:"language"`
	Locked   bool           `json:"locked"`
}

func (a *API) changeAccount(r request) (reply, error) {
	book, err := a.book()
	if err != nil {
		return reply{}, err
	}
	a.changing.Lock()
	defer a.changing.Unlock()
	is, there := book.Find(r.PathValue("id"))
	if !there {
		return reply{}, noAccount(r.PathValue("id"))
	}
	asked := AccountChange{is.Roles, is.Agent, is.Language, is.Locked}
	if err := read(r, &asked); err != nil {
		return reply{}, err
	}
	if is.Name == r.account.Name {
		return reply{}, errOwnAccount
	}
	now := is
	now.Roles, now.Agent, now.Language = asked.Roles, asked.Agent, asked.Language
	if !reflect.DeepEqual(now, is) {
		if now.Agent != is.Agent {
			if err := a.isAgent(now.Agent); err != nil {
				return reply{}, err
			}
		}
		if err := book.Set(r.Context(), now, r.by); err != nil {
			return reply{}, aboutAccount(err)
		}
	}
	if asked.Locked != is.Locked {
		if err := book.Lock(r.Context(), is.Name, asked.Locked, r.by); err != nil {
			return reply{}, aboutAccount(err)
		}
	}
	now, _ = book.Find(is.Name)
	return reply{body: accountOf(now)}, nil
}

// errOwnAccount keeps administrators from shutting themselves out.
var errOwnAccount = problem(http.StatusConflict, "own-account", "nobody changes the account they are signed in with; ask another administrator, or use the command line")

func (a *API) removeAccount(r request) (reply, error) {
	book, err := a.book()
	if err != nil {
		return reply{}, err
	}
	if r.PathValue("id") == r.account.Name {
		return reply{}, errOwnAccount
	}
	if err := book.Remove(r.Context(), r.PathValue("id"), r.by); err != nil {
		return reply{}, aboutAccount(err)
	}
	return reply{}, nil
}

// NewPassword is another one for an account.
type NewPassword struct {
	Password string `json:"password"` // "": one is made
}

// setPassword ends all sessions of the account.
func (a *API) setPassword(r request) (reply, error) {
	var asked NewPassword
	book, err := a.book()
	if err == nil {
		err = read(r, &asked)
	}
	if err != nil {
		return reply{}, err
	}
	given := Given{}
	if asked.Password == "" {
		given.Password = account.Generate()
		asked.Password = given.Password
	}
	if err := book.SetPassword(r.Context(), r.PathValue("id"), asked.Password, r.by); err != nil {
		return reply{}, aboutAccount(err)
	}
	return reply{body: given}, nil
}

func noAccount(name string) *Problem {
	return problem(http.StatusNotFound, "no-account", "there is no account %.70q; those for development are changed by giving the agent, or web, a password of its own in hotline.yaml", name)
}

// isAgent refuses an agent who is not there: whoever has that account would be at a desk that never comes.
func (a *API) isAgent(id string) error {
	if id == "" {
		return nil
	}
	if _, there := a.o.Queues.Agent(id); !there {
		return limit("agent", fmt.Errorf("there is no agent %.60q; use one of hotline.yaml", id))
	}
	return nil
}

// aboutAccount is why something could not be done with an account.
func aboutAccount(err error) error {
	var field *account.FieldError
	switch {
	case errors.Is(err, account.ErrUnknown):
		return problem(http.StatusNotFound, "no-account", "%v; those for development are changed by giving the agent a password of its own in hotline.yaml", err)
	case errors.Is(err, account.ErrTaken):
		return conflict(err)
	case errors.As(err, &field):
		return limit(field.Field, field.Err)
	case errors.Is(err, account.ErrInvalid):
		return conflict(err)
	}
	return err
}
