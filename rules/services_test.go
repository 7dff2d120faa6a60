package rules_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/facts"
)

// collected is when the cluster of these incidents was read, an hour after all in it began.
var collected = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func anHourBefore() string { return collected.Add(-time.Hour).Format(time.RFC3339) }

// shopRules are serviceRules with those of the Service shop/web, translated to these, or refused.
func shopRules(targets ...string) string {
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(serviceRules, "COMMIT\n"))
	if len(targets) == 0 {
		b.WriteString(`COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
-A FORWARD -m conntrack --ctstate NEW -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.20/32 -p tcp -m comment --comment "shop/web has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable
COMMIT
`)
		return b.String()
	}
	b.WriteString(":KUBE-SVC-W - [0:0]\n-A KUBE-SERVICES -d 10.96.0.20/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-W\n")
	for i, target := range targets {
		chance := ""
		if left := len(targets) - i; left > 1 {
			chance = fmt.Sprintf(" -m statistic --mode random --probability %.11f", 1/float64(left))
		}
		fmt.Fprintf(&b, ":KUBE-SEP-W%[1]d - [0:0]\n-A KUBE-SVC-W%[2]s -j KUBE-SEP-W%[1]d\n-A KUBE-SEP-W%[1]d -p tcp -m tcp -j DNAT --to-destination %[3]s\n", i, chance, target)
	}
	b.WriteString("COMMIT\n")
	return b.String()
}

func readyPod(namespace, name, node, address string, labels map[string]string) facts.Pod {
	return facts.Pod{
		Source:   facts.Source("kubectl get pod -n " + namespace + " " + name + " -o yaml"),
		Metadata: facts.ObjectMeta{Namespace: namespace, Name: name, UID: "uid-" + name, Labels: labels, CreationTimestamp: anHourBefore()},
		Spec: facts.PodSpec{NodeName: node, Containers: []facts.Container{{
			Name: "app", Ports: []facts.ContainerPort{{ContainerPort: 8080, Protocol: "TCP"}},
		}}},
		Status: facts.PodStatus{
			Phase: "Running", PodIP: address, PodIPs: []facts.PodIP{{IP: address}},
			Conditions:        []facts.Condition{{Type: "Ready", Status: "True", LastTransitionTime: anHourBefore()}},
			ContainerStatuses: []facts.ContainerStatus{{Name: "app", Ready: true, State: facts.ContainerState{Running: &struct{}{}}}},
		},
	}
}

func unready(pod *facts.Pod, waiting string) {
	pod.Status.Conditions[0].Status = "False"
	pod.Status.ContainerStatuses[0] = facts.ContainerStatus{Name: "app", State: facts.ContainerState{Running: &struct{}{}}}
	if waiting != "" {
		pod.Status.ContainerStatuses[0] = facts.ContainerStatus{
			Name: "app", RestartCount: 9, State: facts.ContainerState{Waiting: &facts.ContainerStateReason{Reason: waiting}},
		}
	}
}

func podNamespace(pod facts.Pod, listeners ...facts.Listener) *facts.Namespace {
	ns := &facts.Namespace{ID: "cni-" + pod.Metadata.Name, Pod: &facts.PodReference{Namespace: pod.Metadata.Namespace, Name: pod.Metadata.Name, UID: pod.Metadata.UID}}
	ns.Listeners = facts.ReadGroup(listeners)
	return ns
}

func socket(proto, local string, port int) facts.Listener {
	return facts.Listener{Source: "ss -lntup", Proto: proto, Local: netip.MustParseAddr(local), Port: port, PID: 42, Process: "app"}
}

func endpointsOf(namespace, service, port, protocol string, number int32, ready bool, addresses ...string) facts.EndpointSlice {
	s := facts.EndpointSlice{
		Source: "endpointslices.json", AddressType: "IPv4",
		Metadata: facts.ObjectMeta{
			Namespace: namespace, Name: service + "-x", CreationTimestamp: anHourBefore(),
			Labels: map[string]string{"kubernetes.io/service-name": service},
		},
		Ports: []facts.EndpointPort{{Name: port, Protocol: protocol, Port: number}},
	}
	for _, address := range addresses {
		s.Endpoints = append(s.Endpoints, facts.Endpoint{Addresses: []string{address}, Conditions: facts.EndpointConditions{Ready: &ready}})
	}
	return s
}

