package main

import (
	"context"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// traps are states that look like faults and are none.
func traps() []Case {
	return []Case{
		{
			ID:    "trap-scaled-to-zero",
			About: "a Service without endpoints: its Deployment is scaled to zero on purpose",
			Inject: func(ctx context.Context, l *Lab) error {
				return l.Apply(ctx, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: nightly, namespace: default}
spec:
  replicas: 0
  selector: {matchLabels: {app: nightly}}
  template:
    metadata: {labels: {app: nightly}}
    spec: {containers: [{name: nightly, image: "lab/echo:1", args: ["8080"]}]}
---
apiVersion: v1
kind: Service
metadata: {name: nightly, namespace: default}
spec:
  selector: {app: nightly}
  ports: [{port: 80, targetPort: 8080}]
`)
			},
			Settled: func(ctx context.Context, l *Lab) error {
				slices, err := l.client.DiscoveryV1().EndpointSlices("default").List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=nightly"})
				if err == nil && len(slices.Items) == 0 {
					err = errors.New("the Service has no EndpointSlice yet")
				}
				return err
			},
		},
		{
			ID:    "trap-two-static-addresses",
			About: "the uplink of n2 has two addresses, both static",
			Inject: func(ctx context.Context, l *Lab) error {
				n2 := l.Node("n2")
				if err := n2.Edit(ifcfgFile, "PREFIX=\"24\"\n", "PREFIX=\"24\"\nIPADDR1=\"10.153.204.116\"\nPREFIX1=\"24\"\n"); err != nil {
					return err
				}
				return n2.Run(ctx, "ip address add 10.153.204.116/24 dev eth0")
			},
			After: func(ctx context.Context, l *Lab) error {
				n2 := l.Node("n2")
				if err := n2.WriteFile(ifcfgFile, ifcfg("none", n2.Address)); err != nil {
					return err
				}
				return n2.Run(ctx, "ip address delete 10.153.204.116/24 dev eth0")
			},
		},
		{
			ID:    "trap-cordoned-node",
			About: "n3 is cordoned",
			Inject: func(ctx context.Context, l *Lab) error {
				_, err := l.Kubectl(ctx, "cordon", "n3")
				return err
			},
			After: func(ctx context.Context, l *Lab) error {
				_, err := l.Kubectl(ctx, "uncordon", "n3")
				return err
			},
		},
		{
			ID:    "trap-daemonset-pod-starting",
			About: "the Pods of a DaemonSet are starting, and not ready yet",
			Inject: func(ctx context.Context, l *Lab) error {
				return l.Apply(ctx, `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: default}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      containers:
      - name: agent
        image: lab/echo:1
        args: ["8080"]
        readinessProbe: {initialDelaySeconds: 600, httpGet: {path: /, port: 8080}}
`)
			},
			Settled: func(ctx context.Context, l *Lab) error {
				ds, err := l.client.AppsV1().DaemonSets("default").Get(ctx, "agent", metav1.GetOptions{})
				if err == nil && ds.Status.CurrentNumberScheduled < int32(len(nodeNames)) {
					err = errors.New("its Pods are not there yet")
				}
				return err
			},
		},
		{
			ID:    "trap-second-nic-with-dhcp",
			About: "n1 has a second device with a leased address, which the cluster does not use",
			Inject: func(ctx context.Context, l *Lab) error {
				n1 := l.Node("n1")
				if err := n1.WriteFile("/etc/sysconfig/network-scripts/ifcfg-eth1", "TYPE=\"Ethernet\"\nBOOTPROTO=\"dhcp\"\nDEVICE=\"eth1\"\nONBOOT=\"yes\"\nDEFROUTE=\"no\"\n"); err != nil {
					return err
				}
				if err := n1.WriteFile("/var/lib/dhcp/eth1.offer", "192.168.77.23/24\n"); err != nil {
					return err
				}
				// Its other end is a switch that nothing else is on.
				return n1.Run(ctx, "ip link add eth1 type veth peer name store && ip link add storage type bridge && ip link set store master storage && "+
					"ip link set store up && ip link set storage up && ifup eth1")
			},
			After: func(ctx context.Context, l *Lab) error {
				return l.Node("n1").Run(ctx, "ip link delete eth1 && ip link delete storage && rm /etc/sysconfig/network-scripts/ifcfg-eth1 /var/lib/dhcp/eth1.offer")
			},
		},
		{
			ID:      "trap-empty-nft-view",
			About:   "kube-proxy writes its rules by the legacy backend: the nft tool's view is empty",
			Cluster: Variant{Proxy: IPTablesLegacy},
			Settled: func(ctx context.Context, l *Lab) error {
				out, err := l.Node("n1").Shell(ctx, "nft list ruleset; iptables-legacy-save -t nat | grep -c KUBE-SVC")
				if err == nil && len(out) > len("1000\n") {
					err = errors.New("the nft view is not empty: " + out)
				}
				return err
			},
		},
		{
			ID:      "trap-nftables-mode",
			About:   "kube-proxy in nftables mode: iptables has no Service rules",
			Cluster: Variant{Proxy: NFTables},
		},
		{
			ID:      "trap-host-gw",
			About:   "flannel routes by host-gw: there is no tunnel",
			Cluster: Variant{Backend: "host-gw"},
		},
		trapPolicyAllowsDNS(),
	}
}
