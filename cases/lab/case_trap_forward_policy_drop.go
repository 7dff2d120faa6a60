package main

import "context"

// trapForwardPolicyDrop is what Docker does to a node. flannel accepts what is of Pods, and kube-proxy what it marks.
func trapForwardPolicyDrop() Case {
	return Case{
		ID:    "trap-forward-policy-drop",
		About: "on n1 the policy of FORWARD is DROP, and flannel's rules accept Pods",
		Inject: func(ctx context.Context, l *Lab) error {
			return l.Node("n1").Run(ctx, "iptables -P FORWARD DROP")
		},
		After: func(ctx context.Context, l *Lab) error {
			return l.Node("n1").Run(ctx, "iptables -P FORWARD ACCEPT")
		},
	}
}
