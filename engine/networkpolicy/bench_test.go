package networkpolicy

import (
	"fmt"
	"testing"

	"github.com/netcause/netcause/engine/facts"
)

// large is a cluster of 10,000 Pods and 500 policies in as many namespaces as given: each policy selects a tenth of its
// namespace's Pods, and each Pod of a namespace is under its default deny.
func large(b testing.TB, namespaceCount int) *facts.Cluster {
	const podCount, policyCount = 10000, 500
	var c facts.Cluster
	var pods []facts.Pod
	var policies []facts.NetworkPolicy
	var namespaces []facts.NamespaceObject
	var nodes []facts.NodeObject
	for i := range namespaceCount {
		name := fmt.Sprintf("ns-%d", i)
		namespaces = append(namespaces, facts.NamespaceObject{Metadata: facts.ObjectMeta{Name: name, Labels: map[string]string{metadataName: name, "team": name}}})
		policies = append(policies, np(b, name+"/deny", denyAll))
	}
	for i := range 200 {
		var n facts.NodeObject
		n.Metadata.Name = fmt.Sprintf("node-%d", i)
		n.Spec.PodCIDRs = []string{fmt.Sprintf("10.%d.%d.0/24", 1+i/250, i%250)}
		nodes = append(nodes, n)
	}
	for i := range podCount {
		var p facts.Pod
		p.Metadata = facts.ObjectMeta{
			Namespace: fmt.Sprintf("ns-%d", i%namespaceCount), Name: fmt.Sprintf("pod-%d", i),
			Labels: map[string]string{"app": fmt.Sprintf("app-%d", i/namespaceCount%10), "tier": "web", "pod-template-hash": fmt.Sprint(i)},
		}
		p.Spec.NodeName = fmt.Sprintf("node-%d", i/50)
		p.Spec.Containers = []facts.Container{{Ports: []facts.ContainerPort{{Name: "http", ContainerPort: 8080}}}}
		p.Status = facts.PodStatus{Phase: "Running", PodIP: fmt.Sprintf("10.1.%d.%d", i/50, 10+i%50)}
		pods = append(pods, p)
	}
	for i := range policyCount - namespaceCount {
		ns := i % namespaceCount
		spec := fmt.Sprintf(`{"podSelector":{"matchLabels":{"app":"app-%d"}},"policyTypes":["Ingress","Egress"],
			"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"team":"ns-%d"}},"podSelector":{"matchLabels":{"app":"app-%d"}}},{"ipBlock":{"cidr":"192.0.2.0/24"}}],"ports":[{"port":"http"}]},
			{"from":[{"podSelector":{"matchExpressions":[{"key":"tier","operator":"In","values":["db","cache"]}]}}],"ports":[{"port":9090},{"port":9100,"endPort":9200}]}],
			"egress":[{"to":[{"namespaceSelector":{}}]}]}`, i/namespaceCount%10, (ns+1)%namespaceCount, i%10)
		policies = append(policies, np(b, fmt.Sprintf("ns-%d/policy-%d", ns, i), spec))
	}
	c.Namespaces, c.Pods, c.NetworkPolicies, c.Nodes = facts.ReadGroup(namespaces), facts.ReadGroup(pods), facts.ReadGroup(policies), facts.ReadGroup(nodes)
	c.Services = facts.ReadGroup([]facts.Service(nil))
	return &c
}

func BenchmarkNew(b *testing.B) {
	c := large(b, 50)
	b.ReportAllocs()
	for b.Loop() {
		New(c)
	}
}

func BenchmarkJudge(b *testing.B) {
	for _, n := range []int{50, 1} {
		c := large(b, n)
		e := New(c)
		pods := c.Pods.Value
		b.Run(fmt.Sprintf("policies=500/pods=10000/namespaces=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			outcomes := map[Outcome]int{}
			i := 0
			for b.Loop() {
				src, dst := &pods[i*7919%len(pods)], &pods[(i*104729+i%3)%len(pods)]
				outcomes[e.Judge(Connection{Src: addr(src.Status.PodIP), Dst: addr(dst.Status.PodIP), Protocol: tcp, Port: 8080}).Outcome()]++
				i++
			}
			b.ReportMetric(float64(outcomes[Denied])/float64(i), "denied/op")
		})
	}
}
