package netfilter

import (
	"net/netip"
	"strings"
	"testing"
)

const savedSets = `create hosts hash:ip family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x1
add hosts 10.1.0.2 comment "a b"
create nets hash:net family inet hashsize 1024 maxelem 65536
add nets 10.2.0.0/16
add nets 10.2.0.0/30 nomatch
add nets 10.2.0.1
create ipport hash:ip,port family inet timeout 600
add ipport 10.2.0.2,tcp:80 timeout 599
add ipport 10.2.0.2,icmp:echo-request timeout 599
create ipportip hash:ip,port,ip family inet
add ipportip 10.2.0.2,tcp:80,10.1.0.2
create ipportnet hash:ip,port,net family inet
add ipportnet 10.2.0.2,tcp:80,10.1.0.0/24
add ipportnet 10.2.0.2,tcp:80,10.1.0.0/30 nomatch
create netport hash:net,port family inet
add netport 10.2.0.0/24,udp:53
create ports bitmap:port range 0-65535
add ports 80
create list list:set size 8
add list hosts
add list nets
create masked hash:ip family inet netmask 24
add masked 10.1.0.0
create six hash:ip family inet6
add six fd00::1
create macs hash:mac
add macs 02:00:00:00:00:01
create iface hash:net,iface family inet
add iface 10.1.0.0/24,eth0
`

func TestIPSet(t *testing.T) {
	sets, err := ParseIPSet(savedSets)
	if err != nil || sets.ProblemCount != 0 {
		t.Fatalf("%v %v", err, sets.Problems)
	}
	for match, want := range map[string]string{
		"--match-set hosts src":                              "drop",
		"--match-set hosts dst":                              "accept",
		"! --match-set hosts src":                            "accept",
		"--match-set nets dst":                               "accept", // the exception is more special
		"--match-set nets dst --return-nomatch":              "drop",
		"--match-set ipport dst,dst":                         "drop",
		"--match-set ipport dst,src":                         "accept",
		"--match-set ipport dst":                             "accept", // of fewer dimensions than the set has
		"--match-set ipportip dst,dst,src":                   "drop",
		"--match-set ipportnet dst,dst,src":                  "accept",
		"--match-set netport dst,dst":                        "accept",
		"--match-set ports dst":                              "drop",
		"--match-set list src":                               "drop",
		"--match-set list dst":                               "accept",
		"--match-set masked src":                             "drop",
		"--match-set six src":                                "accept",
		"--match-set iface src,src":                          "drop",
		"--match-set macs src":                               "drop accept",
		"--match-set missing src":                            "unknown",
		"--match-set ports dst -m bpf --bytecode \"0\"":      "unknown",
		"--match-set hosts dst -m bpf --bytecode \"0\"":      "accept",
		"! --match-set nets src ! --update-counters":         "drop",
		"--match-set ports dst -m set --match-set hosts src": "drop",
	} {
		r := iptablesSet(t, saved("filter", "FORWARD", "-A FORWARD -m set "+match+" -j DROP"))
		r.IPSet = sets
		if got := verdicts(r.Traverse(HookForward, syn())); got != want {
			t.Errorf("%s: %s, want %s", match, got, want)
		}
	}
	r := iptablesSet(t, saved("filter", "FORWARD", "-A FORWARD -m set --match-set ipport dst,dst -j DROP"))
	r.IPSet = sets
	if got := verdicts(r.Traverse(HookForward, echo())); got != "drop" {
		t.Errorf("echo request: %s", got)
	}
	p := syn()
	p.Src = netip.Addr{}
	if got := tellAll(iptables2(t, sets, "--match-set hosts src").Traverse(HookForward, p)); !strings.Contains(got, "when src is in set hosts") {
		t.Errorf("source not known: %s", got)
	}
	r.IPSet = nil
	if got := r.Traverse(HookForward, syn()); verdicts(got) != "unknown" || !strings.Contains(got[0].Reason, "ipset save was not read") {
		t.Errorf("not read: %s", tellAll(got))
	}
}

func iptables2(t *testing.T, sets *IPSet, match string) *Ruleset {
	r := iptablesSet(t, saved("filter", "FORWARD", "-A FORWARD -m set "+match+" -j DROP"))
	r.IPSet = sets
	return r
}

func TestParseIPSetProblems(t *testing.T) {
	s, err := ParseIPSet("create a hash:ip\nadd a nonsense\nadd b 1.2.3.4\nnonsense\ncreate c tree:ip\nadd a 1.2.3.4\n")
	if err != nil || s.ProblemCount != 4 {
		t.Errorf("%v %v", err, s.Problems)
	}
	// What is not in a set of which a part was not understood may be in it.
	if got := verdicts(iptables2(t, s, "--match-set a src").Traverse(HookForward, syn())); got != "unknown" {
		t.Error(got)
	}
}

func FuzzParseIPSet(f *testing.F) {
	f.Add(savedSets)
	f.Add("create a bitmap:ip,mac range 10.0.0.0/24\nadd a 10.0.0.1\ncreate l list:set\nadd l l\n")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseIPSet(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range s.Names() {
			p := syn()
			v := view{set: &Ruleset{IPSet: s}, hook: HookForward, family: "ip", p: &p}
			ipsetMatch{SetMatch{Name: name, Fields: "src,dst,src"}}.match(&v)
			p.Src = netip.Addr{}
			ipsetMatch{SetMatch{Name: name, Fields: "src,dst,src"}}.match(&v)
		}
	})
}
