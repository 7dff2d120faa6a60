package conntrack

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netcause/netcause/collectors/nettest"
	"github.com/netcause/netcause/collectors/node"
	"github.com/netcause/netcause/engine/facts"
)

func TestParseEntries(t *testing.T) {
	got, unparsed := ParseEntries([]byte(`ipv4     2 unknown  2 594 src=10.233.64.1 dst=224.0.0.22 [UNREPLIED] src=224.0.0.22 dst=10.233.64.1 mark=0 zone=0 use=2
ipv4     2 tcp      6 431994 ESTABLISHED src=10.0.0.1 dst=10.96.0.1 sport=59744 dport=443 packets=3 bytes=180 src=10.0.0.9 dst=10.0.0.1 sport=6443 dport=59744 packets=2 bytes=120 [ASSURED] mark=7 zone=3 use=2
udp      17 29 src=fd00::1 dst=fd00::2 sport=1 dport=53 src=fd00::2 dst=fd00::1 sport=53 dport=1 mark=0 use=1
conntrack v1.4.6 (conntrack-tools): 3 flow entries have been shown.
tcp 6 src=10.0.0.1
`))
	addr := netip.MustParseAddr
	want := []facts.ConntrackEntry{
		{
			Proto: "unknown", Family: "inet", Timeout: 594, Flags: []string{"UNREPLIED"},
			Orig: facts.Tuple{Src: addr("10.233.64.1"), Dst: addr("224.0.0.22")}, Reply: facts.Tuple{Src: addr("224.0.0.22"), Dst: addr("10.233.64.1")},
		},
		{
			Proto: "tcp", Family: "inet", Timeout: 431994, State: "ESTABLISHED", Mark: 7, Zone: 3, Flags: []string{"SEEN_REPLY", "ASSURED"},
			Orig:  facts.Tuple{Src: addr("10.0.0.1"), Dst: addr("10.96.0.1"), Sport: 59744, Dport: 443, Packets: 3, Bytes: 180},
			Reply: facts.Tuple{Src: addr("10.0.0.9"), Dst: addr("10.0.0.1"), Sport: 6443, Dport: 59744, Packets: 2, Bytes: 120},
		},
		{
			Proto: "udp", Family: "inet6", Timeout: 29, Flags: []string{"SEEN_REPLY"},
			Orig: facts.Tuple{Src: addr("fd00::1"), Dst: addr("fd00::2"), Sport: 1, Dport: 53}, Reply: facts.Tuple{Src: addr("fd00::2"), Dst: addr("fd00::1"), Sport: 53, Dport: 1},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" || unparsed.Count != 1 {
		t.Error(unparsed, diff)
	}
}

func TestParseCounters(t *testing.T) {
	for name, text := range map[string]string{
		"conntrack -S": "cpu=0   \tfound=10 invalid=2 insert=0 insert_failed=1 drop=1 early_drop=0 error=0 search_restart=0 clash_resolve=3 chaintoolong=0\n" +
			"cpu=1   \tfound=6 invalid=0 insert=0 insert_failed=0 drop=0 early_drop=4 error=0 search_restart=0 clash_resolve=0 chaintoolong=0 \n",
		"/proc/net/stat/nf_conntrack": "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop error  expect_new search_restart\n" +
			"00000001  00000003 0000000a 00000000 00000002 00000000 00000000 00000000 00000000 00000001 00000001 00000000 00000000 00000000 00000000\n" +
			"00000001  00000000 00000006 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000004 00000000 00000000 00000000\n",
	} {
		got, unparsed := ParseCounters([]byte(text))
		delete(got, "clash_resolve")
		delete(got, "chaintoolong")
		want := map[string]uint64{"found": 16, "invalid": 2, "insert": 0, "insert_failed": 1, "drop": 1, "early_drop": 4, "error": 0, "search_restart": 0}
		if diff := cmp.Diff(want, got); diff != "" || unparsed.Count != 0 {
			t.Error(name, unparsed, diff)
		}
	}
	if got, unparsed := ParseCounters([]byte("no counters here\n")); got != nil || unparsed.Count != 1 {
		t.Error(got, unparsed)
	}
}

// What conntrack -L prints is what netlink says.
func TestEntriesAgreeWithNetlink(t *testing.T) {
	nettest.NeedRoot(t)
	nettest.NeedTool(t, "ip", "conntrack", "iptables", "python3")
	n1, n2 := nettest.Namespace(t), nettest.Namespace(t)
	nettest.Veth(t, n1, "eth0", n2, "eth0")
	n1.Run(t, "ip", "address", "add", "10.0.0.1/24", "dev", "eth0")
	n2.Run(t, "ip", "address", "add", "10.0.0.2/24", "dev", "eth0")
	n1.Run(t, "iptables", "-A", "INPUT", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP")
	n1.Run(t, "python3", "-c", `import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("10.0.0.2", 9))`)
	var collected *facts.Node
	n1.Do(t, func() { collected = node.Collect(t.Context(), node.Options{Root: t.TempDir(), Name: "n1"}) })
	got, unparsed := ParseEntries([]byte(n1.Run(t, "conntrack", "-L")))
	seconds := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Timeout" }, cmp.Comparer(func(a, b uint32) bool { return a-b+5 <= 10 }))
	if diff := cmp.Diff(collected.ConntrackEntries.Value, got, cmpopts.EquateComparable(netip.Addr{}), seconds,
		cmpopts.IgnoreFields(facts.Tuple{}, "Packets", "Bytes")); diff != "" || unparsed.Count != 0 || len(got) == 0 {
		t.Errorf("%v (-netlink +text):\n%s", unparsed, diff)
	}
	counters, unparsed := ParseCounters([]byte(n1.Run(t, "conntrack", "-S")))
	if diff := cmp.Diff(collected.Conntrack.Value.Counters, counters); diff != "" || unparsed.Count != 0 {
		t.Errorf("%v (-netlink +text):\n%s", unparsed, diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("ipv4 2 tcp 6 1 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1 [ASSURED] mark=0 use=1\n")
	f.Add("cpu=0 found=1\nentries found\n0000000a 00000001\n")
	f.Fuzz(func(t *testing.T, text string) {
		entries, unparsed := ParseEntries([]byte(text))
		if len(entries)+unparsed.Count > strings.Count(text, "\n")+1 {
			t.Fatal("more than there are lines")
		}
		ParseCounters([]byte(text))
	})
}
