package report_test

import (
	"fmt"
	"time"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/facts"
)

func node(name string) engine.Subject {
	return engine.Subject{Kind: "Node", Name: name, Node: name}
}

var theCluster = engine.Subject{Kind: "Cluster", Name: "cluster"}

func evidence(value, fact, source string) facts.Evidence {
	return facts.Evidence{Fact: fact, Value: value, Source: facts.Source(source)}
}

// settled makes what follows from the findings: roots, Root of each, and the summary of rules.
func settled(d *engine.Diagnosis, roots ...int) *engine.Diagnosis {
	d.SchemaVersion = engine.SchemaVersion
	for _, root := range roots {
		f := &d.Findings[root]
		f.Root, f.RootSubject = f.ID, f.Subject
		d.RootCauses = append(d.RootCauses, *f)
	}
	for i := range d.Findings {
		if f := &d.Findings[i]; f.Root == "" {
			f.Root, f.RootSubject = d.RootCauses[0].ID, d.RootCauses[0].Subject
		}
	}
	// Each rule counts once, by the first of these.
	counted := map[string]bool{}
	once := func(id string, n *int) {
		if !counted[id] {
			counted[id] = true
			*n++
			d.Summary.Rules++
		}
	}
	for _, f := range d.Findings {
		once(f.ID, &d.Summary.Found)
	}
	for _, f := range d.FailedRules {
		once(f.ID, &d.Summary.Failed)
	}
	for _, r := range d.RuledOut {
		once(r.ID, &d.Summary.RuledOut)
	}
	for _, n := range d.NotExamined {
		once(n.ID, &d.Summary.NotExamined)
	}
	return d
}

var rules = []*engine.Rule{
	{ID: "node-static-and-dhcp-address", Category: "cni", Explains: []string{"network-unreachable", "service-unreachable"}, Causes: []string{"tunnel-source-not-node-address"}},
	{ID: "tunnel-source-not-node-address", Category: "cni", Explains: []string{"network-unreachable", "service-unreachable"}},
	{ID: "kube-proxy-missing-priority-class", Category: "cni", Explains: []string{"service-unreachable", "dns-failure"}, Causes: []string{"kube-proxy-not-running-on-node"}},
	{ID: "kube-proxy-not-running-on-node", Category: "cni", Explains: []string{"service-unreachable", "dns-failure"}, Causes: []string{"service-rules-missing-on-node"}},
	{ID: "service-rules-missing-on-node", Category: "cni", Explains: []string{"service-unreachable", "dns-failure"}},
	{ID: "pod-network-route-missing", Category: "network-unreachable", Explains: []string{"network-unreachable", "service-unreachable", "dns-failure"}},
	{ID: "external-traffic-policy-local-no-endpoint", Category: "port-unreachable", Explains: []string{"nodeport-unreachable"}},
	{ID: "ip-forward-disabled", Category: "network-unreachable", Explains: []string{"network-unreachable", "service-unreachable", "egress-failure"}},
	{ID: "path-mtu-mismatch", Category: "large-packet-loss", Explains: []string{"large-packet-loss", "slow-connections"}},
	{ID: "conntrack-table-full", Category: "network-unreachable", Explains: []string{"intermittent-loss", "port-unreachable", "slow-connections"}},
	{ID: "conntrack-insert-race", Category: "dns-failure", Explains: []string{"dns-slow"}},
	{ID: "iptables-backends-mixed", Category: "cni", Explains: []string{"service-unreachable", "network-unreachable"}},
	{ID: "coredns-not-ready", Category: "dns-failure", Explains: []string{"dns-failure"}},
}

func title(id string) string {
	return map[string]string{
		"kube-proxy-not-running-on-node":            "kube-proxy does not run on a node",
		"service-rules-missing-on-node":             "A node has no rules for the cluster's Services",
		"external-traffic-policy-local-no-endpoint": "externalTrafficPolicy is Local and the node has no endpoint",
	}[id]
}

