package question_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/question"
)

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

// snapshot are nodes n1 and n2, of which n1 was collected, dual stack, with a few Pods and Services.
func snapshot() *facts.Snapshot {
	node := &facts.Node{Name: "n1"}
	node.Addresses = facts.ReadGroup([]facts.Address{
		{Dev: "eth0", Family: "inet", Local: addr("192.0.2.1"), Scope: "global"},
		{Dev: "eth0", Family: "inet6", Local: addr("2001:db8::1"), Scope: "global"},
		{Dev: "eth1", Family: "inet", Local: addr("198.51.100.1"), Scope: "global"},
	})
	route := func(dst, dev string) facts.Route {
		p := netip.MustParsePrefix(dst)
		family := "inet"
		if p.Addr().Is6() {
			family = "inet6"
		}
		return facts.Route{Type: "unicast", Dst: p, Dev: dev, Family: family, Table: facts.TableMain}
	}
	node.Routes = facts.ReadGroup([]facts.Route{route("10.1.0.5/32", "veth5"), route("fd00:1::5/128", "veth5")})
	node.Rules = facts.ReadGroup([]facts.RoutingRule{
		{Family: "inet", Priority: 32766, Action: "lookup", Table: facts.TableMain, SuppressPrefixlength: -1},
		{Family: "inet6", Priority: 32766, Action: "lookup", Table: facts.TableMain, SuppressPrefixlength: -1},
	})
	pod := func(name, node string, addresses ...string) facts.Pod {
		p := facts.Pod{
			Metadata: facts.ObjectMeta{Namespace: "default", Name: name}, Status: facts.PodStatus{Phase: "Running"},
			Spec: facts.PodSpec{NodeName: node, Containers: []facts.Container{{Ports: []facts.ContainerPort{{Name: "http", ContainerPort: 8080}, {Name: "q", ContainerPort: 53, Protocol: "UDP"}}}}},
		}
		for i, a := range addresses {
			if i == 0 {
				p.Status.PodIP = a
			}
			p.Status.PodIPs = append(p.Status.PodIPs, facts.PodIP{IP: a})
		}
		return p
	}
	service := func(name, ip string, ports ...facts.ServicePort) facts.Service {
		return facts.Service{Metadata: facts.ObjectMeta{Namespace: "default", Name: name}, Spec: facts.ServiceSpec{ClusterIP: ip, Ports: ports}}
	}
	dual := service("web", "10.96.0.9", facts.ServicePort{Port: 80, NodePort: 30080})
	dual.Spec.ClusterIPs = []string{"10.96.0.9", "fd00:96::9"}
	alias := service("alias", "")
	alias.Spec.Type, alias.Spec.ExternalName = "ExternalName", "db.example.com"
	nodes := []facts.NodeObject{}
	for i, name := range []string{"n1", "n2"} {
		nodes = append(nodes, facts.NodeObject{Metadata: facts.ObjectMeta{Name: name}, Status: facts.NodeStatus{Addresses: []facts.NodeAddress{
			{Type: "Hostname", Address: name}, {Type: "InternalIP", Address: fmt.Sprintf("192.0.2.%d", i+1)}, {Type: "InternalIP", Address: fmt.Sprintf("2001:db8::%d", i+1)},
		}}})
	}
	return &facts.Snapshot{Nodes: []*facts.Node{node}, Cluster: &facts.Cluster{
		Nodes: facts.ReadGroup(nodes),
		Pods:  facts.ReadGroup([]facts.Pod{pod("a", "n1", "10.1.0.5", "fd00:1::5"), pod("b", "n2", "10.1.1.5"), pod("new", ""), pod("six", "n2", "fd00:1:1::6")}),
		Services: facts.ReadGroup([]facts.Service{
			dual, alias, service("db", "None", facts.ServicePort{Name: "sql", Port: 5432}),
			service("dns", "10.96.0.10", facts.ServicePort{Name: "dns", Port: 53, Protocol: "UDP"}, facts.ServicePort{Name: "dns-tcp", Port: 53}),
		}),
		EndpointSlices: facts.ReadGroup([]facts.EndpointSlice{{
			Metadata:    facts.ObjectMeta{Namespace: "default", Labels: map[string]string{"kubernetes.io/service-name": "db"}},
			AddressType: "IPv4", Ports: []facts.EndpointPort{{Name: "sql", Port: 15432}}, Endpoints: []facts.Endpoint{{Addresses: []string{"10.1.1.7"}, Hostname: "db-0"}, {Addresses: []string{"10.1.1.8"}}},
		}}),
	}}
}

