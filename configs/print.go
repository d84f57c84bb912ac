package configs

import (
	"fmt"

	"github.com/goccy/go-yaml"
)

// YAML is the whole configuration as a file that Load reads, except that secrets are masked: they come from the
// environment then (Secrets).
func (c *Config) YAML() ([]byte, error) {
	text, err := yaml.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("print the configuration: %w", err)
	}
	return text, nil
}

// Secrets are the variables that Load takes secrets from, as NAME=value.
func (c *Config) Secrets() []string {
	list := []string{"HOTLINE_ARI_PASSWORD=" + c.Asterisk.ARI.Password.Reveal(), "HOTLINE_REDIS_PASSWORD=" + c.Redis.Password.Reveal(),
		"HOTLINE_TURN_SECRET=" + c.Web.TURN.Secret.Reveal(), "HOTLINE_OIDC_SECRET=" + c.Web.OIDC.ClientSecret.Reveal()}
	for _, t := range c.Web.Tokens {
		list = append(list, t.variable()+"="+t.Token.Reveal())
	}
	for _, a := range c.Agents {
		list = append(list,
			"HOTLINE_AGENT_"+a.ID+"_PASSWORD="+a.Password.Reveal(),
			"HOTLINE_AGENT_"+a.ID+"_PIN="+a.PIN.Reveal())
	}
	return list
}

// MarshalText writes a duration as it is read.
func (d Duration) MarshalText() ([]byte, error) { return []byte(short(d.Duration)), nil }

// MarshalText writes the zone's name.
func (z Timezone) MarshalText() ([]byte, error) { return []byte(z.String()), nil }

// MarshalText writes the range as it is read.
func (p Ports) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// MarshalText writes the span as it is read.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalText writes the pattern as it is read.
func (p NumberPattern) MarshalText() ([]byte, error) { return []byte(p.text), nil }
