package ask

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/netfilter"
)

const (
	maxChainRules   = 200
	maxMissing      = 10
	maxExamples     = 3
	maxTried        = 20 // Services that are followed in search of examples
	maxPathEvidence = 12
)

// rulesetArgument is the rule set of the node that is the first argument.
func rulesetArgument(in *Incident, args []any) (*ruleset, error) {
	node, err := nodeArgument(in, args)
	if err != nil {
		return nil, err
	}
	return node.ruleset()
}

type kubeProxyRulesAnswer struct {
	Known    []string          `json:"known"`
	Unknown  []string          `json:"unknown"`
	Modes    []kubeProxyAnswer `json:"modes"`
	Detached []facts.Evidence  `json:"detached"`
	LookedAt []facts.Evidence  `json:"looked_at"`
}

type kubeProxyAnswer struct {
	Mode     string         `json:"mode"`
	Services int            `json:"services"`
	Evidence facts.Evidence `json:"evidence"`
}

// askKubeProxyRules says which backends hold Service rules that packets reach. IPVS without the backends' chains and a
// namespace without any listing are not the same: what was not read is in Unknown.
func askKubeProxyRules(in *Incident, args []any) (any, error) {
	r, err := rulesetArgument(in, args)
	if err != nil {
		return nil, err
	}
	node, err := nodeArgument(in, args)
	if err != nil {
		return nil, err
	}
	family, read := "ip", r.v4
	ipv6Alone, known := in.servesIPv6Alone(node, r)
	switch {
	case ipv6Alone:
		family, read = "ip6", r.v6
	case !known:
		read.unknown = slices.Concat(r.v4.unknown, r.v6.unknown)
		slices.Sort(read.unknown)
		read.unknown = slices.Compact(read.unknown)
	}
	answer := kubeProxyRulesAnswer{
		Known: read.known, Unknown: read.unknown,
		Modes: []kubeProxyAnswer{}, Detached: []facts.Evidence{}, LookedAt: read.lookedAt,
	}
	for _, mode := range r.KubeProxyModes() {
		if mode.Family != family {
			continue
		}
		evidence := r.evidence(mode.Evidence)
		if !mode.Reached {
			evidence.Fact += " (no base chain leads to it)"
			answer.Detached = append(answer.Detached, evidence)
			continue
		}
		answer.Modes = append(answer.Modes, kubeProxyAnswer{string(mode.Mode), mode.Services, evidence})
	}
	return answer, nil
}

// servesIPv6Alone says whether a node's Services have IPv6 addresses alone: by the cluster's Services, else by the Node's
// addresses, else by the rules that are there. Where only IPv6 leads out of the node, and nothing says, it is not known.
func (in *Incident) servesIPv6Alone(node *Node, r *ruleset) (alone, known bool) {
	if cluster := in.Snapshot.Cluster; cluster != nil && cluster.Services.Status == facts.Read {
		if inet, inet6 := clusterIPFamilies(cluster.Services.Value); inet || inet6 {
			return !inet, true
		}
	}
	if node.Object != nil {
		return isIPv6Alone(node.Object), true
	}
	inet, inet6 := false, false
	for _, mode := range r.KubeProxyModes() {
		inet, inet6 = inet || mode.Family == "ip", inet6 || mode.Family == "ip6"
	}
	if inet || inet6 {
		return !inet, true
	}
	if node.Facts == nil {
		return false, true
	}
	leadsOut := func(inet bool) bool {
		return slices.ContainsFunc(node.Facts.Routes.Value, func(route facts.Route) bool {
			return route.Dst.IsValid() && route.Dst.Bits() == 0 && route.Dst.Addr().Is4() == inet
		})
	}
	return false, leadsOut(true) || !leadsOut(false)
}

// isIPv6Alone says whether the cluster knows a Node by IPv6 addresses alone.
func isIPv6Alone(object *facts.NodeObject) bool {
	inet6 := false
	for _, a := range object.Status.Addresses {
		address, err := netip.ParseAddr(a.Address)
		if err != nil || a.Type != "InternalIP" {
			continue
		}
		if address.Is4() {
			return false
		}
		inet6 = true
	}
	return inet6
}

// clusterIPFamilies says which families the cluster IPs of Services are of.
func clusterIPFamilies(services []facts.Service) (inet, inet6 bool) {
	for i := range services {
		if services[i].Spec.Type == "ExternalName" {
			continue
		}
		for _, text := range append([]string{services[i].Spec.ClusterIP}, services[i].Spec.ClusterIPs...) {
			if address, err := netip.ParseAddr(text); err == nil {
				inet, inet6 = inet || address.Is4(), inet6 || address.Is6()
			}
		}
	}
	return inet, inet6
}

