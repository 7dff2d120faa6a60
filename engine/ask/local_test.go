package ask

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

const localRules = `*filter
:KUBE-EXTERNAL-SERVICES - [0:0]
[%s] -A KUBE-EXTERNAL-SERVICES -p tcp -m comment --comment "shop/web:http has no local endpoints" -m addrtype --dst-type LOCAL -m tcp --dport 30080 -j DROP
COMMIT
`

func TestLocalTraffic(t *testing.T) {
	const counted = "7:420"
	for _, test := range []struct {
		name   string
		rules  string
		change func(*facts.Service, *facts.Node)
		want   string
	}{
		{"packets were dropped", fmt.Sprintf(localRules, counted), nil, "dropping 7"},
		{"none came", fmt.Sprintf(localRules, "0:0"), nil, "quiet"},
		{"counters were not read", "", nil, "unknown"},
		{"a listing without counters", "*filter\n:KUBE-EXTERNAL-SERVICES - [0:0]\n-A KUBE-EXTERNAL-SERVICES -j RETURN\nCOMMIT\n", nil, "unknown"},
		{"policy Cluster", fmt.Sprintf(localRules, counted), func(s *facts.Service, _ *facts.Node) { s.Spec.ExternalTrafficPolicy = "Cluster" }, ""},
		{
			"an address of its load balancer is the node's", fmt.Sprintf(localRules, "0:0"), func(s *facts.Service, n *facts.Node) {
				s.Spec.Type, s.Spec.HealthCheckNodePort = "LoadBalancer", 31000
				s.Status.LoadBalancer.Ingress = []facts.LoadBalancerIngress{{IP: "192.0.2.50"}}
				n.Addresses = facts.ReadGroup([]facts.Address{{Source: "ip address", Dev: "eth0", Local: netip.MustParseAddr("192.0.2.50")}})
			}, "quiet holding 192.0.2.50 on eth0 checked",
		},
		{
			"IPVS has it on its own device", fmt.Sprintf(localRules, "0:0"), func(s *facts.Service, n *facts.Node) {
				s.Spec.ExternalIPs = []string{"192.0.2.50"}
				n.Addresses = facts.ReadGroup([]facts.Address{{Source: "ip address", Dev: "kube-ipvs0", Local: netip.MustParseAddr("192.0.2.50")}})
			}, "quiet",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			service := webService("web", labelled("app", "web"), facts.ServicePort{Name: "http", Port: 80, TargetPort: float64(8080), NodePort: 30080})
			service.Spec.Type, service.Spec.ExternalTrafficPolicy = "NodePort", "Local"
			node := &facts.Node{Name: "n2"}
			if test.rules != "" {
				node = nodeWithRules(test.rules)
				node.Name = "n2"
			}
			if test.change != nil {
				test.change(&service, node)
			}
			cluster := shop([]facts.Service{service}, nil)
			slice := sliceOf(endpointAt("10.244.1.7", "n1", nil))
			slice.Ports[0].Name = "http"
			cluster.EndpointSlices.Value = []facts.EndpointSlice{slice}
			cluster.Nodes = facts.ReadGroup([]facts.NodeObject{{Metadata: facts.ObjectMeta{Name: "n1"}}, {Metadata: facts.ObjectMeta{Name: "n2"}}})
			got, err := askLocalTraffic(incidentOf(cluster, node, &facts.Node{Name: "client"}), nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, shownLocal(got.(localTrafficAnswer))); diff != "" {
				t.Errorf("%s\n%+v", diff, got)
			}
		})
	}
}

func shownLocal(a localTrafficAnswer) string {
	if len(a.Services) == 0 {
		return ""
	}
	s, text := a.Services[0], ""
	switch {
	case len(s.Dropping) > 0:
		text = fmt.Sprintf("dropping %d", s.Dropping[0].Packets)
	case len(s.Quiet) > 0:
		text = "quiet"
	case len(s.Unknown) > 0:
		text = "unknown"
	}
	if len(s.Holding) > 0 {
		text += fmt.Sprintf(" holding %s on %s", s.Holding[0].Address, s.Holding[0].Dev)
	}
	if s.Checked {
		text += " checked"
	}
	return text
}
