package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goccy/go-yaml"

	"hotline/configs"
	"hotline/web"
)

// Commands about queues and agents: the API's operations, asked for on the
// control socket.

type agentCmd struct {
	Verb   string        `arg:"" default:"list" enum:"list,sign-in,sign-out,pause,ready,extend,profile,set,remove,add" help:"list, sign-in, sign-out, pause, ready, extend (a wrap-up), profile, set, remove, or add (one of hotline.yaml who was removed)."`
	ID     string        `arg:"" optional:"" help:"The agent: 1001."`
	Reason string        `help:"Why, with pause."`
	For    time.Duration `default:"1m" help:"By how much, with extend."`

	Settings []string `arg:"" optional:"" help:"With set, as in hotline.yaml: queues=[service,gas] weights={gas: 2} skills={english: 3}."`
}

func (a agentCmd) Run(ctx context.Context, cfg *configs.Config) error {
	if a.ID == "" && a.Verb != "list" {
		return fmt.Errorf("which agent? hotline agent %s 1001", a.Verb)
	}
	c := openAPI(cfg, os.Stdout)
	defer c.CloseIdleConnections()
	return a.ask(ctx, c)
}

func (a agentCmd) ask(ctx context.Context, c apiClient) error {
	path := "/agents/" + url.PathEscape(a.ID)
	order := map[string]string{"do": a.Verb}
	switch a.Verb {
	case "list":
		return c.printAgents(ctx, a.ID)
	case "profile":
		return c.print(ctx, path, a.ID)
	case "set":
		if err := ofTheFile(a.Settings, "role", "password", "pin"); err != nil {
			return err
		}
		return c.change(ctx, path, a.ID, a.Settings)
	case "remove":
		if err := c.remove(ctx, path); err != nil {
			return err
		}
		c.say("agent %s is removed, until: hotline agent add %s", a.ID, a.ID)
		return nil
	case "add":
		return a.add(ctx, c, path)
	case "pause":
		order["reason"] = cmp.Or(a.Reason, byCommandLine)
	case "extend":
		order["for"] = a.For.String()
	}
	if err := c.ask(ctx, "POST", path+"/state", order, nil); err != nil {
		return err
	}
	return c.printAgents(ctx, a.ID)
}

// add brings back who was removed, as hotline.yaml has them. Nobody else has a phone.
func (a agentCmd) add(ctx context.Context, c apiClient, path string) error {
	is, there := c.cfg.Agent(a.ID)
	if !there {
		return fmt.Errorf("agent %s is not in hotline.yaml, which has the passwords of phones: write them there, and then: hotline asterisk-config, hotline serve --takeover", a.ID)
	}
	profile := map[string]any{"number": is.Number, "name": is.Name, "queues": is.Queues}
	if len(is.Skills) > 0 {
		profile["skills"] = is.Skills
	}
	if len(is.Weights) > 0 {
		profile["weights"] = is.Weights
	}
	err := c.ask(ctx, "PUT", path, profile, nil, "If-None-Match", "*")
	if isStale(err) {
		return fmt.Errorf("agent %s is there already; change them with: hotline agent set %s", a.ID, a.ID)
	}
	if err != nil {
		return err
	}
	return c.print(ctx, path, a.ID)
}

type queueCmd struct {
	Verb string `arg:"" default:"list" enum:"list,rules,add,set,remove,waiting" help:"list, rules, add, set, remove or waiting."`
	ID   string `arg:"" optional:"" help:"The queue: service."`

	Force bool `help:"With remove: also a queue that menus lead to. Who chooses those keys hears that nobody can be reached."`

	Settings []string `arg:"" optional:"" help:"With add and set, as in hotline.yaml: max_wait=2m strategy=ring-all skills={english: 3}."`
}

func (q queueCmd) Run(ctx context.Context, cfg *configs.Config) error {
	if q.ID == "" && q.Verb != "list" && q.Verb != "rules" {
		return fmt.Errorf("which queue? hotline queue %s service", q.Verb)
	}
	c := openAPI(cfg, os.Stdout)
	defer c.CloseIdleConnections()
	return q.ask(ctx, c)
}

func (q queueCmd) ask(ctx context.Context, c apiClient) error {
	path := "/queues/" + url.PathEscape(q.ID)
	switch q.Verb {
	case "add", "set":
		if err := ofTheFile(q.Settings, "name", "hours", "position_every"); err != nil {
			return err
		}
		if q.Verb == "add" {
			return c.add(ctx, path, q.ID, q.Settings)
		}
		return c.change(ctx, path, q.ID, q.Settings)
	case "remove":
		return q.remove(ctx, c, path)
	case "waiting":
		return c.printWaiting(ctx, path)
	case "rules":
		if q.ID != "" {
			return c.print(ctx, path, q.ID)
		}
	}
	return c.printQueues(ctx, q)
}

