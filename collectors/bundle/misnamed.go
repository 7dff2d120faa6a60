package bundle

import (
	"fmt"
	"slices"

	"github.com/netcause/netcause/engine/facts"
)

// isObjectName says whether the API server may take a name for one of the kinds that facts have: DNS subdomains (RFC 1123;
// apimachinery, pkg/api/validation), and a little more. Nothing in it means something to a shell, nor is it an option.
func isObjectName(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && (c == '-' || c == '.' || c == '_' || c == ':'):
		default:
			return false
		}
	}
	return true
}

// dropMisnamed leaves out objects whose names no API server takes, and says so. The steps of a fix have names in their
// commands: in a bundle that somebody made, such a name is a command of its own.
func dropMisnamed(c *facts.Cluster) string {
	if c == nil {
		return ""
	}
	var dropped []string
	drop(&c.Nodes, &dropped, func(o *facts.NodeObject) []string { return namesOf(&o.Metadata) })
	drop(&c.Pods, &dropped, func(o *facts.Pod) []string { return append(namesOf(&o.Metadata), o.Spec.NodeName) })
	drop(&c.Services, &dropped, func(o *facts.Service) []string { return namesOf(&o.Metadata) })
	drop(&c.EndpointSlices, &dropped, func(o *facts.EndpointSlice) []string { return namesOf(&o.Metadata) })
	drop(&c.NetworkPolicies, &dropped, func(o *facts.NetworkPolicy) []string { return namesOf(&o.Metadata) })
	drop(&c.OtherPolicies, &dropped, func(o *facts.PolicyReference) []string { return namesOf(&o.Metadata) })
	drop(&c.DaemonSets, &dropped, func(o *facts.DaemonSet) []string { return namesOf(&o.Metadata) })
	drop(&c.Deployments, &dropped, func(o *facts.Deployment) []string { return namesOf(&o.Metadata) })
	drop(&c.StatefulSets, &dropped, func(o *facts.StatefulSet) []string { return namesOf(&o.Metadata) })
	drop(&c.PriorityClasses, &dropped, func(o *facts.PriorityClass) []string { return namesOf(&o.Metadata) })
	drop(&c.ConfigMaps, &dropped, func(o *facts.ConfigMap) []string { return namesOf(&o.Metadata) })
	drop(&c.Events, &dropped, func(o *facts.Event) []string {
		return append(namesOf(&o.Metadata), o.InvolvedObject.Namespace, o.InvolvedObject.Name)
	})
	drop(&c.Namespaces, &dropped, func(o *facts.NamespaceObject) []string { return namesOf(&o.Metadata) })
	if len(dropped) == 0 {
		return ""
	}
	return fmt.Sprintf("objects of names that no API server takes are left out: %s", few(dropped))
}

func namesOf(m *facts.ObjectMeta) []string { return []string{m.Namespace, m.Name} }

func drop[T any](g *facts.Group[[]T], dropped *[]string, names func(*T) []string) {
	g.Value = slices.DeleteFunc(g.Value, func(o T) bool {
		i := slices.IndexFunc(names(&o), func(name string) bool { return !isObjectName(name) })
		if i >= 0 {
			*dropped = append(*dropped, names(&o)[i])
		}
		return i >= 0
	})
}
