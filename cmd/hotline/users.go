package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"

	"hotline/configs"
	"hotline/web"
)

// userCmd is about who may sign in: the API's operations, asked for on the
// control socket.
type userCmd struct {
	Verb     string   `arg:"" default:"list" enum:"list,add,passwd,roles,lock,unlock,remove" help:"list, add, passwd, roles, lock, unlock or remove. With add and passwd the password is the first line of what is piped in; where nothing is, one is made and printed."`
	Name     string   `arg:"" optional:"" help:"The account: li."`
	Roles    []string `arg:"" optional:"" help:"With add and roles: agent, supervisor, reviewer, duty_manager, admin."`
	Agent    string   `help:"With add and roles: the agent of hotline.yaml they are at the desk, for example 1001; - for none."`
	Language string   `help:"With add and roles: zh-CN or en."`
	SSO      bool     `name:"sso" help:"With add: they sign in where their account is kept, and have no password here."`
}

func (u userCmd) Run(ctx context.Context, cfg *configs.Config) error {
	if u.Name == "" && u.Verb != "list" {
		return fmt.Errorf("which account? hotline user %s li", u.Verb)
	}
	c := openAPI(cfg, os.Stdout)
	defer c.CloseIdleConnections()
	return u.ask(ctx, c, os.Stdin)
}

func (u userCmd) ask(ctx context.Context, c apiClient, in io.Reader) error {
	path := "/accounts/" + url.PathEscape(u.Name)
	switch u.Verb {
	case "add":
		return u.add(ctx, c, in)
	case "passwd":
		password, err := readPassword(in)
		if err != nil {
			return err
		}
		return u.give(ctx, c, path+"/password", map[string]any{"password": password}, "has another password")
	case "roles":
		if len(u.Roles) == 0 {
			return errors.New("which roles? hotline user roles li agent supervisor")
		}
		return u.do(ctx, c, "PATCH", path, u.fields(map[string]any{}), "is "+strings.Join(u.Roles, ", ")+" now")
	case "lock", "unlock":
		return u.do(ctx, c, "PATCH", path, map[string]any{"locked": u.Verb == "lock"}, "is "+u.Verb+"ed")
	case "remove":
		return u.do(ctx, c, "DELETE", path, nil, "is removed")
	}
	return u.list(ctx, c)
}

func (u userCmd) add(ctx context.Context, c apiClient, in io.Reader) error {
	if len(u.Roles) == 0 {
		return errors.New("which roles? hotline user add li agent --agent 1001")
	}
	account := u.fields(map[string]any{"name": u.Name, "sso": u.SSO})
	if !u.SSO {
		password, err := readPassword(in)
		if err != nil {
			return err
		}
		account["password"] = password
	}
	return u.give(ctx, c, "/accounts", account, "is added")
}

// do asks for something, and says that it is done.
func (u userCmd) do(ctx context.Context, c apiClient, method, path string, body any, done string) error {
	if err := c.ask(ctx, method, path, body, nil); err != nil {
		return err
	}
	c.say("%s %s", u.Name, done)
	return nil
}

// fields are those that were said.
func (u userCmd) fields(f map[string]any) map[string]any {
	f["roles"] = u.Roles
	if u.Agent != "" {
		f["agent"] = strings.TrimPrefix(u.Agent, "-")
	}
	if u.Language != "" {
		f["language"] = u.Language
	}
	return f
}

// give asks for something that may answer with a password, and prints that, or
// else that it is done.
func (u userCmd) give(ctx context.Context, c apiClient, path string, body any, done string) error {
	var given web.Given
	if err := c.ask(ctx, "POST", path, body, &given); err != nil {
		return err
	}
	if given.Password != "" {
		done = "signs in with: " + given.Password
	}
	c.say("%s %s", u.Name, done)
	return nil
}

func (u userCmd) list(ctx context.Context, c apiClient) error {
	var said struct{ Accounts []web.Account }
	if err := c.ask(ctx, "GET", "/accounts", nil, &said); err != nil {
		return err
	}
	out := tabwriter.NewWriter(c.out, 2, 0, 2, ' ', 0)
	fmt.Fprintln(out, "ACCOUNT\tROLES\tAGENT\tLANGUAGE\tSTATE")
	for _, a := range said.Accounts {
		if u.Name != "" && u.Name != a.Name {
			continue
		}
		state := "-"
		switch {
		case a.Development:
			state = "for development"
		case a.Locked:
			state = "locked"
		}
		roles := make([]string, len(a.Roles))
		for i, r := range a.Roles {
			roles[i] = string(r)
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\n", a.Name, strings.Join(roles, " "), orDash(a.Agent), orDash(a.Language), state)
	}
	return out.Flush()
}

// readPassword is the first line of what is piped in; "" at a terminal, where it
// would be seen.
func readPassword(in io.Reader) (string, error) {
	if file, is := in.(*os.File); is {
		if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return "", nil
		}
	}
	lines := bufio.NewScanner(io.LimitReader(in, 4096))
	if lines.Scan() {
		return strings.TrimSuffix(lines.Text(), "\r"), nil
	}
	if err := lines.Err(); err != nil {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	return "", nil
}
