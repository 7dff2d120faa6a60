package cluster

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/netcause/netcause/engine/facts"
)

func TestNewestEvents(t *testing.T) {
	const total = 5*maxEvents + 7
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var kept newestEvents
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(total) {
		var e corev1.Event
		e.Name = fmt.Sprint(i)
		e.LastTimestamp = metav1.NewTime(start.Add(time.Duration(i) * time.Second))
		kept.add(convertTimed(&e))
		if len(kept.events) > 2*maxEvents {
			t.Fatalf("%d events are held", len(kept.events))
		}
	}
	got := kept.sorted()
	if len(got) != maxEvents || !kept.dropped {
		t.Fatalf("%d events, dropped %v", len(got), kept.dropped)
	}
	for i, e := range got {
		if want := fmt.Sprint(total - maxEvents + i); e.Metadata.Name != want {
			t.Fatalf("event %d is %s, not %s", i, e.Metadata.Name, want)
		}
	}
}

func TestLastSeen(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	later := at.Add(time.Hour)
	for name, e := range map[string]corev1.Event{
		"core":   {FirstTimestamp: metav1.NewTime(at), LastTimestamp: metav1.NewTime(later)},
		"events": {EventTime: metav1.NewMicroTime(at), Series: &corev1.EventSeries{LastObservedTime: metav1.NewMicroTime(later)}},
		"once":   {EventTime: metav1.NewMicroTime(later)},
		"bare":   {ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(later)}},
	} {
		if got := lastSeen(&e); !got.Equal(later) {
			t.Errorf("%s: %v, not %v", name, got, later)
		}
	}
}

// An event of a snapshot comes back with its source, which in Kubernetes' JSON is something else.
func TestEventRoundTrip(t *testing.T) {
	want := facts.Event{Source: "kubectl get event -n a b -o yaml", Reason: "Unhealthy", Count: 3, EventTime: "2026-01-02T03:04:05.000000Z"}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got facts.Event
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
