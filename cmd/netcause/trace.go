package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/netcause/netcause/collectors/bundle"
	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/report"
)

func newTraceCommand() *cobra.Command {
	var (
		scope                        scope
		from, to, via, proto, output string
		size                         int
		all                          bool
	)
	cmd := &cobra.Command{
		Use:   "trace --from X --to Y [PATH...]",
		Short: "Follow one packet hop by hop, and its answer",
		Long: `Walk a packet through the facts as the kernel would: routes, netfilter, devices, tunnels, the next
node, down to the socket that listens, and the answer back. Each hop names the rule or route that
decided it. Nothing is sent. The facts are this node's and the cluster's, or those of bundles.

From:  pod/NAMESPACE/NAME  node/NAME  ip/ADDRESS (outside; --via names the node that it arrives at)
To:    svc/NAMESPACE/NAME:PORT  pod/NAMESPACE/NAME:PORT  node/NAME:PORT  ip/ADDRESS:PORT

The verdict is one of: delivered, and the answer too; dropped; rejected (its sender is told); looped (the
ways go in a circle, which is named); too-big (longer than the MTU of its way, and not to be fragmented);
unknown (the facts do not tell, and whose would is said).

Exit status: 0 delivered; 1 dropped, rejected, looped or too-big; 2 it could not be walked, or unknown.`,
		Example: `  netcause trace --from pod/default/web-0 --to svc/kube-system/kube-dns:53 --proto udp
  netcause trace --from ip/192.0.2.7 --to node/n1:30080 n1.tar.gz n2.tar.gz cluster.tar.gz`,
		RunE: func(cmd *cobra.Command, paths []string) error {
			if output != "text" && output != "json" {
				return fmt.Errorf("--output %s: it is text or json", output)
			}
			if flag := liveOnly(cmd); len(paths) > 0 && flag != "" {
				return fmt.Errorf("--%s says what to read live: leave it out with bundles", flag)
			}
			snapshot, err := traceFacts(cmd.Context(), &scope, paths)
			if err != nil {
				return err
			}
			question := traceQuestion{snapshot: snapshot, model: datapath.New(snapshot)}
			packet, err := question.packet(to, proto, size)
			if err != nil {
				return fmt.Errorf("--to %s: %w", to, err)
			}
			sender, err := question.sender(from, to, via, &packet)
			if err != nil {
				return fmt.Errorf("--from %s: %w", from, err)
			}
			answer := report.NewPathReport(from, to, question.model.Trace(sender, packet), all)
			print := report.PathText
			if output == "json" {
				print = report.PathJSON
			}
			if err := print(cmd.OutOrStdout(), answer); err != nil {
				return err
			}
			switch answer.Verdict {
			case datapath.Delivered:
				return nil
			case datapath.Unknown:
				return &statusError{status: exitNotDone}
			}
			return &statusError{status: exitRootCause}
		},
	}
	scope.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "`WHERE` the packet begins")
	f.StringVar(&to, "to", "", "`WHERE` it is sent")
	f.StringVar(&via, "via", "", "`NODE` that a packet from outside arrives at")
	f.StringVar(&proto, "proto", "tcp", "`PROTOCOL`: tcp, udp, icmp or sctp")
	f.IntVar(&size, "size", 0, "length of the packet in `BYTES`; default: one that fits everywhere")
	f.BoolVar(&all, "all", false, "show every way (every endpoint), not only the one that decides")
	f.StringVarP(&output, "output", "o", "text", "`FORMAT`: text or json")
	_ = cmd.MarkFlagRequired("from")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}

// liveOnly is a flag that was given and that says what to read of the live node and cluster.
func liveOnly(cmd *cobra.Command) string {
	for _, name := range []string{"kubeconfig", "context", "namespace", "node-only", "cluster-only", "node-name", "root", "timeout"} {
		if cmd.Flags().Changed(name) {
			return name
		}
	}
	return ""
}