type servicePathAnswer struct {
	Status    string           `json:"status"`
	Detail    string           `json:"detail"`
	Endpoints []string         `json:"endpoints"`
	Evidence  []facts.Evidence `json:"evidence"`
}

func (r *ruleset) pathAnswer(p netfilter.Path) servicePathAnswer {
	answer := servicePathAnswer{Status: string(p.Status), Detail: p.Reason, Endpoints: []string{}, Evidence: []facts.Evidence{}}
	for _, hop := range p.Hops {
		answer.Evidence = append(answer.Evidence, r.evidence(hop))
	}
	for i, endpoint := range p.Endpoints {
		answer.Endpoints = append(answer.Endpoints, endpoint.Addr.String())
		if i > 0 {
			continue
		}
		for _, hop := range endpoint.Hops {
			answer.Evidence = append(answer.Evidence, r.evidence(hop))
		}
	}
	answer.Evidence = answer.Evidence[:min(len(answer.Evidence), maxPathEvidence)]
	return answer
}

func askServicePath(in *Incident, args []any) (any, error) {
	node, address, err := nodeAndAddress(in, args)
	if err != nil {
		return nil, err
	}
	protocol, _ := args[2].(string)
	number, ok := args[3].(json.Number)
	port, err := number.Int64()
	if !ok || err != nil || port < 0 || port > 65535 {
		return nil, fmt.Errorf("argument port: %v is no port", args[3])
	}
	r, err := node.ruleset()
	if err != nil {
		return nil, err
	}
	return r.pathAnswer(r.ServicePath(address, strings.ToLower(protocol), uint16(port))), nil
}

type serviceRulesAnswer struct {
	Total    int              `json:"total"`
	Present  int              `json:"present"`
	Missing  []serviceMissing `json:"missing"`
	Examples []serviceExample `json:"examples"`
	// Astray are Services that have rules which a packet does not come to, at most three.
	Astray []serviceAstray `json:"astray"`
	// Unhooked are the base chains ("nat PREROUTING") that do not lead to the rules while others do.
	Unhooked []string `json:"unhooked"`
	// Unread are the groups without which no Service can be looked up.
	Unread []string `json:"unread"`
	tried  int
}

type serviceAstray struct {
	Service  string           `json:"service"`
	Address  string           `json:"address"`
	Port     int32            `json:"port"`
	Detail   string           `json:"detail"`
	Evidence []facts.Evidence `json:"evidence"`
}

type serviceMissing struct {
	Service string       `json:"service"`
	Address string       `json:"address"`
	Port    int32        `json:"port"`
	Source  facts.Source `json:"source"`
}

type serviceExample struct {
	Service string `json:"service"`
	// Way is the chains, and the endpoint of the first way through them: "KUBE-SERVICES -> … -> DNAT 10.233.65.46:5000".
	Way       string           `json:"way"`
	Endpoints []string         `json:"endpoints"`
	Evidence  []facts.Evidence `json:"evidence"`
}

// askServiceRules looks up every Service port of the cluster on a node: IPv4 ones, and in a cluster of IPv6 alone its. The examples are followed to their endpoints:
// the cluster's DNS and then the first Services by name that are translated.
func askServiceRules(in *Incident, args []any) (any, error) {
	r, err := rulesetArgument(in, args)
	if err != nil {
		return nil, err
	}
	answer := serviceRulesAnswer{Missing: []serviceMissing{}, Examples: []serviceExample{}, Astray: []serviceAstray{}, Unhooked: []string{}, Unread: []string{}}
	cluster := in.Snapshot.Cluster
	if cluster == nil || cluster.Services.Status != facts.Read {
		return answer, nil
	}
	inet, _ := clusterIPFamilies(cluster.Services.Value)
	if r.IPVS == nil && r.ipvsMode(inet) {
		answer.Unread = append(answer.Unread, "ipvs")
		return answer, nil
	}
	for i := range cluster.Services.Value {
		service := &cluster.Services.Value[i]
		address, ok := clusterIP(service, inet)
		if !ok {
			continue
		}
		for _, port := range service.Spec.Ports {
			answer.add(r, service, address, port)
		}
	}
	return answer, nil
}

