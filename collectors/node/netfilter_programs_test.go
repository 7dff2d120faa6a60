package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/netcause/netcause/collectors/nettest"
	"github.com/netcause/netcause/engine/facts"
)

// collectorIn is a collector whose host is the namespace, and which finds only the programs given by links to others.
func collectorIn(t *testing.T, ns *nettest.NS, programs map[string]string) *collector {
	t.Helper()
	dir := t.TempDir()
	for name, target := range programs {
		path, err := exec.LookPath(target)
		if err != nil {
			t.Skip("needs tool " + target)
		}
		if path, err = filepath.EvalSymlinks(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	host, err := openNetns(ns.Path(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(host.close)
	c := &collector{host: host, modules: &kernelModules{}, commands: newCommands(), owners: &socketOwners{}}
	c.commands.dirs = nil
	return c
}

// What is listed by which program, and what becomes of what none lists.
func TestNetfilterByWhatIsInstalled(t *testing.T) {
	nettest.NeedTool(t, "iptables-nft", "iptables-legacy", "nft")
	const (
		nftRule    = "iptables-nft -t nat -A POSTROUTING -j MASQUERADE"
		legacyRule = "iptables-legacy -t nat -A POSTROUTING -j MASQUERADE"
		native     = "nft add table ip kube-proxy"
		likeNat    = "nft -f -" // a table of iptables' name that iptables cannot show
	)
	for _, test := range []struct {
		name     string
		rules    []string
		programs map[string]string
		want     map[string]string
	}{
		{
			name:     "no program",
			rules:    []string{nftRule, legacyRule},
			programs: nil,
			want: map[string]string{
				"iptables_nft":    "absent: the kernel has tables of the nf_tables backend, and iptables-nft-save is not installed",
				"iptables_legacy": "absent: the kernel has tables of the legacy backend, and iptables-legacy-save is not installed",
				"ip6tables_nft":   "read empty", "ip6tables_legacy": "read empty",
				"nftables": "absent: nf_tables has tables, and nft is not installed",
			},
		},
		{
			name:     "iptables-save of the nft backend",
			rules:    []string{nftRule, legacyRule},
			programs: map[string]string{"iptables-save": "iptables-nft-save", "iptables": "iptables-nft"},
			want: map[string]string{
				"iptables_nft":    "read iptables-save_-c: # Warning: iptables-legacy tables present",
				"iptables_legacy": "absent: the kernel has tables of the legacy backend, and iptables-legacy-save is not installed: install iptables 1.8 or later; ",
				"nftables":        "read empty: nft is not installed; all tables are those of iptables-nft: ip nat",
			},
		},
		{
			name:     "iptables-save of the legacy backend",
			rules:    []string{nftRule, legacyRule},
			programs: map[string]string{"iptables-save": "iptables-legacy-save", "iptables": "iptables-legacy"},
			want: map[string]string{
				"iptables_nft":    "absent: the kernel has tables of the nf_tables backend, and iptables-nft-save is not installed: install iptables 1.8 or later; ",
				"iptables_legacy": "read iptables-save_-c",
			},
		},
		{
			name:     "nft alone",
			rules:    []string{nftRule},
			programs: map[string]string{"nft": "nft"},
			want: map[string]string{
				"iptables_nft": "absent: ", "ip6tables_nft": "read empty", "nftables": "read nft_-j_list_ruleset",
			},
		},
		{
			name:     "a table that is not iptables', without nft",
			rules:    []string{nftRule, native},
			programs: map[string]string{"iptables-nft-save": "iptables-nft-save"},
			want:     map[string]string{"iptables_nft": "read iptables-nft-save_-c", "nftables": "absent: "},
		},
		{
			name:     "a table that is not iptables' alone",
			rules:    []string{native},
			programs: map[string]string{"nft": "nft"},
			want:     map[string]string{"iptables_nft": "read empty", "nftables": "read nft_-j_list_ruleset"},
		},
		{
			name:     "a table of iptables' name that it cannot show, without nft",
			rules:    []string{likeNat},
			programs: map[string]string{"iptables-nft-save": "iptables-nft-save"},
			want:     map[string]string{"iptables_nft": "read iptables-nft-save_-c: # Table `nat'", "nftables": "absent: "},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			ns := nettest.Namespace(t)
			for _, rule := range test.rules {
				args := strings.Fields(rule)
				if rule == likeNat {
					file := filepath.Join(t.TempDir(), "nat.nft")
					if err := os.WriteFile(file, []byte("table ip nat {\n chain x {\n type nat hook output priority 0;\n }\n}\n"), 0o600); err != nil {
						t.Fatal(err)
					}
					args = []string{"nft", "-f", file}
				}
				ns.Run(t, args[0], args[1:]...)
			}
			c := collectorIn(t, ns, test.programs)
			var out facts.NetNS
			c.netfilter(t.Context(), c.host, &out)
			for _, g := range out.Groups() {
				want, ok := test.want[g.Name]
				if !ok {
					continue
				}
				meta := g.Group.GetMeta()
				got := meta.Status.String()
				switch {
				case meta.Status == facts.Read && len(meta.Raw) == 0:
					got += " empty"
				case meta.Status == facts.Read:
					got += " " + meta.Raw[0].Name
				}
				if meta.Reason != "" {
					got += ": " + meta.Reason
				}
				if !strings.HasPrefix(got, want) || len(meta.Sources) == 0 {
					t.Errorf("%s is %q from %v, want %q", g.Name, got, meta.Sources, want)
				}
			}
		})
	}
}

func TestCommands(t *testing.T) {
	nettest.NeedTool(t, "sh")
	n, err := currentNetns()
	if err != nil {
		t.Fatal(err)
	}
	defer n.close()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	c := newCommands()
	c.limit = 1 << 16

	out, err := c.run(t.Context(), n, sh, "-c", "echo out; echo err >&2")
	if err != nil || string(out.stdout) != "out\n" || out.stderr != "err" {
		t.Errorf("run: %q %q %v", out.stdout, out.stderr, err)
	}
	if _, err = c.run(t.Context(), n, sh, "-c", "echo no such table >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "no such table") {
		t.Errorf("a failing command: %v", err)
	}
	if _, err = c.run(t.Context(), n, sh, "-c", "while echo flood; do :; done"); err == nil || !strings.Contains(err.Error(), "more than 65536 bytes") {
		t.Errorf("a command without end: %v", err)
	}
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	started := filepath.Join(t.TempDir(), "started")
	ended := make(chan error, 1)
	go func() {
		_, err := c.run(ctx, n, sh, "-c", fmt.Sprintf("echo > %s; exec sleep 600", started))
		ended <- err
	}()
	nettest.WaitFor(t, "the command to start", func() bool { _, err := os.Stat(started); return err == nil })
	cancel(why)
	if err := <-ended; !errors.Is(err, why) {
		t.Errorf("a command that was stopped: %v", err)
	}
	if len(c.slots) != 0 {
		t.Errorf("%d slots are taken", len(c.slots))
	}
}

func TestNetns(t *testing.T) {
	ns := nettest.Namespace(t)
	n, err := openNetns(ns.Path(), "ip netns exec x ")
	if err != nil {
		t.Fatal(err)
	}
	defer n.close()
	home, err := currentNetns()
	if err != nil {
		t.Fatal(err)
	}
	defer home.close()
	var inside inode
	if err := n.do(func() error {
		here, err := currentNetns()
		if err == nil {
			inside = here.id
			here.close()
		}
		return err
	}); err != nil || inside != n.id || inside == home.id {
		t.Errorf("in the namespace: %v, %v", inside, err)
	}
	if err := n.do(func() error { panic("broken message") }); err == nil || !strings.Contains(err.Error(), "broken message") {
		t.Errorf("a panic inside: %v", err)
	}
	// Whatever thread this runs on now, it is at home.
	for range 20 {
		here, err := currentNetns()
		if err != nil {
			t.Fatal(err)
		}
		if here.id != home.id {
			t.Fatal("a thread was left in the namespace")
		}
		here.close()
	}
	if _, err := openNetns("/dev/null", ""); err == nil {
		t.Error("/dev/null is taken for a namespace")
	}
}

// The two ways to the listeners agree in what both have.
func TestProcSocketsAgreeWithSockDiag(t *testing.T) {
	modules := &kernelModules{}
	for _, kind := range socketKinds {
		if modules.has(kind.part) != present {
			t.Skip("needs " + kind.part.module + " in the kernel")
		}
	}
	ns := nettest.Namespace(t)
	listen(t, ns)
	in, err := openNetns(ns.Path(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	err = in.do(func() error {
		c, err := dial()
		if err != nil {
			return err
		}
		defer c.close()
		for _, kind := range socketKinds {
			diag, err := c.diagSockets(devices{}, kind)
			if err != nil {
				return err
			}
			proc, err := procSockets(kind)
			if err != nil {
				return err
			}
			set := map[string]bool{}
			for _, s := range diag {
				set[fmt.Sprint(s.Local, s.Port, s.UID, s.RecvQ, s.inode)] = true
			}
			for _, s := range proc {
				if key := fmt.Sprint(s.Local, s.Port, s.UID, s.RecvQ, s.inode); !set[key] {
					t.Errorf("%s: %s is in /proc/net alone", kind.proc, key)
				}
			}
			if len(proc) != len(diag) || len(proc) != 1 {
				t.Errorf("%s: %d sockets of /proc/net, %d of sock_diag, want 1", kind.proc, len(proc), len(diag))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
