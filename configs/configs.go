// Package configs owns what an operator edits: hotline.yaml, read strictly, checked wholly before anything starts, and
// the files beside it. It knows the shape and the limits of every setting and nothing of the parts that use them; only
// the program's wiring and the tests import it, and hand each part its own small Options.
package configs

import (
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Config is one service's whole configuration. Load fills it, and every value it returns has passed Validate; of what Read
// returns only that is right which Validate was asked for.
type Config struct {
	Service       Service                 `yaml:"service"`
	Listen        Listen                  `yaml:"listen"`
	Web           Web                     `yaml:"web"`
	Desk          Desk                    `yaml:"desk"`
	Directory     []Entry                 `yaml:"directory"`
	Asterisk      Asterisk                `yaml:"asterisk"`
	Answer        Answer                  `yaml:"answer"`
	Recording     Recording               `yaml:"recording"`
	Hours         Hours                   `yaml:"hours"`
	Menus         Menus                   `yaml:"menus"`
	Queues        []Queue                 `yaml:"queues"`
	Redis         Redis                   `yaml:"redis"`
	Agents        []Agent                 `yaml:"agents"`
	Messages      Messages                `yaml:"messages"`
	Rating        Rating                  `yaml:"rating"`
	Redial        Redial                  `yaml:"redial"`
	Announcements map[string]Announcement `yaml:"announcements"`

	source source   // where each value stands in the file, for Validate
	unread Problems // what of the file could not be read
}

// Service says who is being called.
type Service struct {
	Number     string   `yaml:"number"`      // the hotline's own number, digits only
	Language   Language `yaml:"language"`    // the prompts' language
	Timezone   Timezone `yaml:"timezone"`    // IANA name; greetings and hours are told by it
	StateDir   string   `yaml:"state_dir"`   // journal, recordings, messages, control socket; relative to the working directory
	PromptsDir string   `yaml:"prompts_dir"` // zh-CN.yaml and en.yaml with their recordings; empty: the texts built in
	Codec      Codec    `yaml:"codec"`       // the trunk's codec; every prompt exists in it, so nothing is transcoded
}

// Listen holds the addresses the service itself listens on.
type Listen struct {
	Metrics netip.AddrPort `yaml:"metrics"` // /metrics, /healthz, /readyz
}

// Web is where people work in a browser and programs ask the JSON API.
type Web struct {
	Listen         netip.AddrPort `yaml:"listen"`           // empty: nobody is answered
	Origin         string         `yaml:"origin"`           // what people's browsers show, where a proxy stands before us; empty: whatever they ask for
	Embed          []string       `yaml:"embed"`            // sites whose pages may have the page that customers call from in them
	Proxies        []Network      `yaml:"proxies"`          // whose word counts for where somebody comes from (X-Forwarded-For)
	Media          netip.AddrPort `yaml:"media"`            // where browsers' sound arrives, by UDP; port 0: any
	MediaNAT       []Address      `yaml:"media_nat"`        // the addresses that browsers see it under, where those are others
	TURN           TURN           `yaml:"turn"`             // a relay for browsers that reach us in no other way
	Visitors       bool           `yaml:"visitors"`         // whether customers may call from a page of ours
	VisitorsAtOnce int            `yaml:"visitors_at_once"` // how many of them there may be at the same time
	Tokens         []Token        `yaml:"tokens"`           // programs that may ask
	Sessions       Sessions       `yaml:"sessions"`         // how long people stay signed in
	OIDC           OIDC           `yaml:"oidc"`             // where else they may sign in
}

// Redis is where several services keep one queue, each with calls and agents' phones of its own.
type Redis struct {
	Addresses []string                  `yaml:"addresses"` // host:port: one, several of a cluster, or those of sentinels with Master; none: the queue is this service's own
	Master    string                    `yaml:"master"`    // its name, where addresses are those of sentinels
	Username  string                    `yaml:"username"`
	Password  Secret                    `yaml:"password"` // HOTLINE_REDIS_PASSWORD overrides it
	Space     string                    `yaml:"space"`    // sets the keys of this queue apart from others in the same Redis
	Name      string                    `yaml:"name"`     // of this service among the others
	Peers     map[string]netip.AddrPort `yaml:"peers"`    // the SIP addresses of the other services' Asterisks, by their names
}

// On says whether the queue is shared.
func (r Redis) On() bool { return len(r.Addresses) > 0 }

// On says whether anybody is answered.
func (w Web) On() bool { return w.Listen.IsValid() }

// Token is a program that may ask.
type Token struct {
	Name  string `yaml:"name"`  // who it is, as the journal has it
	Token Secret `yaml:"token"` // HOTLINE_WEB_TOKEN_<NAME> overrides it
}

// variable is where a token may come from: HOTLINE_WEB_TOKEN_NIGHT_SHIFT for night-shift.
func (t Token) variable() string {
	return "HOTLINE_WEB_TOKEN_" + strings.ToUpper(strings.ReplaceAll(t.Name, "-", "_"))
}

// Asterisk says where Asterisk is and how it is set up; its configuration files are rendered from this.
type Asterisk struct {
	Root             string   `yaml:"root"`               // where Asterisk's / is on this machine; empty: it runs in the machine's own
	Dir              string   `yaml:"dir"`                // the instance's folder (etc run log spool lib raw moh), as Asterisk sees it
	Prompts          string   `yaml:"prompts"`            // the prompts' folder (one folder per language in it), as Asterisk sees it
	ARI              ARI      `yaml:"ari"`                // its HTTP interface
	SIP              SIP      `yaml:"sip"`                // its SIP transport
	RTP              Ports    `yaml:"rtp"`                // UDP ports for media, two per leg
	Trunk            Trunk    `yaml:"trunk"`              // where callers come from
	RTPTimeout       Duration `yaml:"rtp_timeout"`        // a leg that sends nothing for so long is ended as a dead line
	RTPTimeoutAgents Duration `yaml:"rtp_timeout_agents"` // the same for agents' phones, which are ours: the caller hears nothing for so long
	RTPTimeoutHold   Duration `yaml:"rtp_timeout_hold"`   // the same for a leg that put us on hold
	SessionExpires   Duration `yaml:"session_expires"`    // SIP session timer: a peer that vanished is noticed within it
	Net              Net      `yaml:"net"`                // what the dialplan does while the service is away
}

// ARI is Asterisk's REST interface.
type ARI struct {
	Bind     netip.AddrPort `yaml:"bind"`
	App      string         `yaml:"app"`
	User     string         `yaml:"user"`
	Password Secret         `yaml:"password"` // HOTLINE_ARI_PASSWORD overrides it
}

// URL is the base address of ARI, for example http://127.0.0.1:8088/ari.
func (a ARI) URL() string { return "http://" + a.Bind.String() + "/ari" }

// SIP is Asterisk's UDP transport.
type SIP struct {
	Bind  netip.AddrPort `yaml:"bind"`
	Media Address        `yaml:"media"` // the address offered for media; left out: the address of bind
}

// MediaAddress is the address offered for media and that RTP is bound to.
func (s SIP) MediaAddress() netip.Addr {
	if s.Media.IsValid() {
		return s.Media.Addr
	}
	return s.Bind.Addr()
}

// Trunk is the carrier's side.
type Trunk struct {
	Match []Network      `yaml:"match"` // who may bring in callers: addresses or networks
	Out   netip.AddrPort `yaml:"out"`   // where we dial out to; empty: nowhere
}

// Dials says whether there is a way to dial out.
func (t Trunk) Dials() bool { return t.Out.IsValid() }

// Net is the dialplan's safety net: what callers get while the service is away (A3, C3, D1 hold there too).
type Net struct {
	TryEvery       Duration `yaml:"try_every"`       // how often the service is tried again
	FallbackAfter  Duration `yaml:"fallback_after"`  // after so long in the net the agents' phones are rung without the service
	FallbackRounds int      `yaml:"fallback_rounds"` // how many rounds of that, the service being tried between them
	Round          Duration `yaml:"round"`           // how long a round is
}

// Answer is the three-ring rule (B1).
type Answer struct {
	AfterRings int `yaml:"after_rings"` // rings the caller hears before we answer: 1, 2 or 3
}

// Recording says whether and where calls are recorded.
type Recording struct {
	Enabled bool   `yaml:"enabled"`
	Dir     string `yaml:"dir"`    // relative to state_dir
	Notice  string `yaml:"notice"` // prompt that tells the caller; recording begins at its end
}

// Hours are the opening hours by kind of day. A kind without spans is closed.
type Hours struct {
	Workday     []Span `yaml:"workday"`
	Weekend     []Span `yaml:"weekend"`
	Holiday     []Span `yaml:"holiday"`
	HolidaysDir string `yaml:"holidays_dir"` // YEAR.json files; empty: those built in
}

// QueueHours are a queue's own hours by kind of day, within the hotline's. A kind without spans is closed.
type QueueHours struct {
	Workday []Span `yaml:"workday"`
	Weekend []Span `yaml:"weekend"`
	Holiday []Span `yaml:"holiday"`
}

// Always says that a queue has no hours of its own.
func (h QueueHours) Always() bool { return len(h.Workday)+len(h.Weekend)+len(h.Holiday) == 0 }

// Menus is the caller's menu as data.
type Menus struct {
	Start string          `yaml:"start"` // the menu callers meet first
	Menus map[string]Menu `yaml:"menus"`
}

// Menu is one question and what each key does. One without keys asks nothing: its prompt is said, if it has one, and
// Otherwise is what comes next.
type Menu struct {
	Prompt    string            `yaml:"prompt"`
	Timeout   Duration          `yaml:"timeout"`   // silence after the prompt before it is asked again (C1)
	Tries     int               `yaml:"tries"`     // silences or wrong keys in all before Otherwise
	Otherwise Action            `yaml:"otherwise"` // a person rather than a hang-up (C1)
	Keys      map[string]Action `yaml:"keys"`      // "0" … "9", "*", "#"
}

// Action is what a key does: exactly one of its targets is set.
type Action struct {
	Menu      string `yaml:"menu"`      // go to that menu
	Queue     string `yaml:"queue"`     // wait for a person in that queue
	Info      string `yaml:"info"`      // hear that prompt, then the same menu again
	Message   bool   `yaml:"message"`   // leave a message (A4)
	Emergency string `yaml:"emergency"` // that queue at once: before everybody else and whatever the hours
	Priority  int    `yaml:"priority"`  // with queue: 0 to 9, higher is served first
	Topic     string `yaml:"topic"`     // what the call is about, for the agent and the reports (C2)
	Name      string `yaml:"name"`      // what agents see of who has pressed it; empty: nothing
}

// Kind names the action's target: "menu", "queue", "info", "message", "emergency", or "" when there is none.
func (a Action) Kind() string {
	for _, t := range a.targets() {
		if t.set {
			return t.kind
		}
	}
	return ""
}

type target struct {
	kind string
	set  bool
}

func (a Action) targets() []target {
	return []target{
		{"menu", a.Menu != ""}, {"queue", a.Queue != ""}, {"info", a.Info != ""},
		{"message", a.Message}, {"emergency", a.Emergency != ""},
	}
}

// Queue is one line of waiting callers. What its rules mean is said in docs/queue.md.
type Queue struct {
	ID              string         `yaml:"id"`
	Name            string         `yaml:"name"`              // what an agent's phone shows beside the wait; left out: the id
	MaxWaiting      int            `yaml:"max_waiting"`       // a caller more is offered a message instead
	MaxWait         Duration       `yaml:"max_wait"`          // a wait ends after so long; 0s: never
	MaxWaitTo       WaitEnd        `yaml:"max_wait_to"`       // … and this is offered instead
	OverflowTo      string         `yaml:"overflow_to"`       // the queue that takes those for whom this one has no place, or who have waited for long
	OverflowAfter   Duration       `yaml:"overflow_after"`    // … for so long; 0s: only those for whom it has no place
	Aging           Duration       `yaml:"aging"`             // so much waiting is worth one step of priority, so that nobody is passed for ever
	Skills          map[string]int `yaml:"skills"`            // what its callers need of an agent: names and lowest levels
	Relax           []Relaxation   `yaml:"relax"`             // what they need less of as the wait grows
	Strategy        Strategy       `yaml:"strategy"`          // which of several ready agents takes a caller
	RingAtMost      int            `yaml:"ring_at_most"`      // ring-all: so many phones at once for a caller
	WrapUp          Duration       `yaml:"wrap_up"`           // an agent's time after each call
	WrapUpAtMost    Duration       `yaml:"wrap_up_at_most"`   // … with what the agent asks for beyond it
	RingTimeout     Duration       `yaml:"ring_timeout"`      // an agent's phone rings at most so long: three rings are 15 s (B1)
	ServiceLevel    Duration       `yaml:"service_level"`     // answered within this counts as served well (E2)
	ServiceTarget   int            `yaml:"service_target"`    // … which so many per cent should be
	DeclinePause    Duration       `yaml:"decline_pause"`     // no offers for so long after an agent declined one
	MissesBeforeOut int            `yaml:"misses_before_out"` // offers in a row left unanswered before the agent is taken out
	JoinEmpty       bool           `yaml:"join_empty"`        // callers may wait where nobody is signed in
	StayEmpty       bool           `yaml:"stay_empty"`        // … and go on waiting when the last agent leaves
	Unattended      Duration       `yaml:"unattended"`        // callers are told so when everybody signed in has been out of service for so long
	OnBreak         Duration       `yaml:"on_break"`          // … or on a break for so long
	Sticky          Duration       `yaml:"sticky"`            // for so long a caller is known again by the agent who served them last; 0s: not
	PreferFor       Duration       `yaml:"prefer_for"`        // … or was with an agent when the line broke, waits for that one so long; 0s: only if ready at once
	Hours           QueueHours     `yaml:"hours"`             // when it takes callers, within the hotline's hours; all empty: always
	PositionEvery   int            `yaml:"position_every"`    // position and estimate are spoken at every n-th apology; 0 never (D1)
}

// Relaxation lowers what a caller needs of an agent after a wait.
type Relaxation struct {
	After Duration `yaml:"after"`
	Skill string   `yaml:"skill"` // left out: every skill
	By    int      `yaml:"by"`    // levels
}

// Agent is a person with a phone.
type Agent struct {
	ID       string   `yaml:"id"`       // the SIP account, for example 1001
	Number   string   `yaml:"number"`   // what the caller is told: "agent 789 at your service" (C9)
	Name     string   `yaml:"name"`     //
	Role     Role     `yaml:"role"`     // agent (default), duty_manager, supervisor
	Password Secret   `yaml:"password"` // of the SIP account; HOTLINE_AGENT_<id>_PASSWORD overrides it
	PIN      Secret   `yaml:"pin"`      // for star codes, digits; HOTLINE_AGENT_<id>_PIN overrides it
	Queues   []string `yaml:"queues"`   // queues whose callers are offered to this agent

	Weights map[string]int `yaml:"weights"` // by queue: a wait there counts so many times; left out: 1, the longest waiter is next
	Skills  map[string]int `yaml:"skills"`  // what the agent can do, and how well: 1 to 100
}

// Messages are what callers leave when nobody can serve them (A4).
type Messages struct {
	Dir     string   `yaml:"dir"`     // relative to state_dir
	Max     Duration `yaml:"max"`     // longest message
	Min     Duration `yaml:"min"`     // shorter is asked for again
	Silence Duration `yaml:"silence"` // so much silence ends it
}

// Rating is the key a caller presses after the talk (A11).
type Rating struct {
	Enabled bool     `yaml:"enabled"`
	Timeout Duration `yaml:"timeout"` // wait for the key
	Tries   int      `yaml:"tries"`   // times it is asked
}

// Redial is for callers whose line breaks (A5, B4).
type Redial struct {
	Allow    []NumberPattern `yaml:"allow"`    // whom we dial again, when the line breaks in a talk; empty: nobody
	Ring     Duration        `yaml:"ring"`     // the caller's phone rings at most so long
	Remember Duration        `yaml:"remember"` // who calls again within it gets the old place, or the agent of before; 0: nobody
}

// Allows says whether a number may be dialled: digits only, as the trunk gives it, and matched by one of the patterns.
func (r Redial) Allows(number string) bool {
	return slices.ContainsFunc(r.Allow, func(p NumberPattern) bool { return p.Matches(number) })
}

// Announcement is something the operator can put in force with `hotline announce NAME`.
type Announcement struct {
	Prompt string `yaml:"prompt"`
	Closes bool   `yaml:"closes"` // the hotline counts as closed while it is in force
}

//go:embed hotline.yaml
var defaultYAML []byte

// Default is the configuration shipped: everything on loopback, development passwords, 96196.
func Default() *Config { return shipped() }

func shipped() *Config {
	cfg := &Config{}
	cfg.unread = decode(defaultName, defaultYAML, cfg)
	return cfg
}

// defaultName is what the configuration built in is called in messages.
const defaultName = "hotline.yaml"

// errBuild says that nothing can be read, since what a file leaves out has no value: somebody edited the configuration
// shipped, wrongly, and built the program with it.
var errBuild = errors.New("this program was built with a configs/hotline.yaml that is wrong; put that file back as it came, " +
	"keep your settings in a copy of it, and build the program anew")

// Load reads the file at path, lays the environment's HOTLINE_ variables over it and checks everything. What the file
// leaves out has the value of the hotline.yaml shipped; a list or a map that is given replaces the shipped one whole. With
// no path it is the hotline.yaml shipped. A wrong file gives Problems: every wrong line at once.
func Load(path string) (*Config, error) { return judged(Read(path)) }

// Read is Load without the judgement, for whoever uses only a part of the configuration: Validate judges that part. A secret
// that only the service's environment has need not keep anybody else from asking the service.
func Read(path string) (*Config, error) {
	if path == "" {
		return read(defaultName, defaultYAML, os.LookupEnv)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return read(path, data, os.LookupEnv)
}

// Parse is Load for text at hand; name stands in the messages, lookup finds environment variables (nil: there are none).
func Parse(name string, data []byte, lookup func(string) (string, bool)) (*Config, error) {
	return judged(read(name, data, lookup))
}

func read(name string, data []byte, lookup func(string) (string, bool)) (*Config, error) {
	cfg := shipped()
	if len(cfg.unread) > 0 {
		return nil, fmt.Errorf("%w:\n%w", errBuild, cfg.unread)
	}
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("%w:\n%w", errBuild, err)
	}
	cfg.unread = decode(name, data, cfg)
	if lookup != nil {
		cfg.overlay(lookup)
	}
	return cfg, nil
}

func judged(cfg *Config, err error) (*Config, error) {
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		return nil, err
	}
	return cfg, nil
}

