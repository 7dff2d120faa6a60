package cluster

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/netcause/netcause/engine/facts"
)

func convertPod(p *corev1.Pod) facts.Pod {
	return facts.Pod{
		Metadata: convertMeta(&p.ObjectMeta),
		Spec:     convertPodSpec(&p.Spec),
		Status: facts.PodStatus{
			Phase:   string(p.Status.Phase),
			Reason:  p.Status.Reason,
			Message: p.Status.Message,
			HostIP:  p.Status.HostIP,
			PodIP:   p.Status.PodIP,
			PodIPs:  each(p.Status.PodIPs, func(ip *corev1.PodIP) facts.PodIP { return facts.PodIP{IP: ip.IP} }),
			Conditions: each(p.Status.Conditions, func(c *corev1.PodCondition) facts.Condition {
				return facts.Condition{
					Type: string(c.Type), Status: string(c.Status), Reason: c.Reason, Message: c.Message,
					LastTransitionTime: timestamp(c.LastTransitionTime),
				}
			}),
			ContainerStatuses:     each(p.Status.ContainerStatuses, convertContainerStatus),
			InitContainerStatuses: each(p.Status.InitContainerStatuses, convertContainerStatus),
		},
	}
}

func convertPodSpec(s *corev1.PodSpec) facts.PodSpec {
	return facts.PodSpec{
		NodeName:           s.NodeName,
		HostNetwork:        s.HostNetwork,
		DNSPolicy:          string(s.DNSPolicy),
		DNSConfig:          convertDNSConfig(s.DNSConfig),
		PriorityClassName:  s.PriorityClassName,
		Priority:           s.Priority,
		ServiceAccountName: s.ServiceAccountName,
		RuntimeClassName:   value(s.RuntimeClassName),
		NodeSelector:       s.NodeSelector,
		Affinity:           convertAffinity(s.Affinity),
		Tolerations: each(s.Tolerations, func(t *corev1.Toleration) facts.Toleration {
			return facts.Toleration{Key: t.Key, Operator: string(t.Operator), Value: t.Value, Effect: string(t.Effect)}
		}),
		Containers:     each(s.Containers, convertContainer),
		InitContainers: each(s.InitContainers, convertContainer),
	}
}

func convertDNSConfig(c *corev1.PodDNSConfig) *facts.PodDNSConfig {
	if c == nil {
		return nil
	}
	return &facts.PodDNSConfig{
		Nameservers: texts(c.Nameservers),
		Searches:    texts(c.Searches),
		Options: each(c.Options, func(o *corev1.PodDNSConfigOption) facts.DNSOption {
			return facts.DNSOption{Name: o.Name, Value: value(o.Value)}
		}),
	}
}

func convertAffinity(a *corev1.Affinity) *facts.Affinity {
	switch {
	case a == nil:
		return nil
	case a.NodeAffinity == nil:
		return &facts.Affinity{}
	}
	out := &facts.NodeAffinity{}
	if required := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution; required != nil {
		out.Required = &facts.NodeSelector{NodeSelectorTerms: each(required.NodeSelectorTerms,
			func(t *corev1.NodeSelectorTerm) facts.NodeSelectorTerm {
				return facts.NodeSelectorTerm{
					MatchExpressions: each(t.MatchExpressions, convertNodeRequirement),
					MatchFields:      each(t.MatchFields, convertNodeRequirement),
				}
			})}
	}
	return &facts.Affinity{NodeAffinity: out}
}

func convertNodeRequirement(r *corev1.NodeSelectorRequirement) facts.SelectorRequirement {
	return facts.SelectorRequirement{Key: r.Key, Operator: string(r.Operator), Values: texts(r.Values)}
}

func convertContainer(c *corev1.Container) facts.Container {
	out := facts.Container{
		Name:    c.Name,
		Image:   c.Image,
		Command: texts(c.Command),
		Args:    texts(c.Args),
		Ports: each(c.Ports, func(p *corev1.ContainerPort) facts.ContainerPort {
			return facts.ContainerPort{
				Name: p.Name, ContainerPort: p.ContainerPort, HostPort: p.HostPort, Protocol: string(p.Protocol),
			}
		}),
		RestartPolicy: string(value(c.RestartPolicy)),
		Resources:     facts.Resources{Requests: quantities(c.Resources.Requests)},
	}
	if c.ReadinessProbe != nil {
		out.ReadinessProbe = rawJSON(c.ReadinessProbe)
	}
	if c.StartupProbe != nil {
		out.StartupProbe = rawJSON(c.StartupProbe)
	}
	return out
}

func convertContainerStatus(s *corev1.ContainerStatus) facts.ContainerStatus {
	last := convertContainerState(&s.LastTerminationState)
	return facts.ContainerStatus{
		Name:         s.Name,
		Ready:        s.Ready,
		RestartCount: s.RestartCount,
		State:        convertContainerState(&s.State),
		LastState:    &last, // JSON always has it, empty where there was none
	}
}

func convertContainerState(s *corev1.ContainerState) facts.ContainerState {
	var out facts.ContainerState
	if s.Running != nil {
		out.Running = &struct{}{}
	}
	if w := s.Waiting; w != nil {
		out.Waiting = &facts.ContainerStateReason{Reason: w.Reason, Message: w.Message}
	}
	if t := s.Terminated; t != nil {
		out.Terminated = &facts.ContainerStateReason{Reason: t.Reason, Message: t.Message, ExitCode: t.ExitCode}
	}
	return out
}
