package configs

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Validate says what is wrong, as Problems: what could not be read, and every rule that is broken, also after a program
// changed the configuration. Where parts are named, settings such as asterisk.prompts or groups of them such as service,
// it judges these alone, and whether there is a configuration at all.
func (c *Config) Validate(parts ...string) error {
	all := append(slices.Clone(c.unread), c.unread.without(c.problems())...)
	if len(parts) > 0 {
		all = slices.DeleteFunc(all, func(p Problem) bool { return !p.concerns(parts) })
	}
	if len(all) > 0 {
		return all.Sorted()
	}
	return nil
}

func (c *Config) problems() Problems {
	r := &rules{src: c.source}
	r.service(c)
	r.asterisk(&c.Asterisk)
	r.addresses(c)
	r.web(c.Web)
	r.people(c.Web)
	r.desk(c)
	r.directory(c)
	r.engine(c)
	r.conversation(c)
	r.hours("hours", QueueHours{c.Hours.Workday, c.Hours.Weekend, c.Hours.Holiday})
	r.menus(c)
	r.queues(c)
	r.agents(c)
	r.redial(c)
	r.announcements(c)
	r.developmentSecrets(c)
	return r.problems
}

// What names may look like. Those that reach Asterisk's files keep clear of the characters that mean something there.
var (
	number     = regexp.MustCompile(`^[0-9]{2,15}$`)
	agentID    = regexp.MustCompile(`^[0-9]{3,8}$`)
	agentNo    = regexp.MustCompile(`^[0-9]{1,8}$`)
	pin        = regexp.MustCompile(`^[0-9]{4,8}$`)
	name       = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,39}$`)
	promptID   = regexp.MustCompile(`^[a-z0-9_]+(\.[a-z0-9_]+)*$`)
	insidePath = regexp.MustCompile(`^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$`)
	secret     = regexp.MustCompile(`^[A-Za-z0-9._~@!%^*+=-]{8,128}$`)
	apiToken   = regexp.MustCompile(`^[A-Za-z0-9._~+/-]{16,128}=*$`) // RFC 6750
)

const (
	wantName   = "use a lower-case letter, then letters, digits, - and _, 40 at most"
	wantPrompt = "use a prompt's id, for example menu.main"
	wantInside = "use an absolute path of letters, digits, . _ -, for example /srv/hotline/main"
	wantAgent  = "use 3 to 8 digits, for example 1001"
	wantNumber = "use 1 to 8 digits, as the caller is told, for example 789"
	wantSecret = "use 8 to 128 letters, digits and . _ ~ @ ! % ^ * + = -"
)

type rules struct {
	src      source
	problems Problems
}

// wrong reports the value at path, and says so when the file leaves that value to the one shipped or the environment
// laid another over it: the operator would look in vain at the line named.
func (r *rules) wrong(path, format string, args ...any) {
	at, shipped := r.src.find(path)
	message := fmt.Sprintf(format, args...)
	switch variable := r.src.environment[path]; {
	case variable != "":
		message += " (it comes from " + variable + ")"
	case shipped:
		message += " (this is the value shipped)"
	}
	r.problems = append(r.problems, Problem{r.src.file, at.line, at.column, path, message})
}

func (r *rules) matches(path, value string, pattern *regexp.Regexp, want string) bool {
	switch {
	case value == "":
		r.wrong(path, "is missing; %s", want)
		return false
	case !pattern.MatchString(value):
		r.wrong(path, "%q is not usable; %s", value, want)
		return false
	}
	return true
}

func (r *rules) secret(path string, value Secret, pattern *regexp.Regexp, want string) {
	switch {
	case value == "":
		r.wrong(path, "is missing; %s", want)
	case !pattern.MatchString(value.Reveal()):
		r.wrong(path, "is not usable; %s", want)
	}
}

// text is for names that people read: no control characters, nothing that ends a quoted string in Asterisk's files.
func (r *rules) text(path, value string, most int) {
	bad := strings.ContainsFunc(value, func(c rune) bool { return unicode.IsControl(c) || strings.ContainsRune(`";\`, c) })
	if bad || !utf8.ValidString(value) || strings.TrimSpace(value) == "" || utf8.RuneCountInString(value) > most {
		r.wrong(path, "%q is not usable; use 1 to %d characters without quotes, semicolons and backslashes", value, most)
	}
}

