package netconf

import (
	"fmt"
	"testing"

	"github.com/netcause/netcause/engine/facts"
)

// summary is a configuration in short: each setting as "key=value source".
type summary struct {
	Device, MAC                string
	DHCP4, DHCP6, Gateway, MTU string
	Addresses                  []string
	OffAtBoot, NotNM           bool
	Unparsed                   []string
}

func summarize(config facts.InterfaceConfig) summary {
	one := func(s *facts.Setting) string {
		if s == nil {
			return ""
		}
		return fmt.Sprintf("%s=%s %s", s.Key, s.Value, s.Source)
	}
	s := summary{
		Device: config.Device, MAC: config.MACAddress,
		DHCP4: one(config.DHCP4), DHCP6: one(config.DHCP6), Gateway: one(config.Gateway), MTU: one(config.MTU),
		OffAtBoot: !config.OnBoot, NotNM: !config.NMControlled,
	}
	for _, a := range config.Addresses {
		s.Addresses = append(s.Addresses, fmt.Sprintf("%s/%d %s %s", a.Local, a.Prefixlen, a.Setting.Key, a.Setting.Source))
	}
	for _, u := range config.Unparsed {
		s.Unparsed = append(s.Unparsed, fmt.Sprintf("%s %s", u.Source, u.Text))
	}
	return s
}

// checkConfig says what every configuration keeps to, whatever the file: for fuzzing.
func checkConfig(t *testing.T, config facts.InterfaceConfig) {
	t.Helper()
	if config.Settings == nil {
		t.Error("settings are null")
	}
	for _, s := range config.Settings {
		if s.Line < 1 || s.Source == "" || len(s.Text) > maxText+len("…") {
			t.Errorf("setting %+v", s)
		}
	}
	for _, a := range config.Addresses {
		if !a.Local.IsValid() || a.Prefixlen < 0 || a.Prefixlen > a.Local.BitLen() {
			t.Errorf("address %+v", a)
		}
	}
}
