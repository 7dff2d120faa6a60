package bundle

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

// A namespace's devices, shown without -d, are those of the veth pairs whose other ends the node shows with it.
func TestReadVethsOfNamespaces(t *testing.T) {
	const lo = "1: lo: <LOOPBACK,UP> mtu 65536 state UNKNOWN\n    link/loopback 00:00:00:00:00:00\n    inet 127.0.0.1/8 scope host lo\n"
	device := func(index int, name, more, id string) string {
		return fmt.Sprintf("%d: %s: <BROADCAST,UP,LOWER_UP> mtu 1450 state UP\n    link/ether 02:00:00:00:00:%02x%s\n", index, name, index, id+more)
	}
	host := func(index, peer int, kind, id string) string {
		return device(index, fmt.Sprintf("d%d@if%d", index, peer), " promiscuity 0\n    "+kind, id)
	}
	inside := func(index, peer int) string {
		return device(index, fmt.Sprintf("eth0@if%d", peer), "\n    inet 10.244.0.5/24 scope global eth0", " link-netnsid 0")
	}
	tunl0 := "2: tunl0@NONE: <NOARP> mtu 1480 state DOWN\n    link/ipip 0.0.0.0 brd 0.0.0.0\n"
	for _, test := range []struct {
		name, netns, host, a, b string
		want                    []string // of namespace a: its devices' names and kinds; none where links are not read
	}{
		{"by the namespace's id", "a (id: 4)\nb (id: 5)\n", host(12, 3, "veth", " link-netnsid 4") + host(13, 3, "veth", " link-netnsid 5"), inside(3, 12), inside(3, 13), []string{"lo", "eth0 veth"}},
		{"by the namespace's name", "a (id: 4)\n", host(12, 3, "veth", " link-netns a"), inside(3, 12), "", []string{"lo", "eth0 veth"}},
		{"by indexes that nobody else has", "a\nb\n", host(12, 3, "veth", " link-netnsid 4"), inside(3, 12), inside(3, 13), []string{"lo", "eth0 veth"}},
		{"beside what tunnels leave", "a (id: 4)\n", host(12, 3, "veth", " link-netnsid 4"), tunl0 + inside(3, 12), "", []string{"lo", "tunl0 ipip", "eth0 veth"}},
		{"of another namespace", "a (id: 4)\nb (id: 5)\n", host(12, 3, "veth", " link-netnsid 5"), inside(3, 12), inside(3, 12), nil},
		{"of either", "a\nb\n", host(12, 3, "veth", " link-netnsid 4"), inside(3, 12), inside(3, 12), nil},
		{"no veth", "a (id: 4)\n", host(12, 3, "vlan protocol 802.1Q id 7", " link-netnsid 4"), inside(3, 12), "", nil},
		{"another end", "a (id: 4)\n", host(12, 9, "veth", " link-netnsid 4"), inside(3, 12), "", nil},
		{"one that nothing tells", "a (id: 4)\n", host(12, 3, "veth", " link-netnsid 4"), inside(3, 12) + device(4, "net1", "", ""), "", nil},
		{"loopback alone", "a (id: 4)\n", host(12, 3, "veth", " link-netnsid 4"), "", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			files := map[string]string{
				"sosreport-n1/" + networking + "ip_netns": test.netns, "sosreport-n1/" + networking + "ip_-s_-d_link": test.host,
				"sosreport-n1/" + networking + "ip_netns_exec_a_ip_address_show": lo + test.a,
			}
			if test.b != "" {
				files["sosreport-n1/"+networking+"ip_netns_exec_b_ip_address_show"] = lo + test.b
			}
			node := read(t, folderOf(t, files)).Nodes[0]
			i := slices.IndexFunc(node.Namespaces, func(ns *facts.Namespace) bool { return ns.ID == "a" })
			links := node.Namespaces[i].Links
			var got []string
			if links.Status == facts.Read {
				for _, l := range links.Value {
					got = append(got, strings.TrimSpace(l.Ifname+" "+l.Kind))
				}
			}
			if diff := gocmp.Diff(test.want, got); diff != "" || (test.want == nil) != (links.Status == facts.Absent) {
				t.Errorf("%s\n%+v", diff, links.Meta)
			}
		})
	}
}