func (r *rules) between(path string, value, low, high int) {
	if value < low || value > high {
		r.wrong(path, "%d is out of range; use %s", value, choice(low, high))
	}
}

// choice spells short ranges out: 1, 2 or 3.
func choice(low, high int) string {
	if high-low > 3 {
		return fmt.Sprintf("%d to %d", low, high)
	}
	var values []string
	for v := low; v <= high; v++ {
		values = append(values, strconv.Itoa(v))
	}
	return either(values)
}

func (r *rules) lasts(path string, value Duration, low, high time.Duration) (right bool) {
	right = value.Duration >= low && value.Duration <= high
	if !right {
		r.wrong(path, "%s is out of range; use %s to %s", short(value.Duration), short(low), short(high))
	}
	return right
}

// lastsSeconds is lasts for what Asterisk counts in whole seconds.
func (r *rules) lastsSeconds(path string, value Duration, low, high time.Duration) {
	if value.Duration%time.Second != 0 {
		r.wrong(path, "%s is not a whole number of seconds, and Asterisk counts in them; use for example %s", short(value.Duration), short(max(low, time.Second)))
		return
	}
	r.lasts(path, value, low, high)
}

func (r *rules) service(c *Config) {
	r.matches("service.number", c.Service.Number, number, "use 2 to 15 digits, for example 96196")
	if strings.TrimSpace(c.Service.StateDir) == "" {
		r.wrong("service.state_dir", "is missing; use a folder, for example /var/lib/hotline")
	}
}

func (r *rules) asterisk(a *Asterisk) {
	r.matches("asterisk.dir", a.Dir, insidePath, wantInside)
	r.matches("asterisk.prompts", a.Prompts, insidePath, wantInside)
	r.matches("asterisk.ari.app", a.ARI.App, name, wantName)
	r.matches("asterisk.ari.user", a.ARI.User, name, wantName)
	r.secret("asterisk.ari.password", a.ARI.Password, secret, wantSecret)
	if len(a.Trunk.Match) == 0 {
		r.wrong("asterisk.trunk.match", "is empty, so nobody could call; name the carrier's addresses")
	}
	for i, network := range a.Trunk.Match {
		if network.Contains(netip.AddrFrom4([4]byte{127, 0, 0, 1})) {
			r.wrong(fmt.Sprintf("asterisk.trunk.match[%d]", i),
				"%s holds 127.0.0.1, where agents' phones on this machine register from, and they would be taken for the trunk; use for example 127.0.0.2", plain(network))
		}
	}
	r.lastsSeconds("asterisk.rtp_timeout", a.RTPTimeout, 5*time.Second, 10*time.Minute)
	r.lastsSeconds("asterisk.rtp_timeout_agents", a.RTPTimeoutAgents, 5*time.Second, 10*time.Minute)
	r.lastsSeconds("asterisk.rtp_timeout_hold", a.RTPTimeoutHold, a.RTPTimeout.Duration, time.Hour)
	r.lastsSeconds("asterisk.session_expires", a.SessionExpires, 90*time.Second, time.Hour)
	r.lastsSeconds("asterisk.net.try_every", a.Net.TryEvery, time.Second, 10*time.Second)
	r.lastsSeconds("asterisk.net.fallback_after", a.Net.FallbackAfter, 0, 10*time.Minute)
	r.between("asterisk.net.fallback_rounds", a.Net.FallbackRounds, 0, 20)
	r.lastsSeconds("asterisk.net.round", a.Net.Round, 5*time.Second, time.Minute)
}

// plain writes a network of one address as that address.
func plain(n Network) string {
	if n.IsSingleIP() {
		return n.Addr().String()
	}
	return n.String()
}

