package services

import (
	"fmt"

	"github.com/netcause/netcause/engine/facts"
)

func ptr[T any](v T) *T { return &v }

// world is a cluster of nodes n1 and n2 in zone a and n3 in zone b.
func world(objects ...any) *facts.Cluster {
	c := &facts.Cluster{
		Services: facts.ReadGroup([]facts.Service{}), EndpointSlices: facts.ReadGroup([]facts.EndpointSlice{}), Pods: facts.ReadGroup([]facts.Pod{}),
		Nodes: facts.ReadGroup([]facts.NodeObject{}),
	}
	for i, zone := range []string{"a", "a", "b"} {
		c.Nodes.Value = append(c.Nodes.Value, facts.NodeObject{
			Metadata: facts.ObjectMeta{Name: fmt.Sprintf("n%d", i+1), Labels: map[string]string{zoneLabel: zone}},
			Status:   facts.NodeStatus{Addresses: []facts.NodeAddress{{Type: "InternalIP", Address: fmt.Sprintf("192.0.2.%d", i+1)}}},
		})
	}
	for _, o := range objects {
		switch o := o.(type) {
		case facts.Service:
			c.Services.Value = append(c.Services.Value, o)
		case facts.EndpointSlice:
			c.EndpointSlices.Value = append(c.EndpointSlices.Value, o)
		case facts.Pod:
			c.Pods.Value = append(c.Pods.Value, o)
		case func(*facts.Cluster):
			o(c)
		}
	}
	return c
}

// service is default/web: 80/TCP named http at 10.96.0.9, with a node port.
func service(changes ...func(*facts.Service)) facts.Service {
	s := facts.Service{
		Source:   "services.json:web",
		Metadata: facts.ObjectMeta{Namespace: "default", Name: "web"},
		Spec: facts.ServiceSpec{
			Type: "NodePort", ClusterIP: "10.96.0.9", ClusterIPs: []string{"10.96.0.9", "fd00:96::9"}, Selector: map[string]string{"app": "web"},
			Ports: []facts.ServicePort{{Name: "http", Protocol: "TCP", Port: 80, TargetPort: "web", NodePort: 30080}},
		},
	}
	for _, change := range changes {
		change(&s)
	}
	return s
}

func internalLocal(s *facts.Service) { s.Spec.InternalTrafficPolicy = "Local" }
func externalLocal(s *facts.Service) { s.Spec.ExternalTrafficPolicy = "Local" }

func balanced(s *facts.Service) {
	s.Spec.Type = "LoadBalancer"
	s.Spec.ExternalIPs = []string{"198.51.100.7"}
	s.Status.LoadBalancer.Ingress = []facts.LoadBalancerIngress{{IP: "198.51.100.8"}, {IP: "198.51.100.9", IPMode: "Proxy"}, {Hostname: "lb.example"}}
}

func ranges(list ...string) func(*facts.Service) {
	return func(s *facts.Service) { s.Spec.LoadBalancerSourceRanges = list }
}

func labelled(key, value string) func(*facts.Service) {
	return func(s *facts.Service) { s.Metadata.Labels = map[string]string{key: value} }
}

// slice is one of default/web's with port http at 8080.
func slice(endpoints ...facts.Endpoint) facts.EndpointSlice {
	s := facts.EndpointSlice{
		Source:      "slices.json:web-1",
		Metadata:    facts.ObjectMeta{Namespace: "default", Name: "web-1", Labels: map[string]string{serviceNameLabel: "web"}},
		AddressType: "IPv4", Endpoints: endpoints, Ports: []facts.EndpointPort{{Name: "http", Protocol: "TCP", Port: 8080}},
	}
	return s
}

func endpoint(address, node string, changes ...func(*facts.Endpoint)) facts.Endpoint {
	e := facts.Endpoint{
		Addresses: []string{address}, NodeName: node, Conditions: facts.EndpointConditions{Ready: ptr(true), Serving: ptr(true), Terminating: ptr(false)},
		TargetRef: &facts.ObjectReference{Kind: "Pod", Namespace: "default", Name: "web-" + node},
	}
	for _, change := range changes {
		change(&e)
	}
	return e
}

func leaving(e *facts.Endpoint) { e.Conditions.Ready, e.Conditions.Terminating = ptr(false), ptr(true) }

func broken(e *facts.Endpoint) { e.Conditions.Ready, e.Conditions.Serving = ptr(false), ptr(false) }

func bare(e *facts.Endpoint) { e.Conditions = facts.EndpointConditions{} }

func zones(names ...string) func(*facts.Endpoint) {
	return func(e *facts.Endpoint) {
		if e.Hints == nil {
			e.Hints = &facts.EndpointHints{}
		}
		for _, n := range names {
			e.Hints.ForZones = append(e.Hints.ForZones, facts.EndpointHint{Name: n})
		}
	}
}

func nodes(names ...string) func(*facts.Endpoint) {
	return func(e *facts.Endpoint) {
		if e.Hints == nil {
			e.Hints = &facts.EndpointHints{}
		}
		for _, n := range names {
			e.Hints.ForNodes = append(e.Hints.ForNodes, facts.EndpointHint{Name: n})
		}
	}
}

func pod(name, address, node string, changes ...func(*facts.Pod)) facts.Pod {
	p := facts.Pod{
		Source:   facts.Source("pods.json:" + name),
		Metadata: facts.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{"app": "web"}},
		Spec: facts.PodSpec{NodeName: node, Containers: []facts.Container{
			{Name: "c", Ports: []facts.ContainerPort{{Name: "web", ContainerPort: 8080, Protocol: "TCP"}}},
		}},
		Status: facts.PodStatus{Phase: "Running", PodIP: address, Conditions: []facts.Condition{{Type: "Ready", Status: "True"}}},
	}
	for _, change := range changes {
		change(&p)
	}
	return p
}

func noSlices(c *facts.Cluster) {
	c.EndpointSlices = facts.Unread[[]facts.EndpointSlice](facts.Absent, "the bundle has none")
}
