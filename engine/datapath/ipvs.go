package datapath

import (
	"fmt"
	"net/netip"

	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/netfilter"
)

// virtualServer is IPVS at LOCAL_IN (ip_vs_in_hook of net/netfilter/ipvs/ip_vs_core.c): a packet for a virtual server goes
// out again, to a real one. taken says whether it was one.
func (w *walker) virtualServer(s state, ns *Namespace) (branches []Branch, taken bool) {
	if ns.facts.IPVS.Status != facts.Read {
		if a := ns.local[s.pkt.Dst]; a != nil && a.Dev == "kube-ipvs0" {
			if branches, taken := w.assumedServer(s, ns); taken {
				return branches, true
			}
			return s.unknown(ns, StageInput, s.pkt.Dst.String()+" is on kube-ipvs0, and the table of IPVS was not read", missing(ns, "ipvs")), true
		}
		return nil, false
	}
	listings := ns.listings()
	if listings.err != nil || listings.Rules.IPVS == nil {
		return nil, false
	}
	server := findServer(listings.Rules.IPVS, s.pkt)
	if server == nil {
		return nil, false
	}
	source := listings.Source(netfilter.Hop{Backend: netfilter.IPVS, Line: server.Line})
	total := 0
	for _, r := range server.Real {
		total += share(server, r)
	}
	if total == 0 {
		s = s.step(ns, StageInput, fmt.Sprintf("the virtual server %s has no real server", server.Addr))
		s.last().Source = source
		return s.end(Rejected), true
	}
	for _, r := range server.Real {
		weight := share(server, r)
		if weight == 0 || len(branches) > 0 && !w.fork() {
			continue
		}
		b := s
		b.probability *= float64(weight) / float64(total)
		branches = append(branches, w.realServer(b, ns, r, listings)...)
	}
	return branches, true
}

func findServer(t *netfilter.IPVSTable, p *Packet) *netfilter.VirtualServer {
	for i := range t.Servers {
		v := &t.Servers[i]
		if v.FirewallMark != 0 && v.FirewallMark == p.Mark || v.Protocol == p.Proto && v.Addr == netip.AddrPortFrom(p.Dst, p.Dport) {
			return v
		}
	}
	return nil
}

// share is what part of new connections a real server takes: its weight, or with a scheduler that knows none, one.
func share(v *netfilter.VirtualServer, r netfilter.RealServer) int {
	if v.Scheduler == "rr" || v.Scheduler == "lc" {
		return min(r.Weight, 1)
	}
	return r.Weight
}

// realServer is ip_vs_nat_xmit of net/netfilter/ipvs/ip_vs_xmit.c.
func (w *walker) realServer(s state, ns *Namespace, r netfilter.RealServer, listings *parsedListings) []Branch {
	before := s.pkt
	if r.Forward == "masq" {
		p := s.edit()
		p.Dst, p.Dport = r.Addr.Addr(), r.Addr.Port()
	}
	s = s.translated(ns, before)
	s = s.step(ns, StageInput, fmt.Sprintf("IPVS sends %s to %s", end(before.Dst, before.Dport), r.Addr))
	s.last().Source = listings.Source(netfilter.Hop{Backend: netfilter.IPVS, Line: r.Line})
	if r.Forward != "masq" {
		s.last().Text += ": forwarding by " + r.Forward + " is not followed"
		return s.end(Unknown)
	}
	return w.sendReal(s, ns)
}

// sendReal routes a packet that IPVS has given a real server.
func (w *walker) sendReal(s state, ns *Namespace) []Branch {
	flow := s.pkt.flow("lo")
	flow.Src = netip.Addr{}
	decisions, _ := ns.likelyOutput((*Namespace).routeOutput, flow)
	var out []Branch
	for i := range decisions {
		d := &decisions[i]
		if i > 0 && !w.fork() {
			break
		}
		b := s
		b.probability *= d.Probability
		b, ended := w.routed(b, ns, d)
		if ended != nil {
			out = append(out, ended...)
			continue
		}
		out = append(out, w.hook(b, ns, StageOutput, "", d.Way.Dev, netip.Addr{}, func(s state) []Branch { return w.leave(s, ns, "", d) })...)
	}
	return out
}