// bound is an address something listens on.
type bound struct {
	path string
	addr netip.AddrPort
	udp  bool
}

func (c *Config) bound() []bound {
	list := []bound{
		{"listen.metrics", c.Listen.Metrics, false},
		{"asterisk.ari.bind", c.Asterisk.ARI.Bind, false},
		{"asterisk.sip.bind", c.Asterisk.SIP.Bind, true},
	}
	if c.Web.On() {
		list = append(list, bound{"web.listen", c.Web.Listen, false})
	}
	return list
}

// engine checks where the queue is kept.
func (r *rules) engine(c *Config) {
	if !c.Redis.On() {
		if len(c.Redis.Peers) > 0 {
			r.wrong("redis.addresses", "are none, and redis.peers names services to share a queue with; name one at least, such as 127.0.0.1:6379")
		}
		return
	}
	r.matches("redis.name", c.Redis.Name, name, wantName)
	r.matches("redis.space", c.Redis.Space, name, wantName)
	for i, addr := range c.Redis.Addresses {
		if _, port, err := net.SplitHostPort(addr); err != nil || port == "" {
			r.wrong(fmt.Sprintf("redis.addresses[%d]", i), "%q is no host and port, such as 127.0.0.1:6379", addr)
		}
	}
	for i, q := range c.Queues {
		if q.Sticky.Duration > 0 && c.Redis.Password == "" {
			r.wrong(fmt.Sprintf("queues[%d].sticky", i), "callers' numbers would be kept in Redis by keys that anybody can try out; set redis.password, which they are made with")
		}
	}
	for _, peer := range sortedKeys(c.Redis.Peers) {
		r.peer(c, peer, c.Redis.Peers[peer])
	}
}

// peer checks where another service's Asterisk is. It is known by its address, and whoever has that may ring our agents.
func (r *rules) peer(c *Config, peer string, at netip.AddrPort) {
	path := "redis.peers." + peer
	switch ours := c.Asterisk.SIP.Bind; {
	case !name.MatchString(peer):
		r.wrong(path, "%q is no name of a service; %s", peer, wantName)
	case peer == c.Redis.Name:
		r.wrong(path, "is this service itself, by redis.name; leave it out")
	case !at.IsValid() || at.Port() == 0 || at.Addr().IsUnspecified():
		r.wrong(path, "%s is nowhere to dial to; use the address of its asterisk.sip.bind, for example 10.0.0.6:5060", at)
	case at.Addr() == ours.Addr():
		r.wrong(path, "%s is the address of our own asterisk.sip.bind, where our agents' phones may be, and they would be taken for the other service; use another", at.Addr())
	case slices.ContainsFunc(c.Asterisk.Trunk.Match, func(n Network) bool { return n.Contains(at.Addr()) }):
		r.wrong(path, "%s is in asterisk.trunk.match too, and its calls would be taken for callers; keep the two apart", at.Addr())
	}
}

// web checks who may use the JSON API.
func (r *rules) web(w Web) {
	for i, t := range w.Tokens {
		path := fmt.Sprintf("web.tokens[%d]", i)
		r.matches(path+".name", t.Name, name, wantName)
		r.secret(path+".token", t.Token, apiToken, "use 16 to 128 letters, digits and . _ ~ + / -, here or in "+t.variable())
		for j, other := range w.Tokens[:i] {
			if other.variable() == t.variable() {
				r.wrong(path+".name", "%q and web.tokens[%d] both have the variable %s; use another name", t.Name, j, t.variable())
			}
			if other.Token == t.Token && t.Token != "" {
				r.wrong(path+".token", "is that of web.tokens[%d] too, and nobody could tell the two apart; give each its own", j)
			}
		}
	}
}

