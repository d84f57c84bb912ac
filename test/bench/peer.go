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
// without registering, callers may send RTCP where RTP goes, and app_queue is there beside the service. In the bare
// profile there is no music on hold at all.
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
	trunk := fmt.Sprintf("[%s](leg)\n", asterisk.TrunkEndpoint)
	if err := edit(etc, "pjsip.conf", trunk, trunk+"rtcp_mux = yes\n"); err != nil {
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