// overlay lays the environment over what the file says: secrets need not stand in files, and the root is a matter of
// the machine.
func (c *Config) overlay(lookup func(string) (string, bool)) {
	lay := func(variable, path string, set func(string)) {
		if v, ok := lookup(variable); ok {
			set(v)
			c.source.environment[path] = variable
		}
	}
	lay("HOTLINE_ARI_PASSWORD", "asterisk.ari.password", func(v string) { c.Asterisk.ARI.Password = Secret(v) })
	lay("HOTLINE_REDIS_PASSWORD", "redis.password", func(v string) { c.Redis.Password = Secret(v) })
	for i, token := range c.Web.Tokens {
		lay(token.variable(), fmt.Sprintf("web.tokens[%d].token", i), func(v string) { c.Web.Tokens[i].Token = Secret(v) })
	}
	lay("HOTLINE_TURN_SECRET", "web.turn.secret", func(v string) { c.Web.TURN.Secret = Secret(v) })
	lay("HOTLINE_OIDC_SECRET", "web.oidc.client_secret", func(v string) { c.Web.OIDC.ClientSecret = Secret(v) })
	lay("HOTLINE_ASTERISK_ROOT", "asterisk.root", func(v string) { c.Asterisk.Root = v })
	for i := range c.Agents {
		variable, path := "HOTLINE_AGENT_"+c.Agents[i].ID, fmt.Sprintf("agents[%d]", i)
		lay(variable+"_PASSWORD", path+".password", func(v string) { c.Agents[i].Password = Secret(v) })
		lay(variable+"_PIN", path+".pin", func(v string) { c.Agents[i].PIN = Secret(v) })
	}
}

