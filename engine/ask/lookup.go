package ask

import (
	"fmt"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
)

// askLookup looks a packet's destination up as the kernel would: with its source, the device that it came in by, and its
// mark. Where the policy rules were not read, its destination alone counts, as in [askRoute].
func askLookup(in *Incident, args []any) (any, error) {
	node, err := nodeArgument(in, args)
	if err != nil {
		return nil, err
	}
	packet, err := packetArgument(args[1])
	if err != nil {
		return nil, err
	}
	if !packet.Dst.IsValid() || packet.Iif == "" {
		return nil, fmt.Errorf("argument packet: dst and iif are needed")
	}
	if node.Facts == nil || node.Facts.Routes.Status != facts.Read {
		return routesUnread(node), nil
	}
	ns := in.Model().Namespace(node.Name, "")
	if node.Facts.Rules.Status != facts.Read {
		return routeAnswerOf(ns.LookupDestination(packet.Dst)), nil
	}
	flow := datapath.Flow{
		Src: packet.Src, Dst: packet.Dst, Iif: packet.Iif, Oif: packet.Oif, Proto: packet.Proto, Sport: packet.Sport, Dport: packet.Dport,
		Mark: packet.Mark, UID: new(int),
	}
	return routeAnswerOf(ns.Lookup(flow)), nil
}