func ruledOut(id, category string, subject engine.Subject, message string, evidence ...facts.Evidence) engine.RuledOut {
	return engine.RuledOut{ID: id, Title: title(id), Category: category, Subject: subject, Message: message, Evidence: evidence}
}

func lacks(id, category string, subject engine.Subject, missing ...engine.MissingFacts) engine.NotExamined {
	return engine.NotExamined{ID: id, Title: title(id), Category: category, Subject: subject, Missing: missing}
}

var (
	noConntrack = engine.MissingFacts{Group: "conntrack", Status: facts.Absent, Reason: "the sosreport has no conntrack counters", Collect: "conntrack -S; sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max"}
	noLegacy    = engine.MissingFacts{Group: "iptables_legacy", Status: facts.Absent, Reason: "iptables-legacy-save is not installed", Collect: "iptables-legacy-save -c"}
	noPods      = engine.MissingFacts{Group: "cluster.pods", Status: facts.Denied, Reason: "list pods in the core API group", Collect: "kubectl get pods -A -o json"}
	noLinks     = engine.MissingFacts{Group: "links", Status: facts.NotAsked, Reason: "nothing was collected on this node", Collect: "ip -s -d link"}
)

// staticAndDHCP is a node that has a static and a leased address, read from a support bundle.
func staticAndDHCP() *engine.Diagnosis {
	d := &engine.Diagnosis{
		Summary: engine.Summary{Nodes: 2, Cluster: true},
		Sources: []facts.Input{{Kind: "bundle", Name: "incident/", CollectedAt: time.Date(2026, 3, 1, 2, 11, 0, 0, time.UTC)}},
		Symptoms: []engine.Symptom{
			{ID: "service-unreachable", Reported: true, ExplainedBy: []string{"node-static-and-dhcp-address"}},
			{ID: "network-unreachable", ExplainedBy: []string{"node-static-and-dhcp-address"}},
		},
		Findings: []engine.Finding{
			{
				ID: "node-static-and-dhcp-address", Title: "One uplink has both a static and a leased address", Severity: engine.Critical, Category: "cni",
				Subject: node("n1"), Affects: []string{"n1"},
				Message: "The uplink enp26s0f0 of n1 has a static and a leased address; tunnel packets leave with the leased one.",
				Evidence: []facts.Evidence{
					evidence("10.153.204.15/24", "static address", "/etc/sysconfig/network-scripts/ifcfg-enp26s0f0:10"),
					evidence("10.153.204.228/24", "leased address, valid for 23h58m", "sosreport-n1: ip -d address, line 9"),
					evidence(`BOOTPROTO="dhcp"`, "asks for a lease", "/etc/sysconfig/network-scripts/ifcfg-enp26s0f0:4"),
					evidence("10.153.204.15", "InternalIP of Node n1", "nodes.json"),
					evidence("10.153.204.228", "annotation flannel.alpha.coreos.com/public-ip of Node n1", "nodes.json"),
					evidence("10.153.204.228", "outer source of 31 of 31 VXLAN packets from n1", "n2-enp26s0f0.pcap"),
				},
				Chain: []string{"node-static-and-dhcp-address", "tunnel-source-not-node-address", "service-unreachable", "network-unreachable"},
				Fix: engine.Fix{Summary: "Keep the static address, let the lease go.", Steps: []engine.Step{
					{Node: "n1", Edit: `in /etc/sysconfig/network-scripts/ifcfg-enp26s0f0, line 4, set BOOTPROTO="none"`},
					{Node: "n1", Run: "nmcli connection reload && nmcli device reapply enp26s0f0", Why: "without NetworkManager: `ifdown enp26s0f0 && ifup enp26s0f0`"},
					{Node: "n1", Run: "systemctl restart containerd kubelet"},
					{Cluster: true, Run: "kubectl -n kube-flannel delete pod --field-selector spec.nodeName=n1 -l app=flannel", Why: "flannel reads the address when it starts"},
				}},
				Verify:   "`ip -4 address show enp26s0f0` shows 10.153.204.15 alone; the annotation flannel.alpha.coreos.com/public-ip of Node n1 is 10.153.204.15.",
				Explains: []string{"network-unreachable", "service-unreachable"},
			},
			{
				ID: "tunnel-source-not-node-address", Severity: engine.Critical, Category: "cni", Subject: node("n1"), Affects: []string{"n1"},
				Message:  "flannel.1 of n1 sends from 10.153.204.228; the other nodes know n1 as 10.153.204.15.",
				Evidence: []facts.Evidence{evidence("10.153.204.228", "local of flannel.1", "ip -d link show dev flannel.1")},
				Chain:    []string{"tunnel-source-not-node-address", "service-unreachable"},
				Explains: []string{"network-unreachable", "service-unreachable"},
			},
		},
		RuledOut: []engine.RuledOut{
			ruledOut("external-traffic-policy-local-no-endpoint", "port-unreachable", theCluster, "no Service has externalTrafficPolicy Local", evidence("14 Services", "read", "services.json")),
			ruledOut("path-mtu-mismatch", "large-packet-loss", theCluster, "every tunnel fits its uplink", evidence("1450 of 1500", "MTU of flannel.1", "ip -d link show dev flannel.1")),
			ruledOut("kube-proxy-not-running-on-node", "cni", node("n1"), "kube-proxy-v6kzp is Running and Ready on n1", evidence("True", "condition Ready", "pods.json")),
			ruledOut("kube-proxy-not-running-on-node", "cni", node("n2"), "kube-proxy-x2lq9 is Running and Ready on n2", evidence("True", "condition Ready", "pods.json")),
			ruledOut("service-rules-missing-on-node", "cni", node("n1"), "KUBE-SERVICES -> KUBE-SVC-6JKL3SVVWSQ4BZVQ -> KUBE-SEP-WDLE2ZAFSGMB6L2S -> DNAT 10.233.65.2:5000 is there on n1", evidence("-A KUBE-SEP-WDLE2ZAFSGMB6L2S -p tcp -m tcp -j DNAT --to-destination 10.233.65.2:5000", "", "iptables-save -c:812")),
			ruledOut("service-rules-missing-on-node", "cni", node("n2"), "KUBE-SERVICES -> KUBE-SVC-6JKL3SVVWSQ4BZVQ -> KUBE-SEP-WDLE2ZAFSGMB6L2S -> DNAT 10.233.65.2:5000 is there on n2", evidence("812", "", "iptables-save -c:812")),
			ruledOut("pod-network-route-missing", "network-unreachable", node("n1"), "the Pod network of n2 is routed", evidence("10.233.65.0/24 via 10.233.65.0 dev flannel.1", "route", "ip route show table all")),
			ruledOut("pod-network-route-missing", "network-unreachable", node("n2"), "the Pod network of n1 is routed", evidence("10.233.64.0/24 via 10.233.64.0 dev flannel.1", "route", "ip route show table all")),
			ruledOut("ip-forward-disabled", "network-unreachable", node("n1"), "net.ipv4.ip_forward is 1", evidence("1", "net.ipv4.ip_forward", "sysctl net.ipv4.ip_forward")),
			ruledOut("ip-forward-disabled", "network-unreachable", node("n2"), "net.ipv4.ip_forward is 1", evidence("1", "net.ipv4.ip_forward", "sysctl net.ipv4.ip_forward")),
		},
		NotExamined: []engine.NotExamined{
			lacks("conntrack-table-full", "network-unreachable", node("n1"), noConntrack),
			lacks("conntrack-table-full", "network-unreachable", node("n2"), noConntrack),
			lacks("conntrack-insert-race", "dns-failure", node("n1"), noConntrack),
			lacks("conntrack-insert-race", "dns-failure", node("n2"), noConntrack),
			lacks("iptables-backends-mixed", "cni", node("n1"), noLegacy),
		},
	}
	return settled(d, 0)
}