func (r *rules) addresses(c *Config) {
	taken := map[string]string{}
	for _, b := range c.bound() {
		if !b.addr.IsValid() || b.addr.Port() == 0 {
			r.wrong(b.path, "%s has no port of its own; use for example 127.0.0.1:9090", b.addr)
			continue
		}
		key := fmt.Sprint(b.addr, b.udp)
		if other, double := taken[key]; double {
			r.wrong(b.path, "%s is taken by %s already; use another port", b.addr, other)
		}
		taken[key] = b.path
	}
	if c.Asterisk.ARI.Bind.Addr().IsUnspecified() {
		r.wrong("asterisk.ari.bind", "%s is every address, and the service must know where to connect to; use 127.0.0.1", c.Asterisk.ARI.Bind.Addr())
	}
	sip := c.Asterisk.SIP
	if sip.MediaAddress().IsUnspecified() {
		r.wrong("asterisk.sip.bind", "%s is every address, and phones must be told one for their media; use one address, or set asterisk.sip.media", sip.Bind.Addr())
	}
	rtp := c.Asterisk.RTP
	switch {
	case rtp.From < 1024 || rtp.To <= rtp.From || rtp.To-rtp.From < 19:
		r.wrong("asterisk.rtp", "%s is not enough; use a range above 1024 with at least 20 ports, two for each leg", rtp)
	case sip.Bind.Port() >= rtp.From && sip.Bind.Port() <= rtp.To:
		r.wrong("asterisk.rtp", "%s holds the SIP port %d; use a range beside it", rtp, sip.Bind.Port())
	}
}

// conversation checks what a caller meets between the first ring and the goodbye.
func (r *rules) conversation(c *Config) {
	r.between("answer.after_rings", c.Answer.AfterRings, 1, 3)
	if c.Recording.Enabled {
		r.matches("recording.notice", c.Recording.Notice, promptID, wantPrompt)
	}
	if c.Recording.Dir == "" {
		r.wrong("recording.dir", "is missing; use a folder, for example recordings")
	}
	if c.Messages.Dir == "" {
		r.wrong("messages.dir", "is missing; use a folder, for example messages")
	}
	r.lastsSeconds("messages.max", c.Messages.Max, 10*time.Second, 10*time.Minute)
	r.lasts("messages.min", c.Messages.Min, 0, c.Messages.Max.Duration)
	r.lastsSeconds("messages.silence", c.Messages.Silence, 2*time.Second, 30*time.Second)
	r.lasts("rating.timeout", c.Rating.Timeout, time.Second, 30*time.Second)
	r.between("rating.tries", c.Rating.Tries, 1, 5)
}

// redial checks whom we dial by ourselves: what is not said to be allowed never is.
func (r *rules) redial(c *Config) {
	for i, pattern := range c.Redial.Allow {
		path := fmt.Sprintf("redial.allow[%d]", i)
		switch {
		case pattern.Matches(c.Service.Number):
			r.wrong(path, "%s stands for our own number %s too, and we would call ourselves; leave it out", pattern, c.Service.Number)
		case !c.Asterisk.Trunk.Dials():
			r.wrong(path, "nobody can be dialled, since asterisk.trunk.out names no way out; name it, for example 192.0.2.10:5060")
		}
	}
	if out := c.Asterisk.Trunk.Out; out.IsValid() && (out.Port() == 0 || out.Addr().IsUnspecified()) {
		r.wrong("asterisk.trunk.out", "%s is nowhere to dial to; use the carrier's address, for example 192.0.2.10:5060", out)
	}
	r.lastsSeconds("redial.ring", c.Redial.Ring, 5*time.Second, time.Minute)
	r.lasts("redial.remember", c.Redial.Remember, 0, time.Hour)
}

func (r *rules) hours(path string, h QueueHours) {
	for _, day := range []struct {
		path  string
		spans []Span
	}{{path + ".workday", h.Workday}, {path + ".weekend", h.Weekend}, {path + ".holiday", h.Holiday}} {
		for i := 1; i < len(day.spans); i++ {
			if day.spans[i].From < day.spans[i-1].To {
				r.wrong(fmt.Sprintf("%s[%d]", day.path, i), "%s begins before %s ends; write the parts of a day in order and apart", day.spans[i], day.spans[i-1])
			}
		}
	}
}

