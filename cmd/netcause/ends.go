package main

import (
	"github.com/spf13/cobra"

	"github.com/netcause/netcause/engine/question"
)

// endsHelp explains --from and --to.
const endsHelp = `From:  pod/NAMESPACE/NAME  node/NAME  ip/ADDRESS (outside; --via names the node that it arrives at)
To:    svc/NAMESPACE/NAME:PORT  pod/NAMESPACE/NAME:PORT  node/NAME:PORT  ip/ADDRESS:PORT  ip/[IPV6]:PORT
       NAME:PORT, a name that the sender resolves by the cluster's DNS: web.default, db-0.db.shop.svc.cluster.local
A port of a Service or Pod may be its name; a Service of one port needs none.`

// ends is a packet's two ends and what it is: the flags of the commands that follow one.
type ends struct {
	from, to, via, protocol string
	size                    int
}

func (e *ends) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&e.from, "from", "", "`WHERE` the packet begins")
	f.StringVar(&e.to, "to", "", "`WHERE` it is sent")
	f.StringVar(&e.via, "via", "", "`NODE` that a packet from outside arrives at")
	f.StringVar(&e.protocol, "proto", "", "`PROTOCOL`: tcp, udp, icmp or sctp; default: the port's, else tcp")
	f.IntVar(&e.size, "size", 0, "length of the packet in `BYTES`; default: one that fits everywhere")
}

func (e *ends) question() question.Question {
	return question.Question{From: e.from, To: e.to, Via: e.via, Protocol: e.protocol, Size: e.size}
}
