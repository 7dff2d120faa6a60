package bundle_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netcause/netcause/collectors/bundle"
	"github.com/netcause/netcause/engine/facts"
)

// A command that failed leaves a file that is empty, cut short or says why: no route, entry or neighbour is then known to
// be missing.
func TestOutputsThatShowNothing(t *testing.T) {
	const (
		networking = "sosreport-n1/sos_commands/networking/"
		routes     = "default via 192.0.2.1 dev eth0 \n192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.7 \n"
		local      = "local 192.0.2.7 dev eth0 table local proto kernel scope host src 192.0.2.7 \n"
	)
	healthy := map[string]string{
		"sosreport-n1/version.txt":                "sosreport (version 4.0)\n",
		"sosreport-n1/sos_commands/host/hostname": "n1\n",
		networking + "ip_-d_address": "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP group default qlen 1000\n" +
			"    link/ether 52:54:00:00:00:07 brd ff:ff:ff:ff:ff:ff promiscuity 0 \n    inet 192.0.2.7/24 scope global eth0\n",
		networking + "ip_route_show_table_all":     routes + local,
		networking + "bridge_-s_-s_-d_-t_fdb_show": "33:33:00:00:00:01 dev eth0 self permanent\n",
		networking + "ip_-s_-s_neigh_show":         "192.0.2.1 dev eth0 lladdr 52:54:00:00:00:01 used 0/0/0 probes 4 REACHABLE\n",
		networking + "nft_list_ruleset":            "",
		networking + "iptables_-vnxL":              "Chain INPUT (policy ACCEPT 0 packets, 0 bytes)\n",
		networking + "ip_neigh_show_nud_noarp":     "",
	}
	const denied = "RTNETLINK answers: Operation not permitted\n"
	for _, test := range []struct {
		name, file, text string
		group            func(*facts.Node) facts.Meta
		status           facts.Status
		reason           string
	}{
		{"routes", "ip_route_show_table_all", routes + local, routesOf, facts.Read, ""},
		{"no route", "ip_route_show_table_all", "", routesOf, facts.Failed, "it is empty"},
		{"routes cut short", "ip_route_show_table_all", routes, routesOf, facts.Failed, "cut short"},
		{"routes denied", "ip_route_show_table_all", denied, routesOf, facts.Failed, "it says RTNETLINK answers"},
		{"no entry", "bridge_-s_-s_-d_-t_fdb_show", "", fdbOf, facts.Failed, "it is empty"},
		{"entries denied", "bridge_-s_-s_-d_-t_fdb_show", denied, fdbOf, facts.Failed, "it says RTNETLINK answers"},
		{"no rule", "nft_list_ruleset", "", rulesetOf, facts.Read, ""},
		{"no chain", "iptables_-vnxL", "", rulesetOf, facts.Failed, "which always shows chains"},
		{"neighbours", "ip_neigh_show_nud_noarp", "", neighboursOf, facts.Read, ""},
		{"no neighbour", "ip_-s_-s_neigh_show", "", neighboursOf, facts.Failed, "it is empty"},
		{"neighbours denied", "ip_-s_-s_neigh_show", denied, neighboursOf, facts.Failed, "it says RTNETLINK answers"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range healthy {
				if name == networking+test.file {
					text = test.text
				}
				name = filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			snapshot, err := bundle.Read(t.Context(), []string{dir}, bundle.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			got := test.group(snapshot.Nodes[0])
			if got.Status != test.status || !strings.Contains(got.Reason, test.reason) {
				t.Errorf("%v: %s, want %v: …%s…", got.Status, got.Reason, test.status, test.reason)
			}
		})
	}
}

// Rules ask whether the Pods of one namespace were read, which the reason has to say in the words that are asked for.
func TestPodsOfSomeNamespaces(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"nodes.json":                `{"kind":"NodeList","apiVersion":"v1","items":[{"metadata":{"name":"n1"}}]}`,
		"kube-system/pods.json":     `{"kind":"PodList","apiVersion":"v1","items":[{"metadata":{"name":"dns","namespace":"kube-system"}}]}`,
		"kube-system/services.json": `{"kind":"ServiceList","apiVersion":"v1","items":[{"metadata":{"name":"dns","namespace":"kube-system"}}]}`,
		"default/services.json":     `{"kind":"ServiceList","apiVersion":"v1","items":[{"metadata":{"name":"web","namespace":"default"}}]}`,
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	snapshot, err := bundle.Read(t.Context(), []string{dir}, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	pods := &snapshot.Cluster.Pods
	if got := pods.Unread("kube-system"); got != "" {
		t.Errorf("kube-system: %s", got)
	}
	if got := pods.Unread("default"); got == "" {
		t.Errorf("the Pods of default seem to be read: %v %q", pods.Status, pods.Reason)
	}
}

func routesOf(n *facts.Node) facts.Meta { return n.Routes.Meta }

func rulesetOf(n *facts.Node) facts.Meta { return n.NFTables.Meta }

func fdbOf(n *facts.Node) facts.Meta { return n.FDB.Meta }

func neighboursOf(n *facts.Node) facts.Meta { return n.Neighbours.Meta }
