package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// nodeStaticAndDHCPAddress gives n1 a leased address before its static one, as a DHCP client does that an ifcfg file asks
// for besides, and starts flannel anew, which takes the first. The site lets the nodes' tunnels pass from the addresses
// that are registered, and from no others.
func nodeStaticAndDHCPAddress() Case {
	const leased = "10.153.204.228"
	return Case{
		ID:       "node-static-and-dhcp-address",
		About:    "n1 leases an address besides its static one, and flannel takes the leased one",
		Symptoms: []string{"service-unreachable", "network-unreachable"},
		Roots:    []Root{{ID: "node-static-and-dhcp-address", Node: "n1"}},
		Alone:    true,
		Same:     true,
		Inject: func(ctx context.Context, l *Lab) error {
			n1 := l.Node("n1")
			if err := l.Fabric().Run(ctx, fmt.Sprintf("nft 'add table bridge site; add chain bridge site forward { type filter hook forward priority 0; }; "+
				"add rule bridge site forward ip saddr != { %s, %s, %s } udp dport 8472 counter drop'",
				nodeAddresses["n1"], nodeAddresses["n2"], nodeAddresses["n3"])); err != nil {
				return err
			}
			if err := n1.WriteFile("/var/lib/dhcp/"+uplink+".offer", leased+"/24\n"); err != nil {
				return err
			}
			if err := n1.Edit(ifcfgFile, `BOOTPROTO="none"`, `BOOTPROTO="dhcp"`); err != nil {
				return err
			}
			if err := n1.Run(ctx, "ifdown eth0; ifup eth0"); err != nil {
				return err
			}
			if err := l.restartPods(ctx, "kube-flannel", "app=flannel", "n1"); err != nil {
				return err
			}
			return l.await(ctx, "flannel to take the leased address", 20*time.Second, func(ctx context.Context) error {
				n, err := l.client.CoreV1().Nodes().Get(ctx, "n1", metav1.GetOptions{})
				if err != nil {
					return err
				}
				if ip := n.Annotations["flannel.alpha.coreos.com/public-ip"]; ip != leased {
					return fmt.Errorf("its public-ip is %s", ip)
				}
				return nil
			})
		},
		Traffic: func(ctx context.Context, l *Lab) error { return l.PodToPod(ctx, "n1", "n2", 1) },
		// It is the site's filter that drops, and the other nodes are well.
		Settled: func(ctx context.Context, l *Lab) error {
			counted, err := l.Fabric().Shell(ctx, "nft list table bridge site")
			if err == nil && strings.Contains(counted, "packets 0 ") {
				err = errors.New("the fabric dropped nothing")
			}
			return errors.Join(err, l.PodToPod(ctx, "n2", "n3", 1))
		},
		After: func(ctx context.Context, l *Lab) error {
			return l.Fabric().Run(ctx, "nft delete table bridge site")
		},
	}
}

// restartPods deletes the Pods with these labels on a node, and waits until others are ready in their place.
func (l *Lab) restartPods(ctx context.Context, namespace, selector, node string) error {
	options := metav1.ListOptions{LabelSelector: selector, FieldSelector: "spec.nodeName=" + node}
	pods := l.client.CoreV1().Pods(namespace)
	old, err := pods.List(ctx, options)
	if err != nil {
		return err
	}
	gone := map[string]bool{}
	for _, p := range old.Items {
		gone[string(p.UID)] = true
		if err := pods.Delete(ctx, p.Name, metav1.DeleteOptions{}); err != nil {
			return err
		}
	}
	return l.await(ctx, "new Pods of "+selector+" on "+node, 30*time.Second, func(ctx context.Context) error {
		now, err := pods.List(ctx, options)
		if err != nil {
			return err
		}
		ready := 0
		for _, p := range now.Items {
			if gone[string(p.UID)] || !podReady(&p) {
				return fmt.Errorf("Pod %s is not ready", p.Name)
			}
			ready++
		}
		if ready < len(gone) {
			return fmt.Errorf("%d of %d Pods are there", ready, len(gone))
		}
		return nil
	})
}
