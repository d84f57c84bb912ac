package configs

import (
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Secret is a password or PIN. It prints as stars: only Reveal gives it away.
type Secret string

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret.
func (s Secret) String() string { return "***" }

// GoString hides the secret in %#v.
func (s Secret) GoString() string { return "***" }

// LogValue hides the secret in logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue("***") }

// MarshalText hides the secret in whatever is written out.
func (s Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// Duration is a time.Duration written as 2s, 1m30s or 500ms.
type Duration struct{ time.Duration }

// UnmarshalText reads 2s, 1m30s, 500ms.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration; use a number with a unit, for example 2s, 1m30s or 500ms", text)
	}
	d.Duration = parsed
	return nil
}

// Seconds is the duration in whole seconds, rounded up: Asterisk counts in them.
func (d Duration) WholeSeconds() int { return int((d.Duration + time.Second - 1) / time.Second) }

// Language is a language the prompts exist in.
type Language string

// UnmarshalText accepts zh-CN and en.
func (l *Language) UnmarshalText(text []byte) error { return oneOf(l, text, "zh-CN", "en") }

// Codec is a trunk's codec: alaw (China, Europe) or ulaw (North America, Japan).
type Codec string

// UnmarshalText accepts alaw and ulaw.
func (c *Codec) UnmarshalText(text []byte) error { return oneOf(c, text, "alaw", "ulaw") }

// Role is what an agent's account may do.
type Role string

// The roles. The zero value is an ordinary agent.
const (
	RoleAgent       Role = "agent"
	RoleDutyManager Role = "duty_manager"
	RoleSupervisor  Role = "supervisor"
)

// UnmarshalText accepts agent, duty_manager and supervisor.
func (r *Role) UnmarshalText(text []byte) error {
	return oneOf(r, text, RoleAgent, RoleDutyManager, RoleSupervisor)
}

// Strategy chooses between the ready agents of a queue.
type Strategy string

// RingAll is the strategy that has several phones ring at once for a caller.
const RingAll Strategy = "ring-all"

// UnmarshalText accepts longest-idle, fewest-calls, round-robin, linear and ring-all.
func (s *Strategy) UnmarshalText(text []byte) error {
	return oneOf(s, text, "longest-idle", "fewest-calls", "round-robin", "linear", RingAll)
}

// WaitEnd is what a caller is offered whose wait has reached its limit.
type WaitEnd string

// UnmarshalText accepts message and call-back.
func (w *WaitEnd) UnmarshalText(text []byte) error { return oneOf(w, text, "message", "call-back") }

func oneOf[T ~string](into *T, text []byte, allowed ...T) error {
	names := make([]string, len(allowed))
	for i, a := range allowed {
		if string(text) == string(a) {
			*into = a
			return nil
		}
		names[i] = string(a)
	}
	return fmt.Errorf("%q is not known; use %s", text, either(names))
}

// either joins names as "a", "a or b", "a, b or c".
func either(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// Timezone is an IANA time zone.
type Timezone struct{ *time.Location }

// UnmarshalText accepts names such as Asia/Shanghai.
func (z *Timezone) UnmarshalText(text []byte) error {
	name := string(text)
	location, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return fmt.Errorf("%q is not a time zone; use an IANA name such as Asia/Shanghai", text)
	}
	z.Location = location
	return nil
}

// Address is an IP address.
type Address struct{ netip.Addr }

// UnmarshalText accepts IPv4 and IPv6 addresses, and nothing at all for none.
func (a *Address) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*a = Address{}
		return nil
	}
	parsed, err := netip.ParseAddr(string(text))
	if err != nil {
		return fmt.Errorf("%q is not an IP address; use one such as 192.0.2.10", text)
	}
	a.Addr = parsed
	return nil
}

// Network is an address or a network: 192.0.2.10 or 192.0.2.0/24.
type Network struct{ netip.Prefix }

// UnmarshalText accepts an address, which stands for itself alone, or a network.
func (n *Network) UnmarshalText(text []byte) error {
	s := string(text)
	if addr, err := netip.ParseAddr(s); err == nil {
		n.Prefix = netip.PrefixFrom(addr, addr.BitLen())
		return nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return fmt.Errorf("%q is neither an IP address nor a network; use for example 192.0.2.10 or 192.0.2.0/24", text)
	}
	n.Prefix = prefix.Masked()
	return nil
}