// kubeProxyEvicted is a cluster of six nodes of which two lost kube-proxy.
func kubeProxyEvicted() *engine.Diagnosis {
	d := &engine.Diagnosis{
		Summary: engine.Summary{Nodes: 6, Cluster: true},
		Sources: []facts.Input{
			{Kind: "cluster", Name: "https://10.0.0.1:6443"},
			{Kind: "node", Name: "n3", Problem: "the collector Pod did not start within 1m0s: ImagePullBackOff"},
		},
		Symptoms: []engine.Symptom{
			{ID: "dns-failure", Reported: true, ExplainedBy: []string{"kube-proxy-missing-priority-class"}},
			{ID: "service-unreachable", ExplainedBy: []string{"kube-proxy-missing-priority-class"}},
		},
		Findings: []engine.Finding{{
			ID: "kube-proxy-missing-priority-class", Title: "kube-proxy may be evicted", Severity: engine.Critical, Category: "cni",
			Subject: engine.Subject{Kind: "DaemonSet", Namespace: "kube-system", Name: "kube-proxy"}, Affects: []string{"n5", "n6"},
			Message: "The DaemonSet kube-proxy has no priorityClassName, so its Pods on n5 and n6 gave way to others when the nodes ran short of resources.",
			Evidence: []facts.Evidence{
				evidence("", "spec.template.spec.priorityClassName", "kubectl -n kube-system get daemonset kube-proxy -o yaml"),
				evidence("Pending: Insufficient cpu", "Pod kube-system/kube-proxy-7xk2p for n5", "kubectl -n kube-system get pod kube-proxy-7xk2p -o yaml"),
				evidence("Evicted: The node was low on resource: memory. Threshold quantity: 100Mi, available: 71264Ki.", "Pod kube-system/kube-proxy-q9dzs on n6", "kubectl -n kube-system get pod kube-proxy-q9dzs -o yaml"),
			},
			Chain: []string{"kube-proxy-missing-priority-class", "kube-proxy-not-running-on-node", "service-rules-missing-on-node", "dns-failure"},
			Fix: engine.Fix{Summary: "Give kube-proxy the class of what a node cannot do without.", Steps: []engine.Step{
				{Cluster: true, Patch: `kubectl -n kube-system patch daemonset kube-proxy --type=strategic -p '{"spec":{"template":{"spec":{"priorityClassName":"system-node-critical"}}}}'`},
				{Cluster: true, Run: "kubectl -n kube-system rollout status daemonset kube-proxy"},
			}},
			Verify:   "`kubectl -n kube-system get pods -l k8s-app=kube-proxy -o wide` shows a Running Pod on each of the 6 nodes.",
			Explains: []string{"service-unreachable", "dns-failure"},
		}},
	}
	for _, name := range []string{"n5", "n6"} {
		why := map[string]string{"n5": "its Pod kube-proxy-7xk2p is Pending", "n6": "its Pod kube-proxy-q9dzs was evicted"}[name]
		d.Findings = append(d.Findings, engine.Finding{
			ID: "kube-proxy-not-running-on-node", Severity: engine.Critical, Category: "cni", Subject: node(name), Affects: []string{name},
			Message: fmt.Sprintf("kube-proxy does not run on %s: %s.", name, why),
		})
	}
	for _, name := range []string{"n5", "n6"} {
		d.Findings = append(d.Findings, engine.Finding{
			ID: "service-rules-missing-on-node", Severity: engine.Critical, Category: "cni", Subject: node(name), Affects: []string{name},
			Message: fmt.Sprintf("%s has no KUBE-SERVICES chain in any backend, while the cluster has 23 Services.", name),
		})
	}
	for i := 1; i <= 6; i++ {
		n := node(fmt.Sprintf("n%d", i))
		if i < 5 {
			d.RuledOut = append(d.RuledOut,
				ruledOut("kube-proxy-not-running-on-node", "cni", n, "its kube-proxy Pod is Running and Ready", evidence("True", "condition Ready", "kubectl -n kube-system get pods -o yaml")))
		}
		if i == 3 {
			d.NotExamined = append(d.NotExamined,
				lacks("pod-network-route-missing", "network-unreachable", n, noLinks), lacks("path-mtu-mismatch", "large-packet-loss", n, noLinks))
			continue
		}
		d.RuledOut = append(d.RuledOut,
			ruledOut("pod-network-route-missing", "network-unreachable", n, "every other node's Pod network is routed", evidence("5 routes by flannel.1", "", "ip route show table all")))
		d.NotExamined = append(d.NotExamined, lacks("iptables-backends-mixed", "cni", n, noLegacy))
	}
	d.RuledOut = append(d.RuledOut, ruledOut("coredns-not-ready", "dns-failure", theCluster, "2 of 2 CoreDNS Pods are Ready", evidence("2", "ready endpoints of kube-system/kube-dns", "kubectl -n kube-system get endpointslices -o yaml")))
	return settled(d, 0)
}

