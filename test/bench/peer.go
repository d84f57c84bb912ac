package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"hotline/configs"
	"hotline/configs/asterisk"
)

// refit changes the files that Asterisk is started with, for every contestant alike: agents' phones are where SIPp is,
// without registering, callers come over many trunks, and app_queue is there beside the service. In the bare profile there
// is no music on hold at all.
//
// phones is where the agents' phones are; the zero value leaves them to register.
func refit(cfg *configs.Config, p profile, phones netip.AddrPort) error {
	etc := cfg.Asterisk.Outside("etc")
	if phones.IsValid() {
		for _, a := range cfg.Agents {
			aor := fmt.Sprintf("[%s](agent-aor)\n", a.ID)
			if err := edit(etc, "pjsip.conf", aor, aor+fmt.Sprintf("contact = sip:%s@%s\n", a.ID, phones)); err != nil {
				return err
			}
		}
		if err := edit(etc, "pjsip.conf", "qualify_frequency = 30", "qualify_frequency = 0"); err != nil {
			return err
		}
	}
	if err := edit(etc, "pjsip.conf", "endpoint_identifier_order = ", "endpoint_identifier_order = header,"); err != nil {
		return err
	}
	if err := edit(etc, "pjsip.conf", "", manyTrunks()); err != nil {
		return err
	}
	if !p.media {
		if err := edit(etc, "modules.conf", "load = res_musiconhold.so\n", ""); err != nil {
			return err
		}
	}
	if err := edit(etc, "queues.conf", "", peerQueue(cfg)); err != nil {
		return err
	}
	return edit(etc, "extensions.conf", "", peerDialplan(cfg))
}

// trunks is how many of them the callers come over: at each change of a channel Asterisk looks at every other channel of its
// endpoint, and with 4,000 on one of them it does little else. How a caller is known to come over which is trunkHeader, with
// a number from 1.
const (
	trunks      = 50
	trunkHeader = "X-Trunk"
)

// manyTrunks are as the one that the service has. RTCP may go where RTP goes.
func manyTrunks() string {
	var b strings.Builder
	for n := range trunks {
		name := fmt.Sprintf("%s-%d", asterisk.TrunkEndpoint, n+1)
		fmt.Fprintf(&b, "[%s](leg)\ncontext = %s\ntrust_id_inbound = yes\nallow_subscribe = no\nrtcp_mux = yes\n\n", name, asterisk.InContext)
		fmt.Fprintf(&b, "[%s]\ntype = identify\nendpoint = %s\nmatch_header = %s: %d\n\n", name, name, trunkHeader, n+1)
	}
	return b.String()
}

// edit replaces a text that has to be there; where it is empty, what replaces it is added at the end.
func edit(dir, name, old, by string) error {
	path := filepath.Join(dir, name)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	whole := string(text)
	switch {
	case old == "":
		whole += "\n" + by
	case !strings.Contains(whole, old):
		return fmt.Errorf("%s has no %q any more: the benchmark does not know how to change it", name, old)
	default:
		whole = strings.Replace(whole, old, by, 1)
	}
	return os.WriteFile(path, []byte(whole), 0o640)
}

// peerQueue is app_queue tuned as well as we can: callers are offered side by side, members are static, nothing is
// announced, logged or stored, phones in use are left alone, and nobody is counted more than is needed.
func peerQueue(cfg *configs.Config) string {
	var b strings.Builder
	fmt.Fprintf(&b, `[bench]
autofill = yes
strategy = leastrecent
ringinuse = no
timeout = 15
retry = 1
timeoutpriority = conf
timeoutrestart = no
wrapuptime = 0
memberdelay = 0
weight = 0
maxlen = 0
servicelevel = 0
joinempty = yes
leavewhenempty = no
autopause = no
announce-frequency = 0
min-announce-frequency = 0
periodic-announce-frequency = 0
announce-position = no
announce-holdtime = no
announce-to-first-user = no
reportholdtime = no
setinterfacevar = no
setqueueentryvar = no
setqueuevar = no
musicclass = %s
`, asterisk.HoldClasses[0])
	for _, a := range cfg.Agents {
		fmt.Fprintf(&b, "member => PJSIP/%s\n", a.ID)
	}
	return b.String()
}

// peerDialplan lets callers hear one ring, as the service does, and has both directions recorded in the same way.
func peerDialplan(cfg *configs.Config) string {
	return fmt.Sprintf(`[%s](+)
exten => %s,1,Ringing()
 same => n,Wait(1)
 same => n,Answer()
 same => n,Queue(bench)
 same => n,Hangup()
exten => %s,1,Ringing()
 same => n,Wait(1)
 same => n,Answer()
 same => n,MixMonitor(%s/${UNIQUEID}.raw,D)
 same => n,Queue(bench)
 same => n,Hangup()
`, asterisk.InContext, bare.exten, full.exten, cfg.Asterisk.Inside("raw"))
}