func (r *rules) menus(c *Config) {
	m := c.Menus
	if _, ok := m.Menus[m.Start]; !ok {
		r.wrong("menus.start", "there is no menu %q%s", m.Start, suggestion(m.Start, sortedKeys(m.Menus)))
	}
	for _, id := range sortedKeys(m.Menus) {
		menu, path := m.Menus[id], "menus.menus."+id
		if !name.MatchString(id) {
			r.wrong(path, "%q is no name for a menu; %s", id, wantName)
		}
		if menu.Prompt != "" || len(menu.Keys) > 0 {
			r.matches(path+".prompt", menu.Prompt, promptID, wantPrompt)
		}
		r.lasts(path+".timeout", menu.Timeout, time.Second, 30*time.Second)
		r.between(path+".tries", menu.Tries, 1, 10)
		r.action(c, path+".otherwise", menu.Otherwise)
		if kind := menu.Otherwise.Kind(); kind == "menu" || kind == "info" {
			r.wrong(path+".otherwise", "a caller who gets no further is not sent round again; use queue, message or emergency")
		}
		if menu.Otherwise.Name != "" {
			r.wrong(path+".otherwise.name", "nobody has pressed a key who gets there; name keys")
		}
		for _, key := range sortedKeys(menu.Keys) {
			keyPath := path + ".keys." + key
			if len(key) != 1 || !strings.Contains("0123456789*#", key) {
				r.wrong(keyPath, "%q is not a key of a phone; use 0 to 9, * or #", key)
			}
			r.action(c, keyPath, menu.Keys[key])
			if id == m.Start && key == "1" && menu.Keys[key].Kind() == "emergency" {
				r.wrong(keyPath, "a caller who is turned away leaves a message by 1; give the emergency another key")
			}
		}
	}
}

func (r *rules) action(c *Config, path string, a Action) {
	var set []string
	for _, t := range a.targets() {
		if t.set {
			set = append(set, t.kind)
		}
	}
	if len(set) != 1 {
		r.wrong(path, "has %s; use exactly one of menu, queue, info, message, emergency", cmp.Or(strings.Join(set, " and "), "nothing to do"))
	}
	if _, ok := c.Menus.Menus[a.Menu]; a.Menu != "" && !ok {
		r.wrong(path+".menu", "there is no menu %q%s", a.Menu, suggestion(a.Menu, sortedKeys(c.Menus.Menus)))
	}
	if a.Queue != "" {
		r.queueExists(c, path+".queue", a.Queue)
	}
	if a.Emergency != "" {
		r.queueExists(c, path+".emergency", a.Emergency)
	}
	if a.Info != "" {
		r.matches(path+".info", a.Info, promptID, wantPrompt)
	}
	if a.Name != "" {
		r.text(path+".name", a.Name, 40)
	}
	r.between(path+".priority", a.Priority, 0, 9)
	if a.Priority != 0 && a.Queue == "" {
		r.wrong(path+".priority", "only a queue has an order to stand in; use it with queue")
	}
}

func (r *rules) queueExists(c *Config, path, id string) {
	if _, ok := c.Queue(id); ok {
		return
	}
	var known []string
	for _, q := range c.Queues {
		known = append(known, q.ID)
	}
	r.wrong(path, "there is no queue %q%s", id, suggestion(id, known))
}

func (r *rules) queues(c *Config) {
	if len(c.Queues) == 0 {
		r.wrong("queues", "is empty, so nobody could wait for a person; name at least one")
	}
	first := map[string]int{}
	for i, q := range c.Queues {
		path := fmt.Sprintf("queues[%d]", i)
		if r.matches(path+".id", q.ID, name, wantName) {
			r.unique(path+".id", q.ID, first, i, "queues[%d].id")
			r.served(c, path+".id", q.ID)
		}
		r.queue(path, q)
		r.overflows(c, path, q)
		r.skilled(c, path, q)
	}
}

