package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestCasesAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range allCases() {
		if seen[c.ID] {
			t.Errorf("two cases %s", c.ID)
		}
		seen[c.ID] = true
		if c.About == "" {
			t.Errorf("%s does not say what is done", c.ID)
		}
		if trap := strings.HasPrefix(c.ID, "trap-"); trap != (len(c.Roots) == 0) {
			t.Errorf("%s has %d root causes", c.ID, len(c.Roots))
		}
		if len(c.Roots) > 0 && (c.Inject == nil || c.Traffic == nil) {
			t.Errorf("%s is not injected, or has no traffic of its own", c.ID)
		}
		for _, need := range c.Needs {
			if _, known := probes[need]; !known {
				t.Errorf("%s needs %s, which the lab cannot tell", c.ID, need)
			}
		}
	}
}

func TestVariantIsKnown(t *testing.T) {
	for _, c := range allCases() {
		if err := c.Cluster.check(); err != nil {
			t.Errorf("%s: %v", c.ID, err)
		}
	}
	for want, v := range map[string]Variant{
		"--policy calico: the lab knows kube-router":               {Policy: "calico"},
		"--proxy ipvs: the lab knows iptables-legacy and nftables": {Proxy: "ipvs"},
		"--backend wireguard: the lab knows vxlan and host-gw":     {Backend: "wireguard"},
	} {
		if err := v.check(); err == nil || err.Error() != want {
			t.Errorf("%+v: %v", v, err)
		}
	}
}

