package cases_test

// expectation is what the diagnosis of a case must be like, whatever its wording.
type expectation struct {
	// chain are the ids from the root cause to the symptoms; nil: nothing is to be found.
	chain []string
	// ruledOut are the rules that look like it and are not.
	ruledOut []string
	// shown are the ways that must be seen where they are ruled out.
	shown []shownWay
}

// shownWay is evidence by which a rule is ruled out on a node: values that have these words, in their order.
type shownWay struct {
	node, id string
	words    []string
}

func (e expectation) root() string { return e.chain[0] }

// expected are the cases.
var expected = map[string]expectation{
	"healthy": {},
	"node-static-and-dhcp-address": {
		chain: []string{"node-static-and-dhcp-address", "tunnel-source-not-node-address", "service-unreachable", "network-unreachable"},
		ruledOut: []string{
			"kube-proxy-not-running-on-node", "service-rules-missing-on-node", "pod-network-route-missing", "path-mtu-mismatch",
			"kube-proxy-missing-priority-class",
		},
		shown: []shownWay{
			{"n1", "service-rules-missing-on-node", []string{"-j KUBE-SERVICES", "-j KUBE-SVC-", "-j KUBE-SEP-", "-j DNAT --to-destination 10.244."}},
			{"n1", "pod-network-route-missing", []string{"dev flannel.1"}},
			{"n2", "pod-network-route-missing", []string{"dev flannel.1"}},
		},
	},
	"path-mtu-mismatch": {
		chain: []string{"path-mtu-mismatch", "large-packet-loss"},
		ruledOut: []string{
			"node-static-and-dhcp-address", "tunnel-source-not-node-address", "kube-proxy-not-running-on-node", "service-rules-missing-on-node",
			"kube-proxy-missing-priority-class",
		},
	},
	// Calico, which the lab does not have.
	"path-mtu-mismatch/calico": {
		chain: []string{"path-mtu-mismatch", "large-packet-loss"},
		ruledOut: []string{
			"node-static-and-dhcp-address", "tunnel-source-not-node-address", "kube-proxy-not-running-on-node", "service-rules-missing-on-node",
			"kube-proxy-missing-priority-class",
		},
	},
	"kube-proxy-missing-priority-class": {
		chain: []string{
			"kube-proxy-missing-priority-class", "kube-proxy-not-running-on-node", "service-rules-missing-on-node", "service-unreachable", "dns-failure",
		},
		ruledOut: []string{"node-static-and-dhcp-address", "tunnel-source-not-node-address", "pod-network-route-missing", "path-mtu-mismatch"},
	},
	"bridge-netfilter-off":                      {chain: []string{"bridge-netfilter-off", "service-unreachable"}},
	"cni-config-missing":                        {chain: []string{"cni-config-missing", "pod-not-networked"}},
	"default-route-missing":                     {chain: []string{"default-route-missing", "egress-failure"}},
	"dns-loop":                                  {chain: []string{"dns-loop", "dns-failure"}},
	"dns-service-without-endpoints":             {chain: []string{"dns-service-without-endpoints", "dns-failure"}},
	"duplicate-pod-cidr":                        {chain: []string{"duplicate-pod-cidr", "network-unreachable"}},
	"external-traffic-policy-local-no-endpoint": {chain: []string{"external-traffic-policy-local-no-endpoint", "nodeport-unreachable"}},
	"firewall-rejects-service-traffic":          {chain: []string{"firewall-rejects-service-traffic", "port-unreachable"}},
	"flannel-wrong-interface":                   {chain: []string{"flannel-wrong-interface", "tunnel-source-not-node-address", "network-unreachable"}},
	"forward-chain-drops":                       {chain: []string{"forward-chain-drops", "network-unreachable"}},
	"ip-forward-disabled":                       {chain: []string{"ip-forward-disabled", "network-unreachable"}},
	"iptables-backends-mixed":                   {chain: []string{"iptables-backends-mixed", "service-unreachable"}},
	"listener-on-loopback-only":                 {chain: []string{"listener-on-loopback-only", "service-unreachable"}},
	"network-policy-blocks-dns":                 {chain: []string{"network-policy-blocks-dns", "dns-failure"}},
	"nothing-listens-on-port":                   {chain: []string{"nothing-listens-on-port", "service-unreachable"}},
	"overlay-port-blocked":                      {chain: []string{"overlay-port-blocked", "network-unreachable"}},
	"pod-cidr-missing":                          {chain: []string{"pod-cidr-missing", "pod-not-networked"}},
	"pod-network-route-missing":                 {chain: []string{"pod-network-route-missing", "network-unreachable"}},
	"pod-resolv-conf-wrong":                     {chain: []string{"pod-resolv-conf-wrong", "dns-failure"}},
	"rp-filter-drops":                           {chain: []string{"rp-filter-drops", "network-unreachable"}},
	"service-endpoints-not-ready":               {chain: []string{"service-endpoints-not-ready", "service-unreachable"}},
	"service-rules-stale":                       {chain: []string{"service-rules-stale", "service-unreachable"}},
	"service-selector-matches-nothing":          {chain: []string{"service-selector-matches-nothing", "service-unreachable"}},
	"service-target-port-mismatch":              {chain: []string{"service-target-port-mismatch", "service-unreachable"}},
	"vxlan-fdb-wrong":                           {chain: []string{"vxlan-fdb-wrong", "network-unreachable"}},
	"vxlan-neighbour-wrong":                     {chain: []string{"vxlan-neighbour-wrong", "network-unreachable"}},
}
