package main

import (
	"context"
	"fmt"
)

// bridgeNetfilterOff needs a Service whose only endpoint is on the client's node.
func bridgeNetfilterOff() Case {
	const address = "10.96.10.50"
	return Case{
		ID:       "bridge-netfilter-off",
		About:    "on n1 net.bridge.bridge-nf-call-iptables is set to 0, and a Pod there calls another by a Service",
		Needs:    []Need{NeedBridgeNF},
		Symptoms: []string{"service-unreachable"},
		Roots:    []Root{{ID: "bridge-netfilter-off", Node: "n1"}},
		Prepare: func(ctx context.Context, l *Lab) error {
			return l.Apply(ctx, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: near, namespace: default, labels: {app: near}}
spec:
  nodeName: n1
  containers:
  - name: near
    image: "lab/echo:1"
    args: ["8080"]
    ports: [{containerPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: near, namespace: default}
spec:
  clusterIP: %s
  selector: {app: near}
  ports: [{port: 80, targetPort: 8080}]
`, address))
		},
		Inject: func(ctx context.Context, l *Lab) error {
			return l.Node("n1").Run(ctx, "sysctl -qw net.bridge.bridge-nf-call-iptables=0")
		},
		Traffic: func(ctx context.Context, l *Lab) error { return l.PodPost(ctx, "n1", address+":80", 1) },
		After: func(ctx context.Context, l *Lab) error {
			return l.Node("n1").Run(ctx, "rm -f /etc/sysctl.d/99-zz-*")
		},
	}
}