func TestFollow(t *testing.T) {
	const file = "/etc/ifcfg"
	const text = "TYPE=\"Ethernet\"\n  BOOTPROTO=\"dhcp\"\nONBOOT=yes\n"
	for _, tt := range []struct {
		name, words, want, err string
	}{
		{"set", `at /etc/ifcfg:2 (BOOTPROTO="dhcp") set BOOTPROTO="none"`, "TYPE=\"Ethernet\"\n  BOOTPROTO=\"none\"\nONBOOT=yes\n", ""},
		{"another line", `at /etc/ifcfg:1 (BOOTPROTO="dhcp") set BOOTPROTO="none"`, text, "does not have"},
		{"beyond the end", `at /etc/ifcfg:9 (x) set y`, text, "does not have"},
		{"no file", `at /etc/nothing:1 (x) set y`, text, "no such file"},
		{"other words", `restart the Pods`, text, "does not understand"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &Machine{Name: "n1", dir: t.TempDir()}
			if err := m.WriteFile(file, text); err != nil {
				t.Fatal(err)
			}
			err := m.follow(tt.words)
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			got, err := m.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCompare(t *testing.T) {
	node := func(id, name string) finding { return finding{ID: id, Subject: subject{Kind: "Node", Name: name}} }
	cluster := finding{ID: "mtu", Subject: subject{Kind: "Cluster", Name: "cluster"}, Affects: []string{"n2", "n3"}}
	for _, tt := range []struct {
		name           string
		found          []finding
		want           []Root
		missing, extra string
	}{
		{"nothing", nil, nil, "", ""},
		{"as wanted", []finding{node("a", "n1"), cluster}, []Root{{"a", "n1"}, {"mtu", "n3"}}, "", ""},
		{"another node", []finding{node("a", "n2")}, []Root{{"a", "n1"}}, "a (n1)", "a (n2)"},
		{"any node", []finding{node("a", "n2")}, []Root{{"a", ""}}, "", ""},
		{"one too many", []finding{node("a", "n1"), node("b", "n1")}, []Root{{"a", "n1"}}, "", "b (n1)"},
		{"one too few", []finding{node("a", "n1")}, []Root{{"a", "n1"}, {"b", "n2"}}, "b (n2)", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			missing, extra := compare(diagnosis{RootCauses: tt.found}, tt.want)
			if names(missing) != tt.missing || names(extra) != tt.extra {
				t.Errorf("missing %q, extra %q; want %q, %q", names(missing), names(extra), tt.missing, tt.extra)
			}
		})
	}
}

func TestChoosePair(t *testing.T) {
	one := func(id, node string) Case {
		return Case{ID: id, Cluster: Variant{}, Roots: []Root{{ID: id, Node: node}}}
	}
	alone := one("alone", "n3")
	alone.Alone = true
	trap := Case{ID: "trap-x"}
	cases := []Case{one("a", "n1"), one("b", "n1"), one("c", "n2"), alone, trap}
	names := func(cases []Case, seed uint64) string {
		var ids []string
		for _, c := range choosePairs(cases, seed) {
			ids = append(ids, c.ID)
		}
		return strings.Join(ids, ", ")
	}
	seen := map[string]bool{}
	for seed := range uint64(50) {
		first, again := names(cases, seed), names(cases, seed)
		if first != again {
			t.Fatalf("seed %d: %q and then %q", seed, first, again)
		}
		seen[first] = true
	}
	if diff := cmp.Diff(map[string]bool{"a and c": true, "b and c": true}, seen); diff != "" {
		t.Error(diff)
	}
	// The second pair has none of the first.
	seen = map[string]bool{}
	for seed := range uint64(50) {
		seen[names([]Case{one("a", "n1"), one("b", "n1"), one("c", "n2"), one("d", "n2"), trap}, seed)] = true
	}
	want := map[string]bool{"a and c, b and d": true, "a and d, b and c": true, "b and c, a and d": true, "b and d, a and c": true}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
	if got := names([]Case{alone, trap, one("a", "n1")}, 1); got != "" {
		t.Errorf("%s, want none", got)
	}
}

func TestResolvConf(t *testing.T) {
	file := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(file, []byte("# the site's\nnameserver 192.0.2.53\nsearch example.com\noptions timeout:2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	k := &kubelet{config: kubeletConfig{ClusterDNS: []string{"10.96.0.10"}, ClusterDomain: "cluster.local", ResolvConf: file}}
	const site = "search example.com\nnameserver 192.0.2.53\noptions timeout:2\n"
	const cluster = "search web.svc.cluster.local svc.cluster.local cluster.local example.com\nnameserver 10.96.0.10\noptions ndots:5\n"
	five := "5"
	for _, tt := range []struct {
		name string
		spec corev1.PodSpec
		want string
	}{
		{"ClusterFirst", corev1.PodSpec{DNSPolicy: corev1.DNSClusterFirst}, cluster},
		{"Default", corev1.PodSpec{DNSPolicy: corev1.DNSDefault}, site},
		{"ClusterFirst on the host's network", corev1.PodSpec{DNSPolicy: corev1.DNSClusterFirst, HostNetwork: true}, site},
		{"ClusterFirstWithHostNet", corev1.PodSpec{DNSPolicy: corev1.DNSClusterFirstWithHostNet, HostNetwork: true}, cluster},
		{
			"None",
			corev1.PodSpec{DNSPolicy: corev1.DNSNone, DNSConfig: &corev1.PodDNSConfig{
				Nameservers: []string{"1.2.3.4"}, Options: []corev1.PodDNSConfigOption{{Name: "attempts", Value: &five}, {Name: "edns0"}},
			}},
			"nameserver 1.2.3.4\noptions attempts:5 edns0\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := k.resolvConf(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "web"}, Spec: tt.spec})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTwoDashes(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"run -case x -keep --seed 3", "run --case x --keep --seed 3"},
		{"kubectl get pods -owide -A", "kubectl get pods -owide -A"},
		{"shell n1 ip -br a", "shell n1 ip -br a"},
		{"run -h", "run -h"},
	} {
		if got := strings.Join(twoDashes(strings.Fields(tt.args)), " "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.args, got, tt.want)
		}
	}
}

func TestProcessEnd(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- cmd.Wait() }()
	p, err := identify(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	// One that has the number of another is left alone.
	other := processID{PID: p.PID, Start: p.Start + 1}
	if err := other.end(t.Context()); err != nil || other.alive() || !p.alive() {
		t.Fatalf("%v: alive %v, %v", err, other.alive(), p.alive())
	}
	if err := p.end(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("it ended by itself")
	}
	if err := p.end(t.Context()); err != nil || p.alive() {
		t.Errorf("the second time: %v, alive %v", err, p.alive())
	}
}

func TestUpIsRefusedInFoldersThatMachinesHide(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	o := &options{dir: "/run/netcause-lab", out: os.Stderr}
	if err := checkMachine(context.Background()); err != nil {
		t.Skip(err)
	}
	if _, _, err := o.prepare(t.Context()); err == nil || !strings.Contains(err.Error(), "every machine has a /run of its own") {
		t.Errorf("%v", err)
	}
}

func TestAnswer(t *testing.T) {
	query := func(name, kind string) []byte {
		return append([]byte{0x4e, 0x43, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}, name+"\x00\x00"+kind+"\x00\x01"...)
	}
	const known = "\x08Registry\x07example\x03com"
	for _, tt := range []struct {
		name           string
		query          []byte
		code, answered byte // RCODE and ANCOUNT
	}{
		{"known", query(known, "\x01"), 0, 1},
		{"known, AAAA", query(known, "\x1c"), 0, 0},
		{"unknown", query("\x05other", "\x01"), 3, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := answer(tt.query)
			if len(out) < 12 || out[3]&0x0f != tt.code || out[7] != tt.answered {
				t.Errorf("%x", out)
			}
		})
	}
	for _, bad := range [][]byte{nil, query(known, "\x01")[:11], query(known, "\x01")[:30], query("\x3fshort", "\x01")} {
		if out := answer(bad); out != nil {
			t.Errorf("%x is answered: %x", bad, out)
		}
	}
}