// Inside is a path below the instance's folder as Asterisk sees it, for example Inside("raw", "x.raw").
func (a Asterisk) Inside(elem ...string) string {
	return path.Join(append([]string{a.Dir}, elem...)...)
}

// Outside is the same path as the rest of this machine sees it.
func (a Asterisk) Outside(elem ...string) string { return a.OnHost(a.Inside(elem...)) }

// OnHost translates a path that Asterisk sees into the one the rest of this machine sees.
func (a Asterisk) OnHost(inside string) string {
	if a.Root == "" {
		return inside
	}
	return filepath.Join(a.Root, filepath.FromSlash(inside))
}

// PromptsInside is the folder of the prompts in the service's language as Asterisk sees it.
func (c *Config) PromptsInside() string {
	return path.Join(c.Asterisk.Prompts, string(c.Service.Language))
}

// PromptsOutside is the same folder as the rest of this machine sees it.
func (c *Config) PromptsOutside() string { return c.Asterisk.OnHost(c.PromptsInside()) }

// ControlSocket is the path of the socket through which commands reach the service.
func (c *Config) ControlSocket() string { return c.state("control.sock") }

// Journal is the path of the journal's database.
func (c *Config) Journal() string { return c.state("journal.db") }

// Accounts is the path of the file of those who may sign in.
func (c *Config) Accounts() string { return c.state("accounts.yaml") }

