package ask

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/services"
)

// localTrafficAnswer are the Services whose outside traffic stays on the node that it comes to.
type localTrafficAnswer struct {
	Total    int            `json:"total"`
	Services []localService `json:"services"` // the first that have nodes without endpoint, those that drop first
	Count    int            `json:"count"`
}

// localService is a Service with externalTrafficPolicy Local that has endpoints, but not on every node.
type localService struct {
	Service   serviceReference `json:"service"`
	Type      string           `json:"type"`
	NodePorts []int32          `json:"node_ports"`
	// Checked: a load balancer has addresses of it and a port to ask nodes for endpoints, so it avoids those without.
	Checked bool `json:"checked"`
	// On are the nodes with an endpoint.
	On []string `json:"on"`
	// Dropping are nodes without one whose rules dropped packets for it, Holding those that have an address of it.
	Dropping []localDrop `json:"dropping"`
	Holding  []heldAddr  `json:"holding"`
	// Quiet are nodes without one on which nothing was dropped, Unknown those whose counters were not read.
	Quiet   []string `json:"quiet"`
	Unknown []string `json:"unknown"`
}

type localDrop struct {
	Node     string         `json:"node"`
	Packets  uint64         `json:"packets"`
	Evidence facts.Evidence `json:"evidence"`
}

type heldAddr struct {
	Node    string       `json:"node"`
	Address string       `json:"address"`
	Dev     string       `json:"dev"`
	Source  facts.Source `json:"source"`
}

// noLocalEndpoints are the words of kube-proxy's rule that drops what came to a node without endpoint
// (pkg/proxy/iptables/proxier.go).
var noLocalEndpoints = []byte(" has no local endpoints\"")

// askLocalTraffic finds Services with externalTrafficPolicy Local on whose nodes without endpoint packets arrive.
func askLocalTraffic(in *Incident, _ []any) (any, error) {
	answer := localTrafficAnswer{Services: []localService{}}
	cluster := in.Snapshot.Cluster
	if cluster == nil || cluster.Services.Status != facts.Read {
		return answer, nil
	}
	drops := map[string]map[string]localDrop{}
	for _, node := range in.Nodes {
		drops[node.Name] = dropsOf(node)
	}
	for i := range cluster.Services.Value {
		service := &cluster.Services.Value[i]
		if service.Spec.ExternalTrafficPolicy != "Local" || !services.Proxied(service) {
			continue
		}
		answer.Total++
		local, ok := newLocalService(in, service, drops)
		if ok {
			answer.Services = append(answer.Services, local)
		}
	}
	answer.Count = len(answer.Services)
	slices.SortStableFunc(answer.Services, func(a, b localService) int {
		return cmp.Or(cmp.Compare(len(b.Dropping)+len(b.Holding), len(a.Dropping)+len(a.Holding)), compareDNSFirst(a.Service, b.Service))
	})
	answer.Services = answer.Services[:min(len(answer.Services), maxUnserved)]
	return answer, nil
}

func newLocalService(in *Incident, service *facts.Service, drops map[string]map[string]localDrop) (localService, bool) {
	l := localService{
		Service: referenceTo(service), Type: service.Spec.Type, NodePorts: []int32{}, On: []string{}, Dropping: []localDrop{},
		Holding: []heldAddr{}, Quiet: []string{}, Unknown: []string{},
		Checked: service.Spec.HealthCheckNodePort > 0 && len(service.Status.LoadBalancer.Ingress) > 0,
	}
	like, err := netip.ParseAddr(service.Spec.ClusterIP)
	if err != nil {
		return l, false
	}
	known, any := false, false
	on := map[string]bool{}
	for _, port := range services.Ports(service) {
		if port.NodePort > 0 {
			l.NodePorts = append(l.NodePorts, port.NodePort)
		}
		backends := in.backends().Backends("", port, like)
		known = known || backends.Missing == nil
		for _, e := range backends.Cluster {
			any = true
			on[e.Node] = true
		}
	}
	// Without any endpoint it is no matter of nodes; an endpoint of which the node is not known may be on any.
	if !known || !any || on[""] {
		return l, false
	}
	l.On = slices.Sorted(maps.Keys(on))
	for _, node := range in.Nodes {
		if node.Object == nil || on[node.Name] {
			continue
		}
		l.look(service, node, drops[node.Name])
	}
	return l, len(l.Dropping)+len(l.Holding)+len(l.Quiet)+len(l.Unknown) > 0
}

