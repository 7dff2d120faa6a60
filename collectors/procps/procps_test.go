package procps_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/collectors/nettest"
	"github.com/netcause/netcause/collectors/node"
	"github.com/netcause/netcause/collectors/procps"
	"github.com/netcause/netcause/engine/facts"
)

func TestParseSysctls(t *testing.T) {
	got := procps.ParseSysctls("sysctl_-a", []byte("kernel.hostname = n1\nnet.ipv4.ip_forward = 0\nnet.ipv4.tcp_mem = 1\t2\t3\n"+
		"net.ipv4.conf.eth0/100.rp_filter = 1\nsysctl: permission denied on key 'net.ipv4.tcp_fastopen_key'\n"+
		"sysctl: reading key \"net.ipv6.conf.all.stable_secret\"\ngarbage\n"))
	want := procps.Sysctls{
		Values: map[string]facts.Sysctl{
			"net.ipv4.ip_forward":              {Value: "0", Source: "sysctl_-a:2"},
			"net.ipv4.tcp_mem":                 {Value: "1 2 3", Source: "sysctl_-a:3"},
			"net.ipv4.conf.eth0/100.rp_filter": {Value: "1", Source: "sysctl_-a:4"},
		},
		All: true, Denied: []string{"net.ipv4.tcp_fastopen_key"},
	}
	want.Unparsed.Add(7, "garbage")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What sysctl prints is what /proc/sys says.
func TestSysctlsAgreeWithProc(t *testing.T) {
	nettest.NeedRoot(t)
	nettest.NeedTool(t, "ip", "sysctl")
	ns := nettest.Namespace(t)
	ns.Run(t, "ip", "link", "add", "eth0.100", "type", "veth", "peer", "name", "x")
	ns.Run(t, "sysctl", "-w", "net.ipv4.ip_forward=1")
	got := procps.ParseSysctls("x", []byte(ns.Run(t, "sysctl", "-a")))
	var n *facts.Node
	ns.Do(t, func() { n = node.Collect(t.Context(), node.Options{Root: t.TempDir(), Name: "n1"}) })
	if len(n.Sysctls.Value) < 50 || !got.All || got.Unparsed.Count != 0 {
		t.Fatalf("%d sysctls were collected; all: %v, %+v", len(n.Sysctls.Value), got.All, got.Unparsed)
	}
	for key, want := range n.Sysctls.Value {
		if got.Values[key].Value != want.Value && key != "net.netfilter.nf_conntrack_count" {
			t.Errorf("%s: sysctl says %q, /proc/sys %q", key, got.Values[key].Value, want.Value)
		}
	}
}

func FuzzParseSysctls(f *testing.F) {
	f.Add("a.b = 1\nnet.a = 1 \t2\nsysctl: permission denied on key 'net.x'\n = \n")
	f.Fuzz(func(_ *testing.T, text string) { procps.ParseSysctls("x", []byte(text)) })
}

func TestSysctlKey(t *testing.T) {
	if got := procps.SysctlKey("net/ipv4/conf/eth0.100/rp_filter"); got != "net.ipv4.conf.eth0/100.rp_filter" {
		t.Error(got)
	}
}
