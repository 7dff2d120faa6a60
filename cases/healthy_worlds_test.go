package cases_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netcause/netcause/collectors/bundle"
	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/report"
	"github.com/netcause/netcause/rules"
)

// object is one of the API, as JSON has it.
type object = map[string]any

// world is a cluster as `kubectl get KIND -A -o json` lists it, in a few lines.
type world struct {
	objects map[string][]object // by kind
	// left are kinds that nobody listed.
	left []string
}

// change sets a field of an object by its path: "status.phase". A map is merged into the one that is there.
type change struct {
	path  string
	value any
}

func set(path string, value any) change { return change{path, value} }

func (c change) apply(o object) {
	keys := strings.Split(c.path, ".")
	for _, key := range keys[:len(keys)-1] {
		next, ok := o[key].(object)
		if !ok {
			next = object{}
			o[key] = next
		}
		o = next
	}
	last := keys[len(keys)-1]
	if into, ok := o[last].(object); ok {
		if from, ok := c.value.(object); ok {
			maps.Copy(into, from)
			return
		}
	}
	o[last] = c.value
}

// noon is when these worlds were listed; what is in them is a day old unless it says otherwise.
var noon = time.Date(2026, 5, 6, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) string { return noon.Add(-d).Format(time.RFC3339) }

var yesterday = ago(24 * time.Hour)

func newWorld() *world {
	w := &world{objects: map[string][]object{}}
	w.add("Namespace", "default")
	w.add("Namespace", "kube-system")
	w.add("Service", "default/kubernetes", set("spec", object{
		"type": "ClusterIP", "clusterIP": "10.96.0.1", "ports": []object{{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}},
	}))
	w.add("EndpointSlice", "default/kubernetes", set("metadata.labels", object{"kubernetes.io/service-name": "kubernetes"}), set("addressType", "IPv4"),
		set("endpoints", []object{{"addresses": []string{"192.168.0.2"}, "conditions": object{"ready": true}}}),
		set("ports", []object{{"name": "https", "port": 6443, "protocol": "TCP"}}))
	return w
}

func (w *world) add(kind, name string, changes ...change) object {
	metadata := object{"name": name, "uid": kind + "-" + name, "creationTimestamp": yesterday, "labels": object{}, "annotations": object{}}
	if namespace, base, ok := strings.Cut(name, "/"); ok {
		metadata["namespace"], metadata["name"] = namespace, base
	}
	o := object{"kind": kind, "metadata": metadata}
	for _, c := range changes {
		c.apply(o)
	}
	w.objects[kind] = append(w.objects[kind], o)
	return o
}

