package bundle

import (
	"strings"
	"testing"

	"github.com/netcause/netcause/collectors/nettest"
	"github.com/netcause/netcause/engine/facts"
)

// Two programs' views of the same rules agree; a view of another time is told from it, whichever it is.
func TestReadContradictions(t *testing.T) {
	nettest.NeedRoot(t)
	nettest.NeedTool(t, "iptables-nft", "iptables-nft-save", "nft")
	ns := nettest.Namespace(t)
	run := func(line string) string {
		f := strings.Fields(line)
		return ns.Run(t, f[0], f[1:]...)
	}
	for line := range strings.Lines(`-t nat -N KUBE-SERVICES
		-t nat -N KUBE-SEP-A
		-t nat -N KUBE-SEP-B
		-t nat -N KUBE-MARK
		-t nat -A PREROUTING -m comment --comment jump -j KUBE-SERVICES
		-t nat -A KUBE-SERVICES -d 10.96.0.1/32 -p tcp --dport 443 -m statistic --mode random --probability 0.5 -j KUBE-SEP-A
		-t nat -A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m multiport --dports 443,444 -j KUBE-SEP-B
		-t nat -A KUBE-SEP-A -s 10.244.0.5/32 -j KUBE-MARK
		-t nat -A KUBE-SEP-A -p tcp -j DNAT --to-destination 10.244.0.5:6443
		-t nat -A KUBE-SEP-B -p tcp -j DNAT --to-destination 10.244.1.5:6443
		-t nat -A KUBE-MARK -j MARK --or-mark 0x4000
		-t nat -A KUBE-MARK -m mark --mark 0x4000
		-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		-A INPUT -p tcp --dport 22 -g LOGGED`) {
		if strings.Contains(line, "LOGGED") {
			run("iptables-nft -N LOGGED")
		}
		run("iptables-nft " + line)
	}
	views := map[string]func() string{}
	for _, command := range []string{
		"iptables-nft-save", "iptables-nft-save -c", "iptables-nft -t nat -nvL", "iptables-nft -t nat -L -n --line-numbers", "iptables-nft -t nat -S", "iptables-nft -vnxL",
	} {
		views[command] = func() string { return "[root@n1 ~]# " + command + "\n" + run(command) }
	}
	nft := func() string { return "[root@n1 ~]# nft list ruleset\n" + run("nft list ruleset") }
	handles := "[root@n1 ~]# nft -a list ruleset\n" + run("nft -a list ruleset")
	problems := func(t *testing.T, text string) string {
		t.Helper()
		snapshot := read(t, onDisk(t, "x", []byte(text)))
		if n := snapshot.Nodes[0]; n.IPTablesNFT.Status != facts.Read || n.NFTables.Status != facts.Read {
			t.Fatalf("%s\n%s %s", text, n.IPTablesNFT.Reason, n.NFTables.Reason)
		}
		return snapshot.Inputs[0].Problem
	}
	before, now := nft(), map[string]string{}
	for command, view := range views {
		now[command] = view()
		for _, text := range []string{before, handles} {
			if problem := problems(t, now[command]+text); problem != "" {
				t.Errorf("%s: %s", command, problem)
			}
		}
	}
	for _, change := range []struct{ do, undo, want string }{
		{"-t nat -A KUBE-SERVICES -d 10.96.0.9/32 -j KUBE-SEP-A", "-t nat -D KUBE-SERVICES -d 10.96.0.9/32 -j KUBE-SEP-A", "chain KUBE-SERVICES has 2 and 3 rules"},
		{"-t nat -N KUBE-SEP-C", "-t nat -X KUBE-SEP-C", "the second alone has chain KUBE-SEP-C"},
		{"-t nat -R PREROUTING 1 -j KUBE-SEP-A", "-t nat -R PREROUTING 1 -m comment --comment jump -j KUBE-SERVICES", "the rules of chain PREROUTING lead to other chains"},
	} {
		run("iptables-nft " + change.do)
		after := nft()
		run("iptables-nft " + change.undo)
		for command, text := range now {
			problem := problems(t, text+after)
			if isNat := command != "iptables-nft -vnxL"; isNat != strings.Contains(problem, change.want) {
				t.Errorf("%s, %s: %q", change.do, command, problem)
			}
		}
	}
	// What does not name its backend, and has a chain that nft does not show, is left, and said.
	text := strings.ReplaceAll(now["iptables-nft -t nat -nvL"], "iptables-nft", "iptables") + strings.ReplaceAll(before, "KUBE-SEP-B", "KUBE-SEP-X")
	if problem := read(t, onDisk(t, "x", []byte(text))).Inputs[0].Problem; !strings.Contains(problem, "chain KUBE-SEP-B") {
		t.Errorf("%q", problem)
	}
}

func FuzzContradictions(f *testing.F) {
	f.Add("*nat\n:A - [0:0]\n[1:2] -A A -j B\nCOMMIT\n", "table ip nat {\n\tchain A {\n\t\ttype nat hook output priority 0; policy accept;\n\t\tcounter packets 0 bytes 0 jump B comment \"a\"\n\t}\n}\n")
	f.Add("Chain A (policy ACCEPT)\nnum target\n1 B\n-P A\n-A A -g\n", "table ip nat {\n\tchain {\n}\n")
	f.Fuzz(func(_ *testing.T, list, nft string) {
		table, _ := nftTable([]byte(nft), "ip", "nat")
		shape := shapeOfNFT(table)
		for _, t := range shapesOfSave([]byte(list)) {
			differs(t, shape)
		}
		differs(shapeOfList([]byte(list)), shape)
	})
}
