package main

import (
	"context"
	"regexp"
)

// pathMTUMismatch makes the way to n3 narrower than Pods know: its uplink and its port of the fabric carry 1400 bytes. The
// port is a bridge's, which tells nobody. Pods of n1 send packets as they are on a wire: with segmentation offload on,
// super-packets pass any MTU between namespaces.
func pathMTUMismatch() Case {
	return Case{
		ID:       "path-mtu-mismatch",
		About:    "the uplink of n3 and its port of the switch carry 1400 bytes, Pods send 1450",
		Symptoms: []string{"large-packet-loss"},
		Roots:    []Root{{ID: "path-mtu-mismatch", Node: "n3"}},
		On:       []string{"n3"},
		Alone:    true,
		Same:     true,
		Inject: func(ctx context.Context, l *Lab) error {
			sender, err := l.PodOn(ctx, "n1")
			if err != nil {
				return err
			}
			if _, err := sender.Shell(ctx, "ip link set eth0 gso_max_segs 1"); err != nil {
				return err
			}
			// The control plane knows of it: otherwise the kubelet of n3 would hear of nothing any more.
			if err := l.Control().Run(ctx, "ip route add "+nodeAddresses["n3"]+" dev eth0 mtu 1400"); err != nil {
				return err
			}
			if err := l.Node("n3").Run(ctx, "ip link set eth0 mtu 1400"); err != nil {
				return err
			}
			return l.Fabric().Run(ctx, "ip link set n3 mtu 1400")
		},
		Traffic: func(ctx context.Context, l *Lab) error {
			if err := l.PodToPod(ctx, "n1", "n3", 1); err != nil {
				return errNotAlone{err}
			}
			return l.PodToPod(ctx, "n1", "n3", largeBody)
		},
		// The uplinks of the lab have no configuration file.
		ByHand: []ByHand{{Step: regexp.MustCompile(`in the configuration file of eth0$`)}},
		// Whoever has the switches.
		Repair: func(ctx context.Context, l *Lab) error { return l.Fabric().Run(ctx, "ip link set n3 mtu 1500") },
		After: func(ctx context.Context, l *Lab) error {
			return l.Control().Run(ctx, "ip route delete "+nodeAddresses["n3"]+" dev eth0")
		},
	}
}

// errNotAlone is traffic that fails and should not, in a case whose symptom is another.
type errNotAlone struct{ error }

func (e errNotAlone) Is(target error) bool { return target == errNotTried }
