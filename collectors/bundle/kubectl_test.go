package bundle

import (
	"os/exec"
	"path/filepath"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netcause/netcause/collectors/cluster"
	"github.com/netcause/netcause/collectors/cluster/clustertest"
	"github.com/netcause/netcause/collectors/nettest"
	"github.com/netcause/netcause/engine/facts"
)

// What kubectl writes of a real API server's objects, in every form, is what is collected of them.
func TestKubectlAgreesWithCollect(t *testing.T) {
	nettest.NeedTool(t, "kubectl")
	s := clustertest.Start(t)
	s.Create(t, `
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {kubernetes.io/hostname: n1}, annotations: {flannel.alpha.coreos.com/public-ip: 192.0.2.1, other: x}}
spec: {podCIDR: 10.244.0.0/24, podCIDRs: [10.244.0.0/24]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default, labels: {app: web}}
spec:
  nodeName: n1
  automountServiceAccountToken: false
  containers: [{name: c, image: x, args: [--token=abc], env: [{name: PASSWORD, value: hunter2}], ports: [{containerPort: 8080}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: default, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [10.244.0.2], nodeName: n1}]
ports: [{port: 8080}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: default}
spec: {podSelector: {}, policyTypes: [Ingress]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: kube-proxy, namespace: kube-system}
spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: x}]}}}
`)
	live, err := cluster.Collect(t.Context(), s.RESTConfig(t), cluster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	kubectl := func(args ...string) []byte {
		cmd := exec.CommandContext(t.Context(), "kubectl", append([]string{"--kubeconfig", s.Kubeconfig}, args...)...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("kubectl %v: %v", args, err)
		}
		return out
	}
	folder := filepath.Join(t.TempDir(), "dump")
	kubectl("cluster-info", "dump", "-A", "--output-directory", folder)
	dump := []string{"Nodes", "Pods", "Services", "DaemonSets", "Deployments"}
	for _, test := range []struct {
		name, path string
		groups     []string
	}{
		{"folder", folder, dump},
		{"stream", onDisk(t, "x", kubectl("cluster-info", "dump", "-A")), dump},
		{"YAML stream", onDisk(t, "x", kubectl("cluster-info", "dump", "-A", "-o", "yaml")), dump},
		{"default stream", onDisk(t, "x", kubectl("cluster-info", "dump")), dump},
		{
			"mixed lists", onDisk(t, "x", append(kubectl("get", "-A", "-o", "json", "nodes,pods,services,endpointslices,networkpolicies,daemonsets"),
				kubectl("get", "namespaces,priorityclasses", "-o", "json")...)),
			[]string{"Nodes", "Pods", "Services", "EndpointSlices", "NetworkPolicies", "DaemonSets", "Namespaces", "PriorityClasses"},
		},
		{"version", onDisk(t, "x", kubectl("version", "-o", "json")), []string{"Version"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := read(t, test.path).Cluster
			only := gocmp.FilterPath(func(p gocmp.Path) bool {
				field, ok := p.Index(1).(gocmp.StructField)
				if !ok {
					return false
				}
				for _, group := range test.groups {
					if field.Name() == group {
						return false
					}
				}
				return true
			}, gocmp.Ignore())
			if diff := gocmp.Diff(*live, *got, only, withoutSources, cmpopts.SortSlices(func(a, b facts.PriorityClass) bool { return a.Value < b.Value })); diff != "" {
				t.Errorf("(-collected +kubectl):\n%s", diff)
			}
		})
	}
}
