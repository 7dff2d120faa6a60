package ask

import (
	"fmt"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
)

// reversePathAnswer is datapath's answer, with the group of facts that is missing by name.
type reversePathAnswer struct {
	datapath.ReversePath
	Unread []string `json:"unread"`
	// Dev is the device of the way back, empty where there is none.
	Dev string `json:"dev"`
	// Default: the way back is a default route.
	Default bool         `json:"default"`
	Source  facts.Source `json:"source"`
}

// askReversePath says whether a node's reverse-path filter lets a packet in.
func askReversePath(in *Incident, args []any) (any, error) {
	node, err := nodeArgument(in, args)
	if err != nil {
		return nil, err
	}
	packet, err := packetArgument(args[1])
	if err != nil {
		return nil, err
	}
	if !packet.Src.IsValid() || !packet.Dst.IsValid() || packet.Iif == "" {
		return nil, fmt.Errorf("argument packet: src, dst and iif are needed")
	}
	if node.Facts == nil {
		return reversePathAnswer{ReversePath: datapath.ReversePath{Verdict: "unknown", Filter: -1, Detail: "nothing was collected on this node"}, Unread: []string{"sysctls"}}, nil
	}
	ns := in.Model().Namespace(node.Name, "")
	answer := reversePathAnswer{Unread: []string{}, ReversePath: ns.ReversePath(
		datapath.Flow{Src: packet.Src, Dst: packet.Dst, Iif: packet.Iif, Proto: packet.Proto, Sport: packet.Sport, Dport: packet.Dport, Mark: packet.Mark},
		packet.Oif,
	)}
	if m := answer.Missing; m != nil && m.Group != "" {
		answer.Unread = append(answer.Unread, m.Group)
	}
	if len(answer.Back.Ways) > 0 {
		answer.Dev = answer.Back.Ways[0].Dev
	}
	answer.Default = answer.Back.Route != nil && answer.Back.Route.Dst.Bits() == 0
	answer.Source = answer.Back.Source()
	return answer, nil
}