func traceFacts(ctx context.Context, scope *scope, paths []string) (*facts.Snapshot, error) {
	if len(paths) == 0 {
		return scope.collect(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	snapshot, err := bundle.Read(ctx, paths, bundle.Limits{})
	if err == nil {
		engine.MatchNodes(snapshot)
	}
	return snapshot, err
}

// traceQuestion turns what a person names into addresses and places.
type traceQuestion struct {
	snapshot *facts.Snapshot
	model    *datapath.Model
}

func (q *traceQuestion) packet(to, proto string, size int) (datapath.Packet, error) {
	p := datapath.Packet{Proto: proto, Length: size, DF: size > 0}
	switch proto {
	case "tcp", "udp", "icmp", "sctp":
	default:
		return p, fmt.Errorf("protocol %q is not one of tcp, udp, icmp, sctp", proto)
	}
	target, port := to, ""
	if proto != "icmp" {
		i := strings.LastIndex(to, ":")
		if i < 0 {
			return p, fmt.Errorf("the port is missing (…:PORT)")
		}
		target, port = to[:i], to[i+1:]
		if _, err := fmt.Sscanf(port, "%d", &p.Dport); err != nil || p.Dport == 0 {
			return p, fmt.Errorf("%q is no port", port)
		}
	}
	var err error
	p.Dst, err = q.address(target)
	return p, err
}

// address is the address of what is named.
func (q *traceQuestion) address(target string) (netip.Addr, error) {
	kind, name, _ := strings.Cut(target, "/")
	namespace, short, _ := strings.Cut(name, "/")
	switch kind {
	case "ip":
		return netip.ParseAddr(strings.Trim(name, "[]"))
	case "svc":
		for _, service := range q.cluster().Services.Value {
			if service.Metadata.Namespace == namespace && service.Metadata.Name == short {
				return netip.ParseAddr(service.Spec.ClusterIP)
			}
		}
	case "pod":
		for _, pod := range q.cluster().Pods.Value {
			if pod.Metadata.Namespace == namespace && pod.Metadata.Name == short {
				return netip.ParseAddr(pod.Status.PodIP)
			}
		}
	case "node":
		for _, node := range q.cluster().Nodes.Value {
			for _, a := range node.Status.Addresses {
				if node.Metadata.Name == name && a.Type == "InternalIP" {
					return netip.ParseAddr(a.Address)
				}
			}
		}
	default:
		return netip.Addr{}, fmt.Errorf("it begins with none of pod/, node/, svc/, ip/")
	}
	return netip.Addr{}, fmt.Errorf("there is no such %s among the facts", kind)
}

func (q *traceQuestion) cluster() *facts.Cluster {
	if q.snapshot.Cluster == nil {
		return &facts.Cluster{}
	}
	return q.snapshot.Cluster
}

func (q *traceQuestion) sender(from, to, via string, p *datapath.Packet) (datapath.Sender, error) {
	kind, name, _ := strings.Cut(from, "/")
	switch kind {
	case "pod":
		namespace, short, _ := strings.Cut(name, "/")
		sender, src, ok := q.model.PodSender(namespace, short)
		if !ok {
			return sender, fmt.Errorf("there is no such pod among the facts, or its node was not collected")
		}
		p.Src = src
		return sender, nil
	case "node":
		if q.model.Namespace(name, "") == nil {
			return datapath.Sender{}, fmt.Errorf("node %q was not collected", name)
		}
		return datapath.Sender{Node: name}, nil
	case "ip":
		src, err := netip.ParseAddr(name)
		if err != nil {
			return datapath.Sender{}, err
		}
		p.Src = src
		return q.arrival(to, via)
	}
	return datapath.Sender{}, fmt.Errorf("it begins with none of pod/, node/, ip/")
}

// arrival is the node and device by which a packet from outside comes: the node that is addressed or named, by the device
// that holds its address.
func (q *traceQuestion) arrival(to, via string) (datapath.Sender, error) {
	if via == "" {
		if name, ok := strings.CutPrefix(to, "node/"); ok {
			via, _, _ = strings.Cut(name, ":")
		}
	}
	if via == "" {
		return datapath.Sender{}, fmt.Errorf("name the node that it arrives at with --via")
	}
	address, err := q.address("node/" + via)
	if err != nil {
		return datapath.Sender{}, err
	}
	for _, node := range q.snapshot.Nodes {
		for _, a := range node.Addresses.Value {
			if node.Name == via && a.Local == address {
				return datapath.Sender{Node: via, Dev: a.Dev}, nil
			}
		}
	}
	return datapath.Sender{}, fmt.Errorf("no device of node %s has the address %s among the facts", via, address)
}