// NumberPattern stands for telephone numbers of one length: digits for themselves, X for any digit, [3-9] or [158] for one
// of those: 1[3-9]XXXXXXXXX. It has 5 to 20 places: no machine dials the emergency services.
type NumberPattern struct {
	text   string
	places *regexp.Regexp
}

// wholePattern is a pattern from end to end, onePlace a place of it.
var (
	wholePattern = regexp.MustCompile(`^([0-9X]|\[([0-9](-[0-9])?)+\])+$`)
	onePlace     = regexp.MustCompile(`[0-9X]|\[[^\]]*\]`)
)

// UnmarshalText reads 1[3-9]XXXXXXXXX.
func (p *NumberPattern) UnmarshalText(text []byte) error {
	s := string(text)
	places, err := regexp.Compile("^" + strings.ReplaceAll(s, "X", "[0-9]") + "$")
	if err != nil || !wholePattern.MatchString(s) {
		return fmt.Errorf("%q is not a pattern for numbers; use digits, X for any digit and [3-9] for some, for example 1[3-9]XXXXXXXXX", s)
	}
	if n := len(onePlace.FindAllString(s, -1)); n < 5 || n > 20 {
		return fmt.Errorf("%q stands for numbers of %d digits; use 5 to 20", s, n)
	}
	*p = NumberPattern{text: s, places: places}
	return nil
}

// Matches says whether a number is one of those the pattern stands for; the zero value stands for none.
func (p NumberPattern) Matches(number string) bool {
	return p.places != nil && len(number) <= 20 && p.places.MatchString(number)
}

// String writes the pattern as it is read.
func (p NumberPattern) String() string { return p.text }

// Ports is an inclusive range of UDP ports, written 10000-19999.
type Ports struct{ From, To uint16 }

// UnmarshalText reads 10000-19999.
func (p *Ports) UnmarshalText(text []byte) error {
	from, to, ok := strings.Cut(string(text), "-")
	low, err1 := strconv.ParseUint(from, 10, 16)
	high, err2 := strconv.ParseUint(to, 10, 16)
	if !ok || err1 != nil || err2 != nil {
		return fmt.Errorf("%q is not a range of ports; use for example 10000-19999", text)
	}
	*p = Ports{From: uint16(low), To: uint16(high)}
	return nil
}

// String writes the range as it is read.
func (p Ports) String() string { return fmt.Sprintf("%d-%d", p.From, p.To) }

// Span is a part of a day, from the first minute to before the last: 08:30-18:00. 00:00-24:00 is the whole day.
type Span struct{ From, To time.Duration } // since midnight

// UnmarshalText reads 08:30-18:00.
func (s *Span) UnmarshalText(text []byte) error {
	first, last, ok := strings.Cut(string(text), "-")
	from, err1 := clock(first)
	to, err2 := clock(last)
	if !ok || err1 != nil || err2 != nil {
		return fmt.Errorf("%q is not a part of a day; use for example 08:30-18:00", text)
	}
	if from >= to {
		return fmt.Errorf("%q ends before it begins; write a night as two parts, for example 20:00-24:00 and 00:00-06:00", text)
	}
	*s = Span{From: from, To: to}
	return nil
}

// String writes the span as it is read.
func (s Span) String() string { return hhmm(s.From) + "-" + hhmm(s.To) }

func hhmm(d time.Duration) string {
	return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60)
}

func clock(s string) (time.Duration, error) {
	hours, minutes, ok := strings.Cut(s, ":")
	h, err1 := strconv.ParseUint(hours, 10, 8)
	m, err2 := strconv.ParseUint(minutes, 10, 8)
	if !ok || err1 != nil || err2 != nil || len(hours) != 2 || len(minutes) != 2 || m > 59 || h > 24 || h == 24 && m > 0 {
		return 0, fmt.Errorf("%q is not a time of day", s)
	}
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute, nil
}
