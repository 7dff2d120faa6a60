package bundle

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

// nodeAt is a snapshot of one node, read so many hours in.
func nodeAt(name, kernel, machine string, hours int) *facts.Snapshot {
	host := facts.ReadGroup(facts.Host{Hostname: name, Kernel: kernel, MachineID: machine})
	return &facts.Snapshot{
		Nodes:  []*facts.Node{{Name: name, Host: host}},
		Inputs: []facts.Input{{Kind: "node", Name: name, CollectedAt: collected.Add(time.Duration(hours) * time.Hour)}},
	}
}

func TestReadSeveral(t *testing.T) {
	cluster := &facts.Snapshot{
		Cluster:  &facts.Cluster{Server: "https://10.0.0.1", Version: facts.ReadGroup(facts.Version{GitVersion: "v1.36.3"})},
		Symptoms: []string{"dns-failure"},
		Inputs:   []facts.Input{{Kind: "cluster", Name: "https://10.0.0.1", CollectedAt: collected}},
	}
	n1, n2 := nodeAt("n1", "6.1.0", "a", 0), nodeAt("n2", "6.1.0", "b", 1)
	n1.Symptoms = []string{"network-unreachable", "dns-failure"}
	late := nodeAt("n1", "6.2.0", "a", 2)
	late.Nodes = append(late.Nodes, nodeAt("n3", "6.1.0", "c", 2).Nodes...)
	paths := map[*facts.Snapshot]string{}
	for _, snapshot := range []*facts.Snapshot{cluster, n1, n2, late} {
		paths[snapshot] = writeBundle(t, "x.tar.gz", snapshot, Options{})
	}

	t.Run("nodes and a cluster", func(t *testing.T) {
		want := &facts.Snapshot{
			Nodes: append(append([]*facts.Node{}, n1.Nodes...), n2.Nodes...), Cluster: cluster.Cluster,
			Symptoms: []string{"network-unreachable", "dns-failure"},
		}
		for _, snapshot := range []*facts.Snapshot{n1, cluster, n2} {
			want.Inputs = append(want.Inputs, withInput(snapshot, paths[snapshot], "").Inputs...)
		}
		if diff := cmp.Diff(want, read(t, paths[n1], paths[cluster], paths[n2]), same); diff != "" {
			t.Error(diff)
		}
	})

	// Whatever the order, the later reading is taken.
	problem := "node n1 is not used: it was read again at 2026-03-04T07:06:07Z in " + paths[late]
	for name, order := range map[string][]*facts.Snapshot{"older first": {n1, late}, "newer first": {late, n1}} {
		t.Run(name, func(t *testing.T) {
			got := read(t, paths[order[0]], paths[order[1]])
			if diff := cmp.Diff(late.Nodes, got.Nodes, same); diff != "" {
				t.Error(diff)
			}
			for _, input := range got.Inputs {
				want := ""
				if input.Name == paths[n1] {
					want = problem
				}
				if input.Problem != want {
					t.Errorf("%s: got %q, want %q", input.Name, input.Problem, want)
				}
			}
		})
	}

	t.Run("two clusters", func(t *testing.T) {
		other := writeBundle(t, "y.tar.gz", &facts.Snapshot{Cluster: &facts.Cluster{}}, Options{})
		_, err := Read(t.Context(), []string{paths[cluster], paths[n1], other}, Limits{})
		want := "there are two clusters, https://10.0.0.1 in " + paths[cluster] + " and one of an unknown server in " + other + ": give one"
		if fmt.Sprint(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}

// Each node of a cluster was collected together with the cluster: it is one, and the fullest view of it counts.
func TestMergeOneClusterOfSeveral(t *testing.T) {
	view := func(node, server, uid string, hours int, denied bool) *facts.Snapshot {
		s := nodeAt(node, "6.1.0", node, hours)
		s.Cluster = &facts.Cluster{Server: server, Pods: facts.ReadGroup([]facts.Pod{{Metadata: facts.ObjectMeta{Name: "seen-from-" + node}}})}
		s.Cluster.Namespaces = facts.ReadGroup([]facts.NamespaceObject{{Metadata: facts.ObjectMeta{Name: "kube-system", UID: uid}}})
		if denied {
			s.Cluster.Pods = facts.Unread[[]facts.Pod](facts.Denied, "needs verb list")
		}
		s.Inputs = append(s.Inputs, facts.Input{Kind: "cluster", Name: server, CollectedAt: collected.Add(time.Duration(hours) * time.Hour)})
		return s
	}
	for _, c := range []struct {
		name string
		a, b *facts.Snapshot
		want string // the node whose view is taken; empty: an error
	}{
		{"the later", view("n1", "https://10.0.0.1", "u", 1, false), view("n2", "https://127.0.0.1", "u", 2, false), "n2"},
		{"the later, named first", view("n1", "https://10.0.0.1", "u", 2, false), view("n2", "https://127.0.0.1", "u", 1, false), "n1"},
		{"the fuller", view("n1", "https://10.0.0.1", "u", 1, false), view("n2", "https://10.0.0.1", "u", 2, true), "n1"},
		{"one server", view("n1", "https://10.0.0.1", "", 1, false), view("n2", "https://10.0.0.1", "", 2, false), "n2"},
		{"two on one address", view("n1", "https://127.0.0.1", "u", 1, false), view("n2", "https://127.0.0.1", "v", 2, false), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			merged, err := Merge(c.a, c.b)
			if c.want == "" {
				if err == nil {
					t.Error("two clusters were taken for one")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := merged.Cluster.Pods.Value[0].Metadata.Name; got != "seen-from-"+c.want || len(merged.Nodes) != 2 {
				t.Errorf("%s, %d nodes", got, len(merged.Nodes))
			}
			problems := 0
			for _, input := range merged.Inputs {
				if input.Problem != "" {
					problems++
				}
			}
			if problems != 1 {
				t.Errorf("what was left out is not said once: %+v", merged.Inputs)
			}
		})
	}
}

func TestReadFolderOfBundles(t *testing.T) {
	dir := t.TempDir()
	for _, node := range []string{"n1", "n2"} {
		if err := Write(t.Context(), filepath.Join(dir, node+".tar.gz"), nodeAt(node, "6.1.0", node, 0), Options{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("it began at three"), 0o600); err != nil {
		t.Fatal(err)
	}
	snapshot, err := Read(t.Context(), []string{dir}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if len(snapshot.Nodes) != 2 {
		t.Errorf("%d nodes", len(snapshot.Nodes))
	}
	_, files, err := ReadFiles(t.Context(), []string{dir}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	passed := ""
	for _, f := range files {
		if f.Name == "notes.txt" {
			passed = f.PassedOver
		}
	}
	if passed == "" {
		t.Errorf("what was passed over is not said: %+v", files)
	}
	// Of one that is broken the others are read all the same, and it is named.
	broken := filepath.Join(dir, "n3.tar.gz")
	if err := os.WriteFile(broken, readFile(t, filepath.Join(dir, "n1.tar.gz"))[:300], 0o600); err != nil {
		t.Fatal(err)
	}
	snapshot, err = Read(t.Context(), []string{dir}, Limits{})
	if err != nil || len(snapshot.Nodes) != 2 {
		t.Fatalf("a cut bundle among others: %v", err)
	}
	last := snapshot.Inputs[len(snapshot.Inputs)-1]
	if last.Name != broken || !strings.Contains(last.Problem, "truncated") {
		t.Errorf("what was cut is not said: %+v", last)
	}
	if _, err := Read(t.Context(), []string{broken}, Limits{}); err == nil || !strings.Contains(err.Error(), "truncated") {
		t.Errorf("a cut bundle alone: %v", err)
	}
}

func TestMergeLive(t *testing.T) {
	n1, again, third := nodeAt("n1", "6.1.0", "a", 0), nodeAt("n1", "6.1.0", "a", 0), nodeAt("n1", "6.3.0", "b", 1)
	got, err := Merge(n1, again, third)
	if err != nil {
		t.Fatal(err)
	}
	want := &facts.Snapshot{Nodes: third.Nodes, Inputs: []facts.Input{n1.Inputs[0], again.Inputs[0], third.Inputs[0]}}
	// Of two at the same time the one that is named later is taken.
	want.Inputs[0].Problem = "node n1 is not used: it was read again at 2026-03-04T05:06:07Z in n1"
	want.Inputs[1].Problem = "node n1 is not used: it was read again at 2026-03-04T06:06:07Z in n1 " +
		"(machine-id b there, a here: these may be two machines)"
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Error(diff)
	}
	if n1.Inputs[0].Problem != "" {
		t.Error("a merged snapshot was changed")
	}

	for name, snapshots := range map[string][]*facts.Snapshot{
		"none":           nil,
		"without inputs": {{Nodes: n1.Nodes}, {Nodes: again.Nodes}},
	} {
		if merged, err := Merge(snapshots...); err != nil || merged == nil {
			t.Errorf("%s: %v, %v", name, merged, err)
		}
	}
}