// LongestRing is the most that an agent's phone may ring for a caller: three rings (B1).
const LongestRing = 15 * time.Second

// queue checks what can be said of a queue alone.
func (r *rules) queue(path string, q Queue) {
	r.between(path+".max_waiting", q.MaxWaiting, 1, 100000)
	if r.lasts(path+".wrap_up", q.WrapUp, 0, 30*time.Minute) {
		r.lasts(path+".wrap_up_at_most", q.WrapUpAtMost, q.WrapUp.Duration, 2*time.Hour)
	}
	r.lastsSeconds(path+".ring_timeout", q.RingTimeout, 5*time.Second, LongestRing)
	r.lasts(path+".service_level", q.ServiceLevel, time.Second, 10*time.Minute)
	r.between(path+".service_target", q.ServiceTarget, 1, 100)
	r.lasts(path+".decline_pause", q.DeclinePause, 0, time.Hour)
	r.lasts(path+".aging", q.Aging, time.Second, 24*time.Hour)
	r.lasts(path+".unattended", q.Unattended, 10*time.Second, time.Hour)
	r.lasts(path+".on_break", q.OnBreak, time.Minute, 4*time.Hour)
	r.lasts(path+".sticky", q.Sticky, 0, 90*24*time.Hour)
	r.lasts(path+".prefer_for", q.PreferFor, 0, 10*time.Minute)
	r.between(path+".ring_at_most", q.RingAtMost, 1, 32)
	r.lasts(path+".overflow_after", q.OverflowAfter, 0, time.Hour)
	r.waits(path, q)
	r.skills(path+".skills", q.Skills)
	r.relaxes(path, q)
	r.between(path+".misses_before_out", q.MissesBeforeOut, 1, 10)
	r.between(path+".position_every", q.PositionEvery, 0, 20)
	r.hours(path+".hours", q.Hours)
}

// waits checks how a wait may end without an agent.
func (r *rules) waits(path string, q Queue) {
	ends := q.MaxWait.Duration != 0 && r.lasts(path+".max_wait", q.MaxWait, 10*time.Second, 24*time.Hour)
	switch {
	case q.JoinEmpty && !q.StayEmpty:
		r.wrong(path+".join_empty", "callers who may wait where nobody is signed in must be let stay there; set stay_empty too")
	case q.StayEmpty && q.MaxWait.Duration == 0:
		r.wrong(path+".stay_empty", "callers who stay where nobody is signed in would wait for ever; give the wait an end with max_wait")
	}
	switch {
	case q.Strategy == RingAll && q.Sticky.Duration > 0:
		r.wrong(path+".sticky", "%s rings everybody, so that nobody can be preferred; use another strategy, or 0s", RingAll)
	case q.Strategy != RingAll && ends && q.PreferFor.Duration >= q.MaxWait.Duration:
		r.wrong(path+".prefer_for", "a wait ends after %s, before a caller has waited %s for the agent they had before; use less", short(q.MaxWait.Duration), short(q.PreferFor.Duration))
	case q.Strategy != RingAll && q.OverflowAfter.Duration > 0 && q.PreferFor.Duration >= q.OverflowAfter.Duration:
		r.wrong(path+".prefer_for", "callers overflow after %s, before they have waited %s for the agent they had before; use less", short(q.OverflowAfter.Duration), short(q.PreferFor.Duration))
	}
}

// overflows checks where a queue's callers go.
func (r *rules) overflows(c *Config, path string, q Queue) {
	if q.OverflowTo == "" {
		if q.OverflowAfter.Duration > 0 {
			r.wrong(path+".overflow_after", "callers overflow after %s, and nothing says where to; name a queue with overflow_to", short(q.OverflowAfter.Duration))
		}
		return
	}
	r.queueExists(c, path+".overflow_to", q.OverflowTo)
	if q.MaxWait.Duration > 0 && q.OverflowAfter.Duration >= q.MaxWait.Duration {
		r.wrong(path+".overflow_after", "a wait ends after %s, so that nobody would overflow after %s; use less", short(q.MaxWait.Duration), short(q.OverflowAfter.Duration))
	}
	way := []string{q.ID}
	for next, known := c.Queue(q.OverflowTo); known; next, known = c.Queue(next.OverflowTo) {
		if slices.Contains(way, next.ID) {
			if next.ID == q.ID {
				r.wrong(path+".overflow_to", "callers would go in a circle: %s; let one of them overflow nowhere", strings.Join(append(way, next.ID), " to "))
			}
			return
		}
		way = append(way, next.ID)
	}
}

