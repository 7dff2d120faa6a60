package cluster

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/netcause/netcause/engine/facts"
)

func convertService(s *corev1.Service) facts.Service {
	return facts.Service{
		Metadata: convertMeta(&s.ObjectMeta),
		Spec: facts.ServiceSpec{
			Type:         string(s.Spec.Type),
			ClusterIP:    s.Spec.ClusterIP,
			ClusterIPs:   texts(s.Spec.ClusterIPs),
			ExternalIPs:  texts(s.Spec.ExternalIPs),
			ExternalName: s.Spec.ExternalName,
			Selector:     s.Spec.Selector,
			Ports: each(s.Spec.Ports, func(p *corev1.ServicePort) facts.ServicePort {
				return facts.ServicePort{
					Name: p.Name, Protocol: string(p.Protocol), Port: p.Port, TargetPort: port(p.TargetPort), NodePort: p.NodePort,
				}
			}),
			SessionAffinity:          string(s.Spec.SessionAffinity),
			InternalTrafficPolicy:    string(value(s.Spec.InternalTrafficPolicy)),
			ExternalTrafficPolicy:    string(s.Spec.ExternalTrafficPolicy),
			HealthCheckNodePort:      s.Spec.HealthCheckNodePort,
			PublishNotReadyAddresses: s.Spec.PublishNotReadyAddresses,
			LoadBalancerSourceRanges: texts(s.Spec.LoadBalancerSourceRanges),
			SessionAffinityConfig:    convertSessionAffinity(s.Spec.SessionAffinityConfig),
			TrafficDistribution:      value(s.Spec.TrafficDistribution),
		},
		Status: facts.ServiceStatus{LoadBalancer: facts.LoadBalancerStatus{
			Ingress: each(s.Status.LoadBalancer.Ingress, func(i *corev1.LoadBalancerIngress) facts.LoadBalancerIngress {
				return facts.LoadBalancerIngress{IP: i.IP, Hostname: i.Hostname, IPMode: string(value(i.IPMode))}
			}),
		}},
	}
}

func convertSessionAffinity(c *corev1.SessionAffinityConfig) *facts.SessionAffinity {
	if c == nil {
		return nil
	}
	out := &facts.SessionAffinity{}
	if c.ClientIP != nil {
		out.ClientIP = &facts.ClientIPAffinity{TimeoutSeconds: value(c.ClientIP.TimeoutSeconds)}
	}
	return out
}

func convertEndpointSlice(s *discoveryv1.EndpointSlice) facts.EndpointSlice {
	return facts.EndpointSlice{
		Metadata:    convertMeta(&s.ObjectMeta),
		AddressType: string(s.AddressType),
		Endpoints:   each(s.Endpoints, convertEndpoint),
		Ports: each(s.Ports, func(p *discoveryv1.EndpointPort) facts.EndpointPort {
			return facts.EndpointPort{Name: value(p.Name), Protocol: string(value(p.Protocol)), Port: value(p.Port)}
		}),
	}
}

func convertEndpoint(e *discoveryv1.Endpoint) facts.Endpoint {
	out := facts.Endpoint{
		Addresses: texts(e.Addresses),
		Conditions: facts.EndpointConditions{
			Ready: e.Conditions.Ready, Serving: e.Conditions.Serving, Terminating: e.Conditions.Terminating,
		},
		Hostname: value(e.Hostname),
		NodeName: value(e.NodeName),
		Zone:     value(e.Zone),
	}
	if e.Hints != nil {
		out.Hints = &facts.EndpointHints{
			ForZones: each(e.Hints.ForZones, func(z *discoveryv1.ForZone) facts.EndpointHint { return facts.EndpointHint{Name: z.Name} }),
			ForNodes: each(e.Hints.ForNodes, func(n *discoveryv1.ForNode) facts.EndpointHint { return facts.EndpointHint{Name: n.Name} }),
		}
	}
	if e.TargetRef != nil {
		ref := convertReference(e.TargetRef)
		out.TargetRef = &ref
	}
	return out
}

func convertNetworkPolicy(p *networkingv1.NetworkPolicy) facts.NetworkPolicy {
	return facts.NetworkPolicy{
		Metadata: convertMeta(&p.ObjectMeta),
		Spec: facts.NetworkPolicySpec{
			PodSelector: *convertSelector(&p.Spec.PodSelector),
			PolicyTypes: texts(p.Spec.PolicyTypes),
			Ingress: each(p.Spec.Ingress, func(r *networkingv1.NetworkPolicyIngressRule) facts.NetworkPolicyRule {
				return facts.NetworkPolicyRule{Ports: each(r.Ports, convertPolicyPort), From: each(r.From, convertPeer)}
			}),
			Egress: each(p.Spec.Egress, func(r *networkingv1.NetworkPolicyEgressRule) facts.NetworkPolicyRule {
				return facts.NetworkPolicyRule{Ports: each(r.Ports, convertPolicyPort), To: each(r.To, convertPeer)}
			}),
		},
	}
}

func convertPolicyPort(p *networkingv1.NetworkPolicyPort) facts.NetworkPolicyPort {
	out := facts.NetworkPolicyPort{Protocol: string(value(p.Protocol)), EndPort: value(p.EndPort)}
	if p.Port != nil {
		out.Port = port(*p.Port)
	}
	return out
}

func convertPeer(p *networkingv1.NetworkPolicyPeer) facts.NetworkPolicyPeer {
	out := facts.NetworkPolicyPeer{
		PodSelector:       convertSelector(p.PodSelector),
		NamespaceSelector: convertSelector(p.NamespaceSelector),
	}
	if b := p.IPBlock; b != nil {
		out.IPBlock = &facts.IPBlock{CIDR: b.CIDR, Except: texts(b.Except)}
	}
	return out
}
