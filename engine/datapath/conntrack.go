package datapath

// connection is what a namespace's connection tracker knows of the one connection that a walk follows. Lists of them are
// shared by branches and do not change.
type connection struct {
	ns   *Namespace
	orig *Packet // as it came in
	now  *Packet // as the namespace's rules have made it so far
	// reply: the packet at hand is of the connection's other direction.
	reply bool
	// unseen: an answer of which the namespace has not seen the question.
	unseen bool
	// notrack: a rule keeps the packet from connection tracking, and so from translation.
	notrack bool
	next    *connection
}

// tracks are the stages at which connection tracking begins.
func (s Stage) tracks() bool { return s == StagePrerouting || s == StageOutput }

// track finds or begins the connection at a hook. Packets of tunnels are connections of their own, new ones.
func (s state) track(ns *Namespace, stage Stage, reply bool) (state, *connection) {
	if s.pkt.Inner != nil {
		return s, nil
	}
search:
	for c := s.connections; c != nil; c = c.next {
		if c.ns != ns || c.reply && !reply {
			continue
		}
		switch {
		case reply && !c.reply && c.notrack && answers(s.pkt, c.now):
			break search
		case !reply && sameTuple(c.now, s.pkt):
			return s, c
		case reply && c.reply && !stage.tracks():
			return s, c
		case reply && !c.reply && stage.tracks() && answers(s.pkt, c.now):
			s, c = s.connected(*c)
			c.reply = true
			return s, c
		}
	}
	return s.connected(connection{ns: ns, orig: s.pkt, now: s.pkt, reply: reply, unseen: reply})
}

// connected is the state with a connection, newer than those that it has.
func (s state) connected(as connection) (state, *connection) {
	c := s.store.connections.next()
	*c = as
	c.next = s.connections
	s.connections = c
	return s, c
}

// translated notes what a hook's rules have made of the first packet.
func (s state) translated(ns *Namespace, before *Packet) state {
	c := s.connections
	if s.pkt.Inner != nil || sameTuple(before, s.pkt) {
		return s
	}
	for ; c != nil; c = c.next {
		if c.ns == ns && !c.reply && sameTuple(c.now, before) {
			s, c = s.connected(*c)
			c.now = s.pkt
			return s
		}
	}
	return s
}

// untrack notes that a rule has kept the packet from connection tracking.
func (s state) untrack(c *connection) (state, *connection) {
	s, c = s.connected(*c)
	c.notrack = true
	return s, c
}

// undo takes back the translation of an answer: its destination at the hooks of DNAT, its source at those of SNAT
// (nf_nat_packet of net/netfilter/nf_nat_core.c).
func (s state) undo(c *connection, stage Stage) state {
	if c == nil || !c.reply || c.unseen || c.notrack {
		return s
	}
	if stage.tracks() {
		if s.pkt.Dst != c.orig.Src || s.pkt.Dport != c.orig.Sport {
			p := s.edit()
			p.Dst, p.Dport = c.orig.Src, c.orig.Sport
		}
	} else if stage == StageInput || stage == StagePostrouting {
		if s.pkt.Src != c.orig.Dst || s.pkt.Sport != c.orig.Dport {
			p := s.edit()
			p.Src, p.Sport = c.orig.Dst, c.orig.Dport
		}
	}
	return s
}

// answers says whether a packet has the addresses of an answer to q.
func answers(p, q *Packet) bool {
	return p.Src == q.Dst && p.Dst == q.Src && p.Sport == q.Dport && p.Dport == q.Sport && p.Proto == q.Proto
}

func sameTuple(a, b *Packet) bool {
	return a == b || a.Src == b.Src && a.Dst == b.Dst && a.Sport == b.Sport && a.Dport == b.Dport && a.Proto == b.Proto
}
