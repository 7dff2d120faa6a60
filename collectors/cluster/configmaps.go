package cluster

import (
	"context"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/netcause/netcause/engine/facts"
)

type configMapName struct{ namespace, name string }

// componentConfigMaps are the ConfigMaps of the network's components. They are read by name and no others are, for
// anything may be in a ConfigMap. The names are those that [ClusterRole] allows.
var componentConfigMaps = []configMapName{
	{systemNamespace, "kube-proxy"},
	{systemNamespace, "kube-proxy-config"}, // EKS
	{systemNamespace, "kubeadm-config"},
	{systemNamespace, "kubelet-config"},
	{systemNamespace, "coredns"},
	{systemNamespace, "coredns-custom"}, // AKS, k3s
	{systemNamespace, "rke2-coredns-rke2-coredns"},
	{"openshift-dns", "dns-default"},
	{systemNamespace, "kube-dns"},
	{systemNamespace, "node-local-dns"},
	{systemNamespace, "nodelocaldns"}, // kubespray
	{systemNamespace, "ip-masq-agent"},
	{systemNamespace, "kube-flannel-cfg"},
	{"kube-flannel", "kube-flannel-cfg"},
	{systemNamespace, "calico-config"},
	{systemNamespace, "canal-config"},
	{systemNamespace, "cilium-config"},
	{systemNamespace, "kube-router-cfg"},
	{systemNamespace, "amazon-vpc-cni"},
	{"metallb-system", "config"},
}

// configMaps reads those of the network's components that are there.
func configMaps(ctx context.Context, c *client) facts.Group[[]facts.ConfigMap] {
	found := make([]*facts.ConfigMap, len(componentConfigMaps))
	errs := make([]error, len(componentConfigMaps))
	var g errgroup.Group
	g.SetLimit(maxConcurrent)
	for i, of := range componentConfigMaps {
		g.Go(func() error {
			found[i], errs[i] = c.configMap(ctx, of)
			return nil
		})
	}
	_ = g.Wait() // the errors are in errs

	group := facts.ReadGroup([]facts.ConfigMap{})
	var deniedNames []string
	var failed error
	answers := 0
	for i, of := range componentConfigMaps {
		switch err := errs[i]; {
		case apierrors.IsForbidden(err):
			deniedNames = append(deniedNames, of.namespace+"/"+of.name)
		case err != nil:
			failed = err
		default:
			answers++
		}
		if m := found[i]; m != nil {
			group.Value = append(group.Value, *m)
			group.Sources = append(group.Sources, m.Source)
		}
	}
	if len(group.Sources) == 0 {
		group.Sources = []facts.Source{configmaps.source(systemNamespace)}
	}
	switch {
	case answers == 0 && len(deniedNames) > 0:
		group.Status, group.Reason = facts.Denied, configmaps.forbidden("get", "")
	case failed != nil:
		group.Status, group.Reason = facts.Failed, "get configmaps: "+cause(failed)
	case len(deniedNames) > 0:
		group.Reason = configmaps.forbidden("get", " for "+strings.Join(deniedNames, ", "))
	}
	return group
}

// configMap is nil where there is none of that name.
func (c *client) configMap(ctx context.Context, of configMapName) (*facts.ConfigMap, error) {
	get := func(resourceVersion string) (*corev1.ConfigMap, error) {
		ctx, cancel := context.WithTimeout(ctx, c.pageTimeout)
		defer cancel()
		req := c.rest.Get().AbsPath(configmaps.path(of.namespace), of.name)
		if resourceVersion != "" {
			req = req.Param("resourceVersion", resourceVersion)
		}
		var m corev1.ConfigMap
		return &m, req.Do(ctx).Into(&m)
	}
	m, err := get("")
	if err != nil && staleHelps(ctx, err) {
		if cached, cacheErr := get("0"); cacheErr == nil || apierrors.IsNotFound(cacheErr) {
			m, err = cached, cacheErr
		}
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		c.note(err)
		return nil, err
	}
	out := convertConfigMap(m)
	out.Source = configmaps.item(out.Metadata)
	pruneConfigMap(&out)
	return &out, nil
}
