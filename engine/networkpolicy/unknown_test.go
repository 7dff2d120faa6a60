package networkpolicy

import (
	"slices"
	"strings"
	"testing"

	"github.com/netcause/netcause/engine/facts"
)

// TestUnknownNamesWhatIsMissing: what is not known is said, in which group it would be, and taken for an answer nowhere.
func TestUnknownNamesWhatIsMissing(t *testing.T) {
	xa := func(c *facts.Cluster) Connection { return between(c, "y/b", "x/a", tcp, 80) }
	toDst := func(dst string) func(*facts.Cluster) Connection {
		return func(*facts.Cluster) Connection {
			return Connection{Src: addr("10.244.1.10"), Dst: addr(dst), Protocol: tcp, Port: 80}
		}
	}
	unreadPolicies := func(c *facts.Cluster) {
		c.NetworkPolicies = facts.Unread[[]facts.NetworkPolicy](facts.Denied, "list networkpolicies is forbidden")
	}
	unreadPods := func(c *facts.Cluster) { c.Pods = facts.Unread[[]facts.Pod](facts.Absent, "no pods.json") }
	unreadNamespaces := func(c *facts.Cluster) {
		c.Namespaces = facts.Unread[[]facts.NamespaceObject](facts.NotAsked, "")
	}
	limitedTo := func(names string) func(*facts.Cluster) {
		return func(c *facts.Cluster) { c.NetworkPolicies.Reason = "limited to namespaces " + names }
	}
	for name, test := range map[string]struct {
		policies []string
		change   func(*facts.Cluster)
		conn     func(*facts.Cluster) Connection
		want     Outcome
		group    string // of a missing fact
		what     string // in its text
	}{
		"policies not read": {change: unreadPolicies, conn: xa, group: policies, what: "forbidden"},
		"policies of another namespace not read": {
			policies: []string{"x/p", allowIn}, change: limitedTo("x, y, kube-system"), conn: xa, want: Allowed,
		},
		"policies of this namespace not read":      {change: limitedTo("y, kube-system"), conn: xa, group: policies, what: "limited to"},
		"policies of this namespace partly denied": {change: limitedTo("x, y; list networkpolicies is forbidden in namespace y"), conn: xa, group: policies},
		"a rule that is there allows whatever was not read": {
			policies: []string{"x/p", allowIn, "y/p", allowOut}, change: limitedTo("z"), conn: xa, want: Allowed,
		},
		"policies that are there may not be all": {
			policies: []string{"x/p", denyIngress}, change: limitedTo("y"), conn: xa, group: policies,
		},

		"Pods not read, no policies": {change: unreadPods, conn: func(*facts.Cluster) Connection {
			return Connection{Src: addr("10.244.2.11"), Dst: addr("10.244.1.10"), Protocol: tcp, Port: 80}
		}, want: Allowed},
		"Pods not read": {
			policies: []string{"x/p", denyIngress}, change: unreadPods,
			conn: func(*facts.Cluster) Connection {
				return Connection{Src: addr("10.244.2.11"), Dst: addr("10.244.1.10"), Protocol: tcp, Port: 80}
			},
			group: pods, what: "no pods.json",
		},
		"the peer is no Pod that was read": {
			policies: []string{"x/p", fromPeers(`{"namespaceSelector":{"matchLabels":{"ns":"y"}}}`)},
			conn: func(*facts.Cluster) Connection {
				return Connection{Src: addr("10.244.2.99"), Dst: addr("10.244.1.10"), Protocol: tcp, Port: 80}
			},
			group: pods, what: "podCIDR 10.244.2.0/24 of node nb",
		},
		"whoever it is, the port is not open": {
			policies: []string{"x/p", `{"podSelector":{},"ingress":[{"from":[{"podSelector":{}}],"ports":[{"port":443}]}]}`},
			conn: func(*facts.Cluster) Connection {
				return Connection{Src: addr("10.244.2.99"), Dst: addr("10.244.1.10"), Protocol: tcp, Port: 80}
			},
			want: Denied,
		},
		"unless it may be the bridge of the Pod's own node": {
			policies: []string{"x/p", denyIngress},
			conn: func(*facts.Cluster) Connection {
				return Connection{Src: addr("10.244.1.1"), Dst: addr("10.244.1.10"), Protocol: tcp, Port: 80}
			},
			group: nodes, what: "address of the node of Pod x/a",
		},
		"or any address of it, nodes not read": {
			policies: []string{"x/p", denyIngress},
			change:   func(c *facts.Cluster) { c.Nodes = facts.Unread[[]facts.NodeObject](facts.NotAsked, "") },
			conn: func(*facts.Cluster) Connection {
				return Connection{Src: addr("203.0.113.9"), Dst: addr("10.244.1.10"), Protocol: tcp, Port: 80}
			},
			group: nodes, what: "address of the node of Pod x/a",
		},
		"an ipBlock needs no Pod": {
			policies: []string{"x/p", fromPeers(`{"ipBlock":{"cidr":"10.244.2.0/24"}}`)},
			conn: func(*facts.Cluster) Connection {
				return Connection{Src: addr("10.244.2.99"), Dst: addr("10.244.1.10"), Protocol: tcp, Port: 80}
			},
			want: Allowed,
		},
		"the Pod that had the address ended": {
			policies: []string{"x/p", denyIngress},
			change:   func(c *facts.Cluster) { podOf(c, "x/a").Status.Phase = "Failed" },
			conn:     xa, group: pods, what: "Pod x/a, which had it, ended (Failed)",
		},
		"the Pod that has the address is terminating": {
			policies: []string{"x/p", denyIngress},
			change:   func(c *facts.Cluster) { podOf(c, "x/a").Metadata.DeletionTimestamp = "2026-01-02T03:04:05Z" },
			conn:     xa, group: pods, what: "is terminating",
		},
		"unless the caller says that it is this Pod": {
			policies: []string{"x/p", denyIngress},
			change:   func(c *facts.Cluster) { podOf(c, "x/a").Metadata.DeletionTimestamp = "2026-01-02T03:04:05Z" },
			conn: func(c *facts.Cluster) Connection {
				return Connection{SrcPod: podOf(c, "y/b"), DstPod: podOf(c, "x/a"), Protocol: tcp, Port: 80}
			},
			want: Denied,
		},
		"two Pods with one address": {
			policies: []string{"x/p", denyIngress},
			change:   func(c *facts.Cluster) { podOf(c, "z/c").Status.PodIPs[0].IP = "10.244.1.10" },
			conn:     xa, group: pods, what: "Pod x/a and Pod z/c have it",
		},

		"labels of namespaces not read": {
			policies: []string{"x/p", fromPeers(`{"namespaceSelector":{"matchLabels":{"ns":"y"}}}`)},
			change:   unreadNamespaces, conn: xa, group: namespaces, what: "labels of namespace y: not-asked",
		},
		"a namespace that is not among them": {
			policies: []string{"x/p", fromPeers(`{"namespaceSelector":{"matchLabels":{"ns":"y"}}}`)},
			change: func(c *facts.Cluster) {
				c.Namespaces.Value = slices.DeleteFunc(c.Namespaces.Value, func(n facts.NamespaceObject) bool { return n.Metadata.Name == "y" })
			},
			conn: xa, group: namespaces, what: "it is not among the namespaces",
		},
		"the label of the name is known by the name": {
			policies: []string{"x/p", fromPeers(`{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"y"}}}`)},
			change:   unreadNamespaces, conn: xa, want: Allowed,
		},
		"and by another name denied": {
			policies: []string{"x/p", fromPeers(`{"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"z"}}}`)},
			change:   unreadNamespaces, conn: xa, want: Denied,
		},
		"an empty namespaceSelector needs no labels": {
			policies: []string{"x/p", fromPeers(`{"namespaceSelector":{}}`)},
			change:   unreadNamespaces, conn: xa, want: Allowed,
		},
		"the podSelector beside it says no": {
			policies: []string{"x/p", fromPeers(`{"namespaceSelector":{"matchLabels":{"ns":"y"}},"podSelector":{"matchLabels":{"pod":"c"}}}`)},
			change:   unreadNamespaces, conn: xa, want: Denied,
		},

		"destination is a Service": {
			policies: []string{"x/p", toPeers(`{"podSelector":{}}`)},
			change: func(c *facts.Cluster) {
				c.Services.Value = []facts.Service{{Metadata: facts.ObjectMeta{Namespace: "x", Name: "s"}, Spec: facts.ServiceSpec{ClusterIP: "10.96.0.7"}}}
			},
			conn: toDst("10.96.0.7"), group: "cluster.endpointslices", what: "Service x/s",
		},
		"destination is a Service that ipBlock covers": {
			policies: []string{"x/p", toPeers(`{"ipBlock":{"cidr":"10.96.0.0/12"}}`)},
			change: func(c *facts.Cluster) {
				c.Services.Value = []facts.Service{{Metadata: facts.ObjectMeta{Namespace: "x", Name: "s"}, Spec: facts.ServiceSpec{ClusterIP: "10.96.0.7"}}}
			},
			conn: toDst("10.96.0.7"), group: "cluster.endpointslices",
		},
		"protocol that policies are not defined for": {
			policies: []string{"x/p", denyIngress},
			conn:     func(c *facts.Cluster) Connection { return between(c, "y/b", "x/a", "ICMP", 0) },
			what:     "ICMP",
		},
		"such a protocol without policies": {
			conn: func(c *facts.Cluster) Connection { return between(c, "y/b", "x/a", "ICMP", 0) }, want: Allowed,
		},
		"port not known": {
			policies: []string{"x/p", `{"podSelector":{},"ingress":[{"ports":[{"port":80}]}]}`},
			conn:     func(c *facts.Cluster) Connection { return between(c, "y/b", "x/a", tcp, 0) }, what: "destination port",
		},
		"port not known and all are open": {
			policies: []string{"x/p", `{"podSelector":{},"ingress":[{"ports":[{"protocol":"TCP"}]}]}`},
			conn:     func(c *facts.Cluster) Connection { return between(c, "y/b", "x/a", tcp, 0) }, want: Allowed,
		},
		"protocol not known": {
			policies: []string{"x/p", `{"podSelector":{},"ingress":[{"ports":[{"port":80}]}]}`},
			conn:     func(c *facts.Cluster) Connection { return between(c, "y/b", "x/a", "", 80) }, what: "protocol",
		},
		"a port that a sidecar may have named": {
			policies: []string{"x/p", `{"podSelector":{},"ingress":[{"ports":[{"port":"metrics"}]}]}`},
			change: func(c *facts.Cluster) {
				podOf(c, "x/a").Status.InitContainerStatuses = []facts.ContainerStatus{{State: facts.ContainerState{Running: &struct{}{}}}}
			},
			conn: xa, group: pods, what: "init containers of Pod x/a",
		},

		"a bad cidr":                {policies: []string{"x/p", fromPeers(`{"ipBlock":{"cidr":"10.0.0.0/64"}}`)}, conn: xa, what: `ipBlock cidr "10.0.0.0/64"`},
		"a bad exception":           {policies: []string{"x/p", fromPeers(`{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.x"]}}`)}, conn: xa, what: "except"},
		"a bad exception elsewhere": {policies: []string{"x/p", fromPeers(`{"ipBlock":{"cidr":"172.16.0.0/12","except":["10.x"]}}`)}, conn: xa, want: Denied},
		"an empty peer":             {policies: []string{"x/p", fromPeers(`{}`)}, conn: xa, what: "empty peer"},
		"ipBlock and a selector":    {policies: []string{"x/p", fromPeers(`{"ipBlock":{"cidr":"10.0.0.0/8"},"podSelector":{}}`)}, conn: xa, what: "ipBlock together"},
		"a bad operator":            {policies: []string{"x/p", fromPeers(`{"namespaceSelector":{"matchExpressions":[{"key":"ns","operator":"Like","values":["y"]}]}}`)}, conn: xa, what: "ns Like (y)"},
		"In without values":         {policies: []string{"x/p", fromPeers(`{"namespaceSelector":{"matchExpressions":[{"key":"ns","operator":"In"}]}}`)}, conn: xa, what: "ns In"},
		"Exists with values":        {policies: []string{"x/p", fromPeers(`{"namespaceSelector":{},"podSelector":{"matchExpressions":[{"key":"pod","operator":"Exists","values":["a"]}]}}`)}, conn: xa, what: "pod Exists (a)"},
		"port 0":                    {policies: []string{"x/p", `{"podSelector":{},"ingress":[{"ports":[{"port":0}]}]}`}, conn: xa, what: "port 0"},
		"a fraction of a port":      {policies: []string{"x/p", `{"podSelector":{},"ingress":[{"ports":[{"port":80.5}]}]}`}, conn: xa, what: "port 80.5"},
		"port too great":            {policies: []string{"x/p", `{"podSelector":{},"ingress":[{"ports":[{"port":65536}]}]}`}, conn: xa, what: "port 65536"},
		"port of a strange type":    {policies: []string{"x/p", `{"podSelector":{},"ingress":[{"ports":[{"port":{"a":1}}]}]}`}, conn: xa, what: "port map"},
		"port in a string":          {policies: []string{"x/p", `{"podSelector":{},"ingress":[{"ports":[{"port":"80"}]}]}`}, conn: xa, what: `port "80"`},
		"endPort before port":       {policies: []string{"x/p", `{"podSelector":{},"ingress":[{"ports":[{"port":90,"endPort":70}]}]}`}, conn: xa, what: "endPort 70"},
		"endPort of a name":         {policies: []string{"x/p", `{"podSelector":{},"ingress":[{"ports":[{"port":"web","endPort":90}]}]}`}, conn: xa, what: "named port"},
		"endPort without port":      {policies: []string{"x/p", `{"podSelector":{},"ingress":[{"ports":[{"endPort":90}]}]}`}, conn: xa, what: "endPort 90 without port"},
		"a bad protocol":            {policies: []string{"x/p", `{"podSelector":{},"ingress":[{"ports":[{"protocol":"tcp","port":80}]}]}`}, conn: xa, what: `protocol "tcp"`},
		"a bad port of another protocol does not matter": {
			policies: []string{"x/p", `{"podSelector":{},"ingress":[{"ports":[{"protocol":"UDP","port":-1}]}]}`}, conn: xa, want: Denied,
		},
		"nor a bad peer of another port": {
			policies: []string{"x/p", `{"podSelector":{},"ingress":[{"from":[{}],"ports":[{"port":443}]}]}`}, conn: xa, want: Denied,
		},
		"nor where another rule allows": {
			policies: []string{"x/p", `{"podSelector":{},"ingress":[{"from":[{}]},{}]}`}, conn: xa, want: Allowed,
		},
		"a policy that may select the Pod": {
			policies: []string{"x/p", `{"podSelector":{"matchExpressions":[{"key":"pod","operator":"~"}]}}`}, conn: xa, what: "podSelector pod ~",
		},
		"and would allow": {
			policies: []string{"x/p", `{"podSelector":{"matchExpressions":[{"key":"pod","operator":"~"}]},"ingress":[{}]}`}, conn: xa, want: Allowed,
		},
		"and would allow, beside policies that were not read": {
			policies: []string{"x/p", `{"podSelector":{"matchExpressions":[{"key":"pod","operator":"~"}]},"ingress":[{}]}`},
			change:   limitedTo("y"), conn: xa, group: policies,
		},
		"and does not select it for another reason": {
			policies: []string{"x/p", `{"podSelector":{"matchLabels":{"pod":"b"},"matchExpressions":[{"key":"pod","operator":"~"}]}}`}, conn: xa, want: Allowed,
		},
		"and does not help against a denial": {
			policies: []string{"x/deny", denyIngress, "x/p", `{"podSelector":{"matchExpressions":[{"key":"pod","operator":"~"}]}}`}, conn: xa, want: Denied,
		},
		"and may help against a denial": {
			policies: []string{"x/deny", denyIngress, "x/p", `{"podSelector":{"matchExpressions":[{"key":"pod","operator":"~"}]},"ingress":[{}]}`},
			conn:     xa, what: "podSelector pod ~",
		},
		"a bad policyType":         {policies: []string{"x/p", `{"podSelector":{},"policyTypes":["ingress"]}`}, conn: xa, what: "policyTypes"},
		"beside a good one":        {policies: []string{"x/p", `{"podSelector":{},"policyTypes":["Ingress","Sideways"]}`}, conn: xa, want: Denied},
		"a policy of no namespace": {policies: []string{"/p", denyIngress}, conn: xa, what: "without a namespace"},
		"nothing known of one end": {policies: []string{"x/p", denyIngress}, conn: func(*facts.Cluster) Connection { return Connection{} }, group: pods},
		"a node whose address is unknown": {
			policies: []string{"x/p", fromPeers(`{"ipBlock":{"cidr":"10.0.0.0/8"}}`)},
			conn: func(c *facts.Cluster) Connection {
				return Connection{SrcNode: "nb", DstPod: podOf(c, "x/a"), Protocol: tcp, Port: 80}
			},
			what: "address of node nb",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var given []facts.NetworkPolicy
			for i := 0; i < len(test.policies); i += 2 {
				given = append(given, np(t, test.policies[i], test.policies[i+1]))
			}
			c := world(given)
			conn := test.conn(c)
			if test.change != nil {
				// Addresses are of the world before: what the caller saw of the wire.
				test.change(c)
				if conn.SrcPod != nil || conn.DstPod != nil {
					conn = test.conn(c)
				}
			}
			v := New(c).Judge(conn)
			coherent(t, v)
			if v.Outcome() != test.want {
				t.Fatalf("got %s, want %s: %+v", v.Outcome(), test.want, v)
			}
			missing := slices.Concat(v.Egress.Missing, v.Ingress.Missing)
			found := test.group == "" && test.what == ""
			for _, m := range missing {
				found = found || m.Group == test.group && strings.Contains(m.What, test.what)
			}
			if !found {
				t.Errorf("missing are %q, want one of %q about %q", missing, test.group, test.what)
			}
		})
	}
}

func TestNothingIsKnown(t *testing.T) {
	for name, c := range map[string]*facts.Cluster{"nil": nil, "empty": {}} {
		v := New(c).Judge(Connection{Src: addr("10.0.0.1"), Dst: addr("10.0.0.2"), Protocol: tcp, Port: 80})
		coherent(t, v)
		if v.Egress.Outcome != Unknown || v.Ingress.Outcome != Unknown {
			t.Errorf("%s: %+v", name, v)
		}
	}
}