// forwardingOff is one fault on each of six nodes, beside a hint.
func forwardingOff() *engine.Diagnosis {
	d := &engine.Diagnosis{
		Summary:  engine.Summary{Nodes: 6, Cluster: true, NodesNotCollected: []string{"n7", "n8"}},
		Symptoms: []engine.Symptom{{ID: "network-unreachable", ExplainedBy: []string{"ip-forward-disabled"}}},
	}
	var roots []int
	for i := 1; i <= 6; i++ {
		name := fmt.Sprintf("n%d", i)
		roots = append(roots, len(d.Findings))
		d.Findings = append(d.Findings, engine.Finding{
			ID: "ip-forward-disabled", Title: "Forwarding is off", Severity: engine.Critical, Category: "network-unreachable",
			Subject: node(name), Affects: []string{name},
			Message:  fmt.Sprintf("%s does not forward IPv4 packets, so none reaches its Pods from other nodes.", name),
			Evidence: []facts.Evidence{evidence("0", "net.ipv4.ip_forward", "sysctl net.ipv4.ip_forward")},
			Chain:    []string{"ip-forward-disabled", "network-unreachable"},
			Fix: engine.Fix{Steps: []engine.Step{
				{Node: name, Run: "sysctl -w net.ipv4.ip_forward=1"},
				{Node: name, Edit: "in /etc/sysctl.d/99-kubernetes.conf write net.ipv4.ip_forward = 1", Why: "so that it stays after a reboot"},
				{Cluster: true, Run: "kubectl uncordon " + name},
			}, Alternatives: []engine.Fix{{Summary: "Take the node out of the cluster.", Steps: []engine.Step{
				{Cluster: true, Run: "kubectl drain " + name + " --ignore-daemonsets"},
			}}}},
			Verify:   "`sysctl net.ipv4.ip_forward` is 1.",
			Explains: []string{"network-unreachable"},
		})
	}
	roots = append(roots, len(d.Findings))
	d.Findings = append(d.Findings, engine.Finding{
		ID: "kube-proxy-missing-priority-class", Severity: engine.Info, Category: "cni",
		Subject: engine.Subject{Kind: "DaemonSet", Namespace: "kube-system", Name: "kube-proxy"}, Affects: []string{"n1", "n2"},
		Message:  "The DaemonSet kube-proxy has no priorityClassName; its Pods run everywhere today.",
		Evidence: []facts.Evidence{evidence("", "spec.template.spec.priorityClassName", "daemonsets.json")},
		Chain:    []string{"kube-proxy-missing-priority-class"},
	})
	return settled(d, roots...)
}

