package cases_test

import (
	"encoding/json"
	"slices"
	"testing"
)

// kube-proxy has no priorityClassName. n2 and n3 were added and filled up with other Pods: on n2 its Pod is Pending, on
// n3 it was evicted. n1 was there before, and has the DNS.
func kubeProxyMissingPriorityClass(t *testing.T, l lab) {
	const id = "kube-proxy-missing-priority-class"
	const dnsPod = "10.233.64.2:53"
	symptoms := []string{"service-unreachable", "dns-failure"}

	fabric := newFabric(t, "10.0.3.1/24")
	flannel := &flannel{}
	n1 := flannel.join(t, fabric.join(t, "n1", "eth0", "10.0.3.11"), "10.233.64.0/24", "10.0.3.11")
	n2 := flannel.join(t, fabric.join(t, "n2", "eth0", "10.0.3.12"), "10.233.65.0/24", "10.0.3.12")
	n3 := flannel.join(t, fabric.join(t, "n3", "eth0", "10.0.3.13"), "10.233.66.0/24", "10.0.3.13")
	nodes, full := []*flannelNode{n1, n2, n3}, []*flannelNode{n2, n3}
	resolving := n1.pod(t, "kube-system", "coredns-n1", "10.233.64.2")
	serveDNS(t, resolving.NS, [4]byte{10, 233, 0, 100})
	old := n1.pod(t, "default", "app-n1", "10.233.64.7")
	added := []*pod{n2.pod(t, "default", "app-n2", "10.233.65.7"), n3.pod(t, "default", "app-n3", "10.233.66.7")}

	pending, evicted := kubeProxyPod(n2.machine, "").object(), kubeProxyPod(n3.machine, "").object()
	makePending(pending, "n2", "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]. "+
		"preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling.")
	makeEvicted(evicted, "The node was low on resource: memory. Threshold quantity: 100Mi, available: 71Mi. ")
	objects := slices.Concat(
		[]object{
			daemonSet("kube-proxy", kubeProxyImage, ""), daemonSet("kube-flannel", flannelImage, critical),
			kubeProxyPod(n1.machine, "").object(), pending, evicted,
		},
		dns(resolving),
	)
	for _, n := range nodes {
		objects = append(objects, node(t, n.machine, n.annotations()), flannelPod(n.machine).object())
		l.relay(t, n.NS)
	}
	for _, p := range append(added, old) {
		objects = append(objects, podObject{
			namespace: p.namespace, name: p.name, app: "app", node: p.node, address: p.address.String(), image: "app:1",
		}.object())
	}
	l.create(t, objects...)
	l.kubeProxy(t, n1.machine, dnsPod)

	resolves(t, "Pod of n1 asks for a name", old.NS)
	for _, p := range added {
		connects(t, p.name+" to the DNS Pod", p.NS, dnsPod)
		connectsNot(t, p.name+" to the DNS Service", p.NS, dnsAddress+":53")
		resolvesNot(t, p.name+" asks for a name", p.NS)
	}

	var patch string
	for _, n := range full {
		d, status := l.diagnose(t, n.machine, symptoms...)
		hasOneRoot(t, d, status, expected[id])
		patch = printedPatch(t, d)
	}
	d, status := l.together(t, id, symptoms, n2.machine, n3.machine, n1.machine)
	hasOneRoot(t, d, status, expected[id])

	// The fix, and what the controllers, the scheduler and the kubelets make of it.
	patched := l.patch(t, patch)["spec"].(object)["template"].(object)["spec"].(object)
	if class, containers := patched["priorityClassName"], patched["containers"].([]any); class != critical || len(containers) != 1 {
		t.Errorf("priorityClassName %v and %d containers after the patch", class, len(containers))
	}
	for _, n := range full {
		l.Delete(t, "/api/v1/namespaces/kube-system/pods/kube-proxy-"+n.name)
		running, err := json.Marshal(kubeProxyPod(n.machine, critical).object())
		if err != nil {
			t.Fatal(err)
		}
		l.Create(t, string(running))
		l.kubeProxy(t, n.machine, dnsPod)
	}
	for _, p := range added {
		resolves(t, p.name+" asks for a name", p.NS)
	}
	for _, n := range full {
		d, status := l.diagnose(t, n.machine, symptoms...)
		isHealthy(t, d, status)
	}
}

// makePending makes a Pod one that a DaemonSet wants on a node, and that the scheduler found no place for.
func makePending(pod object, node, why string) {
	spec := pod["spec"].(object)
	delete(spec, "nodeName")
	spec["affinity"] = object{"nodeAffinity": object{"requiredDuringSchedulingIgnoredDuringExecution": object{
		"nodeSelectorTerms": []object{{"matchFields": []object{{"key": "metadata.name", "operator": "In", "values": []string{node}}}}},
	}}}
	pod["status"] = object{"phase": "Pending", "conditions": []object{{
		"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why,
	}}}
}

// makeEvicted makes a Pod one that the kubelet evicted (pkg/kubelet/eviction).
func makeEvicted(pod object, why string) {
	pod["status"] = object{"phase": "Failed", "reason": "Evicted", "message": why, "conditions": []object{{
		"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet", "message": why,
	}}}
}
