package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/netcause/netcause/engine/networkpolicy"
)

// function is a built-in function that rules call to ask about bulk facts. Most take a node's name first.
type function struct {
	name        string
	description string
	args        []types.NamedType
	result      string
	// answer is a value of the type that ask gives: what rules may ask of it is checked. nil: anything.
	answer any
	// ask answers for the incident at hand; arguments are decoded from JSON, the answer is encoded to it.
	ask func(in *incident, args []any) (any, error)
}

// functions are netcause's own, in the order of the documentation.
var functions = []function{
	{
		name:        "netcause.kube_proxy_rules",
		description: "What a node's netfilter and IPVS hold of kube-proxy's work: which backends were read, which hold Service rules, and the evidence.",
		args:        []types.NamedType{{Name: "node", Type: types.S}},
		result:      "object: known, unknown (groups of facts), modes ({mode, evidence}), detached (what is there but never reached)",
		answer:      kubeProxyRulesAnswer{},
		ask:         askKubeProxyRules,
	},
	{
		name:        "netcause.service_rules",
		description: "Every Service port of the cluster against the rules of a node: how many of them have a rule, the first that have none, up to three translations in full, and what has rules that packets do not come to.",
		args:        []types.NamedType{{Name: "node", Type: types.S}},
		result:      "object: total, present, missing ({service, address, port, source}), examples ({service, way, endpoints, evidence}), astray ({service, address, port, detail, evidence}), unhooked (base chains that do not lead to the rules), unread (groups without which nothing could be looked up)",
		answer:      serviceRulesAnswer{},
		ask:         askServiceRules,
	},
	{
		name:        "netcause.service_path",
		description: "The way of a packet to an address and port through a node's Service rules: status, hops with rule and line, and endpoints.",
		args:        []types.NamedType{{Name: "node", Type: types.S}, {Name: "address", Type: types.S}, {Name: "protocol", Type: types.S}, {Name: "port", Type: types.N}},
		result:      "object: status, detail, endpoints, evidence",
		answer:      servicePathAnswer{},
		ask:         askServicePath,
	},
	{
		name:        "netcause.chain",
		description: "The rules of one netfilter chain of a node, at most 200 for each backend that has it.",
		args:        []types.NamedType{{Name: "node", Type: types.S}, {Name: "family", Type: types.S}, {Name: "table", Type: types.S}, {Name: "chain", Type: types.S}},
		result:      "array: {backend, rule, source}",
		answer:      []ruleAnswer{},
		ask:         askChain,
	},
	{
		name:        "netcause.mss_clamps",
		description: "The rules of a node that clamp the MSS of TCP (target TCPMSS), and whether all that it forwards comes by them.",
		args:        []types.NamedType{{Name: "node", Type: types.S}},
		result:      "array: {backend, rule, source, set_mss, always}",
		answer:      []mssClampAnswer{},
		ask:         askMSSClamps,
	},
	{
		name:        "netcause.route",
		description: "The route that a node's policy rules and tables give for a destination address, without marks and source.",
		args:        []types.NamedType{{Name: "node", Type: types.S}, {Name: "address", Type: types.S}},
		result:      "object: status (\"route\", \"none\", \"unknown\"), route, detail",
		answer:      routeAnswer{},
		ask:         askRoute,
	},
	{
		name:        "netcause.pod_routes",
		description: "The routes by a gateway that show that the nodes themselves keep ways to each other's podCIDRs: one of the node to another's, and one of another node to its own, of IPv4 and of IPv6; and to which podCIDRs the node has a route of just that prefix.",
		args:        []types.NamedType{{Name: "node", Type: types.S}},
		result:      "object: own, others, own6 and others6 ({node, route}), each where there is one; exact (podCIDRs)",
		answer:      podRoutesAnswer{},
		ask:         askPodRoutes,
	},
	{
		name:        "netcause.lookup",
		description: "The route that a node's policy rules and tables give for a packet, as the kernel looks it up. The packet has src, dst, iif (\"lo\": one that the node sends itself) and mark.",
		args:        []types.NamedType{{Name: "node", Type: types.S}, {Name: "packet", Type: types.A}},
		result:      "object: status (\"route\", \"none\", \"unknown\"), route, detail",
		answer:      routeAnswer{},
		ask:         askLookup,
	},
	{
		name:        "netcause.traverse",
		description: "What a node's netfilter rules do to a packet at a hook, over all tables and both iptables backends. The packet has src, dst, proto, sport, dport, iif, oif, ctstate (\"NEW\", …) and mark; a field that it lacks is not known.",
		args:        []types.NamedType{{Name: "node", Type: types.S}, {Name: "hook", Type: types.S}, {Name: "packet", Type: types.A}},
		result:      "object: verdict (\"accept\", \"drop\", \"reject\", \"unknown\"), detail, unread (groups that would tell), rule ({backend, family, table, chain, rule, source, policy, packets, handle, owners, way})",
		answer:      traverseAnswer{},
		ask:         askTraverse,
	},
	{
		name:        "netcause.reverse_path",
		description: "What a node's reverse-path filter does with a packet that comes in by the device iif and leaves by oif, or is delivered where it has no oif. The packet has src, dst, iif and oif.",
		args:        []types.NamedType{{Name: "node", Type: types.S}, {Name: "packet", Type: types.A}},
		result:      "object: verdict (\"pass\", \"drop\", \"unknown\"), rp_filter, rp_filter_source, dev and default (of the way back), source, detail, unread",
		answer:      reversePathAnswer{},
		ask:         askReversePath,
	},
	{
		name:        "netcause.stale_services",
		description: "Every port of every Service against a node's rules: which translate it to endpoints that are gone, or not to those that it should have.",
		args:        []types.NamedType{{Name: "node", Type: types.S}},
		result:      "object: total, fresh, undecided, stale ({service, address, port, protocol, source, gone, absent, should, refused, missing, seconds, evidence}), count, lag, patience",
		ask:         askStaleServices,
	},
	{
		name:        "netcause.local_traffic",
		description: "The Services with externalTrafficPolicy Local that have endpoints, but not on every node: on which of these packets for it were dropped.",
		args:        []types.NamedType{},
		result:      "object: total, services ({service, type, node_ports, checked, on, dropping ({node, packets, evidence}), holding ({node, address, dev, source}), quiet, unknown}), count",
		ask:         askLocalTraffic,
	},
	{
		name:        "netcause.pod_cidrs",
		description: "The ranges of Pod addresses of the cluster's Nodes: which overlap, which Nodes have none, and how many there are to be had.",
		args:        []types.NamedType{},
		result:      "object: nodes, with, overlaps ({a, b, common, pods, same, used, unused, later, free}), count, missing ({node, source, seconds, ready, networked, condition, events, free}), capacity ({cidr, size, blocks, taken, source, allocate}, or null)",
		ask:         askPodCIDRs,
	},
	{
		name:        "netcause.service_pods",
		description: "Every Service that selects Pods against the Pods that there are: which match none, and which match none that is ready.",
		args:        []types.NamedType{},
		result:      "object: total, served, unknown (in namespaces whose Pods were not read), first_unknown, empty ({service, workloads, near}), empty_count, not_ready ({services, pods, count, nodes, published, workloads, events, unheard}), not_ready_count, dns ({service, selects, ready, source, known}), unread (groups of workloads)",
		ask:         askServicePods,
	},
	{
		name:        "netcause.service_targets",
		description: "Every port of every Service that selects Pods against what these listen on in their network namespaces.",
		args:        []types.NamedType{},
		result:      "object: total, heard, faults ({service, port, index, state, target, declared, pods, count, heard, nodes, suggestion, named, ready}), count, undecided, reasons, undeclared, undeclared_list, unknown, first_unknown (Services whose namespace's Pods were not read)",
		ask:         askServiceTargets,
	},
	{
		name:        "netcause.trace",
		description: "What becomes of a packet and of its answer by the facts, as netcause trace has it, and the hop that decides. From and to are as there: \"pod/default/web-0\", \"node/n1\"; \"svc/default/db:5432\", \"pod/default/db-0:5432\", \"node/n2:10250\", \"ip/192.0.2.7:80\", a name of DNS with a port. An empty protocol is the port's, else tcp.",
		args:        []types.NamedType{{Name: "from", Type: types.S}, {Name: "to", Type: types.S}, {Name: "protocol", Type: types.S}},
		result:      "object: verdict (\"delivered\", \"dropped\", \"rejected\", \"looped\", \"too-big\", \"unknown\"), expected (of unknown), error (why it could not be asked), ends_at and hops ({node, namespace, stage, device, text, source, verdict, service, packet}), on_reply, missing",
		ask:         askTrace,
	},
	{
		name:        "netcause.iptables_backends",
		description: "What each of the two backends of iptables on a node holds of kube-proxy's Service rules and Calico's, and where its Service rules send to an address that no endpoint has.",
		args:        []types.NamedType{{Name: "node", Type: types.S}},
		result:      "object: unread (groups), endpoints_known, backends ({backend, services, reached, evidence, targets, stale, stale_evidence, calico, calico_evidence})",
		answer:      iptablesBackendsAnswer{},
		ask:         askIPTablesBackends,
	},
	{
		name:        "netcause.stopped_services",
		description: "The rules of a node's netfilter that drop or reject packets to Services that have ready endpoints, NetworkPolicies and kube-proxy's own rules left out.",
		args:        []types.NamedType{{Name: "node", Type: types.S}},
		result:      "object: asked, left, stopped ({rule as of traverse, verdict, hook, services, count, way, proto, port, dst, whole}), unknown ({service, detail, unread})",
		answer:      stoppedServicesAnswer{},
		ask:         askStoppedServices,
	},
	{
		name:        "netcause.denied_pods",
		description: "The running Pods that NetworkPolicies keep from a port of all of these addresses, by the policies that deny. Pods with nameservers of their own (dnsPolicy Default and None) are not asked.",
		args:        []types.NamedType{{Name: "addresses", Type: types.NewArray(nil, types.S)}, {Name: "protocol", Type: types.S}, {Name: "port", Type: types.N}},
		result:      "object: asked, allowed, unknown, missing, denied ({policies, direction, reason, unmet, count, pods, nodes})",
		answer:      deniedPodsAnswer{},
		ask:         askDeniedPods,
	},
	{
		name:        "netcause.seconds_since",
		description: "How many seconds before the cluster was read a time of its objects is; less than 0 for one that was still to come.",
		args:        []types.NamedType{{Name: "time", Type: types.S}},
		result:      "number; undefined where the time, or when the cluster was read, is not known",
		ask:         askSecondsSince,
	},
	{
		name:        "netcause.policy_enforcement",
		description: "Whether anything in the cluster does what NetworkPolicies ask, and what shows it.",
		result:      "object: status (\"enforced\", \"not-enforced\", \"unknown\"), fact, value, source, others (API groups of other policies that are heeded as well)",
		ask: func(in *incident, _ []any) (any, error) {
			return networkpolicy.FindEnforcement(in.snapshot.Cluster), nil
		},
	},
}