// twoCauses are two faults that bring about the same third, and a symptom that neither explains.
func twoCauses() *engine.Diagnosis {
	of := func(id string, severity engine.Severity, subject engine.Subject, message string, chain ...string) engine.Finding {
		return engine.Finding{
			ID: id, Severity: severity, Category: "network-unreachable", Subject: subject, Message: message,
			Evidence: []facts.Evidence{evidence("10.0.0.9", "local of flannel.1", "ip -d link show dev flannel.1")},
			Chain:    append([]string{id}, chain...), Explains: []string{"network-unreachable"},
		}
	}
	const follows = "tunnel-source-not-node-address"
	return settled(&engine.Diagnosis{
		Summary: engine.Summary{Nodes: 3, Cluster: true},
		Symptoms: []engine.Symptom{
			{ID: "large-packet-loss", Reported: true, ExplainedBy: []string{}},
			{ID: "network-unreachable", Reported: true, ExplainedBy: []string{"node-static-and-dhcp-address", "site-second-uplink"}},
		},
		Findings: []engine.Finding{
			of("node-static-and-dhcp-address", engine.Critical, node("n1"), "eth0 of n1 has a static and a leased address.", follows, "network-unreachable"),
			{
				ID: "site-second-uplink", Severity: engine.Warning, Custom: true, Title: "A second uplink is up",
				Subject:  engine.Subject{Kind: "Pod", Namespace: "kube-flannel", Name: "kube-flannel-ds-5lq2m", Node: "n1"},
				Evidence: []facts.Evidence{evidence("UP", "eth1", "ip -s -d link show dev eth1")},
				Chain:    []string{"site-second-uplink", follows, "network-unreachable"}, Explains: []string{"network-unreachable"},
			},
			of(follows, engine.Critical, node("n1"), "flannel.1 of n1 sends from 10.0.0.9; the other nodes know n1 as 10.0.0.1.", "network-unreachable"),
		},
		RuledOut: nothingFound().RuledOut,
	}, 0, 1)
}