// remove takes a queue away, and says who stood on it: callers whose keys still
// lead there are turned away, which is to be asked for expressly.
func (q queueCmd) remove(ctx context.Context, c apiClient, path string) error {
	if keys := c.cfg.KeysTo(q.ID); len(keys) > 0 && !q.Force {
		return fmt.Errorf("menus lead to queue %s (%s), and callers who choose them would be told that nobody can be reached: lead them elsewhere first, or add --force", q.ID, strings.Join(keys, ", "))
	}
	var said struct{ Agents []web.Agent }
	if err := c.ask(ctx, "GET", "/agents", nil, &said); err != nil {
		return err
	}
	if err := c.remove(ctx, path); err != nil {
		return err
	}
	var lost []string
	for _, agent := range said.Agents {
		if slices.Contains(agent.Profile.Queues, q.ID) {
			lost = append(lost, agent.ID)
		}
	}
	c.say("queue %s is removed; menus that led there: %s; agents who served it: %s",
		q.ID, cmp.Or(strings.Join(c.cfg.KeysTo(q.ID), ", "), "none"), cmp.Or(strings.Join(lost, ", "), "none"))
	return nil
}

// ofTheFile refuses settings that only calls know of, and not the engine.
func ofTheFile(settings []string, names ...string) error {
	for _, setting := range settings {
		if name := settingName(setting); slices.Contains(names, name) {
			return fmt.Errorf("%s is changed in hotline.yaml and needs a restart: hotline serve --takeover", name)
		}
	}
	return nil
}

// settingName is what stands before the value.
func settingName(setting string) string {
	name, _, _ := strings.Cut(setting, "=")
	name, _, _ = strings.Cut(name, ":")
	return strings.TrimSpace(name)
}

// say prints a line of what has been done.
func (c apiClient) say(format string, args ...any) { fmt.Fprintf(c.out, format+"\n", args...) }

// apiClient asks the API on the control socket, and prints what it is told.
type apiClient struct {
	*http.Client
	socket string
	out    io.Writer
	cfg    *configs.Config
}

func openAPI(cfg *configs.Config, out io.Writer) apiClient {
	c := controlClient(cfg.ControlSocket())
	c.Timeout = 5 * time.Second
	return apiClient{c, cfg.ControlSocket(), out, cfg}
}

// operator is who runs this command, as far as the machine knows: with sudo,
// who they were before.
func operator() string {
	if name := os.Getenv("SUDO_USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// ask sends a body, and reads the answer's into into; either may be nil. Headers
// come in pairs.
func (c apiClient) ask(ctx context.Context, method, path string, body, into any, headers ...string) error {
	_, text, err := c.exchange(ctx, method, path, body, headers...)
	if err != nil || into == nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("reading the service's answer: %w", err)
	}
	return nil
}

func (c apiClient) exchange(ctx context.Context, method, path string, body any, headers ...string) (version string, text []byte, err error) {
	var sent io.Reader
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return "", nil, err
		}
		sent = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://hotline"+web.Root+path, sent)
	if err != nil {
		return "", nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(operatorHeader, operator())
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := send(c.Client, c.socket, r)
	if err != nil {
		return "", nil, err
	}
	defer response.Body.Close()
	text, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return response.Header.Get("ETag"), text, err
}

// change reads what is there, lays settings over it, and puts it back unless
// somebody else has changed it in between.
func (c apiClient) change(ctx context.Context, path, id string, settings []string) error {
	version, text, err := c.exchange(ctx, "GET", path, nil)
	is := map[string]any{}
	if err == nil {
		err = json.Unmarshal(text, &is)
	}
	if err == nil {
		err = amend(is, settings)
	}
	if err != nil {
		return err
	}
	if err := c.ask(ctx, "PUT", path, is, nil, "If-Match", version); err != nil {
		return err
	}
	return c.print(ctx, path, id)
}

// add makes what is not there yet; what the settings do not say has the values
// that are usual.
func (c apiClient) add(ctx context.Context, path, id string, settings []string) error {
	is := map[string]any{}
	if len(settings) > 0 {
		if err := amend(is, settings); err != nil {
			return err
		}
	}
	err := c.ask(ctx, "PUT", path, is, nil, "If-None-Match", "*")
	if isStale(err) {
		return fmt.Errorf("queue %s is there already; change it with: hotline queue set %s", id, id)
	}
	if err != nil {
		return err
	}
	return c.print(ctx, path, id)
}

// remove takes away what is there.
func (c apiClient) remove(ctx context.Context, path string) error {
	return c.ask(ctx, "DELETE", path, nil, nil, "If-Match", "*")
}

// amend lays settings as they stand in hotline.yaml over fields: max_wait=2m,
// or max_wait: 2m.
func amend(fields map[string]any, settings []string) error {
	if len(settings) == 0 {
		return errors.New("say what is to be changed, for example max_wait=2m")
	}
	for _, setting := range settings {
		at := strings.IndexAny(setting, "=:")
		if at < 0 {
			return fmt.Errorf("%q says nothing; write it as max_wait=2m", setting)
		}
		name, text := setting[:at], strings.TrimSpace(setting[at+1:])
		var value any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			return fmt.Errorf("%s: %q cannot be read; write it as in hotline.yaml", name, text)
		}
		if _, isText := fields[name].(string); isText && !strings.HasPrefix(text, `"`) && !strings.HasPrefix(text, "'") {
			value = text // as it is written: 0789
		}
		fields[name] = value
	}
	return nil
}

