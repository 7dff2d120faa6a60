package cases_test

import (
	"flag"
	"testing"

	"github.com/netcause/netcause/collectors/nettest"
)

var recordFlag = flag.Bool("record", false, "rewrite the snapshots from the cases that TestLive brings about")

// lab is what the live cases share.
type lab struct {
	controlPlane
	command
}

// TestLive brings each case about: machines, Pods and tunnels in network namespaces, a real etcd and kube-apiserver with
// the objects, a real kube-proxy that writes the rules.
func TestLive(t *testing.T) {
	nettest.NeedRoot(t)
	nettest.NeedTool(t, "go", "ip", "bridge", "iptables", "iptables-save", "iptables-restore", "nft", "etcd", "kube-apiserver", "kube-proxy")
	controlPlane := startControlPlane(t)
	l := lab{controlPlane, build(t, controlPlane.Kubeconfig)}
	for _, c := range []struct {
		id   string
		live func(*testing.T, lab)
	}{
		{"healthy", healthy},
		{"node-static-and-dhcp-address", nodeStaticAndDHCPAddress},
		{"path-mtu-mismatch", pathMTUMismatch},
		{"kube-proxy-missing-priority-class", kubeProxyMissingPriorityClass},
	} {
		t.Run(c.id, func(t *testing.T) { c.live(t, l) })
	}
}