func nothingFound() *engine.Diagnosis {
	d := &engine.Diagnosis{
		Summary: engine.Summary{Nodes: 1},
		RuledOut: []engine.RuledOut{
			ruledOut("ip-forward-disabled", "network-unreachable", node("n1"), "net.ipv4.ip_forward is 1", evidence("1", "net.ipv4.ip_forward", "sysctl net.ipv4.ip_forward")),
			ruledOut("path-mtu-mismatch", "large-packet-loss", node("n1"), "every tunnel fits its uplink"),
		},
		NotExamined: []engine.NotExamined{lacks("conntrack-table-full", "network-unreachable", node("n1"), noConntrack)},
	}
	return settled(d)
}

func allExamined() *engine.Diagnosis {
	d := nothingFound()
	return settled(&engine.Diagnosis{Summary: engine.Summary{Nodes: 1}, RuledOut: d.RuledOut})
}

func unexplainedAllExamined() *engine.Diagnosis {
	d := allExamined()
	d.Symptoms = []engine.Symptom{{ID: "dns-failure", Reported: true, ExplainedBy: []string{}}}
	return d
}

// nodeWithoutCluster is one node of which nobody asked the cluster.
func nodeWithoutCluster() *engine.Diagnosis {
	notAsked := func(group, collect string) engine.MissingFacts {
		return engine.MissingFacts{Group: "cluster." + group, Status: facts.NotAsked, Reason: "no cluster was read: no kubeconfig and no recorded cluster", Collect: collect}
	}
	pods := notAsked("pods", "kubectl get pods -A -o json")
	services := notAsked("services", "kubectl get services -A -o json")
	slices := notAsked("endpointslices", "kubectl get endpointslices -A -o json")
	return settled(&engine.Diagnosis{
		Summary:  engine.Summary{Nodes: 1},
		RuledOut: nothingFound().RuledOut,
		NotExamined: []engine.NotExamined{
			lacks("coredns-not-ready", "dns-failure", theCluster, pods, slices),
			lacks("kube-proxy-not-running-on-node", "cni", node("n1"), pods),
			lacks("service-rules-missing-on-node", "cni", node("n1"), services, noLegacy),
			lacks("iptables-backends-mixed", "cni", node("n1"), noLegacy),
		},
	})
}

func nothingExamined() *engine.Diagnosis {
	return settled(&engine.Diagnosis{
		Sources: []facts.Input{{Kind: "cluster", Name: "https://10.0.0.1:6443", Problem: "the API server did not answer: dial tcp 10.0.0.1:6443: i/o timeout"}},
		Symptoms: []engine.Symptom{
			{ID: "dns-failure", Reported: true, ExplainedBy: []string{}},
		},
		Summary: engine.Summary{Cluster: true},
		NotExamined: []engine.NotExamined{
			lacks("kube-proxy-not-running-on-node", "cni", theCluster, noPods),
			lacks("coredns-not-ready", "dns-failure", theCluster, noPods, noLinks),
			lacks("path-mtu-mismatch", "large-packet-loss", theCluster, noLinks),
		},
	})
}