// Sessions is the path of the database of those who are signed in.
func (c *Config) Sessions() string { return c.state("sessions.db") }

// RecordingsDir is the folder of finished recordings.
func (c *Config) RecordingsDir() string { return c.state(c.Recording.Dir) }

// MessagesDir is the folder of the messages callers left.
func (c *Config) MessagesDir() string { return c.state(c.Messages.Dir) }

func (c *Config) state(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(c.Service.StateDir, p)
}

// Agent finds an agent by id.
func (c *Config) Agent(id string) (Agent, bool) {
	for _, a := range c.Agents {
		if a.ID == id {
			return a, true
		}
	}
	return Agent{}, false
}

// Queue finds a queue by id.
func (c *Config) Queue(id string) (Queue, bool) {
	for _, q := range c.Queues {
		if q.ID == id {
			return q, true
		}
	}
	return Queue{}, false
}

// KeysTo are the keys of menus that lead to a queue, for example "main 0"; "otherwise" is a caller who presses none.
func (c *Config) KeysTo(queue string) (keys []string) {
	leads := func(a Action) bool { return a.Queue == queue || a.Emergency == queue }
	for _, name := range sortedKeys(c.Menus.Menus) {
		menu := c.Menus.Menus[name]
		for _, key := range sortedKeys(menu.Keys) {
			if leads(menu.Keys[key]) {
				keys = append(keys, name+" "+key)
			}
		}
		if leads(menu.Otherwise) {
			keys = append(keys, name+" otherwise")
		}
	}
	return keys
}