const wantLevel = "use a level of 1 to 100"

// skills checks names and levels.
func (r *rules) skills(path string, skills map[string]int) {
	for _, skill := range sortedKeys(skills) {
		if !name.MatchString(skill) {
			r.wrong(join(path, skill), "%q is no name for a skill; %s", skill, wantName)
		}
		if level := skills[skill]; level < 1 || level > 100 {
			r.wrong(join(path, skill), "%d is out of range; %s", level, wantLevel)
		}
	}
}

func (r *rules) relaxes(path string, q Queue) {
	for i, step := range q.Relax {
		at := fmt.Sprintf("%s.relax[%d]", path, i)
		r.lasts(at+".after", step.After, time.Second, 24*time.Hour)
		r.between(at+".by", step.By, 1, 100)
		if i > 0 && step.After.Duration < q.Relax[i-1].After.Duration {
			r.wrong(at+".after", "%s comes before %s; write the steps in the order in which they come", short(step.After.Duration), short(q.Relax[i-1].After.Duration))
		}
		if q.MaxWait.Duration > 0 && step.After.Duration >= q.MaxWait.Duration {
			r.wrong(at+".after", "a wait ends after %s, so that this would help nobody; use less", short(q.MaxWait.Duration))
		}
		switch _, asked := q.Skills[step.Skill]; {
		case step.Skill == "" || asked:
		case !name.MatchString(step.Skill):
			r.wrong(at+".skill", "%q is no name for a skill; %s", step.Skill, wantName)
		default:
			r.wrong(at+".skill", "callers of this queue need no %q; name a skill of theirs", step.Skill)
		}
	}
}

// skilled looks for an agent who has what a queue's callers need when all has been relaxed.
func (r *rules) skilled(c *Config, path string, q Queue) {
	floor, best := map[string]int{}, map[string]int{}
	for skill, level := range q.Skills {
		for _, step := range q.Relax {
			if step.Skill == "" || step.Skill == skill {
				level -= step.By
			}
		}
		floor[skill] = level
	}
	serve := func(a Agent) bool { return slices.Contains(a.Queues, q.ID) }
	for _, a := range c.Agents {
		if !serve(a) {
			continue
		}
		enough := true
		for skill, level := range floor {
			enough = enough && a.Skills[skill] >= level
			best[skill] = max(best[skill], a.Skills[skill])
		}
		if enough {
			return
		}
	}
	if !slices.ContainsFunc(c.Agents, serve) {
		return // said of the queue's id
	}
	for _, skill := range sortedKeys(floor) {
		if best[skill] < floor[skill] {
			r.wrong(join(path+".skills", skill), "even after the longest wait level %d is needed, and the best who serves the queue has %d; lower it, relax it, or give an agent the skill", floor[skill], best[skill])
			return
		}
	}
	r.wrong(path+".skills", "even after the longest wait nobody who serves the queue has all of them; relax them, or give one agent all")
}

func (r *rules) served(c *Config, path, id string) {
	if !slices.ContainsFunc(c.Agents, func(a Agent) bool { return slices.Contains(a.Queues, id) }) {
		r.wrong(path, "nobody serves the queue %q; add it to an agent's queues", id)
	}
}

func (r *rules) unique(path, value string, first map[string]int, i int, other string) {
	if j, double := first[value]; double {
		at, _ := r.src.find(fmt.Sprintf(other, j))
		r.wrong(path, "%q is taken already on line %d; use another", value, at.line)
		return
	}
	first[value] = i
}

