package cluster

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

func TestNetworkAnnotation(t *testing.T) {
	for key, want := range map[string]bool{
		"flannel.alpha.coreos.com/public-ip":                true,
		"projectcalico.org/IPv4Address":                     true,
		"cni.projectcalico.org/podIP":                       true,
		"io.cilium.network.ipv4-pod-cidr":                   true,
		"network.cilium.io/ipv4-pod-cidr":                   true,
		"k8s.ovn.org/node-subnets":                          true,
		"node.alpha.kubernetes.io/ttl":                      true,
		"scheduler.alpha.kubernetes.io/critical-pod":        true,
		"k3s.io/internal-ip":                                true,
		"k3s.io/node-env":                                   false,
		"metallb.universe.tf/address-pool":                  true,
		"service.beta.kubernetes.io/aws-load-balancer-type": true,
		"kubectl.kubernetes.io/last-applied-configuration":  false,
		"example.com/cilium.io":                             false,
		"notcilium.io/x":                                    false,
		"cilium.io":                                         false,
		"kubernetes.io/psp":                                 false,
		"control-plane.alpha.kubernetes.io/leader":          false,
	} {
		if got := networkAnnotation(key); got != want {
			t.Errorf("%s: %v, not %v", key, got, want)
		}
	}
}

func TestBounds(t *testing.T) {
	labels := map[string]string{"a-long": strings.Repeat("ä", 1000)}
	for i := range 1000 {
		labels[fmt.Sprintf("l%04d", i)] = "x"
	}
	pod := facts.Pod{
		Metadata: facts.ObjectMeta{Labels: labels},
		Spec:     facts.PodSpec{Containers: []facts.Container{{Args: make([]string, 1000), Command: []string{strings.Repeat("x", 1<<20)}}}},
		Status:   facts.PodStatus{Message: strings.Repeat("ö", 1<<20)},
	}
	prunePod(&pod)
	if n := len(pod.Metadata.Labels); n != maxLabels {
		t.Errorf("%d labels", n)
	}
	if long := pod.Metadata.Labels["a-long"]; len(long) > maxName || !utf8.ValidString(long) || !strings.HasSuffix(long, "…") {
		t.Errorf("a label's value of %d bytes: %q", len(long), long)
	}
	if n := len(pod.Status.Message); n > maxMessage || !utf8.ValidString(pod.Status.Message) {
		t.Errorf("a message of %d bytes", n)
	}
	if c := pod.Spec.Containers[0]; len(c.Args) != maxArguments || len(c.Command[0]) > maxArgument {
		t.Errorf("%d arguments, a command of %d bytes", len(c.Args), len(c.Command[0]))
	}
}

func TestPruneProbe(t *testing.T) {
	for name, test := range map[string]struct{ in, want string }{
		"headers":   {`{"httpGet":{"httpHeaders":[{"name":"Host","value":"a"},{"name":"X-Auth","value":"b"}],"port":80}}`, `{"httpGet":{"httpHeaders":[{"name":"Host","value":"a"},{"name":"X-Auth","value":"********"}],"port":80}}`},
		"exec":      {`{"exec":{"command":["redis-cli","--password","b"]}}`, `{"exec":{"command":["redis-cli","--password","********"]}}`},
		"plain":     {`{"tcpSocket":{"port":80}}`, `{"tcpSocket":{"port":80}}`},
		"odd shape": {`{"httpGet":{"httpHeaders":[1,"a",null]},"exec":{"command":[1]}}`, `{"exec":{"command":[""]},"httpGet":{"httpHeaders":[1,"a",null]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			raw := json.RawMessage(test.in)
			if diff := cmp.Diff(test.want, string(*pruneProbe(&raw))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPruneRecorded(t *testing.T) {
	named := func(namespace, name string) facts.ConfigMap {
		return facts.ConfigMap{Metadata: facts.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string]string{"password": "x"}}
	}
	c := &facts.Cluster{
		ConfigMaps: facts.ReadGroup([]facts.ConfigMap{named("web", "kube-proxy"), named("kube-system", "kube-proxy"), named("kube-system", "other")}),
		Events:     facts.ReadGroup([]facts.Event{{Reason: "Pulled"}, {Reason: "Evicted"}}),
	}
	Prune(c)
	if got := c.ConfigMaps.Value; len(got) != 1 || got[0].Data["password"] != masked {
		t.Errorf("ConfigMaps %+v", got)
	}
	if got := c.Events.Value; len(got) != 1 || got[0].Reason != "Evicted" {
		t.Errorf("events %+v", got)
	}
}
