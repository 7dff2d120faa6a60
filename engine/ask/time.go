package ask

import (
	"time"

	"github.com/netcause/netcause/engine/facts"
)

// askSecondsSince is how long before the cluster was read something happened there; what was still to come then is less
// than 0. It is nil where either time is not known.
func askSecondsSince(in *Incident, args []any) (any, error) {
	text, _ := args[0].(string)
	at, now := parseTime(text), in.clusterTime()
	if at.IsZero() || now.IsZero() {
		return nil, nil
	}
	return int(now.Sub(at).Seconds()), nil
}

// clusterTime is when the cluster was read: what its input says, else the newest time in its objects.
func clusterTime(snapshot *facts.Snapshot) time.Time {
	var newest time.Time
	for _, input := range snapshot.Inputs {
		if input.Kind == "cluster" && input.CollectedAt.After(newest) {
			newest = input.CollectedAt
		}
	}
	if newest.IsZero() {
		for _, input := range snapshot.Inputs {
			if input.CollectedAt.After(newest) {
				newest = input.CollectedAt
			}
		}
	}
	if !newest.IsZero() || snapshot.Cluster == nil {
		return newest
	}
	later := func(text string) {
		if at := parseTime(text); at.After(newest) {
			newest = at
		}
	}
	for i := range snapshot.Cluster.Nodes.Value {
		node := &snapshot.Cluster.Nodes.Value[i]
		later(node.Metadata.CreationTimestamp)
		for _, c := range node.Status.Conditions {
			later(c.LastTransitionTime)
			later(c.LastHeartbeatTime)
		}
	}
	for i := range snapshot.Cluster.Pods.Value {
		pod := &snapshot.Cluster.Pods.Value[i]
		later(pod.Metadata.CreationTimestamp)
		for _, c := range pod.Status.Conditions {
			later(c.LastTransitionTime)
		}
	}
	for i := range snapshot.Cluster.Events.Value {
		later(snapshot.Cluster.Events.Value[i].LastTimestamp)
	}
	return newest
}

// parseTime is zero for what is no time of the API.
func parseTime(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return at
}
