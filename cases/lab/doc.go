// Command lab brings up a real Kubernetes network on one Linux machine, breaks it, diagnoses it, runs the fix that was
// printed, and sees that it heals.
//
// Machines are namespaces: n1, n2 and n3 are the cluster's nodes, control has etcd and the control plane, client is
// outside of the cluster, and all of them are on the switch of fabric, which is their router, too. A machine has network,
// mount, PID, UTS and IPC namespaces of its own, and of the file system /etc, /run, /opt, /var/lib and /var/log. Nothing
// is sent outside of them, and they are gone with their first process.
//
// On a node everything is what it is elsewhere: kube-proxy, flannel and CoreDNS are Pods of DaemonSets and Deployments,
// that real controllers make and a real scheduler places; Pods are attached by real CNI plugins. A stand-in of the lab's
// own is in the place of the kubelet and of the container runtime (kubelet.go): it attaches Pods, runs their programs, and
// keeps the status of Pods and of its Node.
//
// # A case
//
// A case is a file, case_ID.go, with one function that returns a [Case], and a line in one of the lists of cases.go. What
// is always there is in the manifests folder: the Service echo (a Pod on each node, which answers a POST with the number
// of bytes that it got), by ClusterIP, name and NodePort, and the Service kube-dns. A case that needs more applies it in
// Prepare with [Lab.Apply]: it goes after the case.
//
//	func vxlanFDBWrong() Case {
//		return Case{
//			ID:       "vxlan-fdb-wrong",
//			About:    "an entry of n1's forwarding database is changed",
//			Symptoms: []string{"network-unreachable"},
//			Roots:    []Root{{ID: "vxlan-fdb-wrong", Node: "n1"}},
//			Inject: func(ctx context.Context, l *Lab) error {
//				return l.Node("n1").Run(ctx, "bridge fdb replace … dev flannel.1 dst 10.153.204.99")
//			},
//			Traffic: func(ctx context.Context, l *Lab) error {
//				return l.PodToPod(ctx, "n1", "n2", 1)
//			},
//		}
//	}
//
// The lab sees Traffic pass, injects, and calls Traffic until it fails twice: its error is the symptom, in the words of
// whoever got it. netcause diagnose is run on the broken nodes, and netcause collect and analyze for all nodes and the
// cluster. Root causes must be those of the case and no other. Then the steps of their fix are run as they are printed: on
// the node, or with kubectl. An edit is done where the lab understands its words (fix.go); otherwise the case says in
// ByHand what a person does. Then all traffic must pass, and nothing be found any more.
//
// While writing one:
//
//	go run . up; go run . break ID; go run . shell n1; go run . fix; go run . down
//	go run . run -case ID -keep
package main
