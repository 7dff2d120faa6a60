package ask

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

// read is when the cluster of these tests was read.
var read = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) string { return read.Add(-d).Format(time.RFC3339) }

func labelled(pairs ...string) map[string]string {
	labels := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		labels[pairs[i]] = pairs[i+1]
	}
	return labels
}

func webService(name string, selector map[string]string, ports ...facts.ServicePort) facts.Service {
	return facts.Service{
		Source: "services.json", Metadata: facts.ObjectMeta{Namespace: "shop", Name: name},
		Spec: facts.ServiceSpec{ClusterIP: "10.96.0.20", Selector: selector, Ports: ports},
	}
}

// webPod runs on n1 and is ready.
func webPod(name string, labels map[string]string, ports ...facts.ContainerPort) facts.Pod {
	return facts.Pod{
		Source:   "pods.json",
		Metadata: facts.ObjectMeta{Namespace: "shop", Name: name, UID: "uid-" + name, Labels: labels, CreationTimestamp: ago(time.Hour)},
		Spec:     facts.PodSpec{NodeName: "n1", Containers: []facts.Container{{Name: "app", Ports: ports}}},
		Status: facts.PodStatus{
			Phase: "Running", PodIP: "10.244.1.7", PodIPs: []facts.PodIP{{IP: "10.244.1.7"}},
			Conditions:        []facts.Condition{{Type: "Ready", Status: "True", LastTransitionTime: ago(time.Hour)}},
			ContainerStatuses: []facts.ContainerStatus{{Name: "app", Ready: true, State: facts.ContainerState{Running: &struct{}{}}}},
		},
	}
}

func notReady(pod facts.Pod, since time.Duration) facts.Pod {
	pod.Status.Conditions = []facts.Condition{{Type: "Ready", Status: "False", Reason: "ContainersNotReady", LastTransitionTime: ago(since)}}
	pod.Status.ContainerStatuses[0].Ready = false
	return pod
}

func shop(services []facts.Service, pods []facts.Pod) *facts.Cluster {
	return &facts.Cluster{
		Services: facts.ReadGroup(services), Pods: facts.ReadGroup(pods),
		Deployments: facts.ReadGroup([]facts.Deployment{}), StatefulSets: facts.ReadGroup([]facts.StatefulSet{}),
		DaemonSets: facts.ReadGroup([]facts.DaemonSet{}), EndpointSlices: facts.ReadGroup([]facts.EndpointSlice{}),
	}
}

func scaledTo(name string, replicas int32, labels map[string]string) facts.Deployment {
	return facts.Deployment{
		Source: "deployments.json", Metadata: facts.ObjectMeta{Namespace: "shop", Name: name},
		Spec: facts.WorkloadSpec{Replicas: &replicas, Template: facts.PodTemplate{Metadata: facts.ObjectMeta{Labels: labels}}},
	}
}

func incidentOf(cluster *facts.Cluster, nodes ...*facts.Node) *Incident {
	return NewIncident(&facts.Snapshot{
		Nodes: nodes, Cluster: cluster, Inputs: []facts.Input{{Kind: "cluster", Name: "https://192.0.2.1:6443", CollectedAt: read}},
	})
}

func servicePods(t *testing.T, cluster *facts.Cluster) servicePodsAnswer {
	t.Helper()
	answer, err := askServicePods(incidentOf(cluster), nil)
	if err != nil {
		t.Fatal(err)
	}
	return answer.(servicePodsAnswer)
}

var http = facts.ServicePort{Port: 80, TargetPort: float64(8080)}