func TestAsk(t *testing.T) {
	const pod, out = "pod/default/a", "ip/203.0.113.7"
	for _, c := range []struct {
		q    question.Question
		want string // sender: source > destinations protocol, or the error
	}{
		{question.Question{From: pod, To: "svc/default/web:80"}, "n1 veth5: 10.1.0.5 > 10.96.0.9:80 tcp of Service default/web"},
		{question.Question{From: pod, To: "svc/default/web"}, "n1 veth5: 10.1.0.5 > 10.96.0.9:80 tcp of Service default/web"},
		{question.Question{From: pod, To: "svc/default/web:81"}, "n1 veth5: 10.1.0.5 > 10.96.0.9:81 tcp of Service default/web"},
		{question.Question{From: pod, To: "svc/default/web", Protocol: "icmp"}, "n1 veth5: 10.1.0.5 > 10.96.0.9:0 icmp of Service default/web"},
		{question.Question{From: pod, To: "svc/default/dns:53"}, "n1 veth5: 10.1.0.5 > 10.96.0.10:53 tcp of Service default/dns"},
		{question.Question{From: pod, To: "svc/default/dns:dns"}, "n1 veth5: 10.1.0.5 > 10.96.0.10:53 udp of Service default/dns"},
		{question.Question{From: pod, To: "svc/default/dns:53", Protocol: "udp"}, "n1 veth5: 10.1.0.5 > 10.96.0.10:53 udp of Service default/dns"},
		{question.Question{From: pod, To: "svc/default/dns:dns", Protocol: "tcp"}, "to svc/default/dns:dns: the Service has no such port over tcp, but dns (53/UDP)"},
		{question.Question{From: pod, To: "svc/default/dns"}, "to svc/default/dns: the port is missing: the Service has dns (53/UDP), dns-tcp (53/TCP)"},
		{question.Question{From: pod, To: "svc/default/dns:http"}, `to svc/default/dns:http: the Service has no port named "http": it has dns (53/UDP), dns-tcp (53/TCP)`},
		{question.Question{From: pod, To: "svc/default/db:sql"}, "n1 veth5: 10.1.0.5 > 10.1.1.7:15432, 10.1.1.8:15432 tcp of an endpoint of headless Service default/db"},
		{question.Question{From: pod, To: "svc/default/alias:80"}, "to svc/default/alias:80: the Service is an alias of db.example.com (ExternalName): facts do not tell its address, name it as ip/ADDRESS:PORT"},
		{question.Question{From: pod, To: "svc/default/nothing:1"}, "to svc/default/nothing:1: there is no Service default/nothing; Services in default: alias, db, dns, web"},
		{question.Question{From: pod, To: "svc/other/web:80"}, "to svc/other/web:80: there is no Service in namespace other; namespaces with Services: default"},
		{question.Question{From: pod, To: "svc/web:80"}, "to svc/web:80: a Service is named as svc/NAMESPACE/NAME"},
		{question.Question{From: pod, To: "pod/default/b:http"}, "n1 veth5: 10.1.0.5 > 10.1.1.5:8080 tcp of Pod default/b"},
		{question.Question{From: pod, To: "pod/default/b:q"}, "n1 veth5: 10.1.0.5 > 10.1.1.5:53 udp of Pod default/b"},
		{question.Question{From: pod, To: "pod/default/b:x"}, `to pod/default/b:x: "x" is no port of Pod default/b; its named ports: http (8080/TCP), q (53/UDP)`},
		{question.Question{From: pod, To: "pod/default/six:80"}, "n1 veth5: fd00:1::5 > [fd00:1:1::6]:80 tcp of Pod default/six"},
		{question.Question{From: pod, To: "pod/default/new:80"}, "to pod/default/new:80: the Pod has no address (phase Running)"},
		{question.Question{From: pod, To: "ip/[2001:db8::7]:443"}, "n1 veth5: fd00:1::5 > [2001:db8::7]:443 tcp"},
		{question.Question{From: pod, To: "ip/2001:db8::7", Protocol: "icmp"}, "n1 veth5: fd00:1::5 > [2001:db8::7]:0 icmpv6"},
		{question.Question{From: pod, To: "ip/2001:db8::7"}, "to ip/2001:db8::7: the port is missing (…:PORT)"},
		{question.Question{From: pod, To: "ip/10.0.0.256:1"}, `to ip/10.0.0.256:1: "10.0.0.256" is no address`},
		{question.Question{From: pod, To: "node/n2:http"}, `to node/n2:http: "http" is no port`},
		{question.Question{From: pod, To: "node/n3:80"}, `to node/n3:80: there is no node "n3" with an address among the facts; nodes: n1, n2`},
		{question.Question{From: pod, To: "web:80"}, "n1 veth5: 10.1.0.5 > 10.96.0.9:80 tcp of web.default.svc.cluster.local, Service default/web"},
		{question.Question{From: pod, To: "dns.default:dns"}, "n1 veth5: 10.1.0.5 > 10.96.0.10:53 udp of dns.default.svc.cluster.local, Service default/dns"},
		{question.Question{From: pod, To: "db:15432"}, "n1 veth5: 10.1.0.5 > 10.1.1.7:15432, 10.1.1.8:15432 tcp of db.default.svc.cluster.local, endpoints of headless Service default/db"},
		{question.Question{From: pod, To: "db-0.db:15432"}, "n1 veth5: 10.1.0.5 > 10.1.1.7:15432 tcp of db-0.db.default.svc.cluster.local, endpoints of headless Service default/db"},
		{question.Question{From: pod, To: "example.com:443"}, "to example.com:443: name example.com: it is no name of the cluster's, and facts do not tell what a DNS server outside answers; name its address as ip/ADDRESS:PORT"},
		{question.Question{From: pod, To: "what/web:80"}, "to what/web:80: it begins with none of svc/, pod/, node/, ip/, and is no name of DNS"},
		{question.Question{From: pod, To: ":80"}, "to :80: the name is missing"},
		{question.Question{From: pod, To: "web:80", Protocol: "gre"}, `to web:80: protocol "gre" is not one of tcp, udp, icmp, sctp`},
		{question.Question{From: pod, To: "ip/192.0.2.2:80", Protocol: "icmp"}, "to ip/192.0.2.2:80: icmp has no ports"},
		{question.Question{From: pod, To: "web:80", Via: "n1"}, "via names the node that a packet from outside arrives at: this one does not come from outside"},
		{question.Question{From: "node/n1", To: "web.default.svc.cluster.local:80"}, "n1 : own > 10.96.0.9:80 tcp of web.default.svc.cluster.local, Service default/web"},
		{question.Question{From: "node/n2", To: "web:80"}, `from node/n2: node "n2" was not collected: netcause collect on n2; collected: n1`},
		{question.Question{From: "node/n9", To: "web:80"}, `from node/n9: there is no node "n9" among the facts; collected: n1`},
		{question.Question{From: "pod/default/b", To: "svc/default/web:80"}, `from pod/default/b: node "n2" was not collected: netcause collect on n2; collected: n1`},
		{question.Question{From: "pod/default/new", To: "svc/default/web:80"}, "from pod/default/new: the Pod is on no node yet (phase Running)"},
		{question.Question{From: "pod/default/x", To: "svc/default/web:80"}, "from pod/default/x: there is no Pod default/x among the facts; Pods in default: a, b, new, six"},
		{question.Question{From: "pod/x", To: "svc/default/web:80"}, "from pod/x: a Pod is named as pod/NAMESPACE/NAME"},
		{question.Question{From: "somebody", To: "svc/default/web:80"}, "from somebody: it begins with none of pod/, node/, ip/"},
		{question.Question{From: out, To: "node/n1:30080"}, "n1 eth0: 203.0.113.7 > 192.0.2.1:30080 tcp of node n1"},
		{question.Question{From: "ip/2001:db8:9::7", To: "node/n1:30080"}, "n1 eth0: 2001:db8:9::7 > [2001:db8::1]:30080 tcp of node n1"},
		{question.Question{From: out, To: "ip/192.0.2.1:30080"}, "n1 eth0: 203.0.113.7 > 192.0.2.1:30080 tcp"},
		{question.Question{From: out, To: "ip/198.51.100.8:80"}, "from ip/203.0.113.7: name the node that it arrives at with --via; nodes: n1"},
		{question.Question{From: out, To: "ip/198.51.100.8:80", Via: "n1"}, "n1 eth0: 203.0.113.7 > 198.51.100.8:80 tcp"},
		{question.Question{From: out, To: "ip/198.51.100.8:80", Via: "n2"}, `from ip/203.0.113.7: node "n2" was not collected: netcause collect on n2; collected: n1`},
		{question.Question{From: "ip/nine", To: "node/n1:80"}, `from ip/nine: "nine" is no address`},
	} {
		t.Run(c.q.From+" "+c.q.To, func(t *testing.T) {
			s := snapshot()
			asked, err := question.Ask(s, datapath.New(s), c.q)
			got := ""
			if err != nil {
				got = err.Error()
			} else {
				var to []string
				src := "own"
				for _, p := range asked.Packets {
					to = append(to, netip.AddrPortFrom(p.Dst, p.Dport).String())
					if p.Src.IsValid() {
						src = p.Src.String()
					}
				}
				got = fmt.Sprintf("%s %s: %s > %s %s", asked.Sender.Node, asked.Sender.Dev, src, strings.Join(to, ", "), asked.Packets[0].Proto)
				if asked.Resolved != "" {
					got += " of " + asked.Resolved
				}
			}
			if got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}

// Nothing among the facts is no panic.
func TestAskOfNothing(t *testing.T) {
	s := &facts.Snapshot{}
	for _, to := range []string{"svc/a/b:1", "pod/a/b:1", "node/n:1", "ip/192.0.2.1:1", "web:1", "", ":", "/", "ip/", "svc//:"} {
		for _, from := range []string{"pod/a/b", "node/n", "ip/192.0.2.9", ""} {
			if _, err := question.Ask(s, datapath.New(s), question.Question{From: from, To: to}); err == nil {
				t.Errorf("%s to %s: no error", from, to)
			}
		}
	}
}
