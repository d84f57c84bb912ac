// Package asterisk owns the configuration files Asterisk reads, all of them rendered from hotline.yaml: trunk, agents'
// SIP accounts, dialplan, ARI, media ports, modules by list. It must not know how Asterisk is started, nor who answers
// at the other end of Stasis.
package asterisk

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"hotline/configs"
)

//go:embed templates
var templateFiles embed.FS

var templates = template.Must(template.New("").Option("missingkey=error").ParseFS(templateFiles, "templates/*.conf"))

// Names the dialplan, the service and the tests have in common.
const (
	TrunkEndpoint = "trunk"          // callers' channels are named PJSIP/trunk-…
	InContext     = "hotline-in"     // callers, from the net too: Stasis(app,in,EXTEN)
	RecordContext = "hotline-record" // continue to rec-NAME: recording raw/NAME.raw begins, then Stasis(app,resumed)
	NetContext    = "hotline-net"    // what callers hear while the service is away
	AgentsContext = "hotline-agents" // agents' star codes: Stasis(app,agent,CODE)
	PeersContext  = "hotline-peers"  // other services, which ring our agents' phones by their accounts
	PeersUser     = "hotline"        // in PeersContext: whom they ask for to see whether it is us, and there
	FallbackQueue = "fallback"       // the static queue over the agents' phones
	RecordPrefix  = "rec-"
)

// AgentEndpoint is how Asterisk dials an agent's phone: home is the service, of Redis.Peers, at whose Asterisk it is
// registered; "" is our own.
func AgentEndpoint(id, home string) string {
	if home == "" {
		return "PJSIP/" + id
	}
	return "PJSIP/" + id + "@" + PeerEndpoint(home)
}

// PeerEndpoint is the endpoint of another service's Asterisk in ours: online as long as that one is there and knows us.
func PeerEndpoint(service string) string { return "peer-" + service }

// netLog is where the dialplan writes down callers whom the service may never have seen; a folder not for everybody.
const netLog = "spool/net-callers"

// NetLog is that file as this machine sees it. Each line has the milliseconds since 1970 at which a caller came and left,
// the number or "-", the channel's ID, and how it ended: hung-up, turned-away or served in the net, given by it to the
// service, or unanswered. Asterisk opens it anew for each line, so it may be renamed at any time.
func NetLog(cfg *configs.Config) string { return cfg.Asterisk.Outside(netLog) }

// HoldClasses are two identical classes of music on hold, for CHANNEL(musicclass) on a caller's leg: 30 s of hold tone,
// then an apology every 30 s for ever, by Asterisk alone (C3). Asterisk takes a class up again where it stopped, so a
// new hold takes the class the last one did not.
var HoldClasses = [2]string{"hold-1", "hold-2"}

// netClass with a number of seconds, net-0 … net-30, is a class whose first apology comes after them: by it the net puts
// its music back on the clock.
const netClass = "net"

// mixMonitorOptions make one raw file of two interleaved 16-bit 8 kHz channels: left what the caller said, right what
// the caller heard. The recording ends with the channel.
const mixMonitorOptions = "D"

// Render writes Asterisk's configuration for cfg into dir, which is made if it is absent. Each file is replaced at
// once or not at all. The files hold passwords: only their owner and group may read them. changed are those that are
// others than before, by their names.
func Render(cfg *configs.Config, dir string) (changed []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("render Asterisk's configuration: %w", err)
	}
	data := view(cfg)
	for _, t := range templates.Templates() {
		var text bytes.Buffer
		if err := t.Execute(&text, data); err != nil {
			return changed, fmt.Errorf("render Asterisk's %s: %w", t.Name(), err)
		}
		name := filepath.Join(dir, t.Name())
		if before, err := os.ReadFile(name); err != nil || !bytes.Equal(before, text.Bytes()) {
			changed = append(changed, t.Name())
		}
		if err := replace(name, text.Bytes()); err != nil {
			return changed, fmt.Errorf("render Asterisk's %s: %w", t.Name(), err)
		}
	}
	slices.Sort(changed)
	return changed, nil
}

// readers are the modules that read a file anew while Asterisk runs, without a call's noticing.
var readers = map[string][]string{
	"acl.conf":         {"res_pjsip.so"},
	"extensions.conf":  {"pbx_config.so"},
	"musiconhold.conf": {"res_musiconhold.so"},
	"pjsip.conf":       {"res_pjsip.so", "res_pjsip_endpoint_identifier_ip.so"},
	"queues.conf":      {"app_queue.so"},
}

