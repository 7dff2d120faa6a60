package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netcause/netcause/engine/facts"
)

// otherPolicyKinds are the policies that others than networking.k8s.io define: what these allow may pass though
// NetworkPolicies do not allow it.
var otherPolicyKinds = []struct {
	kind string
	resource
}{
	{"AdminNetworkPolicy", resource{"policy.networking.k8s.io", "v1alpha1", "adminnetworkpolicies", "adminnetworkpolicy", false}},
	{"ClusterNetworkPolicy", resource{"policy.networking.k8s.io", "v1alpha2", "clusternetworkpolicies", "clusternetworkpolicy", false}},
	{"CiliumClusterwideNetworkPolicy", resource{"cilium.io", "v2", "ciliumclusterwidenetworkpolicies", "ciliumclusterwidenetworkpolicy", false}},
	{"CiliumNetworkPolicy", resource{"cilium.io", "v2", "ciliumnetworkpolicies", "ciliumnetworkpolicy", true}},
	{"GlobalNetworkPolicy", resource{"crd.projectcalico.org", "v1", "globalnetworkpolicies", "globalnetworkpolicy", false}},
	{"NetworkPolicy", resource{"crd.projectcalico.org", "v1", "networkpolicies", "networkpolicy", true}},
	{"ClusterNetworkPolicy", resource{"crd.antrea.io", "v1beta1", "clusternetworkpolicies", "clusternetworkpolicy", false}},
	{"NetworkPolicy", resource{"crd.antrea.io", "v1beta1", "networkpolicies", "networkpolicy", true}},
}

// otherPolicies reads the names of those policies: an API group that the server does not have has none.
func otherPolicies(ctx context.Context, c *client, s scope) facts.Group[[]facts.PolicyReference] {
	group := facts.ReadGroup([]facts.PolicyReference{})
	group.Reason = s.limits()
	for _, of := range otherPolicyKinds {
		r := of.resource
		source := facts.Source("kubectl get " + r.plural + "." + r.group + " -A")
		group.Sources = append(group.Sources, source)
		for _, namespace := range s.of(r) {
			list, err := c.policyNames(ctx, r, namespace)
			switch {
			case apierrors.IsNotFound(err):
			case err != nil && group.Status == facts.Read:
				status, reason := failure(err)
				if status == facts.Denied {
					reason = r.forbidden("list", "")
				} else {
					reason = fmt.Sprintf("list %s: %s", r.plural, reason)
				}
				group.Status, group.Reason = status, reason
			}
			for _, m := range list {
				group.Value = append(group.Value, facts.PolicyReference{
					Source: source, APIGroup: r.group, Kind: of.kind,
					Metadata: facts.ObjectMeta{Namespace: m.Namespace, Name: m.Name},
				})
			}
		}
	}
	slices.SortFunc(group.Value, func(a, b facts.PolicyReference) int {
		return cmp.Or(cmp.Compare(a.APIGroup, b.APIGroup), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Metadata.Namespace, b.Metadata.Namespace),
			cmp.Compare(a.Metadata.Name, b.Metadata.Name))
	})
	return group
}

// policyNames lists policies page by page, of which the metadata alone is asked for.
func (c *client) policyNames(ctx context.Context, r resource, namespace string) (list []metav1.ObjectMeta, err error) {
	next := ""
	for range maxPages {
		page, err := c.policyPage(ctx, r, namespace, next)
		if err != nil {
			if !apierrors.IsNotFound(err) {
				c.note(err)
			}
			return list, err
		}
		for _, item := range page.Items {
			list = append(list, item.ObjectMeta)
		}
		if next = page.Continue; next == "" {
			return list, nil
		}
	}
	return list, fmt.Errorf("more than %d pages of %d", maxPages, pageSize)
}

func (c *client) policyPage(ctx context.Context, r resource, namespace, next string) (page metav1.PartialObjectMetadataList, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.pageTimeout)
	defer cancel()
	request := c.rest.Get().AbsPath(r.path(namespace)).Param("limit", strconv.Itoa(pageSize)).
		SetHeader("Accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")
	if next != "" {
		request = request.Param("continue", next)
	}
	text, err := request.Do(ctx).Raw()
	if err != nil {
		return page, err
	}
	if err := json.Unmarshal(text, &page); err != nil {
		return page, fmt.Errorf("decode the list: %w", err)
	}
	return page, nil
}

// IsOtherPolicy says whether a kind of an apiVersion is one of those policies, whatever its version.
func IsOtherPolicy(apiVersion, kind string) bool {
	group, _, _ := strings.Cut(apiVersion, "/")
	for _, of := range otherPolicyKinds {
		if of.kind == kind && (of.group == group || of.group == "crd."+group) {
			return true
		}
	}
	return false
}
