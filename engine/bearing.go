package engine

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/question"
)

// Bearing is what a root cause has to do with a packet's way.
type Bearing string

// The bearings, nearest first.
const (
	// Explains: it, or what follows from it, is a fault of the hop where the packet ends.
	Explains Bearing = "explains"
	// OnPath: it bears on a node of the way.
	OnPath Bearing = "on-path"
	// Elsewhere: it bears on other nodes alone.
	Elsewhere Bearing = "elsewhere"
)

// DiagnosePath is [Engine.DiagnoseSeen] for the way of one packet: it is walked first, and the causes that explain the hop
// where it ends come before all others. The question's errors are for the person who asked.
func (e *Engine) DiagnosePath(ctx context.Context, s *Seen, q question.Question) (*Diagnosis, error) {
	in := s.in
	asked, err := question.Ask(in.Snapshot, in.Model(), q)
	if err != nil {
		return nil, fmt.Errorf("follow the packet: %w", err)
	}
	answer := asked.Answer(in.Model(), false)
	d, err := e.diagnose(ctx, in)
	if err != nil {
		return nil, err
	}
	d.bear(answer)
	return d, nil
}

// bear says of each cause what it has to do with the packet's way, and orders them by it.
func (d *Diagnosis) bear(answer *question.Answer) {
	d.Trace = answer
	hop := newHop(answer)
	type root struct {
		id      string
		subject Subject
	}
	bearings := map[root]Bearing{}
	for _, f := range d.Findings {
		key := root{f.Root, f.RootSubject}
		b := hop.bearing(&f)
		if had, ok := bearings[key]; !ok || rank(b) < rank(had) {
			bearings[key] = b
		}
	}
	for _, list := range [][]Finding{d.RootCauses, d.Findings} {
		for i := range list {
			list[i].Bearing = bearings[root{list[i].Root, list[i].RootSubject}]
		}
		slices.SortStableFunc(list, func(a, b Finding) int { return cmp.Compare(rank(a.Bearing), rank(b.Bearing)) })
	}
}

func rank(b Bearing) int { return slices.Index([]Bearing{Explains, OnPath, Elsewhere}, b) }

// hop is where a packet ends, and what a cause of that is known by.
type hop struct {
	*datapath.Step // nil: it arrives, or ends nowhere
	symptoms       []string
	nodes          []string // of the whole way
}

func newHop(a *question.Answer) *hop {
	h := &hop{}
	visit := func(steps []datapath.Step) {
		for _, s := range steps {
			if !slices.Contains(h.nodes, s.Node) {
				h.nodes = append(h.nodes, s.Node)
			}
		}
	}
	visit(a.Hops)
	for _, r := range a.Reply {
		visit(r.Hops)
	}
	if a.Verdict == datapath.Delivered || a.Expected == datapath.Delivered || a.EndsAt == nil {
		return h
	}
	h.Step = a.EndsAt
	h.symptoms = symptomsOf(a)
	return h
}

// symptomsOf is what a person sees of a packet that ends at such a hop.
func symptomsOf(a *question.Answer) []string {
	var list []string
	s := a.EndsAt
	switch {
	case s.TooBig != nil:
		return []string{"large-packet-loss"}
	case s.Service != "":
		list = append(list, "service-unreachable")
	case s.Stage == datapath.StageSocket:
		list = append(list, "port-unreachable")
	case s.Stage == datapath.StagePrerouting, s.Stage == datapath.StageOutput:
		list = append(list, "service-unreachable", "network-unreachable", "port-unreachable")
	case s.Stage == datapath.StageInput, s.Stage == datapath.StageForward, s.Stage == datapath.StagePostrouting, s.Stage == datapath.StagePolicy:
		list = append(list, "network-unreachable", "port-unreachable")
	default:
		list = append(list, "network-unreachable")
	}
	switch {
	case a.Packet.Dport == 53:
		list = append(list, "dns-failure")
	case strings.HasPrefix(a.From, "ip/"):
		list = append(list, "nodeport-unreachable")
	case strings.HasPrefix(a.To, "ip/"):
		list = append(list, "egress-failure")
	}
	return list
}

// bearing of one finding. A policy's hop is explained by what names the policy alone: there is no other cause of it.
func (h *hop) bearing(f *Finding) Bearing {
	on := func(node string) bool { return len(f.Affects) == 0 || slices.Contains(f.Affects, node) }
	if h.Step != nil && f.Severity != Info && on(h.Node) {
		byEvidence := slices.ContainsFunc(f.Evidence, h.shares)
		bySymptom := h.Stage != datapath.StagePolicy && slices.ContainsFunc(f.Explains, func(s string) bool { return slices.Contains(h.symptoms, s) })
		if byEvidence || bySymptom {
			return Explains
		}
	}
	if slices.ContainsFunc(h.nodes, on) {
		return OnPath
	}
	return Elsewhere
}

// prefix is a route's destination in a text.
var prefix = regexp.MustCompile(`\b[0-9a-f.:]+/[0-9]{1,3}\b|\bdefault\b`)

// shares says whether evidence is of what decided the hop: the same line, device, sysctl or object; or of a whole table of
// routes, the same route.
func (h *hop) shares(e facts.Evidence) bool {
	if h.Source == "" || e.Source != h.Source {
		return false
	}
	if !strings.HasPrefix(string(e.Source), "ip route show") && !strings.HasPrefix(string(e.Source), "ip rule show") {
		return true
	}
	return slices.ContainsFunc(prefix.FindAllString(e.Value, -1), func(p string) bool {
		return slices.Contains(strings.Fields(strings.NewReplacer(",", " ", ";", " ").Replace(h.Text)), p)
	})
}
