package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/netcause/netcause/engine/facts"
)

// maxEvents is how many events are kept, the newest.
const maxEvents = 2000

// relevantReasons are the reasons of events about the network, scheduling and a Pod's life. The names are those of the
// components that write them (kubelet: pkg/kubelet/events/event.go in kubernetes/kubernetes).
var relevantReasons = map[string]bool{
	// Scheduling and eviction.
	"FailedScheduling":          true,
	"FailedDaemonPod":           true,
	"FailedPlacement":           true,
	"FailedCreate":              true,
	"Preempted":                 true,
	"Preempting":                true,
	"Evicted":                   true,
	"TaintManagerEviction":      true,
	"EvictionThresholdMet":      true,
	"NodeHasDiskPressure":       true,
	"NodeHasInsufficientPID":    true,
	"NodeHasInsufficentMemory":  true, // older kubelets' spelling
	"NodeHasInsufficientMemory": true,
	"SystemOOM":                 true,
	"OOMKilling":                true,
	// Nodes.
	"NodeNotReady":             true,
	"NodeNotSchedulable":       true,
	"Rebooted":                 true,
	"CIDRNotAvailable":         true,
	"CIDRAssignmentFailed":     true,
	"MissingClusterDNS":        true,
	"CheckLimitsForResolvConf": true,
	"DNSConfigForming":         true,
	// Pods.
	"FailedCreatePodSandBox": true,
	"FailedKillPod":          true,
	"FailedSync":             true,
	"SandboxChanged":         true,
	"NetworkNotReady":        true,
	"HostPortConflict":       true,
	"Unhealthy":              true,
	"ProbeWarning":           true,
	"BackOff":                true,
	"Failed":                 true,
	"FailedMount":            true,
	// Services.
	"FailedToUpdateEndpoint":          true,
	"FailedToCreateEndpoint":          true,
	"FailedToUpdateEndpointSlices":    true,
	"TopologyAwareHintsDisabled":      true,
	"SyncLoadBalancerFailed":          true,
	"UnAvailableLoadBalancer":         true,
	"AllocationFailed":                true, // MetalLB
	"ClusterIPNotAllocated":           true,
	"ClusterIPAlreadyAllocated":       true,
	"ClusterIPOutOfRange":             true,
	"IPAddressNotAllocated":           true,
	"PortNotAllocated":                true,
	"PortAlreadyAllocated":            true,
	"FailedToStartProxierHealthcheck": true,
	"FailedToStartServiceHealthcheck": true,
}

// events reads the events that matter, oldest first.
func events(ctx context.Context, c *client, s scope) facts.Group[[]facts.Event] {
	if !s.all() && !slices.Contains(s, "default") {
		s = append(slices.Clone(s), "default") // where events about Nodes are
	}
	var kept newestEvents
	errs := make([]error, len(s))
	for i, namespace := range s {
		var part newestEvents
		errs[i] = pages(ctx, c, eventsResource, namespace, func() { part = newestEvents{} }, func(l *corev1.EventList) {
			for i := range l.Items {
				if relevantReasons[l.Items[i].Reason] {
					part.add(convertTimed(&l.Items[i]))
				}
			}
		})
		for _, e := range part.events {
			kept.add(e)
		}
		kept.dropped = kept.dropped || part.dropped
	}
	value := kept.sorted()
	meta := s.meta(eventsResource, errs)
	if meta.Status == facts.Read && kept.dropped {
		if meta.Reason != "" {
			meta.Reason += "; "
		}
		meta.Reason += fmt.Sprintf("only the newest %d events are kept", maxEvents)
	}
	return facts.Group[[]facts.Event]{Meta: meta, Value: value}
}

// newestEvents keeps the newest [maxEvents].
type newestEvents struct {
	events  []timedEvent
	dropped bool
}

type timedEvent struct {
	at    time.Time
	event facts.Event
}

func convertTimed(e *corev1.Event) timedEvent {
	out := convertEvent(e)
	out.Source = eventsResource.item(out.Metadata)
	pruneEvent(&out)
	return timedEvent{lastSeen(e), out}
}

func (n *newestEvents) add(e timedEvent) {
	n.events = append(n.events, e)
	if len(n.events) >= 2*maxEvents {
		n.cut()
	}
}

func (n *newestEvents) cut() {
	slices.SortStableFunc(n.events, func(a, b timedEvent) int { return b.at.Compare(a.at) })
	if len(n.events) > maxEvents {
		clear(n.events[maxEvents:])
		n.events = n.events[:maxEvents]
		n.dropped = true
	}
}

func (n *newestEvents) sorted() []facts.Event {
	n.cut()
	out := make([]facts.Event, 0, len(n.events))
	for _, e := range slices.Backward(n.events) {
		out = append(out, e.event)
	}
	return out
}

// lastSeen is when the event was last observed: its two APIs keep that in different fields.
func lastSeen(e *corev1.Event) time.Time {
	at := e.CreationTimestamp.Time
	for _, t := range []time.Time{e.FirstTimestamp.Time, e.EventTime.Time, e.LastTimestamp.Time} {
		if t.After(at) {
			at = t
		}
	}
	if e.Series != nil && e.Series.LastObservedTime.After(at) {
		at = e.Series.LastObservedTime.Time
	}
	return at
}