// print shows rules or a profile as they stand in hotline.yaml.
func (c apiClient) print(ctx context.Context, path, id string) error {
	_, text, err := c.exchange(ctx, "GET", path, nil)
	if err != nil {
		return err
	}
	return printAsYAML(c.out, id, text)
}

func printAsYAML(w io.Writer, id string, text []byte) error {
	lines, err := yaml.JSONToYAML(text)
	if err != nil {
		return fmt.Errorf("reading the service's answer: %w", err)
	}
	fmt.Fprintf(w, "- id: %q\n", id)
	for line := range strings.Lines(string(lines)) {
		fmt.Fprint(w, "  ", line)
	}
	return nil
}

func (c apiClient) printAgents(ctx context.Context, id string) error {
	var said struct{ Agents []web.Agent }
	if err := c.ask(ctx, "GET", "/agents", nil, &said); err != nil {
		return err
	}
	out := tabwriter.NewWriter(c.out, 2, 0, 2, ' ', 0)
	fmt.Fprintln(out, "AGENT\tNUMBER\tSTATE\tAT\tSINCE\tCALL\tWHY")
	for _, agent := range said.Agents {
		if s := agent.State; id == "" || id == agent.ID {
			why := s.Reason
			if s.Away {
				why = strings.TrimPrefix(why+"; nothing is heard of "+s.Home, "; ")
			}
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", agent.ID, agent.Profile.Number, s.State, orDash(s.Home),
				shown(s.Since, c.cfg), orDash(s.Call), why)
		}
	}
	return out.Flush()
}

func (c apiClient) printQueues(ctx context.Context, q queueCmd) error {
	var said struct {
		Queues []struct {
			ID      string
			Rules   json.RawMessage
			Figures web.Figures
		}
	}
	if err := c.ask(ctx, "GET", "/queues", nil, &said); err != nil {
		return err
	}
	out := tabwriter.NewWriter(c.out, 2, 0, 2, ' ', 0)
	if q.Verb == "list" {
		fmt.Fprintln(out, "QUEUE\tWAITING\tLONGEST\tSIGNED IN\tREADY\tLAST 100 IN TIME\tESTIMATES WRONG BY")
	}
	for _, one := range said.Queues {
		f := one.Figures
		switch {
		case q.Verb == "rules":
			if err := printAsYAML(c.out, one.ID, one.Rules); err != nil {
				return err
			}
		case q.ID == "" || q.ID == one.ID:
			fmt.Fprintf(out, "%s\t%d\t%s\t%d\t%d\t%s\t%s\n", one.ID, f.Waiting, inSeconds(&f.LongestWait),
				f.SignedIn, f.Ready, ofHundred(f.InTime), inSeconds(f.EstimateError))
		}
	}
	return out.Flush()
}

func (c apiClient) printWaiting(ctx context.Context, path string) error {
	var said struct{ Callers []web.Caller }
	if err := c.ask(ctx, "GET", path+"/waiting?limit=1000", nil, &said); err != nil {
		return err
	}
	out := tabwriter.NewWriter(c.out, 2, 0, 2, ' ', 0)
	fmt.Fprintln(out, "PLACE\tCALL\tFROM\tWAITED\tPRIORITY\tOFFERED TO")
	for _, caller := range said.Callers {
		fmt.Fprintf(out, "%d\t%s\t%s\t%s\t%d\t%s\n", caller.Position, caller.Call, orDash(caller.Number),
			inSeconds(&caller.Waited), caller.Priority, orDash(strings.Join(caller.OfferedTo, " ")))
	}
	return out.Flush()
}

func inSeconds(s *float64) string {
	if s == nil {
		return "-"
	}
	return (time.Duration(*s * float64(time.Second))).Round(time.Second).String()
}

func ofHundred(n *int) string {
	if n == nil {
		return "-"
	}
	return fmt.Sprintf("%d of 100", *n)
}
