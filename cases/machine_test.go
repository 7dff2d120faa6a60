package cases_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netcause/netcause/collectors/nettest"
)

// fabric is the network between machines: a switch, and the router that is their gateway.
type fabric struct {
	*nettest.NS
	gateway netip.Prefix
}

func newFabric(t *testing.T, gateway string) *fabric {
	t.Helper()
	f := &fabric{NS: nettest.Namespace(t), gateway: netip.MustParsePrefix(gateway)}
	f.ip(t, "link add br0 type bridge")
	f.ip(t, "address add %s dev br0", gateway)
	f.ip(t, "link set br0 up")
	sysctl(t, f.NS, "net.ipv4.ip_forward", "1")
	return f
}

func (f *fabric) ip(t *testing.T, format string, args ...any) {
	t.Helper()
	ip(t, f.NS, format, args...)
}

// filter makes the fabric drop what it forwards and an expression of nft matches: frames (family bridge) or packets (ip).
func (f *fabric) filter(t *testing.T, family, match string) {
	t.Helper()
	f.Run(t, "nft", fmt.Sprintf("add table %[1]s site; add chain %[1]s site forward { type filter hook forward priority 0; }; "+
		"add rule %[1]s site forward %[2]s counter drop", family, match))
}

// hasDropped checks that the filter met packets.
func (f *fabric) hasDropped(t *testing.T) {
	t.Helper()
	if ruleset := f.Run(t, "nft", "list", "ruleset"); !strings.Contains(ruleset, "packets") || strings.Contains(ruleset, "packets 0 ") {
		t.Errorf("the fabric has dropped nothing: %s", ruleset)
	}
}

// ip runs one command of iproute2 in a namespace.
func ip(t *testing.T, ns *nettest.NS, format string, args ...any) {
	t.Helper()
	ns.Run(t, "ip", strings.Fields(fmt.Sprintf(format, args...))...)
}

// sysctl sets one that a namespace has of its own: below /proc/sys/net a thread sees those of its namespace.
func sysctl(t *testing.T, ns *nettest.NS, name, value string) {
	t.Helper()
	var err error
	ns.Do(t, func() { err = os.WriteFile("/proc/sys/"+strings.ReplaceAll(name, ".", "/"), []byte(value), 0) })
	if err != nil {
		t.Fatal(err)
	}
}

// machine is one machine: a network namespace that is its host's, and a folder that stands for its file system.
type machine struct {
	*nettest.NS
	name    string
	uplink  string
	address netip.Addr // of the uplink, by which the cluster knows it
	root    string
	podCIDR netip.Prefix // of a node
	pods    []*pod
}

// join connects a new machine to the switch.
func (f *fabric) join(t *testing.T, name, uplink, address string) *machine {
	t.Helper()
	m := newMachine(t, name, uplink, netip.MustParseAddr(address))
	nettest.Veth(t, m.NS, uplink, f.NS, name)
	f.ip(t, "link set %s master br0", name)
	m.connect(t, f.gateway)
	return m
}

// beyond connects a new machine to the router by a network of its own.
func (f *fabric) beyond(t *testing.T, name, uplink, address, gateway string) *machine {
	t.Helper()
	m := newMachine(t, name, uplink, netip.MustParseAddr(address))
	nettest.Veth(t, m.NS, uplink, f.NS, name)
	f.ip(t, "address add %s dev %s", gateway, name)
	m.connect(t, netip.MustParsePrefix(gateway))
	return m
}

func newMachine(t *testing.T, name, uplink string, address netip.Addr) *machine {
	t.Helper()
	m := &machine{NS: nettest.Namespace(t), name: name, uplink: uplink, address: address, root: t.TempDir()}
	m.write(t, "etc/hostname", name+"\n")
	m.write(t, "etc/machine-id", fmt.Sprintf("%032x\n", name))
	m.write(t, "proc/sys/kernel/osrelease", kernel(t)+"\n")
	m.write(t, "etc/resolv.conf", "nameserver 192.0.2.53\n")
	return m
}

// kernel is the release of the one that all machines are on.
func kernel(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func (m *machine) connect(t *testing.T, gateway netip.Prefix) {
	t.Helper()
	m.ip(t, "address add %s/%d dev %s", m.address, gateway.Bits(), m.uplink)
	m.ip(t, "route add default via %s dev %s", gateway.Addr(), m.uplink)
}

func (m *machine) ip(t *testing.T, format string, args ...any) {
	t.Helper()
	ip(t, m.NS, format, args...)
}

// write writes one of the machine's files.
func (m *machine) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(m.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// edit replaces what one of the machine's files has once.
func (m *machine) edit(t *testing.T, name, from, to string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(m.root, name))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), from) != 1 {
		t.Fatalf("%s has %q not once", name, from)
	}
	m.write(t, name, strings.Replace(string(text), from, to, 1))
}

// ifcfg is the file that configures the uplink, as anaconda writes it. bootproto is in line 4, IPADDR in line 10.
func (m *machine) ifcfg(t *testing.T, bootproto, gateway string) {
	t.Helper()
	m.write(t, m.ifcfgFile(), fmt.Sprintf(`TYPE="Ethernet"
PROXY_METHOD="none"
BROWSER_ONLY="no"
BOOTPROTO="%s"
DEFROUTE="yes"
IPV4_FAILURE_FATAL="no"
IPV6INIT="no"
NAME="%[2]s"
DEVICE="%[2]s"
IPADDR="%[3]s"
PREFIX="24"
GATEWAY="%[4]s"
ONBOOT="yes"
`, bootproto, m.uplink, m.address, gateway))
}

func (m *machine) ifcfgFile() string { return "etc/sysconfig/network-scripts/ifcfg-" + m.uplink }

// pod is a Pod: a network namespace that is joined to its node's.
type pod struct {
	*nettest.NS
	node            *machine
	namespace, name string
	address         netip.Addr
	// veth is the node's end of its device.
	veth string
}

// pod makes a Pod's namespace with one device, and what a container runtime keeps of it: its name below /run/netns and
// the result of the network plugin. How it is connected is the network plugin's to say. The node's end of the device has
// a name with that prefix.
func (m *machine) pod(t *testing.T, namespace, name, address, prefix string, mtu int) *pod {
	t.Helper()
	p := &pod{NS: nettest.Namespace(t), node: m, namespace: namespace, name: name, address: netip.MustParseAddr(address)}
	p.veth = fmt.Sprintf("%s%x", prefix, p.address.As4())
	ip(t, p.NS, "link add eth0 mtu %d type veth peer name %s mtu %d netns %s", mtu, p.veth, mtu, m.Name)
	ip(t, p.NS, "link set eth0 up")
	m.ip(t, "link set %s up", p.veth)

	netns := "run/netns/cni-" + name
	if err := os.MkdirAll(filepath.Join(m.root, "run/netns"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(p.Path(), filepath.Join(m.root, netns)); err != nil {
		t.Fatal(err)
	}
	// cachedInfo of containernetworking/cni's libcni/api.go.
	m.write(t, "var/lib/cni/results/cbr0-"+name+"-eth0", fmt.Sprintf(`{"kind": "cniCacheV1", "containerId": %q, "ifName": "eth0", `+
		`"networkName": "cbr0", "netns": "/var/%s", "cniArgs": [["IgnoreUnknown", "1"], ["K8S_POD_NAMESPACE", %q], ["K8S_POD_NAME", %q]]}`,
		name, netns, namespace, name))
	m.pods = append(m.pods, p)
	return p
}
