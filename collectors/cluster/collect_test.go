package cluster

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netcause/netcause/collectors/cluster/clustertest"
	"github.com/netcause/netcause/engine/facts"
)

// incident is a server with the objects of testdata/incident.yaml, made once.
func incident(t *testing.T) *clustertest.Server {
	t.Helper()
	s := clustertest.Shared(t)
	createIncident.Do(func() {
		text, err := os.ReadFile("testdata/incident.yaml")
		if err != nil {
			t.Fatal(err)
		}
		s.Create(t, string(text))
	})
	return s
}

var createIncident sync.Once

func collect(t *testing.T, s *clustertest.Server, opts Options) *facts.Cluster {
	t.Helper()
	c, err := Collect(t.Context(), s.RESTConfig(t), opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantAllRead(t *testing.T, c *facts.Cluster) {
	t.Helper()
	for _, g := range c.Groups() {
		if m := g.Group.GetMeta(); m.Status != facts.Read || m.Reason != "" || len(m.Sources) == 0 {
			t.Errorf("%s: %+v", g.Name, *m)
		}
	}
}

// What is collected is what kubectl get -o json shows, unmarshalled and pruned: live and recorded clusters are the same.
func TestCollectEqualsRecorded(t *testing.T) {
	s := incident(t)
	got := collect(t, s, Options{})
	wantAllRead(t, got)

	want := &facts.Cluster{}
	for path, into := range map[string]any{
		"/api/v1/nodes":    &want.Nodes.Value,
		"/api/v1/pods":     &want.Pods.Value,
		"/api/v1/services": &want.Services.Value,
		"/apis/discovery.k8s.io/v1/endpointslices":   &want.EndpointSlices.Value,
		"/apis/networking.k8s.io/v1/networkpolicies": &want.NetworkPolicies.Value,
		"/apis/apps/v1/daemonsets":                   &want.DaemonSets.Value,
		"/apis/apps/v1/deployments":                  &want.Deployments.Value,
		"/apis/apps/v1/statefulsets":                 &want.StatefulSets.Value,
		"/apis/scheduling.k8s.io/v1/priorityclasses": &want.PriorityClasses.Value,
		"/api/v1/namespaces/kube-system/configmaps":  &want.ConfigMaps.Value,
		"/api/v1/events":                             &want.Events.Value,
		"/api/v1/namespaces":                         &want.Namespaces.Value,
	} {
		answer, err := s.Do(t.Context(), http.MethodGet, path, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(answer["items"])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	Prune(want)

	if got.Version.Value.GitVersion == "" || got.Server != s.URL {
		t.Errorf("server %q of version %+v", got.Server, got.Version.Value)
	}
	byName := cmpopts.SortSlices(func(a, b facts.ConfigMap) bool { return a.Metadata.Name < b.Metadata.Name })
	eventsByName := cmpopts.SortSlices(func(a, b facts.Event) bool { return a.Metadata.Name < b.Metadata.Name })
	ignoreMeta := cmp.FilterPath(func(p cmp.Path) bool {
		return p.Last().String() == ".Meta" || p.Last().String() == ".Source" ||
			p.Last().String() == ".Version" || p.Last().String() == ".Server"
	}, cmp.Ignore())
	if diff := cmp.Diff(want, got, byName, eventsByName, ignoreMeta, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("recorded (-), collected (+):\n%s", diff)
	}
}

// The incident as rules see it.
func TestCollectIncident(t *testing.T) {
	c := collect(t, incident(t), Options{})

	pod := find(t, c.Pods.Value, "kube-proxy-n2", func(p facts.Pod) facts.ObjectMeta { return p.Metadata })
	want := &facts.Affinity{NodeAffinity: &facts.NodeAffinity{Required: &facts.NodeSelector{
		NodeSelectorTerms: []facts.NodeSelectorTerm{{
			MatchFields: []facts.SelectorRequirement{{Key: "metadata.name", Operator: "In", Values: []string{"n2"}}},
		}},
	}}}
	if diff := cmp.Diff(want, pod.Spec.Affinity); diff != "" {
		t.Error(diff)
	}
	if pod.Status.Phase != "Pending" || pod.Status.Conditions[0].Reason != "Unschedulable" {
		t.Errorf("status of the Pod that does not fit: %+v", pod.Status)
	}
	if got, want := pod.Source, facts.Source("kubectl get pod -n kube-system kube-proxy-n2 -o yaml"); got != want {
		t.Errorf("source %q, not %q", got, want)
	}
	evicted := find(t, c.Pods.Value, "kube-proxy-n2-old", func(p facts.Pod) facts.ObjectMeta { return p.Metadata })
	if evicted.Status.Reason != "Evicted" || evicted.Status.Phase != "Failed" {
		t.Errorf("status of the evicted Pod: %+v", evicted.Status)
	}
	ds := find(t, c.DaemonSets.Value, "kube-proxy", func(d facts.DaemonSet) facts.ObjectMeta { return d.Metadata })
	if ds.Spec.Template.Spec.PriorityClassName != "" || ds.Status.NumberUnavailable != 1 {
		t.Errorf("DaemonSet: %+v", ds)
	}
	node := find(t, c.Nodes.Value, "n1", func(n facts.NodeObject) facts.ObjectMeta { return n.Metadata })
	if diff := cmp.Diff(map[string]string{
		"flannel.alpha.coreos.com/public-ip":    "10.153.204.228",
		"flannel.alpha.coreos.com/backend-data": `{"VNI":1,"VtepMAC":"9e:5e:3a:00:00:01"}`,
		"node.alpha.kubernetes.io/ttl":          "0",
	}, node.Metadata.Annotations); diff != "" {
		t.Errorf("annotations of n1:\n%s", diff)
	}
	if got, want := node.Source, facts.Source("kubectl get node n1 -o yaml"); got != want {
		t.Errorf("source %q, not %q", got, want)
	}

	var names []string
	for _, m := range c.ConfigMaps.Value {
		names = append(names, m.Metadata.Namespace+"/"+m.Metadata.Name)
	}
	if diff := cmp.Diff([]string{"kube-system/kube-proxy", "kube-system/kube-flannel-cfg"}, names); diff != "" {
		t.Errorf("ConfigMaps:\n%s", diff)
	}
	for _, e := range c.Events.Value {
		if e.Reason == "Pulled" {
			t.Error("an event without relevance was kept")
		}
	}
	if got := len(c.PriorityClasses.Value); got != 2 {
		t.Errorf("%d priority classes, not the server's own two", got)
	}
	if got, want := c.Pods.Sources, []facts.Source{"kubectl get pods -A -o json"}; !slices.Equal(got, want) {
		t.Errorf("sources of pods %q", got)
	}
}

// No secret of the manifest is in what was collected.
func TestCollectHoldsNoSecrets(t *testing.T) {
	c := collect(t, incident(t), Options{})
	var all strings.Builder
	for _, g := range c.Groups() {
		text, err := json.Marshal(g.Group.Any())
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	for _, secret := range []string{
		"environment-is-never-read", "args-are-masked", "hunter2", "aHVudGVyMg", "eyJhbGci", "example.com/secret",
		"last-applied", "nobody's business",
	} {
		if strings.Contains(all.String(), secret) {
			t.Errorf("%q was collected", secret)
		}
	}
	if !strings.Contains(all.String(), "tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token") {
		t.Error("the kubeconfig of kube-proxy is gone altogether")
	}
}

func TestCollectNamespace(t *testing.T) {
	c := collect(t, incident(t), Options{Namespace: "web"})
	seen := map[string]bool{}
	for _, p := range c.Pods.Value {
		seen[p.Metadata.Namespace] = true
	}
	if !seen["web"] || !seen["kube-system"] || len(seen) != 2 {
		t.Errorf("Pods of namespaces %v", seen)
	}
	if c.Pods.Status != facts.Read || !strings.HasPrefix(c.Pods.Reason, "limited to namespaces web, kube-system") {
		t.Errorf("pods: %+v", c.Pods.Meta)
	}
	if !slices.Contains(c.Pods.Sources, "kubectl get pods -n web -o json") {
		t.Errorf("sources %q", c.Pods.Sources)
	}
	if len(c.Nodes.Value) < 2 || c.Nodes.Reason != "" {
		t.Errorf("%d nodes, %+v", len(c.Nodes.Value), c.Nodes.Meta)
	}
	if _, err := Collect(t.Context(), incident(t).RESTConfig(t), Options{Namespace: "../x"}); err == nil {
		t.Error("a path was taken for a namespace")
	}
}

// The fix of an evicted kube-proxy is a patch that a real server takes.
func TestPriorityClassPatch(t *testing.T) {
	s := incident(t)
	const daemonSet = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: kube-proxy-patched, namespace: kube-system}
spec:
  selector: {matchLabels: {app: patched}}
  template:
    metadata: {labels: {app: patched}}
    spec:
      containers: [{name: kube-proxy, image: kube-proxy, args: [--v=2]}]
`
	s.Create(t, daemonSet)
	const path = "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy-patched"
	t.Cleanup(func() { s.Delete(t, path) })
	patch := json.RawMessage(`{"spec":{"template":{"spec":{"priorityClassName":"system-node-critical"}}}}`)
	if _, err := s.Do(t.Context(), http.MethodPatch, path, "application/strategic-merge-patch+json", patch); err != nil {
		t.Fatal(err)
	}
	c := collect(t, s, Options{})
	ds := find(t, c.DaemonSets.Value, "kube-proxy-patched", func(d facts.DaemonSet) facts.ObjectMeta { return d.Metadata })
	if got := ds.Spec.Template.Spec; got.PriorityClassName != "system-node-critical" || len(got.Containers) != 1 {
		t.Errorf("after the patch: %+v", got)
	}
	// The Pod that the controller would make next is admitted, with the class's priority.
	s.Create(t, `
apiVersion: v1
kind: Pod
metadata: {name: kube-proxy-patched-n2, namespace: kube-system}
spec:
  priorityClassName: system-node-critical
  containers: [{name: kube-proxy, image: kube-proxy}]
`)
	t.Cleanup(func() { s.Delete(t, "/api/v1/namespaces/kube-system/pods/kube-proxy-patched-n2") })
	c = collect(t, s, Options{})
	pod := find(t, c.Pods.Value, "kube-proxy-patched-n2", func(p facts.Pod) facts.ObjectMeta { return p.Metadata })
	if pod.Spec.Priority == nil || *pod.Spec.Priority != 2000001000 {
		t.Errorf("priority %v", pod.Spec.Priority)
	}
}

func find[T any](t *testing.T, list []T, name string, meta func(T) facts.ObjectMeta) T {
	t.Helper()
	i := slices.IndexFunc(list, func(o T) bool { return meta(o).Name == name })
	if i < 0 {
		t.Fatalf("no %T %s among %d", *new(T), name, len(list))
	}
	return list[i]
}
