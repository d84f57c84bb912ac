package main

import (
	"net/netip"
	"testing"

	"hotline/configs"
)

// Passwords that everybody knows are good on a machine that nobody else reaches, as far as hotline.yaml tells.
func TestDevelopmentAccountsStayOnTheMachine(t *testing.T) {
	for name, row := range map[string]struct {
		is   func(*configs.Web)
		want bool
	}{
		"as shipped":               {func(*configs.Web) {}, true},
		"beyond loopback":          {func(w *configs.Web) { w.Listen = netip.MustParseAddrPort("192.0.2.1:8080") }, false},
		"behind a proxy":           {func(w *configs.Web) { w.Origin = "https://desk.example.com" }, false},
		"behind a proxy that says": {func(w *configs.Web) { w.Proxies = []configs.Network{{Prefix: netip.MustParsePrefix("127.0.0.1/32")}} }, false},
		"signing in elsewhere":     {func(w *configs.Web) { w.OIDC.Issuer = "https://login.example.com" }, false},
	} {
		cfg := configs.Default()
		row.is(&cfg.Web)
		if got := developmentAccounts(cfg); (len(got) > 0) != row.want {
			t.Errorf("%s: %d accounts, want some: %v", name, len(got), row.want)
		}
	}
}
