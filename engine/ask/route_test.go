package ask

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/netcause/netcause/engine/facts"
)

func TestAskRoute(t *testing.T) {
	route := func(table int, dst, dev string, metric int, kind string) facts.Route {
		prefix := netip.MustParsePrefix(dst)
		return facts.Route{Type: kind, Dst: prefix, Dev: dev, Metric: metric, Table: table}
	}
	lookup := func(priority, table int) facts.RoutingRule {
		return facts.RoutingRule{Family: "inet", Priority: priority, Action: "lookup", Table: table, SuppressPrefixlength: -1}
	}
	standard := []facts.RoutingRule{lookup(0, facts.TableLocal), lookup(32766, facts.TableMain), lookup(32767, facts.TableDefault)}
	routes := []facts.Route{
		route(facts.TableMain, "0.0.0.0/0", "eth0", 100, "unicast"),
		route(facts.TableMain, "0.0.0.0/0", "eth1", 50, "unicast"),
		route(facts.TableMain, "10.233.65.0/24", "flannel.1", 0, "unicast"),
		route(facts.TableMain, "10.233.66.0/24", "", 0, "blackhole"),
		route(facts.TableLocal, "10.0.0.1/32", "eth0", 0, "local"),
		route(100, "0.0.0.0/0", "wg0", 0, "unicast"),
		route(200, "198.51.100.0/24", "", 0, "throw"),
	}
	with := func(rules ...facts.RoutingRule) []facts.RoutingRule { return append(rules, standard...) }
	suppress := lookup(10, facts.TableMain)
	suppress.SuppressPrefixlength = 0
	marked := lookup(10, 100)
	marked.Fwmark, marked.Fwmask = 1, 0xffffffff
	unmarked, from := marked, lookup(10, 100)
	unmarked.Not = true
	from.From = "10.233.64.0/24"
	blackhole, jump := lookup(5, 0), lookup(5, 0)
	blackhole.Action = "blackhole"
	jump.Action, jump.Goto = "goto", 30
	to := lookup(10, 100)
	to.To = "192.0.2.0/24"
	for _, c := range []struct {
		name, address string
		rules         []facts.RoutingRule
		status, dev   string
	}{
		{"longest prefix", "10.233.65.9", standard, "route", "flannel.1"},
		{"lowest metric", "192.0.2.1", standard, "route", "eth1"},
		{"blackhole", "10.233.66.9", standard, "route", ""},
		{"local before main", "10.0.0.1", standard, "route", "eth0"},
		{"no policy rules were read", "10.0.0.1", nil, "route", "eth0"},
		{"suppressed default", "192.0.2.1", []facts.RoutingRule{suppress, lookup(20, 100)}, "route", "wg0"},
		{"packets with a mark", "192.0.2.1", with(marked), "route", "eth1"},
		{"packets without a mark", "192.0.2.1", with(unmarked), "route", "wg0"},
		{"the source may decide", "192.0.2.1", with(from), "unknown", "wg0"},
		{"to another network", "10.233.65.9", with(to), "route", "flannel.1"},
		{"to this network", "192.0.2.1", with(to), "route", "wg0"},
		{"throw goes on", "198.51.100.1", with(lookup(5, 200)), "route", "eth1"},
		{"IPv6 has no route", "2001:db8::1", standard, "none", ""},
		{"a rule that throws packets away", "192.0.2.1", with(blackhole), "none", ""},
		{"a rule that leads on", "10.233.65.9", []facts.RoutingRule{jump, lookup(20, 100), lookup(30, facts.TableMain)}, "route", "flannel.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := &facts.Node{Name: "n1"}
			n.Routes = facts.ReadGroup(routes)
			if c.rules != nil {
				n.Rules = facts.ReadGroup(c.rules)
			}
			in := NewIncident(&facts.Snapshot{Nodes: []*facts.Node{n}})
			got, err := askRoute(in, []any{"n1", c.address})
			if err != nil {
				t.Fatal(err)
			}
			answer := got.(routeAnswer)
			dev := ""
			if answer.Route != nil {
				dev = answer.Route.Dev
			}
			if answer.Status != c.status || dev != c.dev {
				t.Errorf("%s by %q, want %s by %q", answer.Status, dev, c.status, c.dev)
			}
		})
	}
}

// A Pod of the second card has a table of its own, by its source.
func TestAskLookup(t *testing.T) {
	n := &facts.Node{Name: "n1"}
	n.Routes = facts.ReadGroup([]facts.Route{
		{Type: "unicast", Dst: netip.MustParsePrefix("0.0.0.0/0"), Dev: "eth0", Table: facts.TableMain},
		{Type: "unicast", Dst: netip.MustParsePrefix("0.0.0.0/0"), Dev: "eth1", Table: 2},
	})
	n.Rules = facts.ReadGroup([]facts.RoutingRule{
		{Family: "inet", Priority: 1536, Action: "lookup", Table: 2, From: "192.0.2.30", SuppressPrefixlength: -1},
		{Family: "inet", Priority: 32766, Action: "lookup", Table: facts.TableMain, SuppressPrefixlength: -1},
	})
	in := NewIncident(&facts.Snapshot{Nodes: []*facts.Node{n}})
	for src, dev := range map[string]string{"192.0.2.30": "eth1", "192.0.2.31": "eth0"} {
		answer, err := askLookup(in, []any{"n1", map[string]any{"src": src, "dst": "198.51.100.1", "iif": "veth0"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := answer.(routeAnswer); got.Status != "route" || got.Route.Dev != dev {
			t.Errorf("from %s: %+v", src, got)
		}
	}
	if _, err := askLookup(in, []any{"n1", map[string]any{"dst": "198.51.100.1"}}); err == nil {
		t.Error("a packet that comes from nowhere")
	}
}

func TestFunctionsRefuseWhatTheyCannotAsk(t *testing.T) {
	in := NewIncident(&facts.Snapshot{Nodes: []*facts.Node{{Name: "n1"}}})
	if _, err := askRoute(in, []any{"nobody", "10.0.0.1"}); err == nil {
		t.Error("a route of a node that is not there")
	}
	if _, err := askRoute(in, []any{"n1", "ten"}); err == nil {
		t.Error("a route to no address")
	}
	if _, err := askServicePath(in, []any{"n1", "10.0.0.1", "tcp", json.Number("70000")}); err == nil {
		t.Error("a way to no port")
	}
	answer, err := askRoute(in, []any{"n1", "10.0.0.1"})
	if err != nil || answer.(routeAnswer).Status != "unknown" {
		t.Errorf("a route of a node whose routes were not read: %v, %v", answer, err)
	}
}
