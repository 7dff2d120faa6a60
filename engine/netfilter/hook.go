package netfilter

// Hook is one of the five places where netfilter sees a packet of the inet families
// (enum nf_inet_hooks, include/uapi/linux/netfilter.h).
type Hook int

// The hooks.
const (
	HookPrerouting Hook = iota
	HookInput
	HookForward
	HookOutput
	HookPostrouting
)

var hookNames = [...]string{"prerouting", "input", "forward", "output", "postrouting"}

// String is nft's name of the hook: prerouting, input, forward, output, postrouting.
func (h Hook) String() string {
	if h < 0 || int(h) >= len(hookNames) {
		return "no hook"
	}
	return hookNames[h]
}

// translatesDestination says whether NAT at the hook changes destinations; at the others it changes sources
// (HOOK2MANIP, include/net/netfilter/nf_nat.h).
func (h Hook) translatesDestination() bool { return h == HookPrerouting || h == HookOutput }

// tracks says whether connection tracking begins at the hook, at priority -200 (NF_IP_PRI_CONNTRACK). Chains
// before it see no connection yet.
func (h Hook) tracks() bool { return h == HookPrerouting || h == HookOutput }

const priorityConntrack = -200

// natPriority is where all chains of type nat run, whatever priority they state: that orders them among
// themselves only (nf_nat_ipv4_ops, net/netfilter/nf_nat_proto.c; nf_nat_register_fn).
func (h Hook) natPriority() int {
	if h.translatesDestination() {
		return -100
	}
	return 100
}

// tablePriority is the priority of an iptables table at the hook (enum nf_ip_hook_priorities).
func (h Hook) tablePriority(table string) int {
	switch table {
	case "raw":
		return -300
	case "mangle":
		return -150
	case "nat":
		return h.natPriority()
	case "security":
		return 50
	}
	return 0
}