// PromptIDs lists every prompt the configuration names, so that a missing one is found before the first call.
func (c *Config) PromptIDs() []string {
	var ids []string
	for _, named := range c.NamedPrompts() {
		ids = append(ids, named.ID)
	}
	return ids
}

// NamedPrompt is a prompt that a setting names.
type NamedPrompt struct{ Setting, ID string }

// NamedPrompts are all of them, with the settings that name them.
func (c *Config) NamedPrompts() []NamedPrompt {
	var list []NamedPrompt
	add := func(id, setting string, more ...string) {
		if id != "" {
			list = append(list, NamedPrompt{strings.Join(append([]string{setting}, more...), "."), id})
		}
	}
	add(c.Recording.Notice, "recording.notice")
	for _, name := range sortedKeys(c.Menus.Menus) {
		menu, at := c.Menus.Menus[name], "menus.menus."+name
		add(menu.Prompt, at, "prompt")
		add(menu.Otherwise.Info, at, "otherwise.info")
		for _, key := range sortedKeys(menu.Keys) {
			add(menu.Keys[key].Info, at, "keys", key, "info")
		}
	}
	for _, name := range sortedKeys(c.Announcements) {
		add(c.Announcements[name].Prompt, "announcements", name, "prompt")
	}
	return list
}

// short writes a duration as an operator would: 2m rather than 2m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
