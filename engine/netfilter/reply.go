package netfilter

import "strings"

// matcher is one condition of a rule.
type matcher interface {
	match(v *view) reply
}

// reply is the answer of a match about a packet: yes, no, or maybe for one of three causes. The packet does not tell
// (fact), chance decides (share), or the match is not modelled (blind).
type reply struct {
	truth  truth
	*doubt // of maybe; else nil but where it says that the client was not seen
}

// doubt is what an answer leaves open.
type doubt struct {
	// fact is what is open, denial its opposite; the match holds where the fact is as wanted.
	fact, denial string
	want         bool
	// settle fills in the packet where the fact holds.
	settle func(*Packet)
	// fleeting is a fact of this rule and moment, as a rate limit: asked again it may differ.
	fleeting bool
	// share is the share of packets that match by chance.
	share float64
	// vague is that a listing does not show the share.
	vague bool
	// seen is a miss of a client that was not here before.
	seen bool
	// blind quotes what is not modelled.
	blind string
}

// sure is a certain answer.
func sure(holds, negated bool) reply { return reply{truth: truthOf(holds != negated)} }

// open asks whether subject is predicate.
func open(subject, predicate string, negated bool) reply {
	return reply{maybe, &doubt{fact: subject + " is " + predicate, denial: subject + " is not " + predicate, want: !negated}}
}

// passing asks whether a match holds that depends on the moment.
func passing(text string) reply {
	return reply{maybe, &doubt{fact: "`" + text + "` matches", denial: "`" + text + "` does not match", want: true, fleeting: true}}
}

// chance is a match of some share of packets.
func chance(share float64) reply {
	switch {
	case share <= 0:
		return reply{truth: no}
	case share >= 1:
		return reply{truth: yes}
	}
	return reply{maybe, &doubt{share: share}}
}

func notModelled(text string) reply { return reply{maybe, &doubt{blind: text}} }

// eitherOf joins answers of which one yes is enough.
func eitherOf(a, b reply) reply {
	switch {
	case a.truth == yes || b.truth == no:
		return a
	case b.truth == yes || a.truth == no:
		return b
	}
	return reply{maybe, &doubt{want: true, fact: a.wanted() + " or " + b.wanted(), denial: a.unwanted() + " and " + b.unwanted()}}
}

func (r *reply) wanted() string {
	if r.want {
		return r.fact
	}
	return r.denial
}

func (r *reply) unwanted() string {
	if r.want {
		return r.denial
	}
	return r.fact
}

// view is what a match sees: the packet where it is now.
type view struct {
	set    *Ruleset
	list   *Listing
	table  int32
	hook   Hook
	family string
	p      *Packet
	// conn says whether the packet has a connection: not before conntrack, nor INVALID, nor UNTRACKED.
	conn truth
	// state is the conntrack state that rules see here; empty is not known.
	state string
	// fresh says that the client was not here before.
	fresh bool

	// What the way had when this was made.
	base      *base
	facts     *assumption
	untracked bool
	given     string // CtState
}

// iif gives the input interface's name and whether it is known. Packets of this host have none: the name is empty.
// Forwarded packets have theirs at POSTROUTING too since Linux 5.7 (ip_output).
func (v *view) iif() (string, bool) {
	switch {
	case v.hook == HookOutput:
		return "", true
	case v.hook == HookPostrouting && v.p.Iif == "":
		return "", v.p.UID != nil
	}
	return v.p.Iif, v.p.Iif != ""
}

func (v *view) oif() (string, bool) {
	if v.hook == HookPrerouting || v.hook == HookInput {
		return "", true
	}
	return v.p.Oif, v.p.Oif != ""
}

func (m *NameMatch) list() string { return strings.Join(m.Names, ",") }
