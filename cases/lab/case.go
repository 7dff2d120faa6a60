package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Case is one fault, or a trap: something that looks like a fault and is none.
type Case struct {
	// ID is the rule's that finds the root cause, as a rule; of a trap it begins with "trap-".
	ID string
	// About is a line for a person: what is done, not what is wrong with it.
	About string
	// Cluster is what the cluster has to be like. Cases of one kind share a cluster.
	Cluster Variant
	// Needs are what the kernel and this machine must have.
	Needs []Need
	// Symptoms are the ids of the symptoms that are told to netcause, and that the root cause must explain.
	Symptoms []string
	// Roots are the root causes that must be found, these and no others. A trap has none.
	Roots []Root
	// On are the nodes on which netcause diagnose is run live and must find the roots; by default those of Roots, and
	// n1 where these name none. A root of another node need not be found there.
	On []string

	// Prepare makes what the case needs and is healthy, such as a Service of its own. It may be nil.
	Prepare func(ctx context.Context, l *Lab) error
	// Inject breaks it.
	Inject func(ctx context.Context, l *Lab) error
	// Traffic is tried before, after and when it is mended. Its error is what the client was told. It must end within
	// about three seconds, whatever happens. A trap's must pass throughout; nil: the lab's own traffic ([Lab.Healthy]).
	Traffic func(ctx context.Context, l *Lab) error
	// Settled waits until the state that the diagnosis is to see is there, where failing traffic alone does not show
	// it, such as a Pod that is to be in CrashLoopBackOff. It may be nil.
	Settled func(ctx context.Context, l *Lab) error

	// ByHand are the printed steps that a machine cannot run, and what is done in their place.
	ByHand []ByHand
	// Repair makes good what no fix of netcause can, before it is checked that all traffic passes: a cable that was cut
	// on the fabric. It may be nil.
	Repair func(ctx context.Context, l *Lab) error
	// After is for what is left, such as rules of a fabric that stay after the fault is mended. It may be nil.
	After func(ctx context.Context, l *Lab) error

	// Same: on the first of On a bundle that is collected there must give the diagnosis that is made live, to the letter.
	Same bool
	// Foreign: what other programs collect of the cluster is analysed, too, and must give the same root causes (foreign.go).
	Foreign bool
	// Alone: it is not to be chosen as one of two faults at once, because it takes away what others are seen by.
	Alone bool
	// double: it is two.
	double bool
}

// Root is a root cause that is expected.
type Root struct {
	ID string
	// Node is the node that it is on or affects; empty: it is not checked.
	Node string
}

// ByHand is a step that a machine cannot run.
type ByHand struct {
	// Step matches what is printed (the run, edit or patch).
	Step *regexp.Regexp
	// Do does what a person would; nil: nothing is to be done, because another step of the fix does, or because it is
	// advice.
	Do func(ctx context.Context, l *Lab) error
}

// Variant is a kind of cluster.
type Variant struct {
	// Proxy is how kube-proxy writes its rules; by default iptables over nf_tables.
	Proxy ProxyMode
	// Backend is flannel's: vxlan by default, or host-gw.
	Backend string
	// Policy is who enforces network policies; by default nobody.
	Policy Policy
}

// Policy is who enforces network policies.
type Policy string

// KubeRouter is kube-router's controller of policies: chains of iptables and ipsets.
const KubeRouter Policy = "kube-router"

// ProxyMode is how kube-proxy writes Service rules.
type ProxyMode string

// The modes that the lab knows.
const (
	IPTablesNFT    ProxyMode = "" // iptables over nf_tables
	IPTablesLegacy ProxyMode = "iptables-legacy"
	NFTables       ProxyMode = "nftables"
)

// check is an error where the lab knows no such kind: it would pass for the usual one.
func (v Variant) check() error {
	for _, of := range []struct {
		flag, value string
		known       []string
	}{
		{"proxy", string(v.Proxy), []string{string(IPTablesLegacy), string(NFTables)}},
		{"backend", v.Backend, []string{"vxlan", "host-gw"}},
		{"policy", string(v.Policy), []string{string(KubeRouter)}},
	} {
		if of.value != "" && !slices.Contains(of.known, of.value) {
			return fmt.Errorf("--%s %s: the lab knows %s", of.flag, of.value, strings.Join(of.known, " and "))
		}
	}
	return nil
}

func (v Variant) String() string {
	proxy, backend := "iptables-nft", "vxlan"
	if v.Proxy != IPTablesNFT {
		proxy = string(v.Proxy)
	}
	if v.Backend != "" {
		backend = v.Backend
	}
	if v.Policy != "" {
		backend += ", " + string(v.Policy)
	}
	return proxy + ", " + backend
}

// Need is something that a kernel or a machine may lack.
type Need string

// What the lab can tell apart (kernel.go). Everything that every case needs is not among them.
const (
	NeedSOS           Need = "sos"
	NeedLegacyXtables Need = "legacy xtables"
	NeedNFTables      Need = "nf_tables"
	NeedBridgeNF      Need = "br_netfilter"
	NeedIPIP          Need = "ipip"
	NeedIPVS          Need = "IPVS"
	NeedWireGuard     Need = "wireguard"
	NeedIPSet         Need = "ipset"
	NeedDummy         Need = "dummy"
	NeedMultiport     Need = "multiport"
)