// ipvsMode says whether the only Service rules of a family are the chains that kube-proxy's IPVS mode leaves in iptables.
func (r *ruleset) ipvsMode(inet bool) bool {
	family := "ip6"
	if inet {
		family = "ip"
	}
	modes := slices.DeleteFunc(r.KubeProxyModes(), func(m netfilter.Mode) bool { return m.Family != family })
	return len(modes) > 0 && !slices.ContainsFunc(modes, func(m netfilter.Mode) bool { return m.Mode != netfilter.IPVS })
}

func clusterIPv4(service *facts.Service) (netip.Addr, bool) { return clusterIP(service, true) }

// clusterIP is a Service's first cluster IP of IPv4, or of IPv6.
func clusterIP(service *facts.Service, inet bool) (netip.Addr, bool) {
	if service.Spec.Type == "ExternalName" {
		return netip.Addr{}, false
	}
	for _, text := range append([]string{service.Spec.ClusterIP}, service.Spec.ClusterIPs...) {
		if address, err := netip.ParseAddr(text); err == nil && address.Is4() == inet {
			return address, true
		}
	}
	return netip.Addr{}, false
}

func (a *serviceRulesAnswer) add(r *ruleset, service *facts.Service, address netip.Addr, port facts.ServicePort) {
	protocol := strings.ToLower(port.Protocol)
	if protocol == "" {
		protocol = "tcp"
	}
	name := service.Metadata.Namespace + "/" + service.Metadata.Name
	a.Total++
	if !r.HasService(address, protocol, uint16(port.Port)) {
		if len(a.Missing) < maxMissing {
			a.Missing = append(a.Missing, serviceMissing{name, address.String(), port.Port, service.Source})
		}
		return
	}
	a.Present++
	a.exemplify(r, name, service, address, protocol, port)
}

func (a *serviceRulesAnswer) exemplify(r *ruleset, name string, service *facts.Service, address netip.Addr, protocol string, port facts.ServicePort) {
	full := len(a.Examples) >= maxExamples
	dns := isDNS(service)
	if !dns && (full || name == "default/kubernetes") {
		return
	}
	if n := len(a.Examples); n > 0 && a.Examples[n-1].Service == name {
		return
	}
	if a.tried >= maxTried && !dns {
		return
	}
	a.tried++
	path := r.ServicePath(address, protocol, uint16(port.Port))
	switch path.Status {
	case netfilter.StatusTranslated:
	case netfilter.StatusNoRule, netfilter.StatusNoChains, netfilter.StatusDropped:
		if len(a.Astray) < maxExamples {
			a.Astray = append(a.Astray, serviceAstray{name, address.String(), port.Port, path.Reason, r.pathAnswer(path).Evidence})
		}
		return
	default:
		return
	}
	if len(a.Unhooked) == 0 {
		a.Unhooked = append(a.Unhooked, path.Missing...)
	}
	answer := r.pathAnswer(path)
	example := serviceExample{name, wayOf(path), answer.Endpoints, answer.Evidence}
	if full {
		a.Examples[maxExamples-1] = example
		return
	}
	a.Examples = append(a.Examples, example)
}

// wayOf is a translated path in a line, from kube-proxy's first chain on.
func wayOf(path netfilter.Path) string {
	first := path.Endpoints[0]
	var chains []string
	for _, hop := range slices.Concat(path.Hops, first.Hops) {
		if chain := hop.Chain; chain != "PREROUTING" && chain != "OUTPUT" && !slices.Contains(chains, chain) {
			chains = append(chains, chain)
		}
	}
	return strings.Join(append(chains, "DNAT "+first.Addr.String()), " -> ")
}

type ruleAnswer struct {
	Backend string       `json:"backend"`
	Rule    string       `json:"rule"`
	Source  facts.Source `json:"source"`
}

func (r *ruleset) ruleAnswer(rule netfilter.Rule) ruleAnswer {
	return ruleAnswer{Backend: string(rule.Backend), Rule: rule.Text, Source: r.listings.Source(rule.Hop())}
}

func askChain(in *Incident, args []any) (any, error) {
	r, err := rulesetArgument(in, args)
	if err != nil {
		return nil, err
	}
	family, _ := args[1].(string)
	table, _ := args[2].(string)
	chain, _ := args[3].(string)
	answers := []ruleAnswer{}
	for _, found := range r.Chain(family, table, chain, maxChainRules) {
		for _, rule := range found.Rules {
			answers = append(answers, r.ruleAnswer(rule))
		}
	}
	return answers, nil
}