// Readers are the modules that have to read these files anew, and those files that Asterisk reads only as it begins.
func Readers(files []string) (modules, begins []string) {
	for _, f := range files {
		for _, m := range readers[f] {
			if !slices.Contains(modules, m) {
				modules = append(modules, m)
			}
		}
		if readers[f] == nil {
			begins = append(begins, f)
		}
	}
	return modules, begins
}

// replace writes a file beside the old one and renames it, so that Asterisk never reads half a file.
func replace(name string, data []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Chmod(0o640), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

// values are what the templates read.
type values struct {
	*configs.Config
	TrunkEndpoint, InContext, RecordContext, NetContext, AgentsContext, PeersContext, PeersUser string
	FallbackQueue, RecordPrefix, MixMonitor                                                     string
	Classes                                                                                     []string
	NetClass                                                                                    string
	Name                                                                                        string // of the instance, for Asterisk's own messages
}

func view(cfg *configs.Config) values {
	return values{
		Config:        cfg,
		TrunkEndpoint: TrunkEndpoint,
		InContext:     InContext, RecordContext: RecordContext, NetContext: NetContext, AgentsContext: AgentsContext, PeersContext: PeersContext, PeersUser: PeersUser,
		FallbackQueue: FallbackQueue, RecordPrefix: RecordPrefix, MixMonitor: mixMonitorOptions,
		Classes:  append([]string{"default"}, HoldClasses[:]...),
		NetClass: netClass,
		Name:     path.Base(cfg.Asterisk.Dir),
	}
}

// NetLog is the file of the net's callers as Asterisk sees it.
func (v values) NetLog() string { return v.Asterisk.Inside(netLog) }

// PeersRing is how many seconds an agent's phone rings at most for a caller of
// another service, which takes the offer back before that unless it has died.
func (values) PeersRing() int { return int(configs.LongestRing.Seconds()) + 1 }

// HoldSeconds is the apology clock (C3), HoldMillis the same in milliseconds.
func (values) HoldSeconds() int { return holdSeconds }

// HoldMillis is HoldSeconds in milliseconds.
func (values) HoldMillis() int { return holdSeconds * 1000 }

// Seconds are those a class of the net can begin before an apology.
func (values) Seconds() []int {
	seconds := make([]int, holdSeconds)
	for i := range seconds {
		seconds[i] = i + 1
	}
	return seconds
}

// AlignFrom begins the part of each half minute in which the net puts its music back on the clock.
func (values) AlignFrom() int { return holdSeconds * 1000 / 2 }

// AlignTo ends that part: one attempt to reach the service falls into it.
func (v values) AlignTo() int {
	return v.AlignFrom() + int(v.Asterisk.Net.TryEvery.Milliseconds())
}

// NightFrom and NightTo are the first and the last minute at which the closing phrase is a good night (B2): the same as
// the service's.
func (values) NightFrom() string { return "20:00" }

// NightTo is the last minute of the night.
func (values) NightTo() string { return "04:59" }

// Prompt is a prompt's path without extension, as the dialplan plays it.
func (v values) Prompt(id string) string { return path.Join(v.PromptsInside(), id) }

// Tries is how often the service is tried in the net before the agents' phones are rung.
func (v values) Tries() int {
	net := v.Asterisk.Net
	return int(net.FallbackAfter.Duration / net.TryEvery.Duration)
}

// Serving are the agents whose phones the fallback queue rings: those who serve a queue.
func (v values) Serving() []configs.Agent {
	var serving []configs.Agent
	for _, a := range v.Config.Agents {
		if len(a.Queues) > 0 {
			serving = append(serving, a)
		}
	}
	return serving
}

// Codecs are offered in this order: the trunk's own first, so that prompts need no transcoding.
func (v values) Codecs() string {
	if v.Service.Codec == "ulaw" {
		return "ulaw,alaw"
	}
	return "alaw,ulaw"
}

// Matches are the trunk's addresses as pjsip.conf wants them.
func (v values) Matches() string {
	var m []string
	for _, n := range v.Asterisk.Trunk.Match {
		m = append(m, n.String())
	}
	return strings.Join(m, ",")
}
