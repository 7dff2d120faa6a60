// Package cluster reads a live cluster's objects through its API server, as far as they have to do with the network.
//
// [Config] finds the cluster as kubectl does, [Collect] reads it. Nothing is written; of Secrets and environment
// variables nothing is read. The permissions that it needs are those of [ClusterRole].
package cluster

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"

	"github.com/netcause/netcause/engine/facts"
)

// maxConcurrent bounds how many resources are listed at a time: a sick API server is not to be loaded further.
const maxConcurrent = 6

// Collect reads the cluster's objects. What cannot be read ends as a group that says why (denied, failed, absent) and
// the rest goes on.
//
// The error is an [*UnreachableError] where the server as a whole does not answer, or takes no request for want of
// valid credentials; the context's where that was cancelled.
func Collect(ctx context.Context, cfg *rest.Config, opts Options) (*facts.Cluster, error) {
	if opts.Namespace != "" {
		if problems := validation.IsDNS1123Label(opts.Namespace); len(problems) > 0 {
			return nil, fmt.Errorf("%q is no name of a namespace: %s", opts.Namespace, problems[0])
		}
	}
	c, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	return c.collect(ctx, opts)
}

func (c *client) collect(ctx context.Context, opts Options) (*facts.Cluster, error) {
	out := &facts.Cluster{Server: c.server}
	version, versionErr := c.version(ctx)
	if versionErr != nil && !answered(versionErr) {
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, ctx.Err()
		}
		return nil, unreachable(c.server, versionErr)
	}
	out.Version = version

	var g errgroup.Group
	g.SetLimit(maxConcurrent)
	read := func(group func()) { g.Go(func() error { group(); return nil }) }
	scope := newScope(opts.Namespace)
	// The largest first: they take the longest.
	read(func() { out.Pods = list(ctx, c, pods, scope, podsFrom) })
	read(func() { out.Events = events(ctx, c, scope) })
	read(func() { out.EndpointSlices = list(ctx, c, endpointSlices, scope, endpointSlicesFrom) })
	read(func() { out.Services = list(ctx, c, services, scope, servicesFrom) })
	read(func() { out.ConfigMaps = configMaps(ctx, c) })
	read(func() { out.Nodes = list(ctx, c, nodes, scope, nodesFrom) })
	read(func() { out.Deployments = list(ctx, c, deployments, scope, deploymentsFrom) })
	read(func() { out.StatefulSets = list(ctx, c, statefulSets, scope, statefulSetsFrom) })
	read(func() { out.NetworkPolicies = list(ctx, c, networkPolicies, scope, networkPoliciesFrom) })
	read(func() { out.DaemonSets = list(ctx, c, daemonSets, scope, daemonSetsFrom) })
	read(func() { out.Namespaces = list(ctx, c, namespaces, scope, namespacesFrom) })
	read(func() { out.PriorityClasses = list(ctx, c, priorityClasses, scope, priorityClassesFrom) })
	read(func() { out.OtherPolicies = otherPolicies(ctx, c, scope) })
	_ = g.Wait() // no group gives an error

	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, ctx.Err()
	}
	return out, c.refused(out, versionErr)
}

// refused is the error of a server that answered, but gave nothing: it does not know who asks, or is no API server.
func (c *client) refused(out *facts.Cluster, versionErr error) error {
	denied := false
	for _, group := range out.Groups() {
		meta := group.Group.GetMeta()
		// That a kind is not found is known of any server.
		if group.Name != "version" && group.Name != "otherpolicies" && meta.Status == facts.Read {
			return nil
		}
		denied = denied || meta.Status == facts.Denied
	}
	switch first := c.unauthenticated.Load(); {
	case first != nil:
		return unreachable(c.server, first)
	case versionErr != nil && !denied:
		return unreachable(c.server, versionErr)
	}
	return nil
}

func podsFrom(out []facts.Pod, l *corev1.PodList) []facts.Pod {
	for i := range l.Items {
		o := convertPod(&l.Items[i])
		o.Source = pods.item(o.Metadata)
		prunePod(&o)
		out = append(out, o)
	}
	return out
}

func servicesFrom(out []facts.Service, l *corev1.ServiceList) []facts.Service {
	for i := range l.Items {
		o := convertService(&l.Items[i])
		o.Source = services.item(o.Metadata)
		pruneMeta(&o.Metadata)
		out = append(out, o)
	}
	return out
}

func endpointSlicesFrom(out []facts.EndpointSlice, l *discoveryv1.EndpointSliceList) []facts.EndpointSlice {
	for i := range l.Items {
		o := convertEndpointSlice(&l.Items[i])
		o.Source = endpointSlices.item(o.Metadata)
		pruneMeta(&o.Metadata)
		out = append(out, o)
	}
	return out
}

func nodesFrom(out []facts.NodeObject, l *corev1.NodeList) []facts.NodeObject {
	for i := range l.Items {
		o := convertNode(&l.Items[i])
		o.Source = nodes.item(o.Metadata)
		pruneNode(&o)
		out = append(out, o)
	}
	return out
}

func networkPoliciesFrom(out []facts.NetworkPolicy, l *networkingv1.NetworkPolicyList) []facts.NetworkPolicy {
	for i := range l.Items {
		o := convertNetworkPolicy(&l.Items[i])
		o.Source = networkPolicies.item(o.Metadata)
		pruneMeta(&o.Metadata)
		out = append(out, o)
	}
	return out
}

func daemonSetsFrom(out []facts.DaemonSet, l *appsv1.DaemonSetList) []facts.DaemonSet {
	for i := range l.Items {
		o := convertDaemonSet(&l.Items[i])
		o.Source = daemonSets.item(o.Metadata)
		pruneMeta(&o.Metadata)
		pruneTemplate(&o.Spec.Template)
		out = append(out, o)
	}
	return out
}

func deploymentsFrom(out []facts.Deployment, l *appsv1.DeploymentList) []facts.Deployment {
	for i := range l.Items {
		o := convertDeployment(&l.Items[i])
		o.Source = deployments.item(o.Metadata)
		pruneMeta(&o.Metadata)
		pruneTemplate(&o.Spec.Template)
		out = append(out, o)
	}
	return out
}

func statefulSetsFrom(out []facts.StatefulSet, l *appsv1.StatefulSetList) []facts.StatefulSet {
	for i := range l.Items {
		o := convertStatefulSet(&l.Items[i])
		o.Source = statefulSets.item(o.Metadata)
		pruneMeta(&o.Metadata)
		pruneTemplate(&o.Spec.Template)
		out = append(out, o)
	}
	return out
}

func priorityClassesFrom(out []facts.PriorityClass, l *schedulingv1.PriorityClassList) []facts.PriorityClass {
	for i := range l.Items {
		o := convertPriorityClass(&l.Items[i])
		o.Source = priorityClasses.item(o.Metadata)
		pruneMeta(&o.Metadata)
		out = append(out, o)
	}
	return out
}

func namespacesFrom(out []facts.NamespaceObject, l *corev1.NamespaceList) []facts.NamespaceObject {
	for i := range l.Items {
		o := convertNamespace(&l.Items[i])
		o.Source = namespaces.item(o.Metadata)
		pruneMeta(&o.Metadata)
		out = append(out, o)
	}
	return out
}