func (r *rules) agents(c *Config) {
	if len(c.Agents) == 0 {
		r.wrong("agents", "is empty, so nobody could answer; name at least one")
	}
	ids, numbers := map[string]int{}, map[string]int{}
	for i, a := range c.Agents {
		path := fmt.Sprintf("agents[%d]", i)
		if r.matches(path+".id", a.ID, agentID, wantAgent) {
			r.unique(path+".id", a.ID, ids, i, "agents[%d].id")
		}
		if r.matches(path+".number", a.Number, agentNo, wantNumber) {
			r.unique(path+".number", a.Number, numbers, i, "agents[%d].number")
		}
		r.text(path+".name", a.Name, 40)
		r.secret(path+".password", a.Password, secret, wantSecret)
		r.secret(path+".pin", a.PIN, pin, "use 4 to 8 digits")
		for j, id := range a.Queues {
			r.queueExists(c, fmt.Sprintf("%s.queues[%d]", path, j), id)
			if slices.Contains(a.Queues[:j], id) {
				r.wrong(fmt.Sprintf("%s.queues[%d]", path, j), "%q is named twice; once is enough", id)
			}
		}
		r.agent(path, a)
	}
}

// agent checks whom an agent serves.
func (r *rules) agent(path string, a Agent) {
	if a.Role == RoleAgent && len(a.Queues) == 0 {
		r.wrong(path+".queues", "an agent who serves no queue would never be offered a caller; name a queue, or give another role")
	}
	r.skills(path+".skills", a.Skills)
	for _, id := range sortedKeys(a.Weights) {
		if !slices.Contains(a.Queues, id) {
			r.wrong(join(path+".weights", id), "the agent does not serve the queue %q; add it to queues, or remove the weight", id)
		}
		r.between(join(path+".weights", id), a.Weights[id], 1, 1000)
	}
}

func (r *rules) announcements(c *Config) {
	for _, id := range sortedKeys(c.Announcements) {
		path := "announcements." + id
		if !name.MatchString(id) {
			r.wrong(path, "%q is no name for an announcement; %s", id, wantName)
		}
		r.matches(path+".prompt", c.Announcements[id].Prompt, promptID, wantPrompt)
	}
}

// developmentSecrets refuses passwords that everybody can read in the source as soon as others can reach us.
func (r *rules) developmentSecrets(c *Config) {
	open := ""
	for _, b := range c.bound() {
		if b.addr.IsValid() && !b.addr.Addr().IsLoopback() {
			open = fmt.Sprintf("%s (%s)", b.path, b.addr)
			break
		}
	}
	if open == "" {
		return
	}
	refuse := func(path, variable string) {
		r.wrong(path, "is for development, and %s is not loopback; write your own here or into %s", open, variable)
	}
	if isDevelopment(c.Asterisk.ARI.Password) {
		refuse("asterisk.ari.password", "HOTLINE_ARI_PASSWORD")
	}
	if _, shipped := r.src.find("agents"); shipped && len(c.Agents) > 0 && isDevelopment(c.Agents[0].Password) {
		r.wrong("agents", "have passwords for development, and %s is not loopback; name your own agents", open)
		return
	}
	for i, t := range c.Web.Tokens {
		if isDevelopment(t.Token) {
			refuse(fmt.Sprintf("web.tokens[%d].token", i), t.variable())
		}
	}
	for i, a := range c.Agents {
		if isDevelopment(a.Password) {
			refuse(fmt.Sprintf("agents[%d].password", i), "HOTLINE_AGENT_"+a.ID+"_PASSWORD")
		}
		if a.PIN.Reveal() == a.ID {
			refuse(fmt.Sprintf("agents[%d].pin", i), "HOTLINE_AGENT_"+a.ID+"_PIN")
		}
	}
}

func isDevelopment(s Secret) bool { return strings.HasPrefix(s.Reveal(), "dev-") }
