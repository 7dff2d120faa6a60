package bundle

import (
	"strings"
	"testing"

	"github.com/netcause/netcause/engine/facts"
)

func TestIsShellWord(t *testing.T) {
	for word, want := range map[string]bool{
		"": true, "eth0": true, "eth0.100@eth0": true, "br-1a2b3c": true, "net.ipv4.conf.eth0/100.rp_filter": true, "0a:58:0a:f4:01:02": true,
		"/etc/kubernetes/kubelet.conf": true,
		"$(reboot)":                    false, "a;b": false, "a b": false, "a\nb": false, "`a`": false, "'a'": false, "a>b": false, "--help": false, "a*": false, "éth0": true,
	} {
		if got := isShellWord(word); got != want {
			t.Errorf("%q: %v", word, got)
		}
	}
}

// No word of a bundle's links and routes becomes a command of a fix: the group counts as failed, and says why.
func TestWordsThatAreCommands(t *testing.T) {
	s := read(t, folderOf(t, map[string]string{"n1.txt": `[root@n1 ~]# ip -d address
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00 promiscuity 0
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
[root@n1 ~]# ip route show table all
default via 10.0.0.1 dev eth0
10.9.0.0/16 via 10.0.0.2 dev $(reboot)
local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1
`}))
	n := s.Nodes[0]
	if n.Routes.Status != facts.Failed || len(n.Routes.Value) != 0 || !strings.Contains(n.Routes.Reason, "$(reboot)") {
		t.Errorf("routes: %s, %d, %q", n.Routes.Status, len(n.Routes.Value), n.Routes.Reason)
	}
	if n.Addresses.Status != facts.Read {
		t.Errorf("addresses: %s, %q", n.Addresses.Status, n.Addresses.Reason)
	}
}

func TestPlainName(t *testing.T) {
	for name, want := range map[string]string{"n1.example.net": "n1.example.net", "n1;reboot": "n1_reboot", "--all": "all", "$(x)": "__x_"} {
		if got := plainName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