// node is a Ready Node; of the podCIDR says its number.
func (w *world) node(name string, changes ...change) object {
	n := len(w.objects["Node"]) + 1
	o := w.add("Node", name, append([]change{
		set("metadata.labels", object{"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}),
		set("spec", object{}),
		set("status", object{
			"addresses":  []object{{"type": "InternalIP", "address": fmt.Sprintf("192.168.%d.%d", n/250, 10+n%250)}, {"type": "Hostname", "address": name}},
			"conditions": []object{{"type": "Ready", "status": "True", "reason": "KubeletReady", "lastTransitionTime": yesterday, "lastHeartbeatTime": ago(0)}},
			"nodeInfo":   object{"kubeletVersion": "v1.33.1", "containerRuntimeVersion": "containerd://2.1.4"},
		}),
	}, changes...)...)
	return o
}

// podCIDR gives the node of a number a /24 of 10.244.0.0/16.
func podCIDR(n int) change {
	cidr := fmt.Sprintf("10.%d.%d.0/24", 244+n/250, n%250)
	return set("spec", object{"podCIDR": cidr, "podCIDRs": []string{cidr}})
}

func nodeNotReady(reason, message, since string) change {
	status := "False"
	if reason == "NodeStatusUnknown" {
		status = "Unknown"
	}
	return set("status.conditions", []object{{"type": "Ready", "status": status, "reason": reason, "message": message, "lastTransitionTime": since}})
}

func podNotReady(since string) change {
	return set("status.conditions", []object{
		{"type": "PodScheduled", "status": "True", "lastTransitionTime": since},
		{"type": "Initialized", "status": "True", "lastTransitionTime": since},
		{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": since},
	})
}

func waiting(reason string) change {
	return set("status.containerStatuses", []object{{"name": "app", "ready": false, "restartCount": 0, "state": object{"waiting": object{"reason": reason}}}})
}

// container listens on the ports, each "name:number".
func container(image string, ports ...string) object {
	list := []object{}
	for _, port := range ports {
		name, number, _ := strings.Cut(port, ":")
		protocol := "TCP"
		if strings.HasSuffix(number, "/UDP") {
			number, protocol = strings.TrimSuffix(number, "/UDP"), "UDP"
		}
		var n int
		fmt.Sscan(number, &n)
		list = append(list, object{"name": name, "containerPort": n, "protocol": protocol})
	}
	return object{"name": "app", "image": image, "ports": list}
}

// pod is Running and Ready.
func (w *world) pod(name, node string, labels object, c object, changes ...change) object {
	n := len(w.objects["Pod"]) + 1
	address := fmt.Sprintf("10.200.%d.%d", n/250, 2+n%250)
	return w.add("Pod", name, append([]change{
		set("metadata.labels", labels),
		set("spec", object{"nodeName": node, "dnsPolicy": "ClusterFirst", "containers": []object{c}}),
		set("status", object{
			"phase": "Running", "podIP": address, "podIPs": []object{{"ip": address}},
			"conditions": []object{
				{"type": "PodScheduled", "status": "True", "lastTransitionTime": yesterday},
				{"type": "Ready", "status": "True", "lastTransitionTime": yesterday},
			},
			"containerStatuses": []object{{"name": "app", "ready": true, "restartCount": 0, "state": object{"running": object{"startedAt": yesterday}}}},
		}),
	}, changes...)...)
}

// workload is a Deployment or StatefulSet with its Pods on nodes, one each.
func (w *world) workload(kind, name string, nodes []string, labels object, c object, changes ...change) {
	w.add(kind, name, append([]change{set("spec", object{
		"replicas": len(nodes), "selector": object{"matchLabels": labels},
		"template": object{"metadata": object{"labels": labels}, "spec": object{"containers": []object{c}}},
	})}, changes...)...)
	for i, node := range nodes {
		w.pod(fmt.Sprintf("%s-%d", name, i), node, labels, c)
	}
}

// daemonSet has a Pod on each of the nodes, on the host's network.
func (w *world) daemonSet(name string, nodes []string, c object, changes ...change) {
	_, base, _ := strings.Cut(name, "/")
	labels := object{"k8s-app": base}
	w.add("DaemonSet", name, append([]change{
		set("spec", object{"selector": object{"matchLabels": labels}, "template": object{
			"metadata": object{"labels": labels},
			"spec": object{
				"hostNetwork": true, "priorityClassName": "system-node-critical", "tolerations": []object{{"operator": "Exists"}}, "containers": []object{c},
			},
		}}),
		set("status", object{
			"desiredNumberScheduled": len(nodes), "currentNumberScheduled": len(nodes), "numberReady": len(nodes), "numberMisscheduled": 0,
		}),
	}, changes...)...)
	for i, node := range nodes {
		w.agent(name, fmt.Sprintf("%s-%d", name, i), node, c)
	}
}

// agent is a DaemonSet's Pod.
func (w *world) agent(daemonSet, name, node string, c object, changes ...change) {
	_, base, _ := strings.Cut(daemonSet, "/")
	w.pod(name, node, object{"k8s-app": base}, c, append([]change{
		set("spec.hostNetwork", true),
		set("metadata.ownerReferences", []object{{"kind": "DaemonSet", "name": base, "controller": true}}),
	}, changes...)...)
}

// service sends to ports, each "name:port:target" with "/UDP" behind where it is. Its EndpointSlice is made when the world
// is listed, unless it has one.
func (w *world) service(name, clusterIP string, selector object, ports []string, changes ...change) object {
	list := []object{}
	for _, port := range ports {
		port, protocol := strings.TrimSuffix(port, "/UDP"), "TCP"
		if port != ports[len(list)] {
			protocol = "UDP"
		}
		parts := strings.Split(port, ":")
		var number, target int
		fmt.Sscan(parts[1], &number)
		p := object{"name": parts[0], "port": number, "protocol": protocol, "targetPort": parts[2]}
		if _, err := fmt.Sscan(parts[2], &target); err == nil {
			p["targetPort"] = target
		}
		list = append(list, p)
	}
	spec := object{"type": "ClusterIP", "clusterIP": clusterIP, "ports": list}
	if selector != nil {
		spec["selector"] = selector
	}
	return w.add("Service", name, append([]change{set("spec", spec)}, changes...)...)
}

// dns is CoreDNS as most distributions have it.
func (w *world) dns(nodes ...string) {
	w.workload("Deployment", "kube-system/coredns", nodes, object{"k8s-app": "kube-dns"}, coreDNS())
	w.service("kube-system/kube-dns", "10.96.0.10", object{"k8s-app": "kube-dns"}, dnsPorts, set("metadata.labels", object{"k8s-app": "kube-dns"}))
	w.add("ConfigMap", "kube-system/coredns", set("data", object{"Corefile": ".:53 {\n    errors\n    kubernetes cluster.local\n    forward . 192.168.0.53\n}\n"}))
}

func coreDNS() object {
	c := container("registry.k8s.io/coredns/coredns:v1.12.1", "dns:53/UDP", "dns-tcp:53", "metrics:9153")
	c["args"] = []string{"-conf", "/etc/coredns/Corefile"}
	return c
}

var dnsPorts = []string{"dns:53:53/UDP", "dns-tcp:53:53", "metrics:9153:9153"}

func (w *world) kubeProxy(nodes ...string) {
	c := container("registry.k8s.io/kube-proxy:v1.33.1")
	c["command"] = []string{"/usr/local/bin/kube-proxy", "--config=/var/lib/kube-proxy/config.conf"}
	w.daemonSet("kube-system/kube-proxy", nodes, c, set("spec.template.spec.nodeSelector", object{"kubernetes.io/os": "linux"}))
}

// slices makes the EndpointSlices of Services that select Pods.
func (w *world) slices() {
	has := map[string]bool{}
	for _, slice := range w.objects["EndpointSlice"] {
		m := slice["metadata"].(object)
		has[fmt.Sprint(m["namespace"], "/", m["labels"].(object)["kubernetes.io/service-name"])] = true
	}
	for _, service := range w.objects["Service"] {
		m, spec := service["metadata"].(object), service["spec"].(object)
		name := fmt.Sprint(m["namespace"], "/", m["name"])
		selector, ok := spec["selector"].(object)
		if !ok || has[name] {
			continue
		}
		endpoints, ports := []object{}, []object{}
		for _, pod := range w.objects["Pod"] {
			pm, ps := pod["metadata"].(object), pod["status"].(object)
			labels := pm["labels"].(object)
			if pm["namespace"] != m["namespace"] || ps["phase"] != "Running" || ps["podIP"] == nil {
				continue
			}
			if slices.ContainsFunc(slices.Collect(maps.Keys(selector)), func(key string) bool { return labels[key] != selector[key] }) {
				continue
			}
			ready := pm["deletionTimestamp"] == nil && slices.ContainsFunc(ps["conditions"].([]object), func(c object) bool { return c["type"] == "Ready" && c["status"] == "True" })
			endpoints = append(endpoints, object{
				"addresses": []any{ps["podIP"]}, "nodeName": pod["spec"].(object)["nodeName"], "conditions": object{"ready": ready},
				"targetRef": object{"kind": "Pod", "namespace": m["namespace"], "name": pm["name"]},
			})
		}
		for _, p := range spec["ports"].([]object) {
			number := p["targetPort"]
			if _, named := number.(string); named {
				number = p["port"] // whatever it is
			}
			ports = append(ports, object{"name": p["name"], "protocol": p["protocol"], "port": number})
		}
		w.add("EndpointSlice", name+"-x", set("metadata.labels", object{"kubernetes.io/service-name": m["name"]}), set("addressType", "IPv4"),
			set("endpoints", endpoints), set("ports", ports))
	}
}

var worldKinds = map[string]string{
	"Node": "v1", "Pod": "v1", "Service": "v1", "EndpointSlice": "discovery.k8s.io/v1", "NetworkPolicy": "networking.k8s.io/v1", "DaemonSet": "apps/v1",
	"CiliumClusterwideNetworkPolicy": "cilium.io/v2", "Deployment": "apps/v1", "StatefulSet": "apps/v1", "ConfigMap": "v1", "Event": "v1", "Namespace": "v1", "PriorityClass": "scheduling.k8s.io/v1",
}

// write is the folder of a world's lists.
func (w *world) write(t *testing.T) string {
	t.Helper()
	w.slices()
	folder := t.TempDir()
	for kind, version := range worldKinds {
		if slices.Contains(w.left, kind) {
			continue
		}
		items := w.objects[kind]
		for _, item := range items {
			item["apiVersion"] = version
		}
		text, err := json.Marshal(object{"apiVersion": version, "kind": kind + "List", "items": append([]object{}, items...)})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, strings.ToLower(kind)+".json"), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// TestHealthyWorlds analyses clusters that are well in unusual ways: nothing may be found.
func TestHealthyWorlds(t *testing.T) {
	compiled := library(t)
	for name, build := range healthyWorlds {
		t.Run(name, func(t *testing.T) { isHealthy(t, analyze(t, compiled, build)) })
	}
}

// TestBrokenWorlds breaks some of them: what is unusual about them may not hide it.
func TestBrokenWorlds(t *testing.T) {
	compiled := library(t)
	for name, c := range map[string]struct {
		world   string
		spoil   func(w *world)
		want    string // a root cause
		subject string
	}{
		"a named target port that no container declares, on EKS": {
			"eks with the VPC CNI, its policy agent off, Fargate and a node that leaves", func(w *world) {
				w.find("Service", "shop", "web")["spec"].(object)["ports"].([]object)[0]["targetPort"] = "web"
			}, "service-target-port-mismatch", "Service shop/web",
		},
		"the DNS Pods crash, on OpenShift": {
			"openshift with OVN-Kubernetes", func(w *world) {
				for _, pod := range w.objects["Pod"] {
					if pod["metadata"].(object)["namespace"] == "openshift-dns" {
						podNotReady(ago(time.Hour)).apply(pod)
						waiting("CrashLoopBackOff").apply(pod)
					}
				}
			}, "dns-service-without-endpoints", "Service openshift-dns/dns-default",
		},
		"a selector that is misspelt, on k3s": {
			"k3s with klipper, traefik and the external address in flannel", func(w *world) {
				w.find("Service", "shop", "web")["spec"].(object)["selector"] = object{"app": "wbe"}
			}, "service-selector-matches-nothing", "Service shop/web",
		},
		"kube-proxy's image of a node that joined long ago": {
			"autoscaling: nodes that join, leave, restart and are gone", func(w *world) {
				w.find("Node", "", "joining")["metadata"].(object)["creationTimestamp"] = yesterday
				pod := w.find("Pod", "kube-system", "kube-proxy-joining")
				pod["metadata"].(object)["creationTimestamp"] = yesterday
				waiting("ImagePullBackOff").apply(pod)
			}, "kube-proxy-not-running-on-node", "Node joining",
		},
		"a policy keeps a Pod from DNS, with Cilium": {
			"policies of Cilium and Calico allow what NetworkPolicies do not", func(w *world) {
				w.objects["CiliumClusterwideNetworkPolicy"] = nil
			}, "network-policy-blocks-dns", "NetworkPolicy shop/deny-all",
		},
		"the last Pod of a Service hangs, and the next is not made": {
			"rollouts and scaling down, at this moment", func(w *world) {
				w.find("Deployment", "shop", "down")["spec"].(object)["replicas"] = 1
				w.find("Pod", "shop", "down-1")["metadata"].(object)["deletionTimestamp"] = ago(time.Hour)
			}, "service-endpoints-not-ready", "Service shop/down",
		},
	} {
		t.Run(name, func(t *testing.T) {
			build := healthyWorlds[c.world]
			d := analyze(t, compiled, func(w *world) {
				build(w)
				c.spoil(w)
			})
			hasNoFailedRules(t, d)
			if !slices.ContainsFunc(d.RootCauses, func(r engine.Finding) bool { return r.ID == c.want && r.Subject.String() == c.subject }) {
				t.Errorf("%s of %s is no root cause: %s", c.want, c.subject, shown(t, d))
			}
		})
	}
}

func library(t *testing.T) *engine.Engine {
	t.Helper()
	compiled, err := engine.New(t.Context(), rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func analyze(t *testing.T, compiled *engine.Engine, build func(w *world)) *engine.Diagnosis {
	t.Helper()
	w := newWorld()
	build(w)
	snapshot, err := bundle.Read(t.Context(), []string{w.write(t)}, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := compiled.Diagnose(t.Context(), snapshot)
	if err != nil {
		t.Fatal(err)
	}
	if testing.Verbose() {
		var text strings.Builder
		if err := report.Text(&text, d, report.TextOptions{RuledOut: true}); err != nil {
			t.Fatal(err)
		}
		t.Log(text.String())
	}
	return d
}

// find is an object of the world.
func (w *world) find(kind, namespace, name string) object {
	for _, o := range w.objects[kind] {
		if m := o["metadata"].(object); m["name"] == name && (namespace == "" || m["namespace"] == namespace) {
			return o
		}
	}
	return nil
}

// shop is a Deployment and its Service on nodes, as anybody has it.
func (w *world) shop(nodes ...string) {
	w.add("Namespace", "shop", set("metadata.labels", object{"kubernetes.io/metadata.name": "shop"}))
	w.workload("Deployment", "shop/web", nodes, object{"app": "web"}, container("nginx", "http:8080"))
	w.service("shop/web", "10.96.0.20", object{"app": "web"}, []string{"http:80:http"})
}

var healthyWorlds = map[string]func(w *world){
	"eks with the VPC CNI, its policy agent off, Fargate and a node that leaves": func(w *world) {
		nodes := []string{"ip-10-0-1-5.eu-west-1.compute.internal", "ip-10-0-2-9.eu-west-1.compute.internal"}
		for _, name := range nodes {
			w.node(name, set("status.nodeInfo.kubeletVersion", "v1.33.1-eks-1-33-7"), set("spec.providerID", "aws:///eu-west-1a/i-"+name))
		}
		w.node("fargate-ip-10-0-3-7.eu-west-1.compute.internal", set("metadata.labels", object{"eks.amazonaws.com/compute-type": "fargate"}),
			set("spec.taints", []object{{"key": "eks.amazonaws.com/compute-type", "value": "fargate", "effect": "NoSchedule"}}))
		w.node("ip-10-0-2-77.eu-west-1.compute.internal", set("spec.taints", []object{{"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}}))
		agent := container("602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon-k8s-cni:v1.19.2")
		policies := object{"name": "aws-eks-nodeagent", "image": "602401143452.dkr.ecr.eu-west-1.amazonaws.com/amazon/aws-network-policy-agent:v1.1.6", "args": []string{"--enable-ipv6=false", "--enable-network-policy=false"}}
		fargateNot := set("spec.template.spec.affinity", object{"nodeAffinity": object{"requiredDuringSchedulingIgnoredDuringExecution": object{"nodeSelectorTerms": []object{{"matchExpressions": []object{
			{"key": "kubernetes.io/os", "operator": "In", "values": []string{"linux"}},
			{"key": "eks.amazonaws.com/compute-type", "operator": "NotIn", "values": []string{"fargate", "hybrid", "auto"}},
		}}}}}})
		w.daemonSet("kube-system/aws-node", nodes, agent, fargateNot, set("spec.template.spec.containers", []object{agent, policies}))
		proxy := container("602401143452.dkr.ecr.eu-west-1.amazonaws.com/eks/kube-proxy:v1.33.0-minimal-eksbuild.2")
		w.daemonSet("kube-system/kube-proxy", nodes, proxy, fargateNot)
		w.dns(nodes...)
		w.shop(nodes...)
		w.pod("shop/api-0", "fargate-ip-10-0-3-7.eu-west-1.compute.internal", object{"app": "api"}, container("api", "http:8080"))
		w.service("shop/api", "10.96.0.21", object{"app": "api"}, []string{"http:80:8080"}, set("spec.type", "LoadBalancer"), set("spec.externalTrafficPolicy", "Local"),
			set("spec.healthCheckNodePort", 31000), set("spec.allocateLoadBalancerNodePorts", false), set("spec.loadBalancerClass", "service.k8s.aws/nlb"),
			set("status.loadBalancer.ingress", []object{{"hostname": "k8s-shop-api.elb.eu-west-1.amazonaws.com"}}))
		w.denyAll("shop")
	},
	"gke with Cloud DNS, Dataplane V2 and kube-dns at zero": func(w *world) {
		nodes := []string{"gke-c-default-pool-1a2b3c4d-abcd", "gke-c-default-pool-1a2b3c4d-efgh"}
		for i, name := range nodes {
			w.node(name, podCIDR(i), set("spec.providerID", "gce://p/europe-west1-b/"+name), set("status.nodeInfo.kubeletVersion", "v1.33.1-gke.1107000"))
		}
		w.daemonSet("kube-system/anetd", nodes, container("gke.gcr.io/cilium/cilium:v1.15.6-gke.27"))
		w.daemonSet("kube-system/node-local-dns", nodes, container("gke.gcr.io/k8s-dns-node-cache:1.23.0"))
		w.add("ConfigMap", "kube-system/cilium-config", set("data", object{"kube-proxy-replacement": "true", "ipam": "kubernetes"}))
		w.workload("Deployment", "kube-system/kube-dns", nil, object{"k8s-app": "kube-dns"}, container("gke.gcr.io/k8s-dns-kube-dns:1.23", "dns:53/UDP"))
		w.service("kube-system/kube-dns", "10.96.0.10", object{"k8s-app": "kube-dns"}, []string{"dns:53:53/UDP"}, set("metadata.labels", object{"k8s-app": "kube-dns"}))
		w.shop(nodes...)
	},
	"gke with NodeLocal DNSCache, which a policy allows": func(w *world) {
		nodes := []string{"gke-c-pool-a", "gke-c-pool-b"}
		for i, name := range nodes {
			w.node(name, podCIDR(i), set("spec.providerID", "gce://p/europe-west1-b/"+name))
			w.pod("kube-system/kube-proxy-"+name, name, object{"component": "kube-proxy", "tier": "node"}, container("gke.gcr.io/kube-proxy-amd64:v1.33.1"), set("spec.hostNetwork", true))
		}
		w.daemonSet("kube-system/calico-node", nodes, container("gke.gcr.io/calico/node:v3.26"))
		cache := container("gke.gcr.io/k8s-dns-node-cache:1.23.0", "dns:53/UDP")
		cache["args"] = []string{"-localip", "169.254.20.10,10.96.0.10", "-conf", "/etc/Corefile"}
		w.daemonSet("kube-system/node-local-dns", nodes, cache)
		w.workload("Deployment", "kube-system/kube-dns", nodes, object{"k8s-app": "kube-dns"}, container("gke.gcr.io/k8s-dns-kube-dns:1.23", "dns:53/UDP"))
		for name, address := range map[string]string{"kube-dns": "10.96.0.10", "kube-dns-upstream": "10.96.0.11"} {
			w.service("kube-system/"+name, address, object{"k8s-app": "kube-dns"}, []string{"dns:53:53/UDP"}, set("metadata.labels", object{"k8s-app": "kube-dns"}))
		}
		w.shop(nodes...)
		w.policy("shop/to-the-cache", object{}, []object{{"to": []object{{"ipBlock": object{"cidr": "169.254.20.10/32"}}}, "ports": []object{{"protocol": "UDP", "port": 53}}}})
	},
	"aks without policy engine, overlay, a virtual node and Windows": func(w *world) {
		nodes := []string{"aks-nodepool1-1234-vmss000000", "aks-nodepool1-1234-vmss000001"}
		for _, name := range nodes {
			w.node(name, set("spec.providerID", "azure:///subscriptions/x"), set("metadata.labels", object{"kubernetes.azure.com/cluster": "c"}))
		}
		w.node("akswin000000", set("metadata.labels", object{"kubernetes.io/os": "windows", "kubernetes.azure.com/cluster": "c"}), set("status.nodeInfo.osImage", "Windows Server 2022 Datacenter"))
		w.node("virtual-node-aci-linux", set("metadata.labels", object{"type": "virtual-kubelet"}), set("spec.taints", []object{{"key": "virtual-kubelet.io/provider", "value": "azure", "effect": "NoSchedule"}}))
		w.daemonSet("kube-system/azure-ip-masq-agent", nodes, container("mcr.microsoft.com/aks/ip-masq-agent-v2:v0.1.15"))
		w.kubeProxy(nodes...)
		w.dns(nodes...)
		w.shop(nodes...)
		w.denyAll("shop") // of a chart; nothing enforces it here
	},
	"openshift with OVN-Kubernetes": func(w *world) {
		nodes := []string{"master-0.ocp.example.com", "worker-0.ocp.example.com"}
		for _, name := range nodes {
			w.node(name, set("status.nodeInfo.containerRuntimeVersion", "cri-o://1.31.3"), set("metadata.annotations", object{"k8s.ovn.org/node-subnets": `{"default":["10.128.0.0/23"]}`}))
		}
		ovn := container("quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:0")
		w.daemonSet("openshift-ovn-kubernetes/ovnkube-node", nodes, ovn)
		w.daemonSet("openshift-multus/multus", nodes, ovn)
		dns := container("quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:1", "dns:5353/UDP", "dns-tcp:5353")
		dns["args"] = []string{"-conf", "/etc/coredns/Corefile"}
		labels := object{"dns.operator.openshift.io/daemonset-dns": "default"}
		for i, name := range nodes {
			w.pod(fmt.Sprint("openshift-dns/dns-default-", i), name, labels, dns, set("spec.dnsPolicy", "Default"))
		}
		w.service("openshift-dns/dns-default", "172.30.0.10", labels, []string{"dns:53:dns/UDP", "dns-tcp:53:dns-tcp"}, set("metadata.labels", object{"dns.operator.openshift.io/owning-dns": "default"}))
		w.service("openshift-dns/unrelated", "172.30.0.11", nil, []string{"a:1:1"})
		w.shop(nodes...)
		// A DeploymentConfig at zero, which is of no kind that is read.
		w.service("shop/legacy", "172.30.0.12", object{"deploymentconfig": "legacy"}, []string{"8080-tcp:8080:8080"})
		w.pod("shop/mailer-1", nodes[0], object{"deploymentconfig": "mailer"}, container("mailer", "http:8080"))
	},
	"k3s with klipper, traefik and the external address in flannel": func(w *world) {
		nodes := []string{"k1", "k2"}
		for i, name := range nodes {
			outside := fmt.Sprintf("203.0.113.%d", i+1)
			w.node(name, podCIDR(i), set("status.nodeInfo.kubeletVersion", "v1.33.1+k3s1"), set("metadata.annotations", object{
				"flannel.alpha.coreos.com/backend-type": "vxlan", "flannel.alpha.coreos.com/kube-subnet-manager": "true", "flannel.alpha.coreos.com/public-ip": outside,
			}), set("status.addresses", []object{{"type": "InternalIP", "address": fmt.Sprintf("10.0.0.%d", i+1)}, {"type": "ExternalIP", "address": outside}, {"type": "Hostname", "address": name}}))
		}
		w.dns("k1")
		svclb := container("rancher/klipper-lb:v0.4.13", "lb-tcp-80:80")
		w.daemonSet("kube-system/svclb-traefik-8b1d2f7a", nodes, svclb, set("spec.template.spec.priorityClassName", ""), set("spec.template.spec.hostNetwork", false))
		w.workload("Deployment", "kube-system/traefik", []string{"k2"}, object{"app.kubernetes.io/name": "traefik"}, container("rancher/mirrored-library-traefik", "web:8000", "websecure:8443"))
		w.service("kube-system/traefik", "10.96.0.30", object{"app.kubernetes.io/name": "traefik"}, []string{"web:80:web", "websecure:443:websecure"}, set("spec.type", "LoadBalancer"),
			set("spec.externalTrafficPolicy", "Local"), set("spec.healthCheckNodePort", 32000), set("status.loadBalancer.ingress", []object{{"ip": "203.0.113.2"}}))
		w.shop(nodes...)
		// The Services that a monitoring chart makes for components that are no Pods here.
		for i, component := range []string{"kube-controller-manager", "kube-scheduler", "kube-proxy", "etcd"} {
			w.service("kube-system/mon-"+component, "None", object{"component": component}, []string{fmt.Sprintf("http-metrics:1025%d:1025%d", i, i)})
		}
	},
	"rke2 with canal and kube-proxy in static Pods": func(w *world) {
		nodes := []string{"r1", "r2"}
		for i, name := range nodes {
			w.node(name, podCIDR(i), set("status.nodeInfo.kubeletVersion", "v1.33.1+rke2r1"), set("metadata.annotations", object{
				"flannel.alpha.coreos.com/backend-type": "vxlan", "flannel.alpha.coreos.com/kube-subnet-manager": "true", "flannel.alpha.coreos.com/public-ip": fmt.Sprintf("192.168.0.%d", 11+i),
			}))
			w.pod("kube-system/kube-proxy-"+name, name, object{"component": "kube-proxy", "tier": "control-plane"}, container("index.docker.io/rancher/hardened-kubernetes:v1.33.1-rke2r1"), set("spec.hostNetwork", true))
		}
		w.daemonSet("kube-system/rke2-canal", nodes, container("rancher/hardened-calico:v3.29"))
		labels := object{"k8s-app": "kube-dns", "app.kubernetes.io/name": "rke2-coredns", "app.kubernetes.io/instance": "rke2-coredns"}
		w.workload("Deployment", "kube-system/rke2-coredns-rke2-coredns", nodes, labels, coreDNS())
		w.service("kube-system/rke2-coredns-rke2-coredns", "10.43.0.10", labels, dnsPorts, set("metadata.labels", labels))
		w.shop(nodes...)
	},
	"kubeadm with Calico's own blocks, after flannel": func(w *world) {
		nodes := []string{"c1", "c2"}
		for i, name := range nodes {
			w.node(name, set("metadata.annotations", object{
				"projectcalico.org/IPv4Address": fmt.Sprintf("192.168.0.%d/24", 11+i), "projectcalico.org/IPv4IPIPTunnelAddr": "10.244.1.1",
				// flannel, which this cluster had before, leaves these behind.
				"flannel.alpha.coreos.com/backend-type": "vxlan", "flannel.alpha.coreos.com/kube-subnet-manager": "true", "flannel.alpha.coreos.com/public-ip": "192.168.9.9",
			}))
		}
		// It joined a quarter of an hour ago, and has Pods of the host's network alone.
		w.node("c3", set("metadata.creationTimestamp", ago(15*time.Minute)), set("metadata.annotations", object{"projectcalico.org/IPv4Address": "192.168.0.13/24"}))
		all := append(nodes, "c3")
		w.daemonSet("calico-system/calico-node", all, container("quay.io/calico/node:v3.30"))
		w.kubeProxy(all...)
		w.dns(nodes...)
		w.shop(nodes...)
	},
	"flannel, and the Node of a machine that was installed anew under another name": func(w *world) {
		for i, name := range []string{"f1", "f2", "f2-old"} {
			number := min(i, 1)
			w.node(name, podCIDR(i), set("metadata.annotations", object{
				"flannel.alpha.coreos.com/backend-type": "vxlan", "flannel.alpha.coreos.com/kube-subnet-manager": "true", "flannel.alpha.coreos.com/public-ip": fmt.Sprintf("192.168.0.%d", 11+number),
			}), set("status.addresses", []object{{"type": "InternalIP", "address": fmt.Sprintf("192.168.0.%d", 11+number)}}))
		}
		nodeNotReady("NodeStatusUnknown", "Kubelet stopped posting node status.", ago(20*time.Hour)).apply(w.objects["Node"][2])
		w.daemonSet("kube-flannel/kube-flannel-ds", []string{"f1", "f2"}, container("flannel/flannel:v0.27.0"))
		w.kubeProxy("f1", "f2")
		w.dns("f1", "f2")
		w.shop("f1", "f2")
	},
	"minikube: one node, whose flannel has the hypervisor's address": func(w *world) {
		w.node("minikube", podCIDR(0), set("metadata.annotations", object{
			"flannel.alpha.coreos.com/backend-type": "vxlan", "flannel.alpha.coreos.com/kube-subnet-manager": "true", "flannel.alpha.coreos.com/public-ip": "10.0.2.15",
		}))
		w.daemonSet("kube-flannel/kube-flannel-ds", []string{"minikube"}, container("flannel/flannel:v0.27.0"))
		w.kubeProxy("minikube")
		w.dns("minikube")
		w.shop("minikube")
	},
	"autoscaling: nodes that join, leave, restart and are gone": func(w *world) {
		old := []string{"a1", "a2"}
		for i, name := range old {
			w.node(name, podCIDR(i))
		}
		w.node("joining", podCIDR(2), set("metadata.creationTimestamp", ago(20*time.Second)),
			nodeNotReady("KubeletNotReady", "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized", ago(20*time.Second)))
		w.node("registered", set("metadata.creationTimestamp", ago(2*time.Second)), nodeNotReady("KubeletNotReady", "cni plugin not initialized", ago(2*time.Second)))
		w.node("stopping", podCIDR(3), nodeNotReady("KubeletNotReady", "node is shutting down", ago(30*time.Second)))
		w.node("gone", podCIDR(4), nodeNotReady("NodeStatusUnknown", "Kubelet stopped posting node status.", ago(time.Hour)),
			set("spec.taints", []object{{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}, {"key": "node.cloudprovider.kubernetes.io/shutdown", "effect": "NoSchedule"}}))
		w.node("drained", podCIDR(5), set("spec.unschedulable", true), set("spec.taints", []object{{"key": "ToBeDeletedByClusterAutoscaler", "value": "1", "effect": "NoSchedule"}}))
		proxy := container("registry.k8s.io/kube-proxy:v1.33.1")
		w.kubeProxy(old...)
		w.agent("kube-system/kube-proxy", "kube-system/kube-proxy-joining", "joining", proxy, set("metadata.creationTimestamp", ago(19*time.Second)),
			set("status.phase", "Pending"), podNotReady(ago(19*time.Second)), waiting("ContainerCreating"))
		w.agent("kube-system/kube-proxy", "kube-system/kube-proxy-stopping", "stopping", proxy, set("status", object{
			"phase": "Failed", "reason": "Terminated",
			"message": "Pod was terminated in response to imminent node shutdown.",
		}), podNotReady(ago(30*time.Second)))
		w.agent("kube-system/kube-proxy", "kube-system/kube-proxy-gone", "gone", proxy, set("status.phase", "Failed"), podNotReady(ago(time.Hour)))
		w.daemonSet("kube-system/cilium", old, container("quay.io/cilium/cilium:v1.17.4"))
		w.add("ConfigMap", "kube-system/cilium-config", set("data", object{"kube-proxy-replacement": "false", "ipam": "kubernetes"}))
		w.agent("kube-system/cilium", "kube-system/cilium-joining", "joining", container("quay.io/cilium/cilium:v1.17.4"), set("metadata.creationTimestamp", ago(19*time.Second)),
			set("status.phase", "Pending"), podNotReady(ago(19*time.Second)), waiting("PodInitializing"))
		w.dns(old...)
		w.shop(old...)
	},
	"kube-proxy is being updated": func(w *world) {
		w.node("u1", podCIDR(0))
		w.node("u2", podCIDR(1))
		w.kubeProxy("u1")
		proxy := container("registry.k8s.io/kube-proxy:v1.33.2")
		w.objects["DaemonSet"][0]["spec"].(object)["template"].(object)["spec"].(object)["priorityClassName"] = ""
		w.agent("kube-system/kube-proxy", "kube-system/kube-proxy-old", "u2", proxy, set("metadata.deletionTimestamp", ago(-29*time.Second)), podNotReady(ago(time.Second)))
		w.agent("kube-system/kube-proxy", "kube-system/kube-proxy-new", "", proxy, set("metadata.creationTimestamp", ago(0)), set("status", object{"phase": "Pending"}),
			set("status.conditions", []object{}), set("status.containerStatuses", []object{}),
			set("spec.affinity", object{"nodeAffinity": object{"requiredDuringSchedulingIgnoredDuringExecution": object{"nodeSelectorTerms": []object{{"matchFields": []object{{"key": "metadata.name", "operator": "In", "values": []string{"u2"}}}}}}}}))
		w.dns("u1", "u2")
		w.shop("u1")
	},
	"Services that have no Pods on purpose": func(w *world) {
		w.node("s1", podCIDR(0))
		w.kubeProxy("s1")
		w.dns("s1")
		w.shop("s1")
		scaled := func(name string, labels object) {
			w.workload("Deployment", name, nil, labels, container("x", "http:8080"))
		}
		scaled("shop/keda", object{"app": "keda"})
		w.service("shop/keda", "10.96.1.1", object{"app": "keda"}, []string{"http:80:8080"})
		scaled("shop/hello-00001-deployment", object{"serving.knative.dev/revision": "hello-00001"})
		w.service("shop/hello-00001-private", "10.96.1.2", object{"serving.knative.dev/revision": "hello-00001"}, []string{"http:80:8012"})
		w.service("shop/hello-00001", "10.96.1.3", nil, []string{"http:80:8012"}) // its endpoints are the activator's
		w.add("Service", "shop/hello", set("spec", object{"type": "ExternalName", "externalName": "kourier-internal.kourier-system.svc.cluster.local", "ports": []object{{"name": "http2", "port": 80}}}))
		w.service("shop/web-canary", "10.96.1.4", object{"app": "web", "track": "canary"}, []string{"http:80:8080"})
		w.service("shop/web-preview", "10.96.1.5", object{"app": "web", "rollouts-pod-template-hash": "6c9f8b7d5"}, []string{"http:80:8080"})
		// A Rollout, which is of no kind that is read, at zero; beside it a worker of which no Service knows.
		w.service("shop/checkout", "10.96.1.6", object{"app": "checkout"}, []string{"http:80:8080"})
		w.pod("shop/mailer-0", "s1", object{"app": "mailer"}, container("mailer", "http:8080"))
		w.pod("shop/report-29384", "s1", object{"app": "report", "job-name": "report-29384"}, container("report", "http:8080"), set("status.phase", "Succeeded"), podNotReady(ago(time.Hour)))
		w.service("shop/database", "10.96.1.7", nil, []string{"pg:5432:5432"})
		w.service("shop/peers", "None", object{"app": "web"}, []string{"gossip:7946:7946"})
		w.service("shop/old", "10.96.1.8", object{"app": "old"}, []string{"http:80:8080"})
		w.workload("DaemonSet", "shop/gpu", nil, object{"app": "gpu"}, container("gpu", "metrics:9400"), set("spec.template.spec.nodeSelector", object{"gpu": "true"}))
		w.service("shop/gpu", "10.96.1.9", object{"app": "gpu"}, []string{"metrics:9400:metrics"})
		w.service("shop/postgres-ro", "10.96.1.10", object{"cnpg.io/cluster": "pg", "cnpg.io/instanceRole": "replica"}, []string{"pg:5432:5432"})
		w.service("shop/postgres-rw", "10.96.1.11", object{"cnpg.io/cluster": "pg", "cnpg.io/instanceRole": "primary"}, []string{"pg:5432:5432"})
		w.pod("shop/pg-1", "s1", object{"cnpg.io/cluster": "pg", "cnpg.io/instanceRole": "primary"}, container("postgres", "pg:5432"))
		// Just one of them may be ready.
		w.workload("Deployment", "shop/leader", []string{"s1", "s1", "s1"}, object{"app": "leader"}, container("leader", "http:8080"))
		for _, pod := range w.objects["Pod"][len(w.objects["Pod"])-2:] {
			podNotReady(ago(time.Hour)).apply(pod)
		}
		w.service("shop/leader", "10.96.1.12", object{"app": "leader"}, []string{"http:80:8080"})
	},
	"rollouts and scaling down, at this moment": func(w *world) {
		w.node("m1", podCIDR(0))
		w.kubeProxy("m1")
		w.dns("m1")
		w.shop("m1")
		w.workload("Deployment", "shop/down", nil, object{"app": "down"}, container("down", "http:8080"))
		w.pod("shop/down-1", "m1", object{"app": "down"}, container("down", "http:8080"), set("metadata.deletionTimestamp", ago(-20*time.Second)), podNotReady(ago(3*time.Second)),
			set("status.containerStatuses", []object{
				{"name": "app", "ready": false, "restartCount": 0, "state": object{"terminated": object{"exitCode": 0, "reason": "Completed"}}},
				{"name": "proxy", "ready": true, "restartCount": 0, "state": object{"running": object{}}},
			}))
		w.service("shop/down", "10.96.1.1", object{"app": "down"}, []string{"http:80:8080"})
		// The new Pods name their port, the old ones do not.
		w.workload("Deployment", "shop/renamed", []string{"m1"}, object{"app": "renamed"}, container("renamed", "web:8080"))
		w.pod("shop/renamed-new", "m1", object{"app": "renamed"}, container("renamed", "http:8080"), set("metadata.creationTimestamp", ago(5*time.Second)), podNotReady(ago(5*time.Second)), waiting("ContainerCreating"), set("status.phase", "Pending"))
		w.service("shop/renamed", "10.96.1.2", object{"app": "renamed"}, []string{"http:80:http"})
		w.workload("StatefulSet", "shop/db", []string{"m1"}, object{"app": "db"}, container("db", "pg:5432"))
		podNotReady(ago(8 * time.Second)).apply(w.objects["Pod"][len(w.objects["Pod"])-1])
		w.service("shop/db", "None", object{"app": "db"}, []string{"pg:5432:pg"}, set("spec.publishNotReadyAddresses", true))
		w.service("shop/db-rw", "10.96.1.3", object{"app": "db"}, []string{"pg:5432:pg"})
		// Without a Service of its own: a Job that ends well between two containers.
		w.pod("shop/batch-1", "m1", object{"app": "batch"}, container("batch", "http:8080"), podNotReady(ago(2*time.Second)))
		w.service("shop/batch", "10.96.1.4", object{"app": "batch"}, []string{"http:80:8080"})
	},
	"policies of Cilium and Calico allow what NetworkPolicies do not": func(w *world) {
		w.node("p1")
		w.node("p2")
		w.daemonSet("kube-system/cilium", []string{"p1", "p2"}, container("quay.io/cilium/cilium:v1.17.4"))
		w.add("ConfigMap", "kube-system/cilium-config", set("data", object{"kube-proxy-replacement": "true", "ipam": "cluster-pool"}))
		w.dns("p1", "p2")
		w.shop("p1", "p2")
		w.denyAll("shop")
		w.add("CiliumClusterwideNetworkPolicy", "allow-dns", set("spec", object{"endpointSelector": object{}}))
	},
	"Pods that ask no DNS of the cluster are kept from it": func(w *world) {
		w.node("q1", podCIDR(0))
		w.kubeProxy("q1")
		w.daemonSet("kube-system/weave-net", []string{"q1"}, container("rajch/weave-kube:2.9.0"))
		w.dns("q1")
		w.add("Namespace", "edge")
		w.pod("edge/own-dns", "q1", object{"app": "own"}, container("x"), set("spec.dnsPolicy", "None"), set("spec.dnsConfig", object{"nameservers": []string{"1.1.1.1"}}))
		w.pod("edge/nodes-dns", "q1", object{"app": "own"}, container("x"), set("spec.dnsPolicy", "Default"))
		w.denyAll("edge")
	},
	"a DNS of somebody's own beside the cluster's": func(w *world) {
		w.node("o1", podCIDR(0))
		w.kubeProxy("o1")
		w.daemonSet("kube-system/calico-node", []string{"o1"}, container("quay.io/calico/node:v3.30"))
		w.dns("o1")
		w.shop("o1")
		w.add("Namespace", "edge-dns")
		w.workload("Deployment", "edge-dns/coredns", []string{"o1"}, object{"app.kubernetes.io/name": "coredns"}, coreDNS())
		w.service("edge-dns/coredns", "10.96.3.3", object{"app.kubernetes.io/name": "coredns"}, dnsPorts, set("metadata.labels", object{"app.kubernetes.io/name": "coredns"}))
		// A virtual cluster's, which is paused.
		w.workload("StatefulSet", "team-a/vcluster", nil, object{"app": "vcluster"}, container("vcluster"))
		w.service("team-a/kube-dns-x-kube-system-x-vcluster", "10.96.3.4", object{"vcluster.loft.sh/managed-by": "vcluster"}, dnsPorts, set("metadata.labels", object{"k8s-app": "kube-dns"}))
		w.policy("shop/dns-alone", object{}, []object{{"to": []object{{"namespaceSelector": object{"matchLabels": object{"kubernetes.io/metadata.name": "kube-system"}}}}, "ports": []object{{"protocol": "UDP", "port": 53}}}})
		for _, ns := range w.objects["Namespace"] {
			set("metadata.labels", object{"kubernetes.io/metadata.name": ns["metadata"].(object)["name"]}).apply(ns)
		}
	},
	"Multus, ingress with externalTrafficPolicy Local, MetalLB": func(w *world) {
		nodes := []string{"i1", "i2", "i3"}
		for i, name := range nodes {
			w.node(name, podCIDR(i))
		}
		w.kubeProxy(nodes...)
		w.daemonSet("kube-system/kindnet", nodes, container("kindest/kindnetd:v20250512"))
		w.daemonSet("metallb-system/speaker", nodes, container("quay.io/metallb/speaker:v0.14"))
		w.dns("i1")
		w.shop("i1")
		w.workload("Deployment", "shop/ingress", []string{"i3"}, object{"app": "ingress"}, container("ingress", "http:80"))
		w.service("shop/ingress", "10.96.1.1", object{"app": "ingress"}, []string{"http:80:http"}, set("spec.type", "LoadBalancer"), set("spec.externalTrafficPolicy", "Local"),
			set("spec.healthCheckNodePort", 32001), set("status.loadBalancer.ingress", []object{{"ip": "192.168.0.240"}}))
		w.service("shop/ingress-nodes", "10.96.1.2", object{"app": "ingress"}, []string{"http:80:http"}, set("spec.type", "NodePort"), set("spec.externalTrafficPolicy", "Local"))
	},
	"IPv6 alone": func(w *world) {
		w.node("v1", set("spec", object{"podCIDR": "fd00:10:244::/64", "podCIDRs": []string{"fd00:10:244::/64"}}), set("status.addresses", []object{{"type": "InternalIP", "address": "fd00::1"}}))
		w.node("v2", set("spec", object{"podCIDR": "fd00:10:244:1::/64", "podCIDRs": []string{"fd00:10:244:1::/64"}}), set("status.addresses", []object{{"type": "InternalIP", "address": "fd00::2"}}))
		w.kubeProxy("v1", "v2")
		w.dns("v1", "v2")
		w.shop("v1", "v2")
		for i, pod := range w.objects["Pod"] {
			address := fmt.Sprintf("fd00:10:244::%d", i+2)
			set("status", object{"podIP": address, "podIPs": []object{{"ip": address}}}).apply(pod)
		}
		for _, service := range w.objects["Service"] {
			set("spec.clusterIP", "fd00:96::"+fmt.Sprint(len(service["metadata"].(object)["name"].(string)))).apply(service)
		}
	},
	"a dump of one namespace": func(w *world) {
		w.left = []string{"Node", "DaemonSet", "ConfigMap", "NetworkPolicy", "StatefulSet", "EndpointSlice", "PriorityClass", "Namespace"}
		w.shop("d1")
		w.service("shop/canary", "10.96.1.1", object{"app": "canary"}, []string{"http:80:8080"})
	},
}

func (w *world) policy(name string, pods object, egress []object) {
	spec := object{"podSelector": pods, "policyTypes": []string{"Egress"}}
	if egress != nil {
		spec["egress"] = egress
	}
	w.add("NetworkPolicy", name, set("spec", spec))
}

func (w *world) denyAll(namespace string) { w.policy(namespace+"/deny-all", object{}, nil) }
