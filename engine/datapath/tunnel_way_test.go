package datapath_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
)

// TestTunnelWays is that a model which remembers ways of tunnels gives the traces of one that does not yet.
func TestTunnelWays(t *testing.T) {
	save, err := recordedRules()
	if err != nil {
		t.Fatal(err)
	}
	save = onlyServices(save, 8)
	ips := recordedClusterIPs(save)
	var packets []datapath.Packet
	for i, length := range []int{0, 0, 1460, 1460} {
		packets = append(packets, datapath.Packet{Dst: ips[i+1], Dport: 80, Proto: "tcp", Length: length, DF: length > 0})
	}
	for name, change := range map[string]func(*facts.Snapshot){
		"as it is":                     func(*facts.Snapshot) {},
		"routes of n2 not read":        func(s *facts.Snapshot) { s.Nodes[1].Routes.Meta = facts.Meta{Status: facts.Absent} },
		"the tunnel's device is down":  func(s *facts.Snapshot) { s.Nodes[1].Links.Value[3].Flags = nil },
		"sysctls of n2 not read":       func(s *facts.Snapshot) { s.Nodes[1].Sysctls.Meta = facts.Meta{Status: facts.Absent} },
		"two ways between the nodes":   func(s *facts.Snapshot) { twoWays(s.Nodes[0]) },
		"policy rules of n2 not read":  func(s *facts.Snapshot) { s.Nodes[1].Rules.Meta = facts.Meta{Status: facts.Absent} },
		"the underlay's link is small": func(s *facts.Snapshot) { s.Nodes[0].Links.Value[1].MTU = 1450 },
	} {
		t.Run(name, func(t *testing.T) {
			s := recordedCluster(legacyRules(save))
			change(s)
			remembers := datapath.New(s)
			for _, p := range packets {
				got, want := remembers.Trace(fromRecordedPod, p), datapath.New(s).Trace(fromRecordedPod, p)
				if diff := cmp.Diff(show(want.Branches, ""), show(got.Branches, "")); diff != "" {
					t.Fatalf("%s, %d bytes: %s", p.Dst, p.Length, diff)
				}
				if diff := cmp.Diff(innermost(want), innermost(got)); diff != "" {
					t.Fatalf("%s, %d bytes: %s", p.Dst, p.Length, diff)
				}
			}
		})
	}
}

// TestWalkTogether is that one model answers several walkers at once, from before it has parsed or remembers anything.
func TestWalkTogether(t *testing.T) {
	m, ips := recordedModel(t, 100)
	var group sync.WaitGroup
	for k := range 4 {
		group.Go(func() {
			for i := 1 + k; i < 50; i += 2 {
				got := m.Trace(fromRecordedPod, datapath.Packet{Dst: ips[i], Dport: 80, Proto: "tcp"})
				if got.Verdict != datapath.Delivered || len(got.Branches) != 3 {
					t.Errorf("%s: %s by %d ways", ips[i], got.Verdict, len(got.Branches))
				}
			}
		})
	}
	group.Wait()
}

// twoWays gives a node's route to the other two nexthops.
func twoWays(n *facts.Node) {
	for i := range n.Routes.Value {
		if r := &n.Routes.Value[i]; r.Dst.String() == "192.168.50.0/24" {
			r.Nexthops, r.Dev = []facts.Nexthop{{Dev: "eth0", Weight: 1}, {Dev: "eth0", Weight: 2}}, ""
		}
	}
}

// innermost are the packets that those of tunnels carry, at each step of the question and the answer.
func innermost(t datapath.Trace) (list []string) {
	var visit func([]datapath.Branch)
	visit = func(branches []datapath.Branch) {
		for _, b := range branches {
			for _, s := range b.Steps {
				if p := s.Packet.Inner; p != nil {
					list = append(list, fmt.Sprint(p.Src, p.Sport, p.Dst, p.Dport, p.TTL, p.Length, s.Packet.Length, s.Packet.VNI))
				}
			}
			visit(b.Reply)
		}
	}
	visit(t.Branches)
	return list
}
