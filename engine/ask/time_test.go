package ask

import (
	"testing"
	"time"

	"github.com/netcause/netcause/engine/facts"
)

func TestAskSecondsSince(t *testing.T) {
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	cluster := &facts.Cluster{Nodes: facts.ReadGroup([]facts.NodeObject{{
		Metadata: facts.ObjectMeta{Name: "n1", CreationTimestamp: "2026-03-01T00:00:00Z"},
		Status: facts.NodeStatus{Conditions: []facts.Condition{{
			Type: "Ready", Status: "True", LastTransitionTime: "2026-03-01T00:01:00Z", LastHeartbeatTime: "2026-03-04T11:58:00Z",
		}}},
	}})}
	collected := &facts.Snapshot{Cluster: cluster, Inputs: []facts.Input{{Kind: "cluster", CollectedAt: noon}}}
	listed := &facts.Snapshot{Cluster: cluster}
	for _, c := range []struct {
		name     string
		snapshot *facts.Snapshot
		at       string
		want     any
	}{
		{"collected", collected, "2026-03-04T11:59:30Z", 30},
		{"still to come", collected, "2026-03-04T12:00:20Z", -20},
		{"dated by a heartbeat", listed, "2026-03-04T11:57:00Z", 60},
		{"no time", collected, "yesterday", nil},
		{"nothing tells when", &facts.Snapshot{}, "2026-03-04T11:57:00Z", nil},
	} {
		got, err := askSecondsSince(NewIncident(c.snapshot), []any{c.at})
		if err != nil || got != c.want {
			t.Errorf("%s: %v, %v; want %v", c.name, got, err, c.want)
		}
	}
}
