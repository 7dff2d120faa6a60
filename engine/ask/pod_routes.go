package ask

import (
	"net/netip"

	"github.com/netcause/netcause/engine/facts"
)

// podRoutesAnswer are routes by a gateway to the podCIDRs of other Nodes: where one node keeps such, the nodes do.
type podRoutesAnswer struct {
	// Own is the first of the node itself, Others the first that another node has to a podCIDR of this one.
	Own    *podRoute `json:"own,omitempty"`
	Others *podRoute `json:"others,omitempty"`
	// Own6 and Others6 are the same of IPv6.
	Own6    *podRoute `json:"own6,omitempty"`
	Others6 *podRoute `json:"others6,omitempty"`
	// Exact are the podCIDRs of other Nodes to which the node's tables have a route of just that prefix.
	Exact []string `json:"exact"`
}

type podRoute struct {
	Node  string       `json:"node"` // that has it
	Route *facts.Route `json:"route"`
}

// askPodRoutes finds the routes that show that a cluster's nodes keep ways to each other's podCIDRs.
func askPodRoutes(in *Incident, args []any) (any, error) {
	node, err := nodeArgument(in, args)
	if err != nil {
		return nil, err
	}
	answer := in.podRoutes()[node.Name]
	answer.Exact = []string{}
	if node.Facts == nil || node.Facts.Routes.Status != facts.Read {
		return answer, nil
	}
	namespace := in.Model().Namespace(node.Name, "")
	for _, other := range in.Nodes {
		if other == node || other.Object == nil {
			continue
		}
		for _, text := range podCIDRs(other.Object) {
			p, err := netip.ParsePrefix(text)
			if err != nil {
				continue
			}
			got := namespace.LookupDestination(p.Addr().Next())
			if got.Route != nil && got.Type == "unicast" && got.Route.Type == "unicast" && got.Route.Dst == p {
				answer.Exact = append(answer.Exact, text)
			}
		}
	}
	return answer, nil
}

// podRoutes looks once through the routes of all nodes: each rule's for each node would take the square of it.
func podRoutes(in *Incident) map[string]podRoutesAnswer {
	owners := map[netip.Prefix]string{}
	for _, node := range in.Nodes {
		if node.Object == nil {
			continue
		}
		for _, text := range podCIDRs(node.Object) {
			if p, err := netip.ParsePrefix(text); err == nil {
				owners[p] = node.Name
			}
		}
	}
	answers := map[string]podRoutesAnswer{}
	for _, node := range in.Nodes {
		if node.Facts == nil {
			continue
		}
		for i := range node.Facts.Routes.Value {
			route := &node.Facts.Routes.Value[i]
			owner, ok := owners[route.Dst]
			if !ok || owner == node.Name || !route.Via.IsValid() {
				continue
			}
			mine, its := answers[node.Name], answers[owner]
			own, others := &mine.Own, &its.Others
			if route.Dst.Addr().Is6() {
				own, others = &mine.Own6, &its.Others6
			}
			if *own == nil {
				*own = &podRoute{node.Name, route}
				answers[node.Name] = mine
			}
			if *others == nil {
				*others = &podRoute{node.Name, route}
				answers[owner] = its
			}
		}
	}
	return answers
}
