package ask

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/types"

	"github.com/netcause/netcause/engine/networkpolicy"
)

// Function is a built-in function that rules call to ask about bulk facts. Most take a node's name first.
type Function struct {
	Name        string
	Description string
	Args        []types.NamedType
	Result      string
	// Answer is a value of the type that Ask gives: what rules may ask of it is checked. nil: anything.
	Answer any
	// Ask answers for the incident at hand; arguments are decoded from JSON, the answer is encoded to it.
	Ask func(in *Incident, args []any) (any, error)
}

// Functions are all that rules may ask, in the order of the documentation.
func Functions() []Function { return slices.Clone(functions) }

var functions = []Function{
	{
		Name:        "netcause.kube_proxy_rules",
		Description: "What a node's netfilter and IPVS hold of kube-proxy's work: which backends were read, which hold Service rules, and the evidence.",
		Args:        []types.NamedType{{Name: "node", Type: types.S}},
		Result:      "object: known, unknown (groups of facts), modes ({mode, evidence}), detached (what is there but never reached)",
		Answer:      kubeProxyRulesAnswer{},
		Ask:         askKubeProxyRules,
	},
	{
		Name:        "netcause.service_rules",
		Description: "Every Service port of the cluster against the rules of a node: how many of them have a rule, the first that have none, up to three translations in full, and what has rules that packets do not come to.",
		Args:        []types.NamedType{{Name: "node", Type: types.S}},
		Result:      "object: total, present, missing ({service, address, port, source}), examples ({service, way, endpoints, evidence}), astray ({service, address, port, detail, evidence}), unhooked (base chains that do not lead to the rules), unread (groups without which nothing could be looked up)",
		Answer:      serviceRulesAnswer{},
		Ask:         askServiceRules,
	},
	{
		Name:        "netcause.service_path",
		Description: "The way of a packet to an address and port through a node's Service rules: status, hops with rule and line, and endpoints.",
		Args:        []types.NamedType{{Name: "node", Type: types.S}, {Name: "address", Type: types.S}, {Name: "protocol", Type: types.S}, {Name: "port", Type: types.N}},
		Result:      "object: status, detail, endpoints, evidence",
		Answer:      servicePathAnswer{},
		Ask:         askServicePath,
	},
	{
		Name:        "netcause.chain",
		Description: "The rules of one netfilter chain of a node, at most 200 for each backend that has it.",
		Args:        []types.NamedType{{Name: "node", Type: types.S}, {Name: "family", Type: types.S}, {Name: "table", Type: types.S}, {Name: "chain", Type: types.S}},
		Result:      "array: {backend, rule, source}",
		Answer:      []ruleAnswer{},
		Ask:         askChain,
	},
	{
		Name:        "netcause.mss_clamps",
		Description: "The rules of a node that clamp the MSS of TCP (target TCPMSS), and whether all that it forwards comes by them.",
		Args:        []types.NamedType{{Name: "node", Type: types.S}},
		Result:      "array: {backend, rule, source, set_mss, always}",
		Answer:      []mssClampAnswer{},
		Ask:         askMSSClamps,
	},
	{
		Name:        "netcause.route",
		Description: "The route that a node's policy rules and tables give for a destination address, without marks and source.",
		Args:        []types.NamedType{{Name: "node", Type: types.S}, {Name: "address", Type: types.S}},
		Result:      "object: status (\"route\", \"none\", \"unknown\"), route, detail",
		Answer:      routeAnswer{},
		Ask:         askRoute,
	},
	{
		Name:        "netcause.pod_routes",
		Description: "The routes by a gateway that show that the nodes themselves keep ways to each other's podCIDRs: one of the node to another's, and one of another node to its own, of IPv4 and of IPv6; and to which podCIDRs the node has a route of just that prefix.",
		Args:        []types.NamedType{{Name: "node", Type: types.S}},
		Result:      "object: own, others, own6 and others6 ({node, route}), each where there is one; exact (podCIDRs)",
		Answer:      podRoutesAnswer{},
		Ask:         askPodRoutes,
	},
	{
		Name:        "netcause.lookup",
		Description: "The route that a node's policy rules and tables give for a packet, as the kernel looks it up. The packet has src, dst, iif (\"lo\": one that the node sends itself) and mark.",
		Args:        []types.NamedType{{Name: "node", Type: types.S}, {Name: "packet", Type: types.A}},
		Result:      "object: status (\"route\", \"none\", \"unknown\"), route, detail",
		Answer:      routeAnswer{},
		Ask:         askLookup,
	},
	{
		Name:        "netcause.traverse",
		Description: "What a node's netfilter rules do to a packet at a hook, over all tables and both iptables backends. The packet has src, dst, proto, sport, dport, iif, oif, ctstate (\"NEW\", …) and mark; a field that it lacks is not known.",
		Args:        []types.NamedType{{Name: "node", Type: types.S}, {Name: "hook", Type: types.S}, {Name: "packet", Type: types.A}},
		Result:      "object: verdict (\"accept\", \"drop\", \"reject\", \"unknown\"), detail, unread (groups that would tell), rule ({backend, family, table, chain, rule, source, policy, packets, handle, owners, way})",
		Answer:      traverseAnswer{},
		Ask:         askTraverse,
	},
	{
		Name:        "netcause.reverse_path",
		Description: "What a node's reverse-path filter does with a packet that comes in by the device iif and leaves by oif, or is delivered where it has no oif. The packet has src, dst, iif and oif.",
		Args:        []types.NamedType{{Name: "node", Type: types.S}, {Name: "packet", Type: types.A}},
		Result:      "object: verdict (\"pass\", \"drop\", \"unknown\"), rp_filter, rp_filter_source, dev and default (of the way back), source, detail, unread",
		Answer:      reversePathAnswer{},
		Ask:         askReversePath,
	},
	{
		Name:        "netcause.stale_services",
		Description: "Every port of every Service against a node's rules: which translate it to endpoints that are gone, or not to those that it should have.",
		Args:        []types.NamedType{{Name: "node", Type: types.S}},
		Result:      "object: total, fresh, undecided, stale ({service, address, port, protocol, source, gone, absent, should, refused, missing, seconds, evidence}), count, lag, patience",
		Ask:         askStaleServices,
	},
	{
		Name:        "netcause.local_traffic",
		Description: "The Services with externalTrafficPolicy Local that have endpoints, but not on every node: on which of these packets for it were dropped.",
		Args:        []types.NamedType{},
		Result:      "object: total, services ({service, type, node_ports, checked, on, dropping ({node, packets, evidence}), holding ({node, address, dev, source}), quiet, unknown}), count",
		Ask:         askLocalTraffic,
	},
	{
		Name:        "netcause.pod_cidrs",
		Description: "The ranges of Pod addresses of the cluster's Nodes: which overlap, which Nodes have none, and how many there are to be had.",
		Args:        []types.NamedType{},
		Result:      "object: nodes, with, overlaps ({a, b, common, pods, same, used, unused, later, free}), count, missing ({node, source, seconds, ready, networked, condition, events, free}), capacity ({cidr, size, blocks, taken, source, allocate}, or null)",
		Ask:         askPodCIDRs,
	},
	{
		Name:        "netcause.service_pods",
		Description: "Every Service that selects Pods against the Pods that there are: which match none, and which match none that is ready.",
		Args:        []types.NamedType{},
		Result:      "object: total, served, unknown (in namespaces whose Pods were not read), first_unknown, empty ({service, workloads, near}), empty_count, not_ready ({services, pods, count, nodes, published, workloads, events, unheard}), not_ready_count, dns ({service, selects, ready, source, known}), unread (groups of workloads)",
		Ask:         askServicePods,
	},
	{
		Name:        "netcause.service_targets",
		Description: "Every port of every Service that selects Pods against what these listen on in their network namespaces.",
		Args:        []types.NamedType{},
		Result:      "object: total, heard, faults ({service, port, index, state, target, declared, pods, count, heard, nodes, suggestion, named, ready}), count, undecided, reasons, undeclared, undeclared_list, unknown, first_unknown (Services whose namespace's Pods were not read)",
		Ask:         askServiceTargets,
	},
	{
		Name:        "netcause.trace",
		Description: "What becomes of a packet and of its answer by the facts, as netcause trace has it, and the hop that decides. From and to are as there: \"pod/default/web-0\", \"node/n1\"; \"svc/default/db:5432\", \"pod/default/db-0:5432\", \"node/n2:10250\", \"ip/192.0.2.7:80\", a name of DNS with a port. An empty protocol is the port's, else tcp.",
		Args:        []types.NamedType{{Name: "from", Type: types.S}, {Name: "to", Type: types.S}, {Name: "protocol", Type: types.S}},
		Result:      "object: verdict (\"delivered\", \"dropped\", \"rejected\", \"looped\", \"too-big\", \"unknown\"), expected (of unknown), error (why it could not be asked), ends_at and hops ({node, namespace, stage, device, text, source, verdict, service, packet}), on_reply, missing",
		Ask:         askTrace,
	},
	{
		Name:        "netcause.iptables_backends",
		Description: "What each of the two backends of iptables on a node holds of kube-proxy's Service rules and Calico's, and where its Service rules send to an address that no endpoint has.",
		Args:        []types.NamedType{{Name: "node", Type: types.S}},
		Result:      "object: unread (groups), endpoints_known, backends ({backend, services, reached, evidence, targets, stale, stale_evidence, calico, calico_evidence})",
		Answer:      iptablesBackendsAnswer{},
		Ask:         askIPTablesBackends,
	},
	{
		Name:        "netcause.stopped_services",
		Description: "The rules of a node's netfilter that drop or reject packets to Services that have ready endpoints, NetworkPolicies and kube-proxy's own rules left out.",
		Args:        []types.NamedType{{Name: "node", Type: types.S}},
		Result:      "object: asked, left, stopped ({rule as of traverse, verdict, hook, services, count, way, proto, port, dst, whole}), unknown ({service, detail, unread})",
		Answer:      stoppedServicesAnswer{},
		Ask:         askStoppedServices,
	},
	{
		Name:        "netcause.denied_pods",
		Description: "The running Pods that NetworkPolicies keep from a port of all of these addresses, by the policies that deny. Pods with nameservers of their own (dnsPolicy Default and None) are not asked.",
		Args:        []types.NamedType{{Name: "addresses", Type: types.NewArray(nil, types.S)}, {Name: "protocol", Type: types.S}, {Name: "port", Type: types.N}},
		Result:      "object: asked, allowed, unknown, missing, denied ({policies, direction, reason, unmet, count, pods, nodes})",
		Answer:      deniedPodsAnswer{},
		Ask:         askDeniedPods,
	},
	{
		Name:        "netcause.seconds_since",
		Description: "How many seconds before the cluster was read a time of its objects is; less than 0 for one that was still to come.",
		Args:        []types.NamedType{{Name: "time", Type: types.S}},
		Result:      "number; undefined where the time, or when the cluster was read, is not known",
		Ask:         askSecondsSince,
	},
	{
		Name:        "netcause.policy_enforcement",
		Description: "Whether anything in the cluster does what NetworkPolicies ask, and what shows it.",
		Result:      "object: status (\"enforced\", \"not-enforced\", \"unknown\"), fact, value, source, others (API groups of other policies that are heeded as well)",
		Ask: func(in *Incident, _ []any) (any, error) {
			return networkpolicy.FindEnforcement(in.Snapshot.Cluster), nil
		},
	},
}
