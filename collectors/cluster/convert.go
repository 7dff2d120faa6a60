package cluster

import (
	"encoding/json"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/netcause/netcause/engine/facts"
)

// The conversions give what unmarshalling the object's JSON into the facts type gives: recorded clusters are read that
// way. What is left out on purpose is the pruning's work.

// each converts a slice; of nothing it makes nil, as JSON's omitempty does.
func each[T, F any](in []T, convert func(*T) F) []F {
	if len(in) == 0 {
		return nil
	}
	out := make([]F, len(in))
	for i := range in {
		out[i] = convert(&in[i])
	}
	return out
}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// texts converts a slice of one of the API's string types.
func texts[S ~string](in []S) []string { return each(in, func(s *S) string { return string(*s) }) }

func quantities(in corev1.ResourceList) map[string]string {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]string, len(in))
	for name, q := range in {
		out[string(name)] = q.String()
	}
	return out
}

func timestamp(t metav1.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func microTime(t metav1.MicroTime) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(metav1.RFC3339Micro)
}

// port is a number as JSON's, or a name.
func port(p intstr.IntOrString) any {
	if p.Type == intstr.String {
		return p.StrVal
	}
	return float64(p.IntVal)
}

func convertMeta(m *metav1.ObjectMeta) facts.ObjectMeta {
	out := facts.ObjectMeta{
		Name:              m.Name,
		Namespace:         m.Namespace,
		UID:               string(m.UID),
		Labels:            m.Labels,
		Annotations:       m.Annotations,
		CreationTimestamp: timestamp(m.CreationTimestamp),
		OwnerReferences: each(m.OwnerReferences, func(o *metav1.OwnerReference) facts.OwnerReference {
			return facts.OwnerReference{Kind: o.Kind, Name: o.Name, Controller: value(o.Controller)}
		}),
	}
	if m.DeletionTimestamp != nil {
		out.DeletionTimestamp = timestamp(*m.DeletionTimestamp)
	}
	return out
}

func convertSelector(s *metav1.LabelSelector) *facts.LabelSelector {
	if s == nil {
		return nil
	}
	return &facts.LabelSelector{
		MatchLabels: s.MatchLabels,
		MatchExpressions: each(s.MatchExpressions, func(r *metav1.LabelSelectorRequirement) facts.SelectorRequirement {
			return facts.SelectorRequirement{Key: r.Key, Operator: string(r.Operator), Values: texts(r.Values)}
		}),
	}
}

func convertReference(r *corev1.ObjectReference) facts.ObjectReference {
	return facts.ObjectReference{Kind: r.Kind, Namespace: r.Namespace, Name: r.Name}
}

func convertNode(n *corev1.Node) facts.NodeObject {
	info := n.Status.NodeInfo
	return facts.NodeObject{
		Metadata: convertMeta(&n.ObjectMeta),
		Spec: facts.NodeSpec{
			PodCIDR:       n.Spec.PodCIDR,
			PodCIDRs:      texts(n.Spec.PodCIDRs),
			ProviderID:    n.Spec.ProviderID,
			Unschedulable: n.Spec.Unschedulable,
			Taints: each(n.Spec.Taints, func(t *corev1.Taint) facts.Taint {
				return facts.Taint{Key: t.Key, Value: t.Value, Effect: string(t.Effect)}
			}),
		},
		Status: facts.NodeStatus{
			Addresses: each(n.Status.Addresses, func(a *corev1.NodeAddress) facts.NodeAddress {
				return facts.NodeAddress{Type: string(a.Type), Address: a.Address}
			}),
			Conditions: each(n.Status.Conditions, func(c *corev1.NodeCondition) facts.Condition {
				return facts.Condition{
					Type: string(c.Type), Status: string(c.Status), Reason: c.Reason, Message: c.Message,
					LastTransitionTime: timestamp(c.LastTransitionTime), LastHeartbeatTime: timestamp(c.LastHeartbeatTime),
				}
			}),
			Allocatable: quantities(n.Status.Allocatable),
			NodeInfo: facts.NodeInfo{
				MachineID:               info.MachineID,
				BootID:                  info.BootID,
				KernelVersion:           info.KernelVersion,
				OSImage:                 info.OSImage,
				ContainerRuntimeVersion: info.ContainerRuntimeVersion,
				KubeletVersion:          info.KubeletVersion,
				//lint:ignore SA1019 kubelets before v1.33 fill it
				KubeProxyVersion: info.KubeProxyVersion,
			},
		},
	}
}

func convertConfigMap(m *corev1.ConfigMap) facts.ConfigMap {
	return facts.ConfigMap{Metadata: convertMeta(&m.ObjectMeta), Data: m.Data}
}

func convertNamespace(n *corev1.Namespace) facts.NamespaceObject {
	return facts.NamespaceObject{Metadata: convertMeta(&n.ObjectMeta)}
}

func convertEvent(e *corev1.Event) facts.Event {
	out := facts.Event{
		Metadata:       convertMeta(&e.ObjectMeta),
		InvolvedObject: convertReference(&e.InvolvedObject),
		Type:           e.Type,
		Reason:         e.Reason,
		Message:        e.Message,
		Count:          e.Count,
		FirstTimestamp: timestamp(e.FirstTimestamp),
		LastTimestamp:  timestamp(e.LastTimestamp),
		EventTime:      microTime(e.EventTime),
	}
	if s := e.Series; s != nil {
		out.Series = &facts.EventSeries{Count: s.Count, LastObservedTime: microTime(s.LastObservedTime)}
	}
	return out
}

func rawJSON(v any) *json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		return nil // the API's own types always marshal
	}
	raw := json.RawMessage(text)
	return &raw
}
