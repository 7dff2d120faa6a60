package cluster

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"

	"github.com/netcause/netcause/engine/facts"
)

// A user who may not see Pods and EndpointSlices gets the rest, and is told what is missing.
func TestDenied(t *testing.T) {
	s := incident(t)
	user := s.UserConfig(t, "restricted")
	s.Grant(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: restricted}
rules:
  - {apiGroups: [""], resources: [nodes, namespaces, services, events, configmaps], verbs: [get, list]}
  - {apiGroups: [apps], resources: [daemonsets, deployments, statefulsets], verbs: [list]}
  - {apiGroups: [networking.k8s.io, policy.networking.k8s.io, cilium.io, crd.projectcalico.org, crd.antrea.io], resources: ["*"], verbs: [list]}
  - {apiGroups: [scheduling.k8s.io], resources: [priorityclasses], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: restricted}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: restricted}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: restricted}]
`, user, nodes.path(""))
	c, err := Collect(t.Context(), user, Options{})
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]string{
		"pods":           `list pods is forbidden: needs verb list on resource pods in API group ""`,
		"endpointslices": `list endpointslices is forbidden: needs verb list on resource endpointslices in API group "discovery.k8s.io"`,
	}
	for _, g := range c.Groups() {
		want, reason := facts.Read, reasons[g.Name]
		if reason != "" {
			want = facts.Denied
		}
		if m := g.Group.GetMeta(); m.Status != want || m.Reason != reason {
			t.Errorf("%s: %+v", g.Name, *m)
		}
	}
	if len(c.Nodes.Value) < 2 {
		t.Errorf("%d nodes", len(c.Nodes.Value))
	}
}

// A user without any right is known to the server: that is no unreachable cluster.
func TestDeniedEverything(t *testing.T) {
	s := incident(t)
	c, err := Collect(t.Context(), s.UserConfig(t, "nobody"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range c.Groups() {
		want := facts.Denied
		if g.Name == "version" { // which everybody may
			want = facts.Read
		}
		if m := g.Group.GetMeta(); m.Status != want {
			t.Errorf("%s: %+v", g.Name, *m)
		}
	}
	if got, want := c.ConfigMaps.Reason, `get configmaps is forbidden: needs verb get on resource configmaps in API group ""`; got != want {
		t.Errorf("configmaps: %q", got)
	}
}

// Whoever may see one namespace only is not told that kube-proxy does not run: kube-system was not seen.
func TestDeniedSystemNamespace(t *testing.T) {
	s := incident(t)
	user := s.UserConfig(t, "developer")
	s.Grant(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: developer, namespace: web}
rules: [{apiGroups: ["", apps], resources: ["*"], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: developer, namespace: web}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: developer}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: developer}]
`, user, pods.path("web"))
	c, err := Collect(t.Context(), user, Options{Namespace: "web"})
	if err != nil {
		t.Fatal(err)
	}
	const want = `list pods is forbidden in namespace kube-system: needs verb list on resource pods in API group ""`
	if c.Pods.Status != facts.Denied || c.Pods.Reason != want {
		t.Errorf("pods: %+v", c.Pods.Meta)
	}
}

// The manifest that ships allows everything that is read, and no Secrets.
func TestClusterRole(t *testing.T) {
	s := incident(t)
	// The token is the ServiceAccount's, which is the first document of the manifest.
	account, grants, _ := strings.Cut(ClusterRole, "\n---\n")
	path := s.Create(t, account)[0]
	t.Cleanup(func() { s.Delete(t, path) })
	token, err := s.Do(t.Context(), http.MethodPost, "/api/v1/namespaces/kube-system/serviceaccounts/netcause/token",
		contentJSON, json.RawMessage(`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"expirationSeconds":3600}}`))
	if err != nil {
		t.Fatal(err)
	}
	cfg := rest.AnonymousClientConfig(s.RESTConfig(t))
	cfg.BearerToken, _ = token["status"].(map[string]any)["token"].(string)
	s.Grant(t, grants, cfg, nodes.path(""))

	c, err := Collect(t.Context(), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantAllRead(t, c)
	if len(c.ConfigMaps.Value) != 2 || len(c.Pods.Value) == 0 {
		t.Errorf("%d ConfigMaps, %d Pods", len(c.ConfigMaps.Value), len(c.Pods.Value))
	}

	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/api/v1/secrets", "/api/v1/namespaces/kube-system/secrets", "/api/v1/namespaces/kube-system/secrets/x",
		"/api/v1/configmaps", "/api/v1/namespaces/web/configmaps/application",
	} {
		resp, err := client.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("GET %s: %s, not forbidden", path, resp.Status)
		}
	}
}

// The names in the manifest are the names that are read.
func TestClusterRoleNames(t *testing.T) {
	var names []string
	decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(ClusterRole), 4096)
	for {
		var object struct {
			Rules []struct {
				Verbs         []string `json:"verbs"`
				ResourceNames []string `json:"resourceNames"`
			} `json:"rules"`
		}
		if err := decoder.Decode(&object); err != nil {
			break
		}
		for _, rule := range object.Rules {
			names = append(names, rule.ResourceNames...)
			for _, verb := range rule.Verbs {
				if verb != "get" && verb != "list" {
					t.Errorf("verb %s changes the cluster", verb)
				}
			}
		}
	}
	want := map[string]bool{}
	for _, m := range componentConfigMaps {
		want[m.name] = true
		if !slices.Contains(names, m.name) {
			t.Errorf("%s is read and not allowed", m.name)
		}
	}
	if len(names) != len(want) {
		t.Errorf("%d names allowed, %d read", len(names), len(want))
	}
}
