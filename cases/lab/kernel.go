package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// probes ask the kernel, in a namespace that is gone at once, for what a case needs.
var probes = map[Need]string{
	NeedLegacyXtables: "iptables-legacy -t nat -S",
	NeedNFTables:      "nft add table ip probe",
	NeedBridgeNF:      "test -e /proc/sys/net/bridge/bridge-nf-call-iptables",
	NeedIPIP:          "ip link add probe type ipip local 192.0.2.1 remote 192.0.2.2",
	NeedIPVS:          "test -e /proc/net/ip_vs || { modprobe ip_vs && test -e /proc/net/ip_vs; }",
	NeedWireGuard:     "ip link add probe type wireguard",
	NeedIPSet:         "ipset create probe hash:ip,port",
	NeedMultiport:     "iptables -A INPUT -p tcp -m multiport --dports 80:90 -j RETURN",
	NeedDummy:         "ip link add probe type dummy",
	NeedSOS:           "command -v sos",
	needVXLAN:         "ip link add probe type vxlan id 1 dstport 8472 local 127.0.0.1",
	needVeth:          "ip link add probe type veth peer name probe1",
	needBridge:        "ip link add probe type bridge",
}

// What every case needs.
const (
	needVXLAN  Need = "vxlan"
	needVeth   Need = "veth"
	needBridge Need = "bridge"
)

// lacks says why the kernel or the machine does not have what is needed; empty: it has.
func lacks(ctx context.Context, need Need) string {
	probe, known := probes[need]
	if !known {
		return fmt.Sprintf("the lab cannot tell whether there is %s", need)
	}
	out, err := group(exec.CommandContext(ctx, "unshare", "--net", "--mount", "sh", "-c", probe)).CombinedOutput()
	if err == nil {
		return ""
	}
	said, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if said == "" {
		said = err.Error()
	}
	return fmt.Sprintf("no %s here (%s: %s)", need, probe, said)
}

// cannotRun says why a case cannot run here; empty: it can.
func (c Case) cannotRun(ctx context.Context) string {
	needs := c.Needs
	switch c.Cluster.Proxy {
	case IPTablesLegacy:
		needs = append(needs[:len(needs):len(needs)], NeedLegacyXtables)
	default:
		needs = append(needs[:len(needs):len(needs)], NeedNFTables)
	}
	if c.Cluster.Policy == KubeRouter {
		needs = append(needs[:len(needs):len(needs)], NeedIPSet, NeedMultiport)
	}
	for _, need := range needs {
		if why := lacks(ctx, need); why != "" {
			return why
		}
	}
	return ""
}

// checkMachine says what this machine lacks for any lab.
func checkMachine(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("the lab needs root: it makes network namespaces")
	}
	for _, tool := range []string{"etcd", "iptables", "nft", "ip", "bridge", "conntrack", "nsenter", "unshare", "sysctl"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("the lab needs %s: %w (Debian: apt-get install etcd-server iptables nftables iproute2 conntrack util-linux procps)", tool, err)
		}
	}
	for _, need := range []Need{needVXLAN, needVeth, needBridge, NeedNFTables, NeedBridgeNF} {
		if why := lacks(ctx, need); why != "" {
			return fmt.Errorf("the lab cannot run: %s", why)
		}
	}
	return nil
}