func onlyFailedRules() *engine.Diagnosis {
	return settled(&engine.Diagnosis{
		Summary: engine.Summary{Nodes: 2},
		FailedRules: []engine.FailedRule{
			{ID: "path-mtu-mismatch", Subject: node("n1"), Error: "it ran for more than 10s and was cut off"},
			{ID: "path-mtu-mismatch", Subject: node("n2"), Error: "it ran for more than 10s and was cut off"},
			{ID: "site-vlan-not-tagged", Subject: node("n1"), Error: "site/vlan.rego:31: eval_conflict_error: functions must not produce multiple outputs for same inputs"},
		},
	})
}

func unexplainedSymptom() *engine.Diagnosis {
	d := nothingFound()
	d = &engine.Diagnosis{
		Summary: engine.Summary{Nodes: 2, Cluster: true},
		Symptoms: []engine.Symptom{
			{ID: "slow-connections", Reported: true, ExplainedBy: []string{}},
			{ID: "dns-failure", Reported: true, ExplainedBy: []string{}},
		},
		RuledOut: d.RuledOut,
		NotExamined: []engine.NotExamined{
			lacks("iptables-backends-mixed", "cni", node("n1"), noLegacy),
			lacks("external-traffic-policy-local-no-endpoint", "port-unreachable", theCluster, noPods),
			lacks("kube-proxy-not-running-on-node", "cni", theCluster, noPods),
			lacks("conntrack-table-full", "network-unreachable", node("n1"), noConntrack),
			lacks("conntrack-table-full", "network-unreachable", node("n2"), noConntrack),
		},
	}
	d.RuledOut = append(d.RuledOut, ruledOut("coredns-not-ready", "dns-failure", theCluster, "2 of 2 CoreDNS Pods are Ready"))
	return settled(d)
}

// hostile is a finding whose every string wants to get at the reader's terminal.
func hostile(s string) *engine.Diagnosis {
	d := &engine.Diagnosis{
		Summary:  engine.Summary{Nodes: 2, NodesNotCollected: []string{s}},
		Sources:  []facts.Input{{Kind: "bundle", Name: s}, {Kind: s, Name: s, Problem: s}},
		Symptoms: []engine.Symptom{{ID: s, Reported: true, ExplainedBy: []string{s}}, {ID: s + "2", Reported: true}},
		Findings: []engine.Finding{
			{
				ID: s, Title: s, Severity: engine.Severity(s), Category: s, Custom: true,
				Subject: engine.Subject{Kind: "Pod", Namespace: s, Name: s, Node: s}, Affects: []string{s, "other"},
				Message: s, Evidence: []facts.Evidence{evidence(s, s, s), evidence("v", "f", "s")}, Chain: []string{s, s + "1", s + "2"},
				Fix: engine.Fix{Summary: s, Steps: []engine.Step{
					{Node: s, Run: s, Why: s},
					{Node: s, Edit: s, Why: s},
					{Cluster: true, Patch: s, Why: s},
					{Why: s},
				}},
				Verify: s,
			},
			{ID: s + "1", Title: s, Subject: node(s), Message: s},
		},
		RuledOut:    []engine.RuledOut{{ID: s + "3", Title: s, Category: s, Subject: node(s), Message: s, Evidence: []facts.Evidence{evidence(s, s, s)}}},
		NotExamined: []engine.NotExamined{{ID: s + "4", Title: s, Category: s, Subject: node(s), Missing: []engine.MissingFacts{{Group: s, Reason: s, Collect: s}}}},
		FailedRules: []engine.FailedRule{{ID: s + "5", Subject: node(s), Error: s}},
	}
	return settled(d, 0)
}
