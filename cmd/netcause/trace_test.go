package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// The recorded cases are walked as a person would: what arrives, what does not and where it ends, and what is not known.
func TestTraceRecordedCases(t *testing.T) {
	for _, c := range []struct {
		name, args string
		status     int
		want       []string
	}{
		{
			"a Service by its ClusterIP, over the tunnel and back",
			"--from pod/default/echo@n1 --to svc/default/echo:80 --all ../../cases/healthy/snapshot", exitNothingFound,
			[]string{
				" -> svc/default/echo:80 (tcp): DELIVERED", "-j DNAT --to-destination 10.244.",
				"flannel.1 wraps it, VNI 1, for VTEP 10.153.204.16 port 8472", "flannel.1 wraps it, VNI 1, for VTEP 10.153.204.17 port 8472",
				"socket       DELIVERED", "The answer: delivered", "[iptables-nft-save -c, line ",
			},
		},
		{
			"a port that nothing listens on",
			"--from pod/default/echo@n1 --to pod/default/echo@n2:9 ../../cases/healthy/snapshot", exitRootCause,
			[]string{"REJECTED"},
		},
		{
			"a full packet from outside, larger than the tunnel behind the NodePort",
			"--from ip/172.16.30.7 --to node/n1:30080 --size 1500 ../../cases/path-mtu-mismatch/calico/snapshot", exitRootCause,
			[]string{"TOO-BIG", "1500 bytes do not fit the MTU of 1440", "vxlan.calico"},
		},
		{
			"a smaller one by the same way",
			"--from ip/172.16.30.7 --to node/n1:30080 --size 1400 ../../cases/path-mtu-mismatch/calico/snapshot", exitNothingFound,
			[]string{"DELIVERED", "vxlan.calico wraps it"},
		},
		{
			"an address that nobody among the facts has",
			"--from node/n1 --to ip/198.51.100.1:80 ../../cases/healthy/snapshot", exitNotDone,
			[]string{"UNKNOWN"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := run(t.Context(), append([]string{"trace"}, recordedPods(t, c.args)...), &stdout, &stderr)
			if status != c.status {
				t.Errorf("exit status %d, want %d: %s", status, c.status, stderr.String())
			}
			for _, part := range c.want {
				if !strings.Contains(stdout.String(), part) {
					t.Errorf("%q is not in\n%s", part, stdout.String())
				}
			}
			if strings.Contains(stdout.String(), "ip6tables") {
				t.Errorf("an IPv4 packet is said to meet a rule of ip6tables:\n%s", stdout.String())
			}
		})
	}
}

func TestTraceJSON(t *testing.T) {
	var stdout, stderr bytes.Buffer
	args := "trace --from pod/default/echo@n1 --to svc/kube-system/kube-dns:53 --proto udp --all -o json ../../cases/healthy/snapshot"
	if status := run(t.Context(), recordedPods(t, args), &stdout, &stderr); status != exitNothingFound {
		t.Fatalf("exit status %d: %s", status, stderr.String())
	}
	var answer struct {
		Verdict string
		Hops    []struct{ Stage, Node string }
		Reply   []struct{ Verdict string }
		Paths   []struct{ Probability float64 }
	}
	if err := json.Unmarshal(stdout.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Verdict != "delivered" || len(answer.Hops) == 0 || len(answer.Reply) != 1 || answer.Reply[0].Verdict != "delivered" || len(answer.Paths) != 2 {
		t.Errorf("answer: %+v", answer)
	}
}

func TestTraceSaysWhatItDoesNotUnderstand(t *testing.T) {
	for args, want := range map[string]string{
		"--from node/n1 --to svc/kube-system/kube-dns ../../cases/healthy/snapshot": "the port is missing: the Service has dns (53/UDP), dns-tcp (53/TCP)",
		"--from node/n1 --to svc/default/nothing:1 ../../cases/healthy/snapshot":    "there is no Service default/nothing; Services in default: echo, kubernetes",
		"--from node/n9 --to svc/default/echo:80 ../../cases/healthy/snapshot":      `there is no node "n9" among the facts; collected: n1, n2, n3`,
		"--from ip/192.0.2.7 --to svc/default/echo:80 ../../cases/healthy/snapshot": "name the node that it arrives at with --via",
		"--from node/n1 --to web:80 ../../cases/healthy/snapshot":                   "it is no name of the cluster's",
		"--from node/n1 --to node/n2:80 --proto gre ../../cases/healthy/snapshot":   `protocol "gre" is not one of`,
		"--from node/n1 --to node/n2:80 -o yaml ../../cases/healthy/snapshot":       "it is text or json",
		"--from node/n1 --to node/n2:80 --node-only ../../cases/healthy/snapshot":   "--node-only says what to read live",
		"--from pod/default/nobody --to node/n2:80 ../../cases/healthy/snapshot":    "there is no Pod default/nobody among the facts; Pods in default: echo-",
	} {
		var stdout, stderr bytes.Buffer
		status := run(t.Context(), append([]string{"trace"}, strings.Fields(args)...), &stdout, &stderr)
		if status != exitNotDone || !strings.Contains(stderr.String(), want) || stdout.Len() > 0 {
			t.Errorf("%s: exit status %d, said %q, want %q", args, status, stderr.String(), want)
		}
	}
}

// recordedPods are the arguments with the names that Pods have in the recording that the last of them is: echo@n1 is the
// Pod of the DaemonSet echo on n1.
func recordedPods(t *testing.T, args string) []string {
	t.Helper()
	fields := strings.Fields(args)
	if !strings.Contains(args, "echo@") {
		return fields
	}
	snapshot, err := snapshotOf(t.Context(), fields[len(fields)-1], nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range snapshot.Cluster.Pods.Value {
		if strings.HasPrefix(pod.Metadata.Name, "echo-") {
			for i, field := range fields {
				fields[i] = strings.ReplaceAll(field, "echo@"+pod.Spec.NodeName, pod.Metadata.Name)
			}
		}
	}
	return fields
}
