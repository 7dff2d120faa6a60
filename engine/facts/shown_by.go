package facts

import (
	"maps"
	"slices"
)

// ClusterPrefix marks the groups of the cluster where they are named beside those of nodes: "cluster.pods".
const ClusterPrefix = "cluster."

// shownBy is what shows each group of facts to somebody who has only a shell on the node, or kubectl.
var shownBy = map[string]string{
	"host":               "uname -a; cat /etc/hostname /etc/machine-id /etc/os-release",
	"config_files":       "tar czf network-config.tar.gz --ignore-failed-read /etc/sysconfig/network* /etc/netplan /etc/NetworkManager /etc/systemd/network /etc/network",
	"resolv_conf":        "cat /etc/resolv.conf",
	"cni":                "head -n 100 /etc/cni/net.d/*",
	"flannel_subnet_env": "cat /run/flannel/subnet.env",
	"kubelet_config":     "cat /var/lib/kubelet/config.yaml",
	"kube_proxy_config":  "kubectl -n kube-system get configmap kube-proxy -o yaml",
	"processes":          "ps -eo pid,args; ss -anp",
	"namespaces":         "ip netns list; lsns -t net",
	"links":              "ip -s -d link",
	"addresses":          "ip -d address",
	"routes":             "ip route show table all; ip -6 route show table all",
	"rules":              "ip rule; ip -6 rule",
	"neighbours":         "ip neigh",
	"fdb":                "bridge -d fdb show",
	"sysctls":            "sysctl -a",
	"listeners":          "ss -lntup; for p in $(lsns -t net -no PID); do nsenter -t $p -n ip -d address; nsenter -t $p -n ss -lntup; done",
	"conntrack":          "conntrack -S; sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max",
	"conntrack_entries":  "conntrack -L",
	"iptables_nft":       "iptables-nft-save -c",
	"iptables_legacy":    "iptables-legacy-save -c",
	"ip6tables_nft":      "ip6tables-nft-save -c",
	"ip6tables_legacy":   "ip6tables-legacy-save -c",
	"nftables":           "nft -j list ruleset",
	"ipset":              "ipset save",
	"ipvs":               "cat /proc/net/ip_vs",

	"cluster.version":         "kubectl version -o json",
	"cluster.nodes":           "kubectl get nodes -o json",
	"cluster.pods":            "kubectl get pods -A -o json",
	"cluster.services":        "kubectl get services -A -o json",
	"cluster.endpointslices":  "kubectl get endpointslices -A -o json",
	"cluster.networkpolicies": "kubectl get networkpolicies -A -o json",
	"cluster.otherpolicies": "for r in $(kubectl api-resources --verbs=list -o name | grep -E 'networkpolicies\\.(policy|cilium|crd)\\.'); " +
		"do kubectl get $r -A -o json; done >otherpolicies.json",
	"cluster.daemonsets":      "kubectl get daemonsets -A -o json",
	"cluster.deployments":     "kubectl get deployments -A -o json",
	"cluster.statefulsets":    "kubectl get statefulsets -A -o json",
	"cluster.priorityclasses": "kubectl get priorityclasses -o json",
	"cluster.configmaps":      "kubectl get configmaps -n kube-system -o json",
	"cluster.events":          "kubectl get events -A -o json",
	"cluster.namespaces":      "kubectl get namespaces -o json",
}

// ShownBy is the command that shows a group of facts to somebody who has only a shell on the node, or kubectl; empty where
// there is no such group.
func ShownBy(group string) string { return shownBy[group] }

// GroupNames are all groups, those of the cluster with their prefix.
func GroupNames() []string { return slices.Sorted(maps.Keys(shownBy)) }