func (f function) declaration() *ast.Builtin {
	return &ast.Builtin{
		Name:             f.name,
		Description:      f.description,
		Decl:             f.signature(),
		Nondeterministic: true,
	}
}

func (f function) signature() *types.Function {
	args := make([]types.Type, len(f.args))
	for i := range f.args {
		args[i] = types.Named(f.args[i].Name, f.args[i].Type)
	}
	answer := f.answerShape(newShapes(nil)).regoType()
	return types.NewFunction(args, types.Named("answer", answer).Description(f.result))
}

// answerShape is what the function gives.
func (f function) answerShape(s *shapes) *shape {
	if f.answer == nil {
		return s.any
	}
	return s.of(reflect.TypeOf(f.answer))
}

func (f function) regoFunction() *rego.Function {
	return &rego.Function{Name: f.name, Description: f.description, Decl: f.signature(), Memoize: true, Nondeterministic: true}
}

type incidentKey struct{}

func withIncident(ctx context.Context, in *incident) context.Context {
	return context.WithValue(ctx, incidentKey{}, in)
}

// call decodes the arguments, asks, and encodes the answer.
func (f function) call(ctx rego.BuiltinContext, terms []*ast.Term) (*ast.Term, error) {
	in, ok := ctx.Context.Value(incidentKey{}).(*incident)
	if !ok {
		return nil, fmt.Errorf("%s: no incident to ask: in a test, replace it: `with %s as …`", f.name, f.name)
	}
	args := make([]any, len(f.args)) // a term for the result may follow
	for i, term := range terms[:len(args)] {
		arg, err := ast.JSON(term.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: argument %s: %w", f.name, f.args[i].Name, err)
		}
		args[i] = arg
	}
	answer, err := f.ask(in, args)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	if answer == nil {
		return nil, nil // undefined
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	value, err := ast.ValueFromReader(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	return ast.NewTerm(value), nil
}
