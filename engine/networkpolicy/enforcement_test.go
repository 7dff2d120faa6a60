package networkpolicy

import (
	"testing"

	"github.com/netcause/netcause/engine/facts"
)

func TestFindEnforcement(t *testing.T) {
	node := facts.NodeObject{Metadata: facts.ObjectMeta{Name: "n1"}}
	flannel := node
	flannel.Metadata.Annotations = map[string]string{"flannel.alpha.coreos.com/backend-type": "vxlan"}
	k3s := flannel
	k3s.Status.NodeInfo.KubeletVersion = "v1.33.1+k3s1"
	named := func(name, image string) facts.DaemonSet {
		d := facts.DaemonSet{Metadata: facts.ObjectMeta{Namespace: "kube-system", Name: name}}
		d.Spec.Template.Spec.Containers = []facts.Container{{Image: image}}
		return d
	}
	told := func(name string, words ...string) facts.DaemonSet {
		d := named(name, "amazon/aws-network-policy-agent:v1.1.6")
		d.Spec.Template.Spec.Containers[0].Args = words
		return d
	}
	read := func(list ...facts.DaemonSet) facts.Group[[]facts.DaemonSet] { return facts.ReadGroup(list) }
	for name, c := range map[string]struct {
		node       facts.NodeObject
		daemonSets facts.Group[[]facts.DaemonSet]
		want       string
	}{
		"flannel alone":                {flannel, read(named("kube-flannel-ds", "flannel/flannel"), named("kube-proxy", "kube-proxy")), "not-enforced"},
		"flannel and Calico":           {flannel, read(named("canal", "")), "enforced"},
		"by the image":                 {node, read(named("net", "quay.io/cilium/cilium:v1.17")), "enforced"},
		"k3s":                          {k3s, read(), "enforced"},
		"nobody that is known":         {node, read(named("kindnet", "kindnetd")), "unknown"},
		"EKS as it comes":              {node, read(told("aws-node", "--enable-network-policy=false")), "not-enforced"},
		"EKS with its policy agent":    {node, read(told("aws-node", "--enable-network-policy=true")), "enforced"},
		"EKS with Calico for policies": {node, read(told("aws-node", "--enable-network-policy=false"), named("calico-node", "")), "enforced"},
		"kube-router for Services":     {node, read(told("kube-router", "--run-firewall=false")), "unknown"},
		"Dataplane V2":                 {node, read(named("anetd", "gke.gcr.io/x")), "enforced"},
		"Weave Scope is no plugin":     {node, read(named("weave-scope-agent", "weaveworks/scope:1.13")), "unknown"},
		"kind":                         {node, read(named("kindnet", "docker.io/kindest/kindnetd:v20250512-df8de77b")), "enforced"},
		"kind before v0.24":            {node, read(named("kindnet", "docker.io/kindest/kindnetd:v20240202-8f1494ea")), "unknown"},
		"flannel, DaemonSets not read": {flannel, facts.Unread[[]facts.DaemonSet](facts.Denied, "no"), "unknown"},
		"some namespaces' alone":       {flannel, facts.Group[[]facts.DaemonSet]{Meta: facts.Meta{Status: facts.Read, Reason: "limited to namespaces default"}}, "unknown"},
	} {
		got := FindEnforcement(&facts.Cluster{Nodes: facts.ReadGroup([]facts.NodeObject{c.node}), DaemonSets: c.daemonSets})
		if got.Status != c.want || got.Fact == "" || got.Value == "" {
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
	}
	if got := FindEnforcement(nil); got.Status != "unknown" {
		t.Errorf("no cluster: %+v", got)
	}
}
