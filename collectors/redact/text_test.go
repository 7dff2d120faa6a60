package redact

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// known is a sweeper that knows some names, and replaces addresses if asked.
func known(addresses bool, texts ...string) *sweeper {
	a := newAddresses([]byte("0123456789abcdef"))
	n := newNames(a.sum)
	for _, of := range []struct {
		name string
		kind kind
	}{
		{"n1.acme.example", aNode},
		{"ip-10-1-2-3.eu-west-1.compute.internal", aNode},
		{"worker-7", aNode},
		{"shop", aNamespace},
		{"team.payments", aNamespace},
		{"web", aService},
		{"comment", aService},
		{"kubernetes", aService},
		{"web-0", aPod},
		{"cart-5d9c7b8f4-x2x7k", aPod},
		{"kube-proxy-n1", aPod},
		{"corp-flannel-ds", aWorkload},
		{"coredns", aWorkload},
		{"prod.acme.example", aDomain},
	} {
		n.note(of.name, of.kind)
	}
	n.settle()
	s := &sweeper{names: n}
	if addresses {
		s.addresses = a
		s.noting = true
		for _, text := range texts {
			s.text(text, plain)
		}
		s.noting = false
		a.settle()
	}
	return s
}

func TestNamesInTexts(t *testing.T) {
	for name, tt := range map[string]struct {
		in, want string
		is       style
	}{
		"comment of kube-proxy":      {`-m comment --comment "shop/web:http cluster IP"`, `-m comment --comment "ns-1/svc-1:http cluster IP"`, rules},
		"keyword that is a name":     {`-A X -m comment --comment "shop/comment:http"`, `-A X -m comment --comment "ns-1/svc-2:http"`, rules},
		"nft, JSON":                  {`{"comment": "shop/comment cluster IP", "chain": "web"}`, `{"comment": "ns-1/svc-2 cluster IP", "chain": "svc-1"}`, jsonRules},
		"JSON key that is a name":    {`{"web": "web"}`, `{"web": "svc-1"}`, jsonRules},
		"Pod of a Deployment":        {"pod cart-5d9c7b8f4-zzzz9 in shop", "pod podname-1-5d9c7b8f4-zzzz9 in ns-1", plain},
		"Pod of a StatefulSet":       {"web-0, web-12", "svc-1-0, svc-1-12", plain},
		"static Pod":                 {"kube-system/kube-proxy-n1", "kube-system/kube-proxy-node-1", plain},
		"component in a name":        {"corp-flannel-ds-abcde", "app-1-flannel-ds-abcde", plain},
		"node's name is whole":       {"worker-7 worker-77", "node-3 worker-77", plain},
		"FQDN of a node":             {"n1.acme.example:10250", "node-1.dom-1.example:10250", plain},
		"node of a cloud":            {"ip-10-1-2-3.eu-west-1.compute.internal", "node-2.dom-1.compute.internal", plain},
		"name of a Service":          {"http://web.shop.svc.cluster.local:80/", "http://svc-1.ns-1.svc.cluster.local:80/", plain},
		"name of a Pod in DNS":       {"web-0.web.shop.svc", "svc-1-0.svc-1.ns-1.svc", plain},
		"search list":                {"search prod.acme.example acme.example", "search dom-1.dom-2.example dom-2.example", plain},
		"namespace with a dot":       {"team.payments/web", "ns-2.ns-3/svc-1", plain},
		"e-mail":                     {"mail alice@acme.example", "mail user-1@dom-1.example", plain},
		"home":                       {"/home/alice/incident", "/home/user-1/incident", plain},
		"capitals":                   {"Host N1 is down", "Host NODE-1 is down", plain},
		"first letter":               {"Web is down, wEb too", "Svc-1 is down, Svc-1 too", plain},
		"source":                     {"kubectl get service -n shop comment -o yaml", "kubectl get service -n ns-1 svc-2 -o yaml", plain},
		"option":                     {"--web=web --comment=1", "--web=svc-1 --comment=1", plain},
		"sysctl":                     {"net.ipv4.conf.all.forwarding", "net.ipv4.conf.all.forwarding", plain},
		"key of Kubernetes":          {"topology.kubernetes.io/zone", "topology.kubernetes.io/zone", plain},
		"key of somebody":            {"acme.example/tier", "dom-1.example/tier", plain},
		"image of Kubernetes":        {"registry.k8s.io/kube-proxy:v1.36.3", "registry.k8s.io/kube-proxy:v1.36.3", naming},
		"registry of somebody":       {"harbor.acme.example/shop/web:1.2", "dom-1.dom-2.example/ns-1/svc-1:1.2", naming},
		"account of a cloud":         {"123.dkr.ecr.eu-west-1.amazonaws.com/web", "123.dom-1.dom-2.dom-3.amazonaws.com/svc-1", naming},
		"within a longer word":       {"webshop cobweb", "webshop cobweb", plain},
		"hash of kube-proxy":         {"-j KUBE-SVC-LOLE4ISW44XBNF3G", "-j KUBE-SVC-", rules},
		"hash of kube-proxy, nft":    {"service-LOLE4ISW-shop/web/tcp/http", "", plain},
		"files are no names of DNS":  {"ifcfg-eth0 10-flannel.conflist subnet.env nodes.json eth0.100", "ifcfg-eth0 10-flannel.conflist subnet.env nodes.json eth0.100", plain},
		"escaped line end":           {`a\nweb\tweb`, `a\nsvc-1\tsvc-1`, plain},
		"UTF-8":                      {"»web« wéb", "»web« wéb", plain},
		"words of Kubernetes":        {"0/3 nodes are available: 3 node(s) had untolerated taint(s)", "0/3 nodes are available: 3 node(s) had untolerated taint(s)", plain},
		"well-known Service":         {"default/kubernetes:https", "default/kubernetes:https", plain},
		"word that is a name, named": {"comment", "svc-2", naming},
		"word that is a name":        {"no comment", "no comment", plain},
	} {
		t.Run(name, func(t *testing.T) {
			got := known(false).text(tt.in, tt.is)
			if tt.want != "" && strings.HasPrefix(tt.want, "-j KUBE-SVC-") {
				if got == tt.in || !strings.HasPrefix(got, tt.want) || len(got) != len(tt.in) {
					t.Errorf("%q became %q", tt.in, got)
				}
				return
			}
			if tt.want == "" {
				if strings.Contains(got, "LOLE4ISW") || !strings.HasSuffix(got, "-ns-1/svc-1/tcp/http") {
					t.Errorf("%q became %q", tt.in, got)
				}
				return
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("of %q (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

// TestAddressesInTexts has <…> around what is an address: it becomes what stands for that address alone.
func TestAddressesInTexts(t *testing.T) {
	texts := []string{
		"<10.1.2.3>", "src=<10.1.2.3> dst=<10.1.2.4>", "<10.1.2.3>:80", "[<fd00:1::5>]:443", "<fd00:1::5>: message", "to <10.1.2.3>.",
		"<10.1.2.3>-<10.1.2.9>", "-s <10.1.2.0>/24 -d <10.1.2.3>/32", "<10.1.2.0>/255.255.255.0", "<fd00:1::>/64", "<fe80::1>%eth0",
		"https://<10.1.2.3>:6443/x", `{"addr": "<10.1.2.0>", "len": 24}`, `\n<10.1.2.3>`, "endpoint__<10.1.2.3>/80", "x-<10.1.2.3>",
		"mac <aa:bb:cc:00:11:22>,", "AA:BB:CC:00:11:22", "v1.2.3.4", "1.2.3.4.5", "0.0.0.0/0", "10.1.2", "01:02:03", "std::vector", "1.10.244.1.5",
		"[161:15873]", "2026-11-25T01:35:33Z", "10.300.1.1", "<10.1.2.3>,<10.1.2.4>", "::", "a<", "255.255.255.0", "kernel 5.15.0-76",
	}
	a := newAddresses([]byte("0123456789abcdef"))
	for _, text := range texts {
		in := strings.NewReplacer("<", "", ">", "").Replace(text)
		s := known(true, texts...)
		var b strings.Builder
		for i, part := range strings.Split(text, "<") {
			address, rest, ok := strings.Cut(part, ">")
			switch ip, err := netip.ParseAddr(address); {
			case i == 0:
				b.WriteString(part)
				continue
			case !ok:
				b.WriteString(part)
				continue
			case err == nil:
				b.WriteString(s.addresses.replace(ip).String())
			default:
				to := a.mac([6]byte{0xaa, 0xbb, 0xcc, 0, 0x11, 0x22}, false)
				for j, c := range to {
					if j > 0 {
						b.WriteByte(':')
					}
					const digits = "0123456789abcdef"
					b.WriteByte(digits[c>>4])
					b.WriteByte(digits[c&15])
				}
			}
			b.WriteString(rest)
		}
		got := s.text(in, plain)
		want := b.String()
		if text == "AA:BB:CC:00:11:22" {
			if got == text || got != strings.ToUpper(got) {
				t.Errorf("%q became %q", in, got)
			}
			continue
		}
		if want != got {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestAddressesInNames(t *testing.T) {
	s := known(true, "10.1.2.3")
	to := s.addresses.replace(netip.MustParseAddr("10.1.2.3"))
	dashes := strings.ReplaceAll(to.String(), ".", "-")
	s.names = nil
	for in, want := range map[string]string{
		"ip-10-1-2-3.ec2.internal":            "ip-" + dashes + ".ec2.internal",
		"10-1-2-3.shop.pod.cluster.local":     dashes + ".shop.pod.cluster.local",
		"9-9-9-9.x":                           "9-9-9-9.x",
		"TCP  0A010203:01BB rr":               "TCP  0A010203:01BB rr",
		"set add KUBE-CLUSTER-IP 10.1.2.3,80": "set add KUBE-CLUSTER-IP " + to.String() + ",80",
	} {
		if got := s.text(in, plain); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	b := to.As4()
	if got, want := s.ipvs("TCP  0A010203:01BB rr\n  -> 0A010203:192B Masq"), strings.ReplaceAll("TCP  X:01BB rr\n  -> X:192B Masq", "X", strings.ToUpper(hexOf(b[:]))); got != want {
		t.Errorf("IPVS became %q, want %q", got, want)
	}
}

func hexOf(b []byte) string {
	const digits = "0123456789ABCDEF"
	var s strings.Builder
	for _, c := range b {
		s.WriteByte(digits[c>>4])
		s.WriteByte(digits[c&15])
	}
	return s.String()
}

// FuzzText puts a name and addresses between texts: where they stand by themselves, they are gone after it, and lines stay
// lines.
func FuzzText(f *testing.F) {
	f.Add("-s ", " -j X\n", uint8(0))
	f.Add(`{"a":"`, `"}`, uint8(1))
	f.Add("::1 ", "\n[", uint8(2))
	f.Add("ip-1-2-3-", "@x.example", uint8(3))
	f.Fuzz(func(t *testing.T, before, after string, is uint8) {
		const name, ip4, ip6, mac = "cart", "10.1.2.3", "fd00:1:2:3::5", "52:54:00:12:34:56"
		text := before + " " + strings.Join([]string{name, ip4, ip6, mac}, " ") + " " + after
		s := known(true, text)
		s.noting = true
		s.text(text, plain)
		s.noting = false
		got := s.text(text, style(is%4))
		if strings.Count(got, "\n") != strings.Count(text, "\n") {
			t.Errorf("%q became %q", text, got)
		}
		for _, mark := range []string{name, ip4, ip6, mac} {
			if !strings.Contains(before+after, mark) && strings.Contains(got, " "+mark+" ") {
				t.Errorf("%q has %s still: %q", text, mark, got)
			}
		}
		back := &Mapping{Key: s.addresses.key}
		back.keep(s)
		_ = back.Restore(got) // does not panic
	})
}
