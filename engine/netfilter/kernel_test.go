package netfilter

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
)

// netnsCount tells the namespaces of one run apart.
var netnsCount atomic.Int32

// netns is a network namespace that a test made and that goes away with it.
type netns struct {
	tb   testing.TB
	name string
}

func newNetns(tb testing.TB, tools ...string) *netns {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("needs root to make a network namespace")
	}
	for _, tool := range append([]string{"ip"}, tools...) {
		if _, err := exec.LookPath(tool); err != nil {
			tb.Skipf("needs %s: %v", tool, err)
		}
	}
	ns := &netns{tb, fmt.Sprintf("nf-test-%d-%d", os.Getpid(), netnsCount.Add(1))}
	if out, err := exec.Command("ip", "netns", "add", ns.name).CombinedOutput(); err != nil {
		tb.Skipf("needs a network namespace: %v: %s", err, out)
	}
	tb.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", ns.name).CombinedOutput(); err != nil {
			tb.Errorf("delete namespace %s: %v: %s", ns.name, err, out)
		}
	})
	return ns
}

// run runs a command in the namespace and gives its standard output.
func (ns *netns) run(stdin string, command ...string) string {
	ns.tb.Helper()
	cmd := exec.Command("ip", append([]string{"netns", "exec", ns.name}, command...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		ns.tb.Fatalf("%s: %v: %s", strings.Join(command, " "), err, stderr.String())
	}
	return string(out)
}

// TestKernelIPTables programs kube-proxy's chains by both backends of iptables, and reads back what the
// kernel then shows, by iptables-save and by nft.
func TestKernelIPTables(t *testing.T) {
	for _, c := range []struct {
		backend Backend
		tool    string
	}{{IPTablesNFT, "iptables-nft"}, {IPTablesLegacy, "iptables-legacy"}} {
		t.Run(string(c.backend), func(t *testing.T) {
			ns := newNetns(t, c.tool+"-restore", c.tool+"-save", "nft")
			ns.run(natTable(bothBases, "-A OTHER -m comment --comment \"a \\\"b\\\" c\" -j RETURN\n")+kubeFilter, c.tool+"-restore")
			text := ns.run("", c.tool+"-save", "-c")
			l, err := ParseIPTablesSave(text, c.backend, "ip")
			if err != nil {
				t.Fatal(err)
			}
			if p, n := l.Problems(); n != 0 {
				t.Errorf("problems %v", p)
			}
			if rules, n := l.NotModelled(9); n != 0 {
				t.Errorf("not modelled %v", rules)
			}
			if got, want := l.Rules(), strings.Count(text, "] -A "); got != want {
				t.Errorf("%d rules, want %d", got, want)
			}
			other := (&Ruleset{IPTables: l}).Chain("ip", "nat", "OTHER", 9)
			if got := other[0].Rules[0].Decode().Comment; got != `a "b" c` {
				t.Errorf("comment %q", got)
			}
			lines := strings.Split(text, "\n")
			for i := range l.rules {
				if r := l.rule(int32(i)); !strings.HasSuffix(lines[r.Line-1], r.Text) {
					t.Errorf("line %d is %q, not %q", r.Line, lines[r.Line-1], r.Text)
				}
			}
			sets := map[string]*Ruleset{"iptables-save": {IPTables: l}}
			if c.backend == IPTablesNFT {
				sets["nft"] = &Ruleset{NFT: parseNFT(t, ns.run("", "nft", "-a", "list", "ruleset"))}
			}
			for name, set := range sets {
				checkKernelPaths(t, name, set)
			}
		})
	}
}

func checkKernelPaths(t *testing.T, name string, set *Ruleset) {
	t.Helper()
	for dst, want := range map[string]Status{
		"10.96.0.1:80": StatusTranslated, "10.96.0.2:80": StatusTranslated, "10.96.0.9:80": StatusRejected,
		"10.96.0.8:80": StatusDropped, "10.96.0.1:81": StatusNoRule,
	} {
		to := netip.MustParseAddrPort(dst)
		p := set.ServicePath(to.Addr(), "tcp", to.Port())
		if p.Status != want {
			t.Errorf("%s: %s: %s %s, want %s", name, dst, p.Status, p.Reason, want)
		}
		if dst == "10.96.0.1:80" && (len(p.Endpoints) != 2 || p.Endpoints[0].Probability != 0.25) {
			t.Errorf("%s: endpoints %s", name, brief(p))
		}
	}
}

// TestKernelNFT loads kube-proxy's nftables table and reads it back in both forms.
func TestKernelNFT(t *testing.T) {
	ns := newNetns(t, "nft")
	ns.run(nftKubeProxy, "nft", "-f", "-")
	for _, command := range [][]string{{"nft", "list", "ruleset"}, {"nft", "-a", "list", "ruleset"}, {"nft", "-j", "list", "ruleset"}} {
		l := parseNFT(t, ns.run("", command...))
		if p, n := l.Problems(); n != 0 {
			t.Errorf("%v: problems %v", command, p)
		}
		for dst, want := range map[string]Status{
			"10.96.0.1:80": StatusTranslated, "10.96.0.2:80": StatusTranslated, "10.96.0.9:80": StatusRejected,
			"10.96.0.8:80": StatusDropped, "10.96.0.1:81": StatusRejected, "10.96.7.7:81": StatusDropped, "10.97.0.1:80": StatusNoRule,
		} {
			to := netip.MustParseAddrPort(dst)
			p := (&Ruleset{NFT: l}).ServicePath(to.Addr(), "tcp", to.Port())
			if p.Status != want {
				t.Errorf("%v: %s: %s %s, want %s", command, dst, p.Status, p.Reason, want)
			}
			if want == StatusTranslated && len(p.Endpoints) != 2 {
				t.Errorf("%v: %s: %s", command, dst, brief(p))
			}
		}
	}
}