// webShop is a healthy cluster with the Service shop/web of two Pods, and the cluster's DNS of one.
func webShop() *facts.Snapshot {
	s := healthy()
	c := s.Cluster
	dnsLabels := map[string]string{"k8s-app": "kube-dns"}
	web := []facts.Pod{
		readyPod("shop", "web-1", "n1", "10.244.1.7", map[string]string{"app": "web"}),
		readyPod("shop", "web-2", "n2", "10.244.2.7", map[string]string{"app": "web"}),
	}
	coredns := readyPod("kube-system", "coredns-1", "n2", "10.244.2.2", dnsLabels)
	coredns.Spec.DNSPolicy, coredns.Spec.Containers[0].Image = "Default", "registry.k8s.io/coredns/coredns:v1.12.0"
	coredns.Spec.Containers[0].Ports = []facts.ContainerPort{{Name: "dns", ContainerPort: 53, Protocol: "UDP"}}
	c.Pods.Value = append(c.Pods.Value, append(web, coredns)...)
	c.Services.Value[0].Spec.Selector = dnsLabels
	c.Services.Value[0].Spec.Ports[0].TargetPort = float64(53)
	c.Services.Value = append(c.Services.Value, facts.Service{
		Source:   "kubectl get service -n shop web -o yaml",
		Metadata: facts.ObjectMeta{Namespace: "shop", Name: "web", CreationTimestamp: anHourBefore()},
		Spec: facts.ServiceSpec{
			Type: "NodePort", ClusterIP: "10.96.0.20", Selector: map[string]string{"app": "web"},
			Ports: []facts.ServicePort{{Protocol: "TCP", Port: 80, TargetPort: float64(8080), NodePort: 30080}},
		},
	})
	c.EndpointSlices.Value = []facts.EndpointSlice{
		endpointsOf("kube-system", "kube-dns", "dns", "UDP", 53, true, "10.244.2.2"),
		endpointsOf("shop", "web", "", "TCP", 8080, true, "10.244.1.7", "10.244.2.7"),
	}
	replicas := int32(2)
	c.Deployments = facts.ReadGroup([]facts.Deployment{{
		Source:   "kubectl get deployment -n shop web -o yaml",
		Metadata: facts.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec:     facts.WorkloadSpec{Replicas: &replicas, Template: facts.PodTemplate{Metadata: facts.ObjectMeta{Labels: map[string]string{"app": "web"}}}},
	}})
	c.StatefulSets = facts.ReadGroup([]facts.StatefulSet{})
	listens := socket("tcp", "::", 8080)
	s.Nodes[0].Namespaces = []*facts.Namespace{podNamespace(web[0], listens)}
	s.Nodes[1].Namespaces = []*facts.Namespace{podNamespace(web[1], listens), podNamespace(coredns, socket("udp", "::", 53))}
	for _, node := range s.Nodes {
		node.IPTablesNFT = listing(shopRules("10.244.1.7:8080", "10.244.2.7:8080"))
		s.Inputs = append(s.Inputs, facts.Input{Kind: "node", Name: node.Name, CollectedAt: collected})
	}
	s.Inputs = append(s.Inputs, facts.Input{Kind: "cluster", Name: "https://192.0.2.1:6443", CollectedAt: collected})
	s.Nodes[1].Namespaces[1].ResolvConf = resolvConf("192.0.2.53")
	for _, i := range []int{0, 1} {
		s.Nodes[i].Namespaces[0].ResolvConf = resolvConf("10.96.0.10")
	}
	c.ConfigMaps = facts.ReadGroup([]facts.ConfigMap{{
		Source: "configmaps.json", Metadata: facts.ObjectMeta{Namespace: "kube-system", Name: "coredns"},
		Data: map[string]string{"Corefile": ".:53 {\n    forward . /etc/resolv.conf\n    loop\n}\n"},
	}})
	return s
}

func resolvConf(nameserver string) facts.Group[facts.ResolvConf] {
	return facts.ReadGroup(facts.ResolvConf{
		File: "/etc/resolv.conf", Source: "nsenter -t 42 -m cat /etc/resolv.conf",
		Nameservers: []facts.Nameserver{{Address: netip.MustParseAddr(nameserver)}},
	})
}

// podsOf are the Pods of a name's prefix.
func podsOf(s *facts.Snapshot, prefix string) []*facts.Pod {
	var list []*facts.Pod
	for i := range s.Cluster.Pods.Value {
		if pod := &s.Cluster.Pods.Value[i]; strings.HasPrefix(pod.Metadata.Name, prefix) {
			list = append(list, pod)
		}
	}
	return list
}

// withoutEndpoints is how the cluster follows when no Pod of shop/web is ready: no endpoint, and a rule that refuses.
func withoutEndpoints(s *facts.Snapshot, addresses ...string) {
	s.Cluster.EndpointSlices.Value[1] = endpointsOf("shop", "web", "", "TCP", 8080, false, addresses...)
	for _, node := range s.Nodes {
		node.IPTablesNFT = listing(shopRules())
	}
}