// look asks one node without endpoint.
func (l *localService) look(service *facts.Service, node *Node, drops map[string]localDrop) {
	if node.Facts != nil {
		for _, front := range services.Addresses(service) {
			if front.Kind == services.ExternalIP || front.Kind == services.LoadBalancer {
				l.hold(node, front.Address)
			}
		}
	}
	if drops == nil {
		l.Unknown = append(l.Unknown, node.Name)
		return
	}
	dropped := localDrop{Node: node.Name}
	for _, port := range services.Ports(service) {
		name := service.Metadata.Namespace + "/" + service.Metadata.Name
		if port.Name != "" {
			name += ":" + port.Name
		}
		if d := drops[name]; d.Packets > dropped.Packets {
			dropped.Packets, dropped.Evidence = d.Packets, d.Evidence
		}
	}
	if dropped.Packets == 0 {
		l.Quiet = append(l.Quiet, node.Name)
		return
	}
	l.Dropping = append(l.Dropping, dropped)
}

// hold notes an address of the Service that a device of the node has. IPVS mode gives them all to kube-ipvs0.
func (l *localService) hold(node *Node, address netip.Addr) {
	for _, a := range node.Facts.Addresses.Value {
		if a.Local == address && a.Dev != "kube-ipvs0" {
			l.Holding = append(l.Holding, heldAddr{node.Name, address.String(), a.Dev, a.Source})
		}
	}
}

// dropsOf are the packets that a node's rules dropped because it has no endpoint for them, by Service port
// ("shop/web:http"); nil where no counters were read. kube-proxy's nftables mode counts none.
func dropsOf(node *Node) map[string]localDrop {
	if node.Facts == nil {
		return nil
	}
	var drops map[string]localDrop
	for _, g := range []*facts.Group[facts.Listing]{&node.Facts.IPTablesNFT, &node.Facts.IPTablesLegacy} {
		text := facts.Text(g)
		if !bytes.Contains(text, []byte("KUBE-EXTERNAL-SERVICES")) {
			continue
		}
		number := 0
		for line := range bytes.Lines(text) {
			number++
			packets, rule, counted := counter(line)
			if !counted || !bytes.HasPrefix(rule, []byte("-A ")) {
				continue
			}
			if drops == nil {
				drops = map[string]localDrop{}
			}
			before, _, ok := bytes.Cut(rule, noLocalEndpoints)
			quote := bytes.LastIndexByte(before, '"')
			if !ok || quote < 0 {
				continue
			}
			name := string(before[quote+1:])
			d := drops[name]
			if packets >= d.Packets {
				source := facts.Source("iptables-save -c")
				if len(g.Sources) > 0 {
					source = g.Sources[0]
				}
				d.Evidence = facts.Evidence{
					Fact: fmt.Sprintf("packets dropped on %s", node.Name), Value: fmt.Sprintf("%d: %s", packets, bytes.TrimSpace(rule)),
					Source: facts.Source(fmt.Sprintf("%s, line %d", source, number)),
				}
			}
			d.Packets += packets
			drops[name] = d
		}
	}
	return drops
}

// counter splits "[packets:bytes] rule", as iptables-save -c writes.
func counter(line []byte) (packets uint64, rule []byte, ok bool) {
	counters, rule, ok := bytes.Cut(line, []byte("] "))
	if !ok || len(counters) == 0 || counters[0] != '[' {
		return 0, nil, false
	}
	first, _, ok := bytes.Cut(counters[1:], []byte(":"))
	if !ok {
		return 0, nil, false
	}
	packets, err := strconv.ParseUint(string(first), 10, 64)
	return packets, rule, err == nil
}
