package datapath

import (
	"net/netip"
	"slices"

	"github.com/netcause/netcause/engine/facts"
)

// Verdict says what became of a packet.
type Verdict string

// The verdicts. A step may also be [Pass]; a branch never is.
const (
	Pass      Verdict = "pass"
	Delivered Verdict = "delivered"
	// Dropped: a kernel or a device throws it away, or nobody takes it from the wire. Its sender is told nothing, or
	// only by the kernel that it leaves, once that has given up to ask for a hardware address.
	Dropped Verdict = "dropped"
	// Rejected: its sender is told.
	Rejected Verdict = "rejected"
	// Looped: its way comes back to where it was with nothing changed; the step's Circle is the way round.
	Looped Verdict = "looped"
	// TooBig: it is longer than what its way takes and may not be fragmented; the step's TooBig says where.
	TooBig Verdict = "too-big"
	// Unknown: the facts do not tell; the step's Missing says what would, where that is known.
	Unknown Verdict = "unknown"
)

// Stage is where on its way a packet is.
type Stage string

// The stages.
const (
	StageLink        Stage = "link"
	StagePrerouting  Stage = "prerouting"
	StageRoute       Stage = "route"
	StageInput       Stage = "input"
	StageForward     Stage = "forward"
	StageOutput      Stage = "output"
	StagePostrouting Stage = "postrouting"
	StageBridge      Stage = "bridge"
	StageEncap       Stage = "encap"
	StageDecap       Stage = "decap"
	StageNeighbour   Stage = "neighbour"
	StageSocket      Stage = "socket"
	// StagePolicy is where NetworkPolicies are enforced: on the node, between a Pod's device and the routes.
	StagePolicy Stage = "policy"
)

// Packet is a packet as it is at one step.
type Packet struct {
	Src   netip.Addr `json:"src"`
	Dst   netip.Addr `json:"dst"`
	Proto string     `json:"proto"`
	Sport uint16     `json:"sport,omitempty"`
	Dport uint16     `json:"dport,omitempty"`
	Mark  uint32     `json:"mark,omitempty"`
	TOS   int        `json:"tos,omitempty"`
	TTL   int        `json:"ttl,omitempty"`
	// Length is of the whole packet in bytes; 0 is short enough for every link.
	Length int  `json:"length,omitempty"`
	DF     bool `json:"df,omitempty"`
	// VNI and Inner are of a tunnel's packet.
	VNI   int     `json:"vni,omitempty"`
	Inner *Packet `json:"inner,omitempty"`

	uid *int // of the sending socket, while the packet is on its machine
	// vlan is the tag of the frame that it is in.
	vlan   int
	tunnel *wrapping
}

// wrapping is how a tunnel made a packet.
type wrapping struct {
	// device is the tunnel's that made it.
	device place
	// mac is the destination of the Ethernet frame in Inner, nexthop whom it is for where that is not known.
	mac     string
	nexthop netip.Addr
}

func (p Packet) reversed() Packet {
	p.Src, p.Dst, p.Sport, p.Dport = p.Dst, p.Src, p.Dport, p.Sport
	p.Mark, p.uid = 0, nil
	return p
}

func (p *Packet) flow(iif string) Flow {
	return Flow{Src: p.Src, Dst: p.Dst, Iif: iif, Mark: p.Mark, TOS: p.TOS, Proto: p.Proto, Sport: p.Sport, Dport: p.Dport, UID: p.uid}
}

// Step is one thing that happened to the packet.
type Step struct {
	Node      string       `json:"node"`
	Namespace string       `json:"namespace,omitempty"`
	Stage     Stage        `json:"stage"`
	Packet    Packet       `json:"packet"` // as it leaves the step
	Text      string       `json:"text"`
	Source    facts.Source `json:"source,omitempty"`
	Verdict   Verdict      `json:"verdict"`
	Missing   *Missing     `json:"missing,omitempty"`
	// Circle are the places that the packet of a Looped step goes round by, from one of them back to the same.
	Circle []string  `json:"circle,omitempty"`
	TooBig *Oversize `json:"too_big,omitempty"`
	// Service is the Service, as namespace/name, that the step is about where the cluster's objects say so.
	Service string `json:"service,omitempty"`
	// Assumed: what decides was not read, and the step is what the cluster's objects ask for. The verdict is Unknown.
	Assumed bool `json:"assumed,omitempty"`
}

// Oversize is what a packet does not fit.
type Oversize struct {
	Dev string `json:"dev"`
	// Route is the one whose own MTU counts, empty where the device's does.
	Route string `json:"route,omitempty"`
	// MTU and Length are in bytes of the network-layer packet.
	MTU    int `json:"mtu"`
	Length int `json:"length"`
}

// Branch is one way that the packet may take.
type Branch struct {
	// Probability is among the branches of its list, given that the conditions of When hold.
	Probability float64  `json:"probability"`
	When        []string `json:"when,omitempty"`
	Steps       []Step   `json:"steps"`
	// Verdict is what becomes of the packet, and where it is delivered, of the answer: the worst of Reply's.
	Verdict Verdict `json:"verdict"`
	// Expected is of an Unknown verdict what it comes to if every step that is not certain lets the packet pass, and a node
	// whose rules were not read holds what the cluster's objects ask for; empty where even that does not tell.
	Expected Verdict `json:"expected,omitempty"`
	// Reply are the ways of the answer, empty where none was walked.
	Reply []Branch `json:"reply,omitempty"`

	last *stepNode
}

// render writes the steps out.
func (b *Branch) render() {
	b.Steps, b.Reply = b.last.steps(), slices.Clone(b.Reply)
	for i := range b.Reply {
		b.Reply[i].render()
	}
}

// Cause is the step that decided the branch's verdict, of the packet itself or of its answer. Where the verdict is Unknown
// it is the first step that is not certain. It is nil for a branch without steps.
func (b *Branch) Cause() *Step {
	for i := range b.Steps {
		if b.Steps[i].Verdict == b.Verdict && (b.Verdict != Delivered || i == len(b.Steps)-1) {
			return &b.Steps[i]
		}
	}
	for i := range b.Reply {
		if b.Reply[i].Verdict == b.Verdict {
			return b.Reply[i].Cause()
		}
	}
	if len(b.Steps) == 0 {
		return nil
	}
	return &b.Steps[len(b.Steps)-1]
}

// Trace is the way of a packet and of its answer.
type Trace struct {
	// From and To are as asked.
	From   string `json:"from"`
	Packet Packet `json:"packet"`
	// Verdict is that of all branches where they agree, else the worst that is certain: a connection of which one branch
	// is dropped fails at times.
	Verdict Verdict `json:"verdict"`
	// Expected is that of all branches, as theirs.
	Expected Verdict  `json:"expected,omitempty"`
	Branches []Branch `json:"branches"`
}

// badness orders verdicts: a certain failure tells more than an unknown, an unknown more than a delivery.
var badness = map[Verdict]int{Delivered: 0, Unknown: 1, Rejected: 2, TooBig: 3, Looped: 4, Dropped: 5}

func worst(branches []Branch) Verdict {
	v := Delivered
	for i := range branches {
		if badness[branches[i].Verdict] > badness[v] {
			v = branches[i].Verdict
		}
	}
	return v
}
