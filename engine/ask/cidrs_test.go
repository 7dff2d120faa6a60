package ask

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

func podNodeObject(name, cidr string, age time.Duration) facts.NodeObject {
	n := facts.NodeObject{Source: "nodes.json", Metadata: facts.ObjectMeta{Name: name, CreationTimestamp: ago(age)}}
	if cidr != "" {
		n.Spec = facts.NodeSpec{PodCIDR: cidr, PodCIDRs: []string{cidr}}
	}
	return n
}

func controllerManager(flags ...string) facts.Pod {
	return facts.Pod{
		Source: "pods.json", Metadata: facts.ObjectMeta{Namespace: "kube-system", Name: "kube-controller-manager-n1"},
		Spec: facts.PodSpec{NodeName: "n1", HostNetwork: true, Containers: []facts.Container{{Command: append([]string{"kube-controller-manager"}, flags...)}}},
	}
}

func podOn(node, name, address string) facts.Pod {
	return facts.Pod{
		Source: "pods.json", Metadata: facts.ObjectMeta{Namespace: "shop", Name: name},
		Spec: facts.PodSpec{NodeName: node}, Status: facts.PodStatus{Phase: "Running", PodIP: address},
	}
}

func podCIDRsOf(t *testing.T, cluster *facts.Cluster, nodes ...*facts.Node) podCIDRsAnswer {
	t.Helper()
	answer, err := askPodCIDRs(incidentOf(cluster, nodes...), nil)
	if err != nil {
		t.Fatal(err)
	}
	return answer.(podCIDRsAnswer)
}

func TestPodCIDROverlaps(t *testing.T) {
	flags := []string{"--allocate-node-cidrs=true", "--cluster-cidr=10.244.0.0/16"}
	for _, test := range []struct {
		name  string
		nodes []facts.NodeObject
		pods  []facts.Pod
		env   string // FLANNEL_SUBNET of n2
		want  []string
	}{
		{"apart", []facts.NodeObject{podNodeObject("n1", "10.244.0.0/24", time.Hour), podNodeObject("n2", "10.244.1.0/24", time.Hour)}, nil, "10.244.1.1/24", nil},
		{
			"the same",
			[]facts.NodeObject{podNodeObject("n1", "10.244.0.0/24", 2*time.Hour), podNodeObject("n2", "10.244.0.0/24", time.Hour)},
			[]facts.Pod{podOn("n1", "a", "10.244.0.5"), podOn("n2", "b", "10.244.0.5")},
			"",
			[]string{"n1 n2 common 10.244.0.0/24 used true unused false same [10.244.0.5] later n2 free 10.244.1.0/24"},
		},
		{
			"one within the other",
			[]facts.NodeObject{podNodeObject("n1", "10.244.4.0/22", time.Hour), podNodeObject("n2", "10.244.6.0/24", 2*time.Hour), podNodeObject("n3", "10.244.8.0/24", time.Hour)},
			[]facts.Pod{podOn("n1", "a", "192.168.0.5"), podOn("n2", "b", "192.168.0.6")},
			"",
			[]string{"n1 n2 common 10.244.6.0/24 used false unused true same [] later n1 free 10.244.0.0/24"},
		},
		{
			"flannel has another node's",
			[]facts.NodeObject{podNodeObject("n1", "10.244.0.0/24", time.Hour), podNodeObject("n2", "10.244.1.0/24", time.Hour)},
			nil, "10.244.0.1/24",
			[]string{"n1 n2 common 10.244.0.0/24 used false unused false same [] later n2 free 10.244.2.0/24"},
		},
		{"of two families", []facts.NodeObject{podNodeObject("n1", "10.244.0.0/24", time.Hour), podNodeObject("n2", "fd00::/64", time.Hour)}, nil, "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			cluster := &facts.Cluster{Nodes: facts.ReadGroup(test.nodes), Pods: facts.ReadGroup(append(test.pods, controllerManager(flags...)))}
			n2 := &facts.Node{Name: "n2"}
			if test.env != "" {
				n2.FlannelSubnetEnv = facts.ReadGroup(facts.FlannelSubnetEnv{File: "/run/flannel/subnet.env", Subnet: netip.MustParsePrefix(test.env)})
			}
			var got []string
			for _, o := range podCIDRsOf(t, cluster, n2).Overlaps {
				got = append(got, fmt.Sprintf("%s %s common %s used %v unused %v same %v later %s free %s", o.A.Node, o.B.Node, o.Common, o.Used, o.Unused, o.Same, o.Later, o.Free))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPodCIDRMissing(t *testing.T) {
	n3 := podNodeObject("n3", "", 10*time.Minute)
	n3.Status.Conditions = []facts.Condition{{Type: "Ready", Status: "False", Message: "cni config uninitialized"}}
	cluster := &facts.Cluster{
		Nodes: facts.ReadGroup([]facts.NodeObject{podNodeObject("n1", "10.244.0.0/26", time.Hour), podNodeObject("n2", "10.244.0.64/26", time.Hour), n3}),
		Pods: facts.ReadGroup([]facts.Pod{
			controllerManager("--allocate-node-cidrs=true", "--cluster-cidr=10.244.0.0/25", "--node-cidr-mask-size=26"), podOn("n3", "waits", ""),
		}),
		Events: facts.ReadGroup([]facts.Event{{
			Source: "events.json", InvolvedObject: facts.ObjectReference{Kind: "Node", Name: "n3"}, Reason: "CIDRNotAvailable", Message: "Node n3 status is now: CIDRNotAvailable",
		}}),
	}
	answer := podCIDRsOf(t, cluster)
	m, c := answer.Missing[0], answer.Capacity
	if answer.With != 2 || m.Node != "n3" || *m.Seconds != 600 || m.Ready || m.Networked || m.Free != "" || len(m.Events) != 1 {
		t.Errorf("answer %+v", answer)
	}
	if c == nil || c.Blocks != 2 || c.Taken != 2 || c.Size != 26 || !c.Allocate {
		t.Errorf("capacity %+v", c)
	}
	cluster.Pods.Value[0] = controllerManager("--cluster-cidr=10.244.0.0/16,fd00::/56", "--node-cidr-mask-size-ipv4=26")
	if answer := podCIDRsOf(t, cluster); answer.Missing[0].Free != "10.244.0.128/26" || answer.Capacity.Allocate {
		t.Errorf("with room %+v", answer)
	}
	cluster.Pods.Value[0] = controllerManager("--allocate-node-cidrs", "--cluster-cidr", "10.244.0.0/16")
	if answer := podCIDRsOf(t, cluster); answer.Missing[0].Free != "10.244.1.0/24" || !answer.Capacity.Allocate {
		t.Errorf("flags of two words %+v, %+v", answer, answer.Capacity)
	}
	cluster.Pods.Value = cluster.Pods.Value[1:]
	if answer := podCIDRsOf(t, cluster); answer.Capacity != nil || answer.Missing[0].Free != "" {
		t.Errorf("without a controller manager %+v", answer)
	}
}
