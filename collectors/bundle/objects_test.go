package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"sigs.k8s.io/yaml"

	"github.com/netcause/netcause/engine/facts"
)

// dumped is the recorded dump, in the order in which kubectl writes it to standard output, as JSON or YAML.
func dumped(t *testing.T, toYAML bool) (stream string, files map[string]string) {
	t.Helper()
	files = map[string]string{}
	logs := ""
	for _, e := range untar(t, gunzip(t, readFile(t, healthy))) {
		name, ok := strings.CutPrefix(e.header.Name, "healthy/cluster-info/")
		if !ok {
			continue
		}
		if strings.HasSuffix(name, "logs.txt") {
			logs += "==== START logs for container a of pod kube-system/c ====\n{\"kind\": \"Pod\"}\n" + strings.TrimSpace(e.text) + "==== END logs for container a of pod kube-system/c ====\n"
			continue
		}
		text := e.text
		if toYAML {
			data, err := yaml.JSONToYAML([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			// kubectl writes apiVersion first.
			name, text = strings.TrimSuffix(name, ".json")+".yaml", "apiVersion: v1\n"+strings.Replace("\n"+string(data), "\napiVersion: v1\n", "\n", 1)[1:]
		}
		files[name] = text
	}
	ending := ".json"
	if toYAML {
		ending = ".yaml"
	}
	for _, list := range []string{"nodes", "configmaps", "endpointslices"} {
		stream += files[list+ending]
	}
	for _, ns := range []string{"default", "kube-node-lease", "kube-public", "kube-system"} {
		for _, list := range []string{"events", "replication-controllers", "services", "daemonsets", "deployments", "replicasets", "pods"} {
			stream += files[ns+"/"+list+ending]
		}
	}
	stream += logs
	return stream, files
}

var withoutSources = gocmp.Options{
	cmpopts.IgnoreFields(facts.Meta{}, "Sources", "Reason"),
	gocmp.FilterPath(func(p gocmp.Path) bool { return p.Last().String() == ".Source" }, gocmp.Ignore()),
	cmpopts.SortSlices(func(a, b facts.Pod) bool { return a.Metadata.Name < b.Metadata.Name }),
	cmpopts.SortSlices(func(a, b facts.Service) bool {
		return a.Metadata.Namespace+a.Metadata.Name < b.Metadata.Namespace+b.Metadata.Name
	}),
	cmpopts.SortSlices(func(a, b facts.Event) bool { return a.Metadata.Name < b.Metadata.Name }),
	cmpopts.EquateEmpty(),
	gocmp.Comparer(func(a, b json.RawMessage) bool {
		var x, y any
		return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && gocmp.Equal(x, y)
	}),
}

// A cluster-info dump is the same objects as a folder and as one stream, in JSON and in YAML.
func TestReadDump(t *testing.T) {
	want := read(t, healthy).Cluster
	for _, toYAML := range []bool{false, true} {
		stream, files := dumped(t, toYAML)
		t.Run(fmt.Sprintf("folder, yaml %v", toYAML), func(t *testing.T) {
			if diff := gocmp.Diff(want, read(t, folderOf(t, files)).Cluster, withoutSources); diff != "" {
				t.Error(diff)
			}
		})
		t.Run(fmt.Sprintf("stream, yaml %v", toYAML), func(t *testing.T) {
			got := read(t, onDisk(t, "dump.txt", []byte(stream)))
			if diff := gocmp.Diff(want, got.Cluster, withoutSources, cmpopts.IgnoreFields(facts.Cluster{}, "NetworkPolicies", "PriorityClasses")); diff != "" {
				t.Error(diff, got.Inputs)
			}
			if s := got.Cluster.NetworkPolicies.Status; s != facts.Absent {
				t.Errorf("network policies are %v", s)
			}
		})
	}
}

const (
	twoNamespaces = `{"metadata":{"name":"a","namespace":"kube-system","uid":"1"}},{"metadata":{"name":"b","namespace":"default","uid":"2"}}`
	endpointsList = `{"apiVersion":"v1","kind":"List","items":[
{"apiVersion":"v1","kind":"Endpoints","metadata":{"name":"dns","namespace":"kube-system"},"subsets":[
 {"addresses":[{"ip":"10.1.0.2","nodeName":"n1","targetRef":{"kind":"Pod","name":"p","namespace":"kube-system"}},{"ip":"fd00::2"}],
  "notReadyAddresses":[{"ip":"10.1.0.3"}],"ports":[{"name":"dns","port":53,"protocol":"UDP"}]}]},
{"apiVersion":"v1","kind":"Endpoints","metadata":{"name":"none","namespace":"default"}}]}`
)

func TestReadObjects(t *testing.T) {
	list := func(kind, items string) string {
		return fmt.Sprintf(`{"apiVersion":"v1","kind":"%sList","items":[%s]}`, kind, items)
	}
	for _, test := range []struct {
		name  string
		files map[string]string
		check func(c *facts.Cluster) string
	}{
		{"a mixed List", map[string]string{"x": `{"apiVersion":"v1","kind":"List","items":[{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"kube-system"}},{"kind":"Service","apiVersion":"v1","metadata":{"name":"b","namespace":"default"}},{"kind":"Secret","apiVersion":"v1","metadata":{"name":"s"},"data":{"a":"b"}}]}`}, func(c *facts.Cluster) string {
			return fmt.Sprint(c.Pods.Status, len(c.Pods.Value), c.Services.Status, len(c.Services.Value), c.Nodes.Status)
		}},
		{"Endpoints stand in", map[string]string{"ep.json": endpointsList, "x": list("Pod", twoNamespaces)}, func(c *facts.Cluster) string {
			text := fmt.Sprint(c.EndpointSlices.Status, " ", c.EndpointSlices.Reason)
			for _, s := range c.EndpointSlices.Value {
				text += fmt.Sprintf("; %s %s %s", s.Metadata.Labels["kubernetes.io/service-name"], s.AddressType, s.Ports[0].Protocol)
				for _, e := range s.Endpoints {
					text += fmt.Sprintf(" %s %v %s", e.Addresses[0], *e.Conditions.Ready, e.NodeName)
				}
			}
			return text
		}},
		{"slices before Endpoints", map[string]string{"ep.json": endpointsList, "eps": list("EndpointSlice", twoNamespaces)}, func(c *facts.Cluster) string {
			return fmt.Sprint(len(c.EndpointSlices.Value), " ", c.EndpointSlices.Reason)
		}},
		{"forbidden", map[string]string{"pods.json": "Error from server (Forbidden): pods is forbidden: User \"x\" cannot list resource \"pods\"\n", "nodes.json": list("Node", `{"metadata":{"name":"n1"}}`)}, func(c *facts.Cluster) string {
			return fmt.Sprint(c.Pods.Status, " ", c.Pods.Reason)
		}},
		{"one namespace is not all", map[string]string{"p.json": list("Pod", `{"metadata":{"name":"a","namespace":"web"}}`), "s.json": list("Service", twoNamespaces)}, func(c *facts.Cluster) string {
			return fmt.Sprint(c.Pods.Status, " ", c.Pods.Reason, " ", c.Services.Status)
		}},
		{"kubectl get -A in a folder of any name", map[string]string{
			"ticket/pods.json": list("Pod", twoNamespaces), "ticket/services.json": list("Service", twoNamespaces),
			"n.json": list("Namespace", `{"metadata":{"name":"web"}}`), "daemonsets.json": `{"apiVersion":"v1","items":[],"kind":"List"}`,
		}, func(c *facts.Cluster) string {
			return fmt.Sprint(c.Pods.Status, c.Pods.Reason, " ", c.Services.Status, c.Services.Reason, " ", c.DaemonSets.Status, c.DaemonSets.Reason)
		}},
		{"an empty list of a namespace's folder of a dump", map[string]string{
			"daemonsets.json": list("DaemonSet", ""), "pods.json": list("Pod", `{"metadata":{"name":"a","namespace":"web"}}`),
		}, func(c *facts.Cluster) string {
			return fmt.Sprint(c.DaemonSets.Status, " ", c.DaemonSets.Reason, "; ", c.Pods.Status, " ", c.Pods.Reason)
		}},
		{"single objects are no list", map[string]string{"p.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  namespace: kube-system\n---\napiVersion: v1\nkind: Node\nmetadata:\n  name: n1\n"}, func(c *facts.Cluster) string {
			return fmt.Sprint(c.Pods.Status, " ", c.Pods.Reason, " ", c.Nodes.Status)
		}},
		{"an empty List tells by its name", map[string]string{"networkpolicies.json": `{"apiVersion":"v1","items":[],"kind":"List"}`, "n.json": list("Node", "")}, func(c *facts.Cluster) string {
			return fmt.Sprint(c.NetworkPolicies.Status, c.Nodes.Status, c.Pods.Status)
		}},
		{"version", map[string]string{"v": `{"clientVersion":{"gitVersion":"v1"},"serverVersion":{"gitVersion":"v1.30.0","platform":"linux/amd64"}}`}, func(c *facts.Cluster) string {
			return fmt.Sprint(c.Version.Status, c.Version.Value)
		}},
		{"v1beta1 slices", map[string]string{"eps.json": `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"discovery.k8s.io/v1beta1","kind":"EndpointSlice","metadata":{"name":"a","namespace":"kube-system"},"addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"],"topology":{"kubernetes.io/hostname":"n1"}}]}]}`}, func(c *facts.Cluster) string {
			return fmt.Sprint(c.EndpointSlices.Value[0].Endpoints[0].NodeName)
		}},
		{"cut", map[string]string{"n.json": list("Node", `{"metadata":{"name":"n1"}}`), "pods.json": list("Pod", twoNamespaces)[:60]}, func(c *facts.Cluster) string {
			return fmt.Sprint(c.Nodes.Status, c.Pods.Status)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := map[string]string{
				"a mixed List": "read 1 read 1 absent",
				"Endpoints stand in": "read made of Endpoints objects: no list of EndpointSlices is there; dns IPv4 UDP 10.1.0.2 true n1 10.1.0.3 false " +
					"; dns IPv6 UDP fd00::2 true ",
				"slices before Endpoints":                         "2 ",
				"forbidden":                                       `denied "Error from server (Forbidden): pods is forbidden: User \"x\" cannot list resource \"pods\""`,
				"one namespace is not all":                        "absent those of web alone: of default and others there is no list read",
				"kubectl get -A in a folder of any name":          "read read read",
				"an empty list of a namespace's folder of a dump": "absent an empty list of daemonsets, of one namespace alone; absent those of web alone: of kube-system and others there is no list",
				"single objects are no list":                      "absent single objects alone, and no list of pods absent",
				"an empty List tells by its name":                 "read read absent",
				"version":                                         "read {v1.30.0 linux/amd64}",
				"v1beta1 slices":                                  "n1",
				"cut":                                             "read absent",
			}[test.name]
			c := read(t, folderOf(t, test.files)).Cluster
			if got := test.check(c); got != want {
				t.Errorf("got %q\nwant %q", got, want)
			}
			text, err := json.Marshal(c)
			if err != nil || bytes.Contains(text, []byte("Secret")) {
				t.Error(err, "a Secret was kept")
			}
		})
	}
}

func TestReadTwoClusters(t *testing.T) {
	node := func(uid string) string {
		return `{"apiVersion":"v1","kind":"NodeList","items":[{"metadata":{"name":"n1","uid":"` + uid + `"}}]}`
	}
	if _, err := Read(t.Context(), []string{folderOf(t, map[string]string{"a/nodes.json": node("1"), "b/nodes.json": node("2")})}, Limits{}); err == nil || !strings.Contains(err.Error(), "two clusters") {
		t.Errorf("got %v", err)
	}
	if _, err := Read(t.Context(), []string{folderOf(t, map[string]string{"a/nodes.json": node("1"), "b/nodes.json": node("1")})}, Limits{}); err != nil {
		t.Error(err)
	}
}

// Others have Nodes, NetworkPolicies and Services of theirs: only what names a policy is kept of them.
func TestReadKindsOfOthers(t *testing.T) {
	list := func(apiVersion, kind, name string) string {
		return `{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "` + apiVersion + `", "kind": "` + kind + `", "metadata": {"name": "` + name + `", "namespace": "kube-system"}, "spec": {}}]}`
	}
	c := read(t, folderOf(t, map[string]string{
		"nodes.json": list("v1", "Node", "n1"), "longhorn.json": list("longhorn.io/v1beta2", "Node", "n2"),
		"netpol.json": list("networking.k8s.io/v1", "NetworkPolicy", "own"), "calico.json": list("crd.projectcalico.org/v1", "NetworkPolicy", "calico"),
		"calico-v3.json": list("projectcalico.org/v3", "GlobalNetworkPolicy", "global"), "cilium.json": list("cilium.io/v2", "CiliumNetworkPolicy", "calico"),
		"svc.json": list("v1", "Service", "s"), "ksvc.json": list("serving.knative.dev/v1", "Service", "k"),
	})).Cluster
	if len(c.Nodes.Value) != 1 || len(c.NetworkPolicies.Value) != 1 || len(c.Services.Value) != 1 {
		t.Errorf("%d nodes, %d policies, %d services", len(c.Nodes.Value), len(c.NetworkPolicies.Value), len(c.Services.Value))
	}
	var names []string
	for _, p := range c.OtherPolicies.Value {
		names = append(names, p.APIGroup+" "+p.Kind+" "+p.Metadata.Name)
	}
	slices.Sort(names)
	want := []string{"cilium.io CiliumNetworkPolicy calico", "crd.projectcalico.org NetworkPolicy calico", "projectcalico.org GlobalNetworkPolicy global"}
	if !slices.Equal(names, want) || c.OtherPolicies.Status != facts.Read {
		t.Errorf("%q, %+v", names, c.OtherPolicies.Meta)
	}
}
