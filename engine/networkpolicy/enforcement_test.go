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
