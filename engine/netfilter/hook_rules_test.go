package netfilter

import (
	"net/netip"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestHookRulesAgain is that what one packet leaves behind at a hook is not seen by the next, nor by one at the same time,
// nor changes what the one before was told.
func TestHookRulesAgain(t *testing.T) {
	r := iptablesSet(t, saved("mangle", "FORWARD",
		"-A FORWARD -s 10.1.0.0/16 -m statistic --mode random --probability 0.5 -j MARK --set-xmark 0x1/0x1",
		"-A FORWARD -p tcp --dport 80 -m recent --rcheck --name seen -j DROP",
		"-A FORWARD -p udp -m frob --frob 7 -j DROP",
		"-A FORWARD -d 10.2.0.9/32 -j MARK --set-xmark 0x8/0x8",
	))
	at := r.At(HookForward, "ip")
	var packets []Packet
	for _, dst := range []string{"10.2.0.2", "10.2.0.9", "fd00::1"} {
		for _, proto := range []string{"tcp", "udp"} {
			p := syn()
			p.Dst, p.Proto = netip.MustParseAddr(dst), proto
			packets = append(packets, p)
		}
	}
	var want [][]Outcome
	ways := 0
	for _, p := range packets {
		want = append(want, r.Traverse(HookForward, p))
		ways += len(want[len(want)-1])
	}
	if ways <= len(packets) {
		t.Fatalf("%d ways of %d packets: none parts", ways, len(packets))
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			var got [][]Outcome
			for range 50 {
				for _, p := range packets {
					got = append(got, at.Traverse(p))
				}
			}
			for i := range got {
				if diff := cmp.Diff(want[i%len(want)], got[i], cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
					t.Errorf("packet %d: %s", i, diff)
					return
				}
			}
		})
	}
	group.Wait()
}
