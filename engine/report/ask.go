package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/facts"
)

// asked are the commands that a person with a shell alone is asked for, by group of facts; a group that several have is
// asked for once. Their outputs, one after the other with a prompt before each, are what `netcause analyze` reads.
var asked = []struct {
	command string
	groups  []string
}{
	{"uname -a", []string{"host"}},
	{"ip -s -d address", []string{"links", "addresses"}},
	{"ip route show table all", []string{"routes"}},
	{"ip -6 route show table all", []string{"routes"}},
	{"ip rule", []string{"rules"}},
	{"ip -6 rule", []string{"rules"}},
	{"ip neigh", []string{"neighbours"}},
	{"bridge -d fdb show", []string{"fdb"}},
	{"ss -lntup", []string{"listeners"}},
	{"sysctl -a", []string{"sysctls", "conntrack"}},
	{"conntrack -S", []string{"conntrack"}},
	{"conntrack -L", []string{"conntrack_entries"}},
	{"iptables-nft-save -c", []string{"iptables_nft"}},
	{"iptables-legacy-save -c", []string{"iptables_legacy"}},
	{"ip6tables-nft-save -c", []string{"ip6tables_nft"}},
	{"ip6tables-legacy-save -c", []string{"ip6tables_legacy"}},
	{"nft -j list ruleset", []string{"nftables"}},
	{"ipset save", []string{"ipset"}},
	{"cat /proc/net/ip_vs", []string{"ipvs"}},
	{"cat /etc/resolv.conf", []string{"resolv_conf"}},
	{"head -v -n 1000 /etc/cni/net.d/*", []string{"cni"}},
	{"cat /run/flannel/subnet.env", []string{"flannel_subnet_env"}},
	{"cat /var/lib/kubelet/config.yaml", []string{"kubelet_config"}},
	{configFiles, []string{"config_files"}},
}

const configFiles = "head -v -n 1000 /etc/sysconfig/network-scripts/ifcfg-* /etc/sysconfig/network/ifcfg-* /etc/netplan/*.yaml " +
	"/etc/NetworkManager/system-connections/* /etc/systemd/network/*.network /etc/network/interfaces"

// wantedGroups are the groups that are missing on a node: the key is empty for the cluster's.
func wantedGroups(d *engine.Diagnosis) (nodes map[string]map[string]bool, cluster []string) {
	nodes = map[string]map[string]bool{}
	for _, n := range d.NotExamined {
		node := n.Subject.Node
		if n.Subject.Kind == "Node" {
			node = n.Subject.Name
		}
		for _, m := range n.Missing {
			if name, ok := strings.CutPrefix(m.Group, "cluster."); ok {
				if !slices.Contains(cluster, name) {
					cluster = append(cluster, name)
				}
				continue
			}
			of := cmp.Or(m.Node, node)
			if nodes[of] == nil {
				nodes[of] = map[string]bool{}
			}
			nodes[of][m.Group] = true
		}
	}
	slices.Sort(cluster)
	return nodes, cluster
}

// isAsked says whether ask asks for a group.
func isAsked(group string) bool {
	if ofCluster(group) {
		return true
	}
	for _, a := range asked {
		if slices.Contains(a.groups, group) {
			return true
		}
	}
	return false
}

// ofPods shows what the Pods of a node listen on, and whose it is by their addresses: each network namespace is entered
// by the first process in it.
const ofPods = `for p in $(lsns -t net -no PID); do for c in 'ip -d address' 'ss -lntup'; do c="nsenter -t $p -n $c"; ` +
	`echo "[root@$(hostname) ~]# $c"; $c; done; done 2>&1 >>$(hostname).txt`

// masked takes the values of what looks secret out of configuration files, before they leave the node.
const masked = ` | sed -E 's/((psk|password|passwd|secret|private-key|wep-key[0-9]*)["[:space:]]*[=:]).*/\1 .../I'`

// ask writes the shortest commands whose outputs would settle what was not examined, for somebody who has only a shell on
// each node, and kubectl: one line for each kind of node. It writes nothing where nothing is open.
func (t *text) ask() {
	nodes, cluster := wantedGroups(t.d)
	byCommands := map[string][]string{} // nodes
	var order []string
	for _, node := range slices.Sorted(maps.Keys(nodes)) {
		var commands []string
		for _, a := range asked {
			if slices.ContainsFunc(a.groups, func(g string) bool { return nodes[node][g] }) {
				commands = append(commands, "'"+a.command+"'")
			}
		}
		if len(commands) == 0 {
			continue
		}
		key := strings.Join(commands, " ")
		if byCommands[key] == nil {
			order = append(order, key)
		}
		if node != "" {
			byCommands[key] = append(byCommands[key], node)
		}
	}
	if len(order) == 0 && len(cluster) == 0 {
		return
	}
	t.blank()
	t.heading("TO SETTLE THE REST", "(give analyze the files that these write, beside what it has)")
	for _, key := range order {
		where, into := "on the nodes", ">"
		if len(byCommands[key]) > 0 {
			where = "on " + enumerate(byCommands[key], 8)
			if len(byCommands[order[0]]) == 0 {
				into = ">>" // the line for all nodes was run there too
			}
		}
		t.hang("  ", where+", as root:")
		mask := ""
		if strings.Contains(key, configFiles) {
			mask = masked
		}
		t.command(6, fmt.Sprintf(`for c in %s; do echo "[root@$(hostname) ~]# $c"; sh -c "$c"; done 2>&1%s %s$(hostname).txt`, key, mask, into))
		if strings.Contains(key, "'ss -lntup'") {
			t.command(6, ofPods)
		}
	}
	if len(cluster) > 0 {
		t.hang("  ", "where kubectl works:")
		if slices.Contains(cluster, "version") {
			cluster = slices.DeleteFunc(cluster, func(name string) bool { return name == "version" })
			t.command(6, "kubectl version -o json >version.json")
		}
		if slices.Contains(cluster, "otherpolicies") {
			cluster = slices.DeleteFunc(cluster, func(name string) bool { return name == "otherpolicies" })
			t.command(6, facts.ShownBy("cluster.otherpolicies"))
		}
		switch len(cluster) {
		case 0:
		case 1:
			t.command(6, fmt.Sprintf("kubectl get %[1]s -A -o json >%[1]s.json", cluster[0]))
		default:
			t.command(6, "for r in "+strings.Join(cluster, " ")+"; do kubectl get $r -A -o json >$r.json; done")
		}
	}
}
