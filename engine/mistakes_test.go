package engine

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/netcause/netcause/engine/facts"
)

// finds is a finding in order, for rules that are about something else.
const finds = `{"message": "m", "evidence": [{"fact": "f", "value": "v", "source": "s"}]}`

// What a beginner gets wrong is one message: file, line, what is wrong and what to write.
func TestMistakesOfBeginners(t *testing.T) {
	finding := func(body string) string { return "finding contains " + finds + " if {\n" + body + "\n}" }
	for _, c := range []struct{ name, body, want string }{
		{"v0", "finding[f] { f := input.node.links }", "12: this is Rego v0, and rules are Rego v1: write `finding contains f if { … }`"},
		{"v0 with contains", "finding contains f { f := 1 }", "12: this is Rego v0"},
		{"unsafe variable", "finding contains {\"message\": x} if input.node.links", "12: nothing gives x a value: is it misspelt"},
		{"unused variable", finding("x := 1"), "13: x gets a value that nothing uses"},
		{"unclosed body", "finding contains " + finds + " if {\n\tinput.node.links", "the text ends within a rule: a bracket that is opened above is not closed"},
		{"bracket too many", finding("count(input.node.links) > 1)"), "13: a condition ends before this `)`"},
		{"single quotes", finding("input.node.name == 'a'"), `13: ' is a character that Rego does not know: texts stand in "…"`},
		{"and", finding("input.node.name == \"a\" and input.node.collected"), "13: Rego has no `and`"},
		{"or", finding("input.node.name == \"a\" or input.node.collected"), "13: Rego has no `or`"},
		{"if within a body", finding("if input.node.collected { true }"), "13: an `if` within a body"},
		{"recursion", "finding contains " + finds + " if f(1)\n\nf(x) if f(x)", "asks for itself"},
		{"misspelt function", finding("cound(input.node.links) > 1"), `13: there is no function cound, did you mean "count"?`},
		{"misspelt function of netcause", finding("netcause.rout(input.node.name, \"192.0.2.1\")"), `did you mean "netcause.route"?`},
		{"network", finding(`http.send({"method": "get", "url": "http://127.0.0.1"})`), "13: http.send is kept from rules: it reaches the network"},
		{"names", finding(`net.lookup_ip_addr("example.com")`), "net.lookup_ip_addr is kept from rules: it reaches the network"},
		{"environment", finding("opa.runtime()"), "opa.runtime is kept from rules: it reads the environment"},
		{"clock", finding("time.now_ns() > 1"), "time.now_ns is kept from rules"},
		{"import", "import data.netcause.lib.nosuch\n\nfinding contains nosuch.x", "12: it imports data.netcause.lib.nosuch, which is nowhere"},
		{"wrong argument", finding(`netcause.route(1, "10.0.0.1")`), "13: netcause.route does not take (a number, a text): it takes (node: a text, address: a text)"},
		{"misspelt field", finding("some link in input.node.links\nlink.mtuu < 1500"), `14: Link has no field "mtuu", did you mean "mtu"?`},
		{"misspelt field behind not", finding("not input.node.linkz"), `13: Node has no field "linkz", did you mean "links"?`},
		{"misspelt field of object.get", finding(`object.get(input.node, "linkz", []) == []`), `did you mean "links"?`},
		{"misspelt field in a helper", finding("some link in input.node.links\n_small(link)") + "\n\n_small(link) if link.mtuu < 1500", `17: Link has no field "mtuu"`},
		{"misspelt field two helpers away", finding("count(_all(input.node)) > 1") + "\n\n_all(node) := [x | some x in node.links; _up(x)]\n\n_up(it) if \"UP\" in it.flgs", `18: Link has no field "flgs", did you mean "flags"?`},
		{"misspelt field of an answer", finding(`netcause.route(input.node.name, "192.0.2.1").statos == "none"`), `did you mean "status"?`},
		{"misspelt field of the cluster", finding("some pod in input.cluster.pods\npod.spec.nodename == input.node.name"), `did you mean "nodeName"?`},
		{"input of the other scope", finding("some node in input.nodes\nnode.links"), "a rule of scope node has input.cluster, input.node, input.peers"},
		{"list as an object", finding("input.node.links.mtu == 1450"), "13: a list of Link has no field \"mtu\": go through it with `some x in …`"},
		{"bulk", finding("input.node.iptables_nft"), "13: iptables_nft is too large to be seen whole: ask about it with a function"},
		{"number and text", finding("some link in input.node.links\nlink.mtu == \"1450\""), "14: == compares a number with a text"},
		{"number and text ordered", finding("some link in input.node.links\nlink.mtu < \"1450\""), "14: < compares a number with a text"},
		{"one finding", "finding := " + finds, "12: finding is a set, one member for each fault"},
		{"name of the set", "findings contains " + finds, `12: findings is asked by nobody: did you mean "finding"?`},
		{"no set", "fault if input.node.links", "10: it says nothing: write `finding contains f if { … }`"},
		{"no evidence", `finding contains {"message": "m"}`, `12: a member of finding has no "evidence": write {"message"`},
		{"misspelt message", `finding contains {"mesage": "m", "evidence": []}`, `a member of finding has no "message" but "mesage"`},
		{"misspelt field of the finding", `finding contains {"message": "m", "evidence": [], "fixes": {}}`, `finding has no field "fixes", did you mean "fix"?`},
		{"number as evidence", "finding contains {\"message\": \"m\", \"evidence\": [{\"fact\": \"f\", \"value\": link.mtu, \"source\": link.source}]} if some link in input.node.links", `finding.evidence[].value is a number, and the engine reads a text: write sprintf("%d", [x])`},
		{"evidence without a source", `finding contains {"message": "m", "evidence": [{"fact": "f", "value": "v", "sources": "s"}]}`, `finding.evidence[] has no field "sources", did you mean "source"?`},
		{"evidence with a fact alone", `finding contains {"message": "m", "evidence": [{"fact": "f"}]}`, `12: evidence of finding has no "value": write {"fact"`},
		{"set of texts as a finding", `finding contains {"message", "evidence"}`, "12: a member of finding is a set, where an object belongs: write {\"message\""},
		{"object without contains", "finding " + finds + " if {\n\tinput.node.links\n}", "12: an object stands where a name is expected: a rule that gives objects begins with `finding contains {…} if {`"},
		{"for", finding("for link in input.node.links"), "Rego has no `for`"},
		{"empty brackets", finding("input.node.links[].mtu < 1500"), "13: nothing stands between [ and ]"},
		{"exclamation mark", finding("!input.node.links"), "13: Rego has no `!`: write `not x`"},
		{"question mark", finding("x := input.node.name == \"a\" ? 1 : 2\nx == 1"), "13: ? is a character that Rego does not know: write two rules"},
		{"dash in a name", finding("pod-mtu := 1"), "13: left of := stands no name"},
		{"second value", finding("x := 1\nx := 2\nx == 2"), "14: x has a value already"},
		{"comma", "finding contains {\n\t\"message\": \"m\"\n\t\"evidence\": [],\n}", "14: the brackets close too late, or a comma lacks in the line above"},
		{"null", finding("some link in input.node.links\nlink.master == null"), "a field that is not there is undefined in Rego, not null: ask with `not`"},
		{"contains of a list", finding("some link in input.node.links\ncontains(link.flags, \"UP\")"), "14: contains does not take (a list, a text): it takes (haystack: a text, needle: a text): whether a list has a member is asked with `x in list`"},
		{"in a text", finding("some link in input.node.links\n\"eth\" in link.ifname"), "14: `in` goes through a list, a set or an object, and this is a text: write `contains(text, \"part\")`"},
		{"some in a text", finding("some x in input.node.name\nx == \"a\""), "13: it goes through a text, which has no members"},
		{"too few arguments", finding("startswith(input.node.name)"), "13: startswith does not take (anything): it takes (search: a text, base: a text)"},
		{"number as %s", finding("some link in input.node.links\nsprintf(\"%s\", [link.mtu]) == \"1450\""), "14: place 1 of sprintf is %s, and its value is a number: write %d"},
		{"text as %d", finding("some link in input.node.links\nsprintf(\"%s has %5d\", [link.ifname, link.ifname]) == \"\""), "14: place 2 of sprintf is %d, and its value is a text: write %s"},
		{"too few values", finding("sprintf(\"%s %s\", [input.node.name]) == \"\""), "13: sprintf has a place 2 and is given 1 values"},
		{"too many values", finding("sprintf(\"100%% %s\", [input.node.name, 1]) == \"\""), "13: sprintf has 1 places and is given 2 values"},
		{"data", finding("some server in data.site.servers\nserver == input.node.name"), "13: data.site.servers is nowhere: a rule sees the facts in input"},
		{"sysctl without brackets", finding("input.node.sysctls.net.ipv4.ip_forward.value == \"0\""), `13: Sysctl has no field "ipv4": a key with dots stands in brackets`},
		{"object of a list by name", finding("input.cluster.pods[\"kube-system/coredns\"]"), "go through it with `some x in …` and compare a field of x"},
		{"text as a finding", `finding contains "broken"`, "a member of finding is a text, where an object belongs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := loadCustom(t, c.body)
			var ruleError *RuleError
			if !errors.As(err, &ruleError) {
				t.Fatalf("error %v, want %q", err, c.want)
			}
			if ruleError.File != "mine/x.rego" || ruleError.Line == 0 || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// loadCustom compiles one custom rule of scope node; its body begins in line 12.
func loadCustom(t *testing.T, body string) error {
	t.Helper()
	library, err := Load(fstest.MapFS{"sound.rego": rule("sound", nodeRule, always)})
	if err != nil {
		t.Fatal(err)
	}
	if err := library.AddCustom(fstest.MapFS{"x.rego": rule("x", nodeRule, body)}, "mine"); err != nil {
		return err
	}
	_, err = library.Compile(t.Context())
	return err
}

// What is right, and looks like a mistake, loads.
func TestNoMistakes(t *testing.T) {
	finding := func(body string) string { return "finding contains " + finds + " if {\n" + body + "\n}" }
	for name, body := range map[string]string{
		"helper for two kinds":  finding("some pod in input.cluster.pods\n_gone(pod)") + "\n\n" + "finding contains " + finds + " if _gone(input.node.object)\n\n_gone(it) if it.spec.taints\n\n_gone(it) if it.spec.nodeName",
		"field by a variable":   finding("some kind in [\"vxlan\", \"tunnel\"]\nsome link in input.node.links\nlink[kind].link == \"eth0\""),
		"labels and data":       finding("input.node.object.metadata.labels[\"kubernetes.io/os\"] == \"linux\"\nsome c in input.cluster.configmaps\nc.data.mode == \"ipvs\""),
		"name or number":        finding("some service in input.cluster.services\nsome port in service.spec.ports\nport.targetPort == \"http\"") + "\n\n" + finding("some service in input.cluster.services\nsome port in service.spec.ports\nport.targetPort == 80"),
		"sets as lists":         "finding contains {\"message\": \"m\", \"affects\": {\"n1\"}, \"evidence\": {e | some e in _facts}} if input.node.name\n\n_facts contains {\"fact\": \"f\", \"value\": \"v\", \"source\": \"s\"}",
		"status of a group":     finding("input.node.status.links.status == \"absent\""),
		"counters":              finding("input.node.conntrack.counters.insert_failed > 0\ninput.node.sysctls[\"net.ipv4.ip_forward\"].value == \"0\""),
		"CNI configuration":     finding("some file in input.node.cni.files\nsome plugin in file.plugins\nplugin.type == \"bridge\"\nplugin.mtu == 1500"),
		"unexamined alone":      `unexamined contains {"group": "links"} if not input.node.links`,
		"else and default":      finding("_way == \"a\"") + "\n\n_way := \"a\" if {\n\tinput.node.links\n} else := \"b\"",
		"object by number":      finding("some port, names in _by_port\nport > 1024\nsprintf(\"%d\", [port]) in names") + "\n\n_by_port[port.port] contains service.metadata.name if {\n\tsome service in input.cluster.services\n\tsome port in service.spec.ports\n}",
		"a width that is given": finding("sprintf(\"%*d\", [5, count(input.node.links)]) != \"\""),
		"numbered places":       finding("sprintf(\"%[1]s %[1]s 100%%\", [input.node.name]) != sprintf(\"%v %-5d\", [true, count(input.node.links)])"),
		"in a set of its own":   finding("input.node.name in {\"a\", \"b\"}\n\"x\" in {\"a\": \"x\"}\nsome n, \"x\" in [\"x\"]\nn > 0"),
		"own object of objects": finding("some dev, x in _by\nx.mtu > 1\ndev != \"lo\"") + "\n\n_by[link.ifname] := link if some link in input.node.links",
	} {
		t.Run(name, func(t *testing.T) {
			if err := loadCustom(t, body); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestByteOrderMark(t *testing.T) {
	file := rule("x", nodeRule, always)
	file.Data = append([]byte("\ufeff"), file.Data...)
	library, err := Load(fstest.MapFS{"x.rego": file})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := library.Rule("x"); !ok {
		t.Error("a rule that begins with a byte order mark is not read")
	}
}

func TestMistakesOfMetadata(t *testing.T) {
	for _, c := range []struct{ name, from, to, want string }{
		{"misspelt field", "severity:", "severty:", `:8: METADATA: custom.severty is no field: did you mean "severity"?`},
		{"no custom", "custom:", "custum:", ":1: METADATA: custom is missing"},
		{"indentation", "#   id:", "#  id:", "METADATA is no YAML"},
		{"tab", "#   id:", "#\tid:", "METADATA has a tab"},
		{"twice", "#   scope: node", "#   scope: node\n#   scope: node", `METADATA has "scope" twice`},
		{"no list", "needs: [links]", "needs: links", "custom.needs is no list: write `needs: […]`"},
		{"no list of lists", "needs: [links]", "needs_any: [links]", "custom.needs_any is no list of lists"},
		{"list of scopes", "scope: node", "scope: [node]", ":7: METADATA: custom.scope is of JSON kind array, where a text belongs"},
		{"scope", "scope: node", "scope: nodes", `:7: METADATA: custom.scope "nodes" is not one of node, cluster`},
		{"id", "id: x", "id: My_Rule", `:5: METADATA: custom.id "My_Rule" is not kebab-case: write my-rule`},
		{"dash in the package", "package netcause.rules.cni.x", "package netcause.rules.cni.x-y", "a name has no dash: write _ instead, also in the package"},
		{"byte order mark and no METADATA", "# METADATA", "\ufeff# MATADATA", "no METADATA above its package"},
		{"group", "needs: [links]", "needs: [linkz]", `"linkz", which is no group of facts, did you mean "links"?`},
		{"schema of another scope", "custom:", "schemas:\n#   - input: schema.cluster\n# custom:", "a rule of scope node sees schema.node"},
		{"unknown schema", "custom:", "schemas:\n#   - input: schema.nodes\n# custom:", "a rule of scope node sees schema.node"},
		{"package", "package netcause.rules.cni.x", "package mine.x", "write `package netcause.rules.cni.x`"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := string(rule("x", nodeRule+"\n#   needs: [links]", always).Data)
			library, err := Load(fstest.MapFS{"sound.rego": rule("sound", nodeRule, always)})
			if err != nil {
				t.Fatal(err)
			}
			err = library.AddCustom(fstest.MapFS{"x.rego": {Data: []byte(strings.Replace(text, c.from, c.to, 1))}}, "mine")
			if err == nil {
				_, err = library.Compile(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestEndlessRuleNamesItsLine(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"nested loops": {"finding contains " + finds + " if {\n\tsome i in numbers.range(1, 20000)\n\tsome j in numbers.range(1, 20000)\n\ti * j < 0\n}", "x.rego:15"},
		"one call":     {"finding contains " + finds + " if {\n\tcount(numbers.range(1, 100000000)) < 0\n}", "x.rego:13"},
	} {
		t.Run(name, func(t *testing.T) {
			e := compile(t, fstest.MapFS{"x.rego": rule("x", nodeRule, c.body)}, WithRuleTimeout(50*time.Millisecond))
			d := diagnose(t, e, &facts.Snapshot{Nodes: []*facts.Node{node("n1")}})
			if len(d.FailedRules) != 1 || !strings.Contains(d.FailedRules[0].Error, "cut off: most of it in "+c.want) {
				t.Errorf("failed rules: %+v", d.FailedRules)
			}
		})
	}
}

// What goes wrong only while a rule is evaluated is said with its place too, in words.
func TestMistakesWithFacts(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"no range":   {"finding contains " + finds + " if {\n\tnet.cidr_contains(input.node.name, \"10.0.0.1\")\n}", "x.rego:13: net.cidr_contains: invalid CIDR address: n1"},
		"two values": {"finding contains " + finds + " if _a\n\n_a := 1 if input.node.name\n\n_a := 2 if input.node.name", "x.rego:16: rule _a produced conflicting values"},
	} {
		t.Run(name, func(t *testing.T) {
			d := diagnose(t, compile(t, fstest.MapFS{"x.rego": rule("x", nodeRule, c.body)}), &facts.Snapshot{Nodes: []*facts.Node{node("n1")}})
			if len(d.FailedRules) != 1 || d.FailedRules[0].Line == 0 || !strings.HasPrefix(d.FailedRules[0].Error, c.want) {
				t.Errorf("failed rules: %+v, want %q", d.FailedRules, c.want)
			}
		})
	}
}