func listenOn(s *facts.Snapshot, listeners ...facts.Listener) {
	s.Nodes[0].Namespaces[0].Listeners = facts.ReadGroup(listeners)
	s.Nodes[1].Namespaces[0].Listeners = facts.ReadGroup(listeners)
}

func TestHealthyShopRulesEverythingOut(t *testing.T) {
	d := diagnose(t, webShop())
	if len(d.Findings)+len(d.NotExamined) > 0 {
		t.Errorf("findings %+v, not examined %+v", d.Findings, d.NotExamined)
	}
}

// Each fault has one root, whatever else follows from it.
func TestServiceIncidents(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*facts.Snapshot)
		want   []string // roots, each with its subject
		says   string   // of the first root's message
		does   string   // of its first step
	}{
		{
			"the selector is misspelt", func(s *facts.Snapshot) {
				s.Cluster.Services.Value[1].Spec.Selector = map[string]string{"app": "wbe"}
				withoutEndpoints(s)
			},
			[]string{"service-selector-matches-nothing Service shop/web"},
			"2 Pods (web-1, web-2) have app=web", `{"spec":{"selector":{"app":"web"}}}`,
		},
		{
			"scaled to zero on purpose", func(s *facts.Snapshot) {
				none := int32(0)
				s.Cluster.Deployments.Value[0].Spec.Replicas = &none
				s.Cluster.Pods.Value = slices.DeleteFunc(s.Cluster.Pods.Value, func(p facts.Pod) bool { return p.Metadata.Namespace == "shop" })
				withoutEndpoints(s)
			},
			nil, "", "",
		},
		{
			"all Pods crash", func(s *facts.Snapshot) {
				for _, pod := range podsOf(s, "web-") {
					unready(pod, "CrashLoopBackOff")
				}
				listenOn(s)
				withoutEndpoints(s, "10.244.1.7", "10.244.2.7")
			},
			[]string{"service-endpoints-not-ready Service shop/web"},
			"CrashLoopBackOff", "kubectl -n shop describe pod web-1",
		},
		{
			"one Pod of two crashes", func(s *facts.Snapshot) {
				unready(podsOf(s, "web-")[0], "CrashLoopBackOff")
				s.Cluster.EndpointSlices.Value[1] = endpointsOf("shop", "web", "", "TCP", 8080, true, "10.244.2.7")
				for _, node := range s.Nodes {
					node.IPTablesNFT = listing(shopRules("10.244.2.7:8080"))
				}
			},
			nil, "", "",
		},
		{
			"Pods start just now", func(s *facts.Snapshot) {
				for _, pod := range podsOf(s, "web-") {
					unready(pod, "ContainerCreating")
					pod.Metadata.CreationTimestamp = collected.Add(-5 * time.Second).Format(time.RFC3339)
					pod.Status.Conditions[0].LastTransitionTime = pod.Metadata.CreationTimestamp
				}
				withoutEndpoints(s, "10.244.1.7", "10.244.2.7")
			},
			nil, "", "",
		},
		{
			"nothing listens, and a probe finds that", func(s *facts.Snapshot) {
				for _, pod := range podsOf(s, "web-") {
					unready(pod, "")
				}
				listenOn(s)
				withoutEndpoints(s, "10.244.1.7", "10.244.2.7")
			},
			[]string{"nothing-listens-on-port Service shop/web"},
			"nothing listens on it", "kubectl -n shop logs web-1",
		},
		{
			"nothing listens, without a probe", func(s *facts.Snapshot) { listenOn(s) },
			[]string{"nothing-listens-on-port Service shop/web"},
			"2 Pods (web-1, web-2)", "kubectl -n shop logs web-1",
		},
		{
			"the program listens on loopback", func(s *facts.Snapshot) { listenOn(s, socket("tcp", "127.0.0.1", 8080)) },
			[]string{"listener-on-loopback-only Service shop/web"},
			"listens on 127.0.0.1 alone", "listen on 0.0.0.0",
		},
		{
			"the Service sends to another port", func(s *facts.Snapshot) {
				s.Cluster.Services.Value[1].Spec.Ports[0].TargetPort = float64(8081)
				s.Cluster.EndpointSlices.Value[1] = endpointsOf("shop", "web", "", "TCP", 8081, true, "10.244.1.7", "10.244.2.7")
				for _, node := range s.Nodes {
					node.IPTablesNFT = listing(shopRules("10.244.1.7:8081", "10.244.2.7:8081"))
				}
			},
			[]string{"service-target-port-mismatch Service shop/web"},
			"but on 8080", `"value":8080`,
		},
		{
			"a port that is not declared but listened on", func(s *facts.Snapshot) {
				for _, pod := range podsOf(s, "web-") {
					pod.Spec.Containers[0].Ports = []facts.ContainerPort{{ContainerPort: 9090}}
				}
			},
			nil, "", "",
		},
		{
			"a name that no container declares", func(s *facts.Snapshot) {
				s.Cluster.Services.Value[1].Spec.Ports[0].TargetPort = "http"
				s.Cluster.EndpointSlices.Value[1].Ports = nil
				for _, node := range s.Nodes {
					node.IPTablesNFT = listing(shopRules())
				}
			},
			[]string{"service-target-port-mismatch Service shop/web"},
			"no container of 2 Pods", `"value":8080`,
		},
		{
			"the DNS Pods crash", func(s *facts.Snapshot) {
				unready(podsOf(s, "coredns-")[0], "CrashLoopBackOff")
				s.Nodes[1].Namespaces[1].Listeners = facts.ReadGroup([]facts.Listener{})
				s.Cluster.EndpointSlices.Value[0] = endpointsOf("kube-system", "kube-dns", "dns", "UDP", 53, false, "10.244.2.2")
				for _, node := range s.Nodes {
					text := strings.ReplaceAll(shopRules("10.244.1.7:8080", "10.244.2.7:8080"), "-A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m udp --dport 53 -j KUBE-SVC-A\n", "")
					node.IPTablesNFT = listing(text)
				}
			},
			[]string{"dns-service-without-endpoints Service kube-system/kube-dns"},
			"CrashLoopBackOff", "kubectl -n kube-system describe pod coredns-1",
		},
		{
			"CoreDNS forwards to itself, and ends", func(s *facts.Snapshot) {
				unready(podsOf(s, "coredns-")[0], "CrashLoopBackOff")
				s.Nodes[1].Namespaces[1].Listeners = facts.ReadGroup([]facts.Listener{})
				s.Nodes[1].Namespaces[1].ResolvConf = resolvConf("127.0.0.53")
				s.Cluster.EndpointSlices.Value[0] = endpointsOf("kube-system", "kube-dns", "dns", "UDP", 53, false, "10.244.2.2")
				for _, node := range s.Nodes {
					text := strings.ReplaceAll(shopRules("10.244.1.7:8080", "10.244.2.7:8080"), "-A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m udp --dport 53 -j KUBE-SVC-A\n", "")
					node.IPTablesNFT = listing(text)
				}
			},
			[]string{"dns-loop Pod kube-system/coredns-1"},
			"sends names to 127.0.0.53, which comes back to it", "/run/systemd/resolve/resolv.conf",
		},
		{
			"kubelet of a node gives Pods an address that nobody has", func(s *facts.Snapshot) {
				s.Nodes[0].KubeletConfig.Value.ClusterDNS = []string{"10.96.0.11"}
				s.Nodes[0].Namespaces[0].ResolvConf = resolvConf("10.96.0.11")
			},
			[]string{"pod-resolv-conf-wrong Node n1"},
			"Pod shop/web-1 of n1 asks 10.96.0.11", "sed -i",
		},
		{
			"kube-proxy of a node died, and the Pods moved", func(s *facts.Snapshot) {
				proxy := podsOf(s, "kube-proxy-n1")[0]
				proxy.Status.Conditions = []facts.Condition{{Type: "Ready", Status: "False"}}
				s.Cluster.PriorityClasses = facts.ReadGroup([]facts.PriorityClass{})
				s.Cluster.DaemonSets.Value[0].Spec.Template.Spec.PriorityClassName = "system-node-critical"
				s.Nodes[0].IPTablesNFT = listing(shopRules("10.244.1.9:8080", "10.244.2.7:8080"))
			},
			[]string{"kube-proxy-not-running-on-node Node n1"},
			"The kube-proxy Pod on n1 does not work", "kubectl -n kube-system describe pod kube-proxy-n1",
		},
		{
			"kube-proxy of a node hangs", func(s *facts.Snapshot) {
				s.Nodes[0].IPTablesNFT = listing(shopRules("10.244.1.9:8080"))
			},
			[]string{"service-rules-stale Node n1"},
			"goes to 10.244.1.9:8080, which is no endpoint of it", "kubectl -n kube-system logs kube-proxy-n1",
		},
		{
			"a node drops for want of a local Pod", func(s *facts.Snapshot) {
				s.Cluster.Services.Value[1].Spec.ExternalTrafficPolicy = "Local"
				slice := &s.Cluster.EndpointSlices.Value[1]
				slice.Endpoints = slice.Endpoints[:1]
				slice.Endpoints[0].NodeName = "n1"
				s.Cluster.Pods.Value = slices.DeleteFunc(s.Cluster.Pods.Value, func(p facts.Pod) bool { return p.Metadata.Name == "web-2" })
				for _, node := range s.Nodes {
					node.IPTablesNFT = listing(shopRules("10.244.1.7:8080") + `*filter
:KUBE-EXTERNAL-SERVICES - [0:0]
[3:180] -A KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment "shop/web has no local endpoints" -m addrtype --dst-type LOCAL -m tcp --dport 30080 -j DROP
COMMIT
`)
				}
			},
			[]string{"external-traffic-policy-local-no-endpoint Service shop/web"},
			"n2, to which it comes, has none of its Pods", `"externalTrafficPolicy":"Cluster"`,
		},
		{
			"two nodes have one podCIDR", func(s *facts.Snapshot) {
				for i := range s.Cluster.Nodes.Value {
					s.Cluster.Nodes.Value[i].Metadata.Annotations["flannel.alpha.coreos.com/kube-subnet-manager"] = "true"
				}
				s.Cluster.Nodes.Value[1].Spec.PodCIDR, s.Cluster.Nodes.Value[1].Spec.PodCIDRs = "10.244.1.0/24", []string{"10.244.1.0/24"}
				s.Nodes[0].Routes.Value = s.Nodes[0].Routes.Value[:1]
				s.Nodes[1].Routes.Value = s.Nodes[1].Routes.Value[:1]
			},
			[]string{"duplicate-pod-cidr Node n2"},
			"n1 and n2 both have 10.244.1.0/24", "kubectl drain n2",
		},
		{
			"a node has no podCIDR", func(s *facts.Snapshot) {
				n3 := nodeObject("n3", "192.0.2.3", "", "")
				n3.Metadata.CreationTimestamp = anHourBefore()
				n3.Metadata.Annotations, n3.Spec = nil, facts.NodeSpec{}
				n3.Status.Conditions = []facts.Condition{{Type: "Ready", Status: "False", Message: "cni config uninitialized"}}
				s.Cluster.Nodes.Value[0].Metadata.Annotations["flannel.alpha.coreos.com/kube-subnet-manager"] = "true"
				s.Cluster.Nodes.Value = append(s.Cluster.Nodes.Value, n3)
				s.Cluster.Pods.Value = append(s.Cluster.Pods.Value, kubeProxyPod("n3", "Running"))
			},
			[]string{"pod-cidr-missing Node n3"},
			"n3 has no podCIDR", "--allocate-node-cidrs=true",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := webShop()
			test.change(s)
			d := diagnose(t, s)
			var roots []string
			for _, root := range d.RootCauses {
				roots = append(roots, root.ID+" "+root.Subject.String())
			}
			if diff := cmp.Diff(test.want, roots); diff != "" {
				t.Fatalf("roots (-want +got):\n%s\n%+v", diff, d.RootCauses)
			}
			if len(roots) == 0 {
				return
			}
			root := d.RootCauses[0]
			if !strings.Contains(root.Message, test.says) {
				t.Errorf("message %q does not say %q", root.Message, test.says)
			}
			if step := shownStep(root.Fix.Steps[0]); !strings.Contains(step, test.does) {
				t.Errorf("first step %q does not have %q", step, test.does)
			}
		})
	}
}

func shownStep(s engine.Step) string { return s.Run + s.Patch + s.Edit }

// With the objects alone what a rule cannot know stays open, and nothing is found.
func TestServiceRulesWithObjectsAlone(t *testing.T) {
	s := webShop()
	s.Nodes = nil
	d := diagnose(t, s)
	if len(d.Findings) > 0 {
		t.Errorf("findings %+v", d.Findings)
	}
	open := map[string]bool{}
	for _, n := range d.NotExamined {
		open[n.ID] = true
	}
	for id, want := range map[string]bool{
		"nothing-listens-on-port": true, "listener-on-loopback-only": true, "service-rules-stale": true,
		"service-target-port-mismatch": false, "service-selector-matches-nothing": false, "service-endpoints-not-ready": false,
		"dns-service-without-endpoints": false, "duplicate-pod-cidr": false, "pod-cidr-missing": false,
	} {
		if open[id] != want {
			t.Errorf("%s: not examined %v, want %v", id, open[id], want)
		}
	}
}
