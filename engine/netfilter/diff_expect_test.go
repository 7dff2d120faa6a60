package netfilter

import "slices"

// expected is one fate that the model allows.
type expected struct {
	fate
	share   float64
	unknown string
	when    []string
	hops    []*Hop
}

func (e *expected) told() string {
	s := ""
	for _, w := range e.when {
		s += " when " + w
	}
	for _, h := range e.hops {
		s += "\n    " + h.Table + " " + h.Chain + ": " + h.Rule
	}
	return s
}

// allows says whether the fate is the one expected. The answer of REJECT may itself be dropped, and one to this host is
// not seen.
func (e *expected) allows(got fate, p probe) bool {
	switch e.kind {
	case "rejected":
		return got.kind == "rejected" || got.kind == "dropped"
	case "dropped":
		return got.kind == "dropped"
	}
	w := e.fate
	if w.sport == 0 {
		w.sport = got.sport
	}
	if p.proto == "icmp" {
		w.dport = got.dport
	}
	return w == got
}

// expect takes a probe through the hooks as the kernel does, with the router's few routes.
func expect(rules *Ruleset, p probe) []expected {
	pkt := Packet{
		Src: p.src, Dst: p.dst, Proto: p.proto, Sport: p.sport, Dport: p.dport, TCPFlags: p.flags, Length: p.length, TTL: 64,
		Iif: p.from, CtState: "NEW", CtDir: "ORIGINAL",
	}
	if p.proto == "icmp" {
		pkt.ICMPType, pkt.Sport = 8, 0
	}
	w := &walkthrough{rules: rules, p: p}
	if p.from == "" {
		root := 0
		pkt.UID = &root
		pkt.Oif = routeOf(pkt.Dst)
		w.output(pkt, expected{share: 1})
	} else {
		w.prerouting(pkt, expected{share: 1})
	}
	return w.out
}

type walkthrough struct {
	rules *Ruleset
	p     probe
	out   []expected
}

// hook passes a hook and goes on with each packet that it accepts.
func (w *walkthrough) hook(h Hook, pkt Packet, e expected, next func(Packet, Outcome, expected)) {
	for _, o := range w.rules.Traverse(h, pkt) {
		f := e
		f.share *= o.Probability
		f.when = slices.Concat(e.when, o.When)
		f.hops = slices.Concat(e.hops, o.Hops)
		switch o.Verdict {
		case VerdictAccept:
			next(o.Packet, o, f)
			continue
		case VerdictDrop:
			f.kind = "dropped"
		case VerdictReject:
			f.kind = "rejected"
		default:
			f.kind, f.unknown = "unknown", o.Reason
		}
		w.out = append(w.out, f)
	}
}

func (w *walkthrough) prerouting(pkt Packet, e expected) {
	w.hook(HookPrerouting, pkt, e, func(pkt Packet, _ Outcome, e expected) {
		if routeOf(pkt.Dst) == "lo" {
			w.hook(HookInput, pkt, e, func(pkt Packet, _ Outcome, e expected) { w.arrive("local", "", pkt, e) })
			return
		}
		if pkt.TTL <= 1 {
			e.kind = "dropped"
			w.out = append(w.out, e)
			return
		}
		pkt.TTL--
		pkt.Oif = routeOf(pkt.Dst)
		w.hook(HookForward, pkt, e, func(pkt Packet, _ Outcome, e expected) { w.postrouting(pkt, e) })
	})
}

func (w *walkthrough) output(pkt Packet, e expected) {
	w.hook(HookOutput, pkt, e, func(pkt Packet, _ Outcome, e expected) {
		pkt.Oif = routeOf(pkt.Dst)
		w.postrouting(pkt, e)
	})
}

func (w *walkthrough) postrouting(pkt Packet, e expected) {
	w.hook(HookPostrouting, pkt, e, func(pkt Packet, o Outcome, e expected) {
		dev := pkt.Oif
		if o.Masquerade {
			pkt.Src = routerAddrs[dev][0]
		}
		if dev != "lo" {
			w.arrive("forwarded", dev, pkt, e)
			return
		}
		if o.Masquerade {
			pkt.Src = routerAddrs["in0"][0] // lo has no address of global scope: that of the first device
		}
		pkt.UID, pkt.Iif, pkt.Oif = nil, "lo", ""
		w.prerouting(pkt, e)
	})
}

func (w *walkthrough) arrive(kind, dev string, pkt Packet, e expected) {
	e.fate = fate{kind: kind, dev: dev, src: pkt.Src, dst: pkt.Dst, sport: pkt.Sport, dport: pkt.Dport}
	w.out = append(w.out, e)
}
