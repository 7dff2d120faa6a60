package bundle

import (
	"encoding/json"
	"net/netip"

	"github.com/netcause/netcause/engine/facts"
)

// endpoints is a v1 Endpoints object, what there was before EndpointSlices.
type endpoints struct {
	Metadata facts.ObjectMeta `json:"metadata"`
	Subsets  []struct {
		Addresses         []endpointAddress    `json:"addresses"`
		NotReadyAddresses []endpointAddress    `json:"notReadyAddresses"`
		Ports             []facts.EndpointPort `json:"ports"`
	} `json:"subsets"`
	source facts.Source
	used   *File
}

type endpointAddress struct {
	IP        string                 `json:"ip"`
	NodeName  string                 `json:"nodeName"`
	TargetRef *facts.ObjectReference `json:"targetRef"`
}

// slicesOfEndpoints makes EndpointSlices of Endpoints, as the mirroring controller would
// (k8s.io/endpointslice/mirroring): each has the endpoints of one Service, at most 1000 of them.
func (o *objects) slicesOfEndpoints(g *facts.Group[[]facts.EndpointSlice]) {
	*g = facts.ReadGroup([]facts.EndpointSlice{})
	g.Reason = "made of Endpoints objects: no list of EndpointSlices is there"
	for _, e := range o.endpoints {
		e.used.facts("cluster.endpointslices")
		if len(g.Sources) == 0 || g.Sources[len(g.Sources)-1] != e.source {
			g.Sources = append(g.Sources, e.source)
		}
		if e.Metadata.Annotations["endpoints.kubernetes.io/over-capacity"] == "truncated" {
			g.Reason += "; the endpoints of " + e.Metadata.Namespace + "/" + e.Metadata.Name + " were cut to 1000"
		}
		for _, subset := range e.Subsets {
			for _, family := range []string{"IPv4", "IPv6"} {
				slice := facts.EndpointSlice{
					Source: e.source + facts.Source(" (Endpoints "+e.Metadata.Namespace+"/"+e.Metadata.Name+")"), AddressType: family, Ports: subset.Ports,
					Metadata: facts.ObjectMeta{
						Name: e.Metadata.Name, Namespace: e.Metadata.Namespace,
						Labels: map[string]string{"kubernetes.io/service-name": e.Metadata.Name},
					},
				}
				for _, ready := range []bool{true, false} {
					addresses := subset.Addresses
					if !ready {
						addresses = subset.NotReadyAddresses
					}
					for _, a := range addresses {
						if address, err := netip.ParseAddr(a.IP); err != nil || address.Is4() != (family == "IPv4") {
							continue
						}
						slice.Endpoints = append(slice.Endpoints, facts.Endpoint{
							Addresses: []string{a.IP}, NodeName: a.NodeName, TargetRef: a.TargetRef, Conditions: facts.EndpointConditions{Ready: &ready},
						})
					}
				}
				if len(slice.Endpoints) > 0 {
					g.Value = append(g.Value, slice)
				}
			}
		}
	}
}

// decodeEndpointSlice reads one of v1, or of v1beta1, which names the node in a topology.
func decodeEndpointSlice(data []byte, source facts.Source) (any, facts.ObjectMeta, error) {
	var v facts.EndpointSlice
	if err := json.Unmarshal(data, &v); err != nil {
		return nil, facts.ObjectMeta{}, err
	}
	var beta struct {
		Endpoints []struct {
			Topology map[string]string `json:"topology"`
		} `json:"endpoints"`
	}
	if err := json.Unmarshal(data, &beta); err == nil {
		for i, e := range beta.Endpoints {
			if v.Endpoints[i].NodeName == "" {
				v.Endpoints[i].NodeName = e.Topology["kubernetes.io/hostname"]
			}
			if v.Endpoints[i].Zone == "" {
				v.Endpoints[i].Zone = e.Topology["topology.kubernetes.io/zone"]
			}
		}
	}
	v.Source = source
	return v, v.Metadata, nil
}