func TestServicePodsNear(t *testing.T) {
	port := facts.ContainerPort{ContainerPort: 8080}
	for _, test := range []struct {
		name     string
		selector map[string]string
		pods     []facts.Pod
		// want is how and patch of the nearest; empty: none is near.
		want string
	}{
		{"letters swapped", labelled("app", "wbe"), []facts.Pod{webPod("web-1", labelled("app", "web"))}, `spelling {"spec":{"selector":{"app":"web"}}}`},
		{"capital letter", labelled("app", "Web"), []facts.Pod{webPod("web-1", labelled("app", "web"))}, `spelling {"spec":{"selector":{"app":"web"}}}`},
		{
			"another key", labelled("app", "web"),
			[]facts.Pod{webPod("web-1", labelled("app.kubernetes.io/name", "web", "pod-template-hash", "web"))},
			`spelling {"spec":{"selector":{"app":null,"app.kubernetes.io/name":"web"}}}`,
		},
		{
			"a label that the Pods do not have", labelled("app", "web", "tier", "front"),
			[]facts.Pod{webPod("web-1", labelled("app", "web"), port)},
			`label {"spec":{"selector":{"tier":null}}}`,
		},
		{
			"another version", labelled("app", "web", "version", "green"),
			[]facts.Pod{webPod("web-1", labelled("app", "web", "version", "blue"), port)},
			`label {"spec":{"selector":{"version":"blue"}}}`,
		},
		{"another name, the port declared", labelled("app", "frontend"), []facts.Pod{webPod("web-1", labelled("app", "web"), port)}, `port {"spec":{"selector":{"app":"web"}}}`},
		{"another program", labelled("app", "frontend"), []facts.Pod{webPod("db-1", labelled("app", "db"), facts.ContainerPort{ContainerPort: 5432})}, ""},
		{"one of a series", labelled("app", "shard-2"), []facts.Pod{webPod("shard-1", labelled("app", "shard-1"))}, ""},
		{"a worker of the same release", labelled("app", "shop", "component", "api"), []facts.Pod{webPod("w", labelled("app", "shop", "component", "worker"))}, ""},
		{"no labels at all", labelled("app", "web"), []facts.Pod{webPod("web-1", nil)}, ""},
		{"the one that ended", labelled("app", "wbe"), []facts.Pod{func() facts.Pod { p := webPod("job-1", labelled("app", "web")); p.Status.Phase = "Succeeded"; return p }()}, ""},
		{"another namespace", labelled("app", "wbe"), []facts.Pod{func() facts.Pod { p := webPod("x", labelled("app", "web")); p.Metadata.Namespace = "x"; return p }()}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer := servicePods(t, shop([]facts.Service{webService("web", test.selector, http)}, test.pods))
			if answer.EmptyCount != 1 || len(answer.Empty) != 1 {
				t.Fatalf("answer %+v", answer)
			}
			got := ""
			for _, near := range answer.Empty[0].Near[:min(len(answer.Empty[0].Near), 1)] {
				got = near.How + " " + near.Patch
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestServicePodsWhoIsEmpty(t *testing.T) {
	headless := webService("headless", nil, http)
	headless.Spec.ClusterIP = "None"
	external := webService("external", labelled("app", "gone"))
	external.Spec.Type, external.Spec.ExternalName = "ExternalName", "db.example.com"
	cluster := shop([]facts.Service{
		webService("web", labelled("app", "web"), http), webService("no-selector", nil, http), headless, external,
		webService("off", labelled("app", "off"), http), webService("typo", labelled("app", "wbe"), http), webService("other", labelled("app", "web"), http),
	}, []facts.Pod{webPod("web-1", labelled("app", "web")), webPod("web-2", labelled("app", "web"))})
	cluster.Deployments.Value = []facts.Deployment{scaledTo("off", 0, labelled("app", "off", "tier", "x"))}

	answer := servicePods(t, cluster)
	if answer.Total != 4 || answer.Served != 2 || answer.EmptyCount != 2 || answer.NotReadyCount != 0 {
		t.Errorf("answer %+v", answer)
	}
	typo := answer.Empty[0]
	if typo.Service.Name != "typo" || typo.Near[0].Count != 2 || fmt.Sprint(typo.Near[0].SelectedBy) != "[other web]" {
		t.Errorf("typo %+v", typo)
	}
	off := answer.Empty[1]
	if off.Service.Name != "off" || len(off.Workloads) != 1 || off.Workloads[0].Replicas != 0 || len(off.Near) != 0 {
		t.Errorf("off %+v", off)
	}
	cluster.StatefulSets = facts.Unread[[]facts.StatefulSet](facts.Denied, "forbidden")
	if diff := cmp.Diff([]string{"cluster.statefulsets"}, servicePods(t, cluster).Unread); diff != "" {
		t.Error(diff)
	}
	// Pods of a namespace that was not read are not missing.
	cluster.Pods.Reason = "limited to namespaces kube-system"
	if got := servicePods(t, cluster); got.Unknown != 4 || got.FirstUnknown != "shop/web" {
		t.Errorf("%d Services are unknown, the first %q", got.Unknown, got.FirstUnknown)
	}
	if answer := servicePods(t, cluster); answer.Total != 0 {
		t.Errorf("of a namespace that was not read: %+v", answer)
	}
	cluster.Pods.Reason = "limited to namespaces kube-system, shop"
	if answer := servicePods(t, cluster); answer.Total != 4 {
		t.Errorf("of a namespace that was read: %+v", answer)
	}
}

func TestServicePodsNotReady(t *testing.T) {
	probe := json.RawMessage(`{"httpGet":{"path":"/healthz","port":8080},"initialDelaySeconds":20,"periodSeconds":5}`)
	startup := json.RawMessage(`{"tcpSocket":{"port":8080},"periodSeconds":2,"failureThreshold":60}`)
	slow := notReady(webPod("slow", labelled("app", "slow")), 15*time.Second)
	slow.Spec.Containers[0].ReadinessProbe, slow.Spec.Containers[0].StartupProbe = &probe, &startup
	sick := notReady(webPod("sick", labelled("app", "sick")), 10*time.Minute)
	cluster := shop([]facts.Service{
		webService("slow", labelled("app", "slow"), http), webService("sick", labelled("app", "sick"), http),
		webService("sick-metrics", labelled("app", "sick"), facts.ServicePort{Port: 9090}), webService("stuck", labelled("app", "stuck"), http),
		webService("mixed", labelled("app", "mixed"), http),
	}, []facts.Pod{slow, sick, notReady(webPod("mixed-1", labelled("app", "mixed")), time.Hour), webPod("mixed-2", labelled("app", "mixed"))})
	cluster.Deployments.Value = []facts.Deployment{scaledTo("stuck", 3, labelled("app", "stuck"))}
	cluster.Events = facts.ReadGroup([]facts.Event{
		{Source: "events.json", InvolvedObject: facts.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "sick"}, Type: "Warning", Reason: "Unhealthy", Message: "older"},
		{Source: "events.json", InvolvedObject: facts.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "sick"}, Type: "Warning", Reason: "Unhealthy", Message: "newer"},
	})
	answer := servicePods(t, cluster)
	if answer.NotReadyCount != 3 || answer.Served != 1 || answer.EmptyCount != 0 {
		t.Fatalf("answer %+v", answer)
	}
	byName := map[string]notReadyGroup{}
	for _, group := range answer.NotReady {
		byName[group.Services[0].Name] = group
	}
	if g := byName["sick"]; len(g.Services) != 2 || g.Pods[0].Seconds != 600 || g.Pods[0].Events[0].Message != "newer" || fmt.Sprint(g.Nodes) != "[n1]" {
		t.Errorf("sick %+v", g)
	}
	if g := byName["slow"]; g.Pods[0].Seconds != 15 || g.Pods[0].Probe.Seconds != 150 || g.Pods[0].Probe.Shown != "HTTP GET /healthz on port 8080" {
		t.Errorf("slow %+v, probe %+v", g, g.Pods[0].Probe)
	}
	if g := byName["stuck"]; g.Count != 0 || g.Workloads[0].Replicas != 3 {
		t.Errorf("stuck %+v", g)
	}
	// The controller may know more than the Pods' conditions that were read before.
	cluster.EndpointSlices.Value = []facts.EndpointSlice{{
		Metadata:  facts.ObjectMeta{Namespace: "shop", Name: "sick-x", Labels: labelled("kubernetes.io/service-name", "sick")},
		Endpoints: []facts.Endpoint{{Addresses: []string{"10.244.1.7"}}},
	}}
	if answer := servicePods(t, cluster); answer.Served != 2 {
		t.Errorf("with a ready endpoint: %+v", answer)
	}
}

func TestIsDNS(t *testing.T) {
	port := facts.ServicePort{Port: 53, Protocol: "UDP"}
	for _, test := range []struct {
		namespace, name string
		labels          map[string]string
		ports           []facts.ServicePort
		want            bool
	}{
		{"kube-system", "kube-dns", nil, []facts.ServicePort{port}, true},
		{"kube-system", "rke2-coredns-rke2-coredns", labelled("k8s-app", "kube-dns"), []facts.ServicePort{port}, true},
		{"openshift-dns", "dns-default", nil, []facts.ServicePort{port}, true},
		{"kube-system", "cluster-dns", labelled("app.kubernetes.io/name", "coredns"), []facts.ServicePort{port}, true},
		{"edge", "gateway", labelled("app.kubernetes.io/name", "coredns"), []facts.ServicePort{port}, false},
		{"kube-system", "kube-dns-metrics", labelled("k8s-app", "kube-dns"), []facts.ServicePort{{Port: 9153}}, false},
		{"shop", "dns-default", nil, []facts.ServicePort{port}, false},
		{"kube-system", "rke2-coredns-rke2-coredns", labelled("app.kubernetes.io/name", "rke2-coredns"), []facts.ServicePort{port}, true},
		{"kube-system", "dns", labelled("kubernetes.io/name", "CoreDNS"), []facts.ServicePort{port}, true},
		{"kube-system", "kube-dns", nil, []facts.ServicePort{{Port: 53, Protocol: "TCP"}}, false},
		{"openshift-dns", "dns-infra", labelled("dns.operator.openshift.io/owning-dns", "infra"), []facts.ServicePort{port}, true},
		{"team-a", "kube-dns-x-kube-system-x-vcluster", labelled("k8s-app", "kube-dns"), []facts.ServicePort{port}, false},
		{"edge-dns", "coredns", labelled("k8s-app", "coredns"), []facts.ServicePort{port}, false},
	} {
		service := facts.Service{Metadata: facts.ObjectMeta{Namespace: test.namespace, Name: test.name, Labels: test.labels}, Spec: facts.ServiceSpec{Ports: test.ports}}
		if got := isDNS(&service); got != test.want {
			t.Errorf("%s/%s: %v", test.namespace, test.name, got)
		}
	}
}

func listener(local string, port int) facts.Listener {
	return facts.Listener{Source: "ss -lntup", Proto: "tcp", Local: netip.MustParseAddr(local), Port: port, PID: 42, Process: "app"}
}

// podNode is n1 with the network namespace of a Pod in which these listen.
func podNode(pod string, listeners ...facts.Listener) *facts.Node {
	ns := &facts.Namespace{ID: "cni-1", Pod: &facts.PodReference{Namespace: "shop", Name: pod, UID: "uid-" + pod}}
	ns.Listeners = facts.ReadGroup(listeners)
	return &facts.Node{Name: "n1", Namespaces: []*facts.Namespace{ns}}
}

func TestServiceTargets(t *testing.T) {
	declared := facts.ContainerPort{Name: "http", ContainerPort: 8080}
	for _, test := range []struct {
		name      string
		port      facts.ServicePort
		declared  []facts.ContainerPort
		change    func(*facts.Pod, *facts.Node)
		listeners []facts.Listener
		// want is "STATE suggestion", "heard", "undecided: REASON" or "" for neither.
		want string
	}{
		{"any address", http, nil, nil, []facts.Listener{listener("0.0.0.0", 8080)}, "heard"},
		{"any address of both families", http, nil, nil, []facts.Listener{listener("::", 8080)}, "heard"},
		{"the Pod's own", http, nil, nil, []facts.Listener{listener("10.244.1.7", 8080)}, "heard"},
		{"by name", facts.ServicePort{Port: 80, TargetPort: "http"}, []facts.ContainerPort{declared}, nil, []facts.Listener{listener("::", 8080)}, "heard"},
		{"without targetPort", facts.ServicePort{Port: 8080}, nil, nil, []facts.Listener{listener("0.0.0.0", 8080)}, "heard"},
		{"IPv6 alone", http, nil, nil, []facts.Listener{{Proto: "tcp", Local: netip.IPv6Unspecified(), Port: 8080, V6Only: true}}, "elsewhere 0"},
		{"loopback", http, nil, nil, []facts.Listener{listener("127.0.0.1", 8080)}, "loopback 0"},
		{"loopback of IPv6", http, nil, nil, []facts.Listener{listener("::1", 8080)}, "loopback 0"},
		{"loopback and any", http, nil, nil, []facts.Listener{listener("127.0.0.1", 8080), listener("0.0.0.0", 8080)}, "heard"},
		{"another port", http, nil, nil, []facts.Listener{listener("0.0.0.0", 9090)}, "nothing 9090"},
		{"the declared one of two others", http, []facts.ContainerPort{{ContainerPort: 9090}}, nil, []facts.Listener{listener("0.0.0.0", 9090), listener("0.0.0.0", 9100)}, "nothing 9090"},
		{"two others", http, nil, nil, []facts.Listener{listener("0.0.0.0", 9090), listener("0.0.0.0", 9100)}, "nothing 0"},
		{"UDP there, TCP asked", http, nil, nil, []facts.Listener{{Proto: "udp", Local: netip.IPv4Unspecified(), Port: 8080}}, "nothing 0"},
		{"a name that nothing has", facts.ServicePort{Port: 80, TargetPort: "web"}, []facts.ContainerPort{declared}, nil, nil, "undeclared 8080"},
		{
			"the name of a sidecar's port",
			facts.ServicePort{Port: 80, TargetPort: "proxy"},
			nil,
			func(p *facts.Pod, _ *facts.Node) {
				p.Spec.InitContainers = []facts.Container{{Name: "p", RestartPolicy: "Always", Ports: []facts.ContainerPort{{Name: "proxy", ContainerPort: 8081}}}}
			},
			[]facts.Listener{listener("0.0.0.0", 8081)},
			"heard",
		},
		{
			"gVisor", http, nil, func(p *facts.Pod, _ *facts.Node) { p.Spec.RuntimeClassName = "gvisor" }, nil,
			"undecided: its runtime class gvisor may keep its sockets out of the node's sight",
		},
		{
			"a mesh", http, nil, func(_ *facts.Pod, n *facts.Node) {
				n.Namespaces[0].IPTablesNFT = facts.Group[facts.Listing]{Meta: facts.Meta{Status: facts.Read, Raw: []facts.Raw{{Data: []byte("-A X -j REDIRECT --to-ports 15006\n")}}}}
			},
			[]facts.Listener{listener("127.0.0.1", 8080)},
			"undecided: rules in its network namespace lead its packets to a proxy",
		},
		{"another Pod's namespace", http, nil, func(_ *facts.Pod, n *facts.Node) { n.Namespaces[0].Pod.UID = "old" }, nil, "undecided: its network namespace was not found on n1"},
		{"another node", http, nil, func(p *facts.Pod, _ *facts.Node) { p.Spec.NodeName = "n9" }, nil, "undecided: nothing was collected on n9"},
		{"SCTP", facts.ServicePort{Port: 80, Protocol: "SCTP"}, nil, nil, nil, "undecided: listeners of SCTP are not collected"},
		{"started just now", http, nil, func(p *facts.Pod, _ *facts.Node) { p.Status.Conditions[0].LastTransitionTime = ago(5 * time.Second) }, nil, "undecided: Pods that do not run, or started only now"},
		{"restarting", http, nil, func(p *facts.Pod, _ *facts.Node) {
			*p = notReady(*p, time.Hour)
			p.Status.ContainerStatuses[0].RestartCount = 7
		}, nil, "undecided: Pods that do not run, or started only now"},
		{"the host's network", http, nil, func(p *facts.Pod, n *facts.Node) {
			p.Spec.HostNetwork = true
			n.Listeners = facts.ReadGroup([]facts.Listener{listener("127.0.0.1", 8080), listener("0.0.0.0", 10250)})
		}, nil, "loopback 0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := webPod("web-1", labelled("app", "web"), test.declared...)
			node := podNode("web-1", test.listeners...)
			if test.change != nil {
				test.change(&pod, node)
			}
			cluster := shop([]facts.Service{webService("web", labelled("app", "web"), test.port)}, []facts.Pod{pod})
			got, err := askServiceTargets(incidentOf(cluster, node), nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, shownTargets(got.(serviceTargetsAnswer))); diff != "" {
				t.Errorf("%s\n%+v", diff, got)
			}
		})
	}
}

func shownTargets(a serviceTargetsAnswer) string {
	switch {
	case a.Count > 0:
		return fmt.Sprintf("%s %d", a.Faults[0].State, a.Faults[0].Suggestion)
	case a.Heard > 0:
		return "heard"
	case a.Undecided > 0:
		return "undecided: " + a.Reasons[0]
	}
	return ""
}

// Of a namespace whose Pods were not read nothing is said of its Services, and that is said.
func TestServiceTargetsOfUnreadPods(t *testing.T) {
	port := facts.ServicePort{Port: 80}
	other := webService("db", labelled("app", "db"), port)
	other.Metadata.Namespace = "data"
	cluster := shop([]facts.Service{webService("web", labelled("app", "web"), port), other}, []facts.Pod{webPod("web-1", labelled("app", "web"))})
	cluster.Pods.Reason = "limited to namespaces kube-system, shop"
	got, err := askServiceTargets(incidentOf(cluster, podNode("web-1")), nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := got.(serviceTargetsAnswer); a.Unknown != 1 || a.FirstUnknown != "data/db" || a.Total != 1 {
		t.Errorf("%+v", a)
	}
}

// A number that no container declares is in doubt also while the Pods have started only now.
func TestServiceTargetsUndeclaredOfPodsThatStart(t *testing.T) {
	pod := webPod("web-1", labelled("app", "web"), facts.ContainerPort{ContainerPort: 5432})
	pod.Status.Conditions[0].LastTransitionTime = ago(5 * time.Second)
	cluster := shop([]facts.Service{webService("web", labelled("app", "web"), facts.ServicePort{Port: 5432, TargetPort: float64(5433)})}, []facts.Pod{pod})
	got, err := askServiceTargets(incidentOf(cluster, podNode("web-1")), nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := got.(serviceTargetsAnswer); a.Undecided != 1 || a.Undeclared != 1 {
		t.Errorf("%+v", a)
	}
}

// A headless Service's port is a hint: its clients know the port.
func TestServiceTargetsHeadless(t *testing.T) {
	headless := webService("web", labelled("app", "web"), http)
	headless.Spec.ClusterIP = "None"
	for want, listeners := range map[string][]facts.Listener{"": nil, "loopback 0": {listener("127.0.0.1", 8080)}} {
		cluster := shop([]facts.Service{headless}, []facts.Pod{webPod("web-1", labelled("app", "web"))})
		got, err := askServiceTargets(incidentOf(cluster, podNode("web-1", listeners...)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, shownTargets(got.(serviceTargetsAnswer))); diff != "" {
			t.Error(diff)
		}
	}
}

// One of two Pods listens: where the other is ready, it gets connections; where not, it is just on its way.
func TestServiceTargetsOfSeveralPods(t *testing.T) {
	for name, test := range map[string]struct {
		second facts.Pod
		want   string
	}{
		"ready":     {webPod("web-2", labelled("app", "web")), "nothing 0"},
		"not ready": {notReady(webPod("web-2", labelled("app", "web")), time.Hour), "heard"},
	} {
		node := podNode("web-1", listener("0.0.0.0", 8080))
		node.Namespaces = append(node.Namespaces, podNode("web-2").Namespaces...)
		cluster := shop([]facts.Service{webService("web", labelled("app", "web"), http)}, []facts.Pod{webPod("web-1", labelled("app", "web")), test.second})
		got, err := askServiceTargets(incidentOf(cluster, node), nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, shownTargets(got.(serviceTargetsAnswer))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestServicePodsOfManyServices(t *testing.T) {
	var services []facts.Service
	var pods []facts.Pod
	for i := range 10_000 {
		labels := labelled("app", fmt.Sprintf("app-%d", i))
		services = append(services, webService(fmt.Sprintf("s-%d", i), labels, http))
		pods = append(pods, notReady(webPod(fmt.Sprintf("p-%d", i), labels), time.Hour))
	}
	answer := servicePods(t, shop(services, pods))
	if answer.NotReadyCount != 10_000 || len(answer.NotReady) != maxUnserved {
		t.Errorf("%d, %d shown", answer.NotReadyCount, len(answer.NotReady))
	}
}
