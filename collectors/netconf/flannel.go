package netconf

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

const flannelFile = "/run/flannel/subnet.env"

// ParseFlannelSubnetEnv reads what flanneld tells its CNI plugin (WriteSubnetFile of flannel's pkg/subnet). Of a list of
// networks it takes the IPv4 one; FLANNEL_IPV6_NETWORK and FLANNEL_IPV6_SUBNET are left aside. An error says that a line
// is there whose value is none; the other fields are set all the same.
func ParseFlannelSubnetEnv(file string, data []byte) (facts.FlannelSubnetEnv, error) {
	env := facts.FlannelSubnetEnv{File: file, Source: facts.Source(file)}
	shell := parseShell(data)
	var failed error
	fail := func(line int, name, value string) {
		if failed == nil {
			failed = fmt.Errorf("%s: invalid %s %q", facts.FileLine(file, line), name, bounded(value))
		}
	}
	prefix := func(name string, into *netip.Prefix) {
		value, line, ok := shell.last(name)
		if !ok {
			return
		}
		for item := range strings.SplitSeq(value, ",") {
			p, err := netip.ParsePrefix(strings.TrimSpace(item))
			if err != nil {
				fail(line, name, value)
				return
			}
			if !into.IsValid() || !into.Addr().Is4() && p.Addr().Is4() {
				*into = p
			}
		}
	}
	prefix("FLANNEL_NETWORK", &env.Network)
	prefix("FLANNEL_SUBNET", &env.Subnet)
	if value, line, ok := shell.last("FLANNEL_MTU"); ok {
		mtu, err := strconv.Atoi(value)
		if err != nil || mtu < 0 {
			fail(line, "FLANNEL_MTU", value)
		}
		env.MTU = max(mtu, 0)
	}
	if value, line, ok := shell.last("FLANNEL_IPMASQ"); ok {
		on, valid := truth(value)
		if !valid {
			fail(line, "FLANNEL_IPMASQ", value)
		}
		env.IPMasq = on
	}
	return env, failed
}
