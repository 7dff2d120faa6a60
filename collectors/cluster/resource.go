package cluster

import (
	"fmt"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// resource is one of the API's resources, as discovery and RBAC name it.
type resource struct {
	group, version string // group "" is the core one
	plural         string
	singular       string // for kubectl
	namespaced     bool
}

var (
	nodes           = resource{"", "v1", "nodes", "node", false}
	namespaces      = resource{"", "v1", "namespaces", "namespace", false}
	pods            = resource{"", "v1", "pods", "pod", true}
	services        = resource{"", "v1", "services", "service", true}
	configmaps      = resource{"", "v1", "configmaps", "configmap", true}
	eventsResource  = resource{"", "v1", "events", "event", true}
	endpointSlices  = resource{"discovery.k8s.io", "v1", "endpointslices", "endpointslice", true}
	networkPolicies = resource{"networking.k8s.io", "v1", "networkpolicies", "networkpolicy", true}
	daemonSets      = resource{"apps", "v1", "daemonsets", "daemonset", true}
	deployments     = resource{"apps", "v1", "deployments", "deployment", true}
	statefulSets    = resource{"apps", "v1", "statefulsets", "statefulset", true}
	priorityClasses = resource{"scheduling.k8s.io", "v1", "priorityclasses", "priorityclass", false}
)

// path is the resource's URL path: of all namespaces where namespace is empty.
func (r resource) path(namespace string) string {
	root := "/api/" + r.version
	if r.group != "" {
		root = "/apis/" + r.group + "/" + r.version
	}
	if namespace != "" {
		root += "/namespaces/" + namespace
	}
	return root + "/" + r.plural
}

// source is the command that shows the same list.
func (r resource) source(namespace string) facts.Source {
	switch {
	case !r.namespaced:
		return facts.Source("kubectl get " + r.plural + " -o json")
	case namespace == "":
		return facts.Source("kubectl get " + r.plural + " -A -o json")
	}
	return facts.Source("kubectl get " + r.plural + " -n " + namespace + " -o json")
}

// item is the command that shows one object.
func (r resource) item(meta facts.ObjectMeta) facts.Source {
	if !r.namespaced {
		return facts.Source("kubectl get " + r.singular + " " + meta.Name + " -o yaml")
	}
	return facts.Source("kubectl get " + r.singular + " -n " + meta.Namespace + " " + meta.Name + " -o yaml")
}

// forbidden says what RBAC refused, and which rule of a Role would allow it.
func (r resource) forbidden(verb, where string) string {
	return fmt.Sprintf("%s %s is forbidden%s: needs verb %s on resource %s in API group %q",
		verb, r.plural, where, verb, r.plural, r.group)
}

// systemNamespace is where kube-proxy, the cluster's DNS and most network plugins run.
const systemNamespace = "kube-system"

// componentNamespaces are where the manifests of the common network plugins put what does not run in kube-system.
var componentNamespaces = []string{"kube-flannel", "calico-system", "metallb-system"}

// scope are the namespaces that are read, the one asked for first; a single "" is all of them.
type scope []string

func newScope(namespace string) scope {
	if namespace == "" {
		return scope{""}
	}
	s := scope{namespace}
	for _, other := range append([]string{systemNamespace}, componentNamespaces...) {
		if !slices.Contains(s, other) {
			s = append(s, other)
		}
	}
	return s
}

// of is the scope for one resource: those of the cluster have no namespaces.
func (s scope) of(r resource) scope {
	if !r.namespaced {
		return scope{""}
	}
	return s
}

func (s scope) all() bool { return s[0] == "" }

// vital: without that namespace the group as a whole says nothing. Rules take a component that is not in a group that
// was read for one that does not run, so kube-system is as vital as what was asked for.
func (s scope) vital(namespace string) bool { return namespace == s[0] || namespace == systemNamespace }

// limits is what a group says of the namespaces that nobody asked for; empty where all were.
func (s scope) limits() string {
	if s.all() {
		return ""
	}
	return "limited to namespaces " + strings.Join(s, ", ")
}
