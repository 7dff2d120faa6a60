package networkpolicy

import (
	"encoding/json"
	"net/netip"
	"testing"

	"github.com/netcause/netcause/engine/facts"
)

// FuzzJudge: whatever a recorded cluster holds, a verdict comes out and is coherent.
func FuzzJudge(f *testing.F) {
	for _, spec := range []string{
		denyAll, allowIn, fromPeers(`{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16","x"]}},{}`),
		`{"podSelector":{"matchExpressions":[{"key":"pod","operator":"In","values":["a"]}]},"egress":[{"ports":[{"port":"web","endPort":-3},{"port":1e300},{"port":null}]}]}`,
	} {
		f.Add([]byte(`[{"metadata":{"namespace":"x","name":"p"},"spec":`+spec+`}]`), []byte(`[{"metadata":{"namespace":"x","name":"a","labels":{"pod":"a"}},"spec":{"hostNetwork":false},"status":{"podIP":"10.1.2.3","podIPs":[{"ip":"nowhere"}]}}]`), []byte{10, 1, 2, 3}, "TCP", uint16(80))
	}
	f.Fuzz(func(t *testing.T, policies, pods, other []byte, protocol string, port uint16) {
		var p []facts.NetworkPolicy
		var q []facts.Pod
		if json.Unmarshal(policies, &p) != nil || json.Unmarshal(pods, &q) != nil {
			return
		}
		c := world(p, func(c *facts.Cluster) { c.Pods.Value = append(q, c.Pods.Value...) })
		e := New(c)
		a, _ := netip.AddrFromSlice(other)
		for i := range c.Pods.Value {
			x := &c.Pods.Value[i]
			coherent(t, e.Judge(Connection{SrcPod: x, Dst: a, Protocol: protocol, Port: port}))
			coherent(t, e.Judge(Connection{Src: a, DstPod: x, Protocol: protocol, Port: port}))
			coherent(t, e.Judge(Connection{SrcPod: x, DstPod: &c.Pods.Value[0], Protocol: protocol, Port: port}))
		}
		coherent(t, e.Judge(Connection{Src: a, Dst: a.Next(), Protocol: protocol, Port: port}))
	})
}
