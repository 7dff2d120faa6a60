package cluster

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/netcause/netcause/collectors/cluster/clustertest"
	"github.com/netcause/netcause/collectors/nettest"
	"github.com/netcause/netcause/engine/facts"
)

// Policies of an API that the server has are read by name, and those of an API that it has not are none.
func TestOtherPolicies(t *testing.T) {
	s := clustertest.Shared(t)
	s.Create(t, `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ciliumclusterwidenetworkpolicies.cilium.io}
spec:
  group: cilium.io
  scope: Cluster
  names: {plural: ciliumclusterwidenetworkpolicies, singular: ciliumclusterwidenetworkpolicy, kind: CiliumClusterwideNetworkPolicy}
  versions: [{name: v2, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`)
	policy := map[string]any{
		"apiVersion": "cilium.io/v2", "kind": "CiliumClusterwideNetworkPolicy", "metadata": map[string]any{"name": "allow-dns"},
		"spec": map[string]any{"description": "nobody's business"},
	}
	nettest.WaitFor(t, "the new kind", func() bool {
		_, err := s.Do(t.Context(), http.MethodPost, "/apis/cilium.io/v2/ciliumclusterwidenetworkpolicies", "application/json", policy)
		return err == nil
	})
	c, err := Collect(t.Context(), s.RESTConfig(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []facts.PolicyReference{{APIGroup: "cilium.io", Kind: "CiliumClusterwideNetworkPolicy", Metadata: facts.ObjectMeta{Name: "allow-dns"}}}
	if diff := cmp.Diff(want, c.OtherPolicies.Value, cmpopts.IgnoreFields(facts.PolicyReference{}, "Source")); diff != "" || c.OtherPolicies.Status != facts.Read {
		t.Errorf("%+v: %s", c.OtherPolicies.Meta, diff)
	}

	// Of a long list all pages are read.
	for _, name := range []string{"deny-all", "deny-some"} {
		policy["metadata"] = map[string]any{"name": name}
		if _, err := s.Do(t.Context(), http.MethodPost, "/apis/cilium.io/v2/ciliumclusterwidenetworkpolicies", "application/json", policy); err != nil {
			t.Fatal(err)
		}
	}
	pages := 0
	paged := intercept(s.RESTConfig(t), func(req *http.Request, next http.RoundTripper) (*http.Response, error) {
		if strings.HasSuffix(req.URL.Path, "/ciliumclusterwidenetworkpolicies") {
			pages++
			req = req.Clone(req.Context())
			query := req.URL.Query()
			query.Set("limit", "2")
			req.URL.RawQuery = query.Encode()
		}
		return next.RoundTrip(req)
	})
	if c, err = Collect(t.Context(), paged, Options{}); err != nil {
		t.Fatal(err)
	}
	if len(c.OtherPolicies.Value) != 3 || pages != 2 || c.OtherPolicies.Status != facts.Read {
		t.Errorf("%d policies of %d pages: %+v", len(c.OtherPolicies.Value), pages, c.OtherPolicies.Meta)
	}

	user := s.UserConfig(t, "no-policies")
	s.Grant(t, `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: no-policies}
rules: [{apiGroups: [""], resources: ["*"], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: no-policies}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: no-policies}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: no-policies}]
`, user, nodes.path(""))
	if c, err = Collect(t.Context(), user, Options{}); err != nil || c.OtherPolicies.Status != facts.Denied {
		t.Errorf("without the permission: %+v, %v", c.OtherPolicies.Meta, err)
	}
}

func TestIsOtherPolicy(t *testing.T) {
	for _, is := range [][2]string{
		{"cilium.io/v2", "CiliumNetworkPolicy"},
		{"projectcalico.org/v3", "GlobalNetworkPolicy"},
		{"crd.projectcalico.org/v1", "NetworkPolicy"},
		{"policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy"},
		{"crd.antrea.io/v1beta1", "ClusterNetworkPolicy"},
	} {
		if !IsOtherPolicy(is[0], is[1]) {
			t.Errorf("%v is none", is)
		}
	}
	for _, no := range [][2]string{{"networking.k8s.io/v1", "NetworkPolicy"}, {"", "NetworkPolicy"}, {"v1", "Pod"}} {
		if IsOtherPolicy(no[0], no[1]) {
			t.Errorf("%v is one", no)
		}
	}
}
