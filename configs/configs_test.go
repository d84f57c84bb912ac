package configs

import "testing"

func TestTheShippedConfigurationIsRight(t *testing.T) {
	cfg := Default()
	if cfg.Service.Number != "96196" || len(cfg.Agents) != 6 {
		t.Fatalf("%+v", cfg)
	}
}
