package ask

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/networkpolicy"
)

// maxDeniedPods bounds the Pods that an answer names for one policy.
const maxDeniedPods = 5

type deniedPodsAnswer struct {
	// Asked is how many Pods were judged: those that run, have an address, are not on their host's network and are to ask
	// the cluster's DNS.
	Asked   int `json:"asked"`
	Allowed int `json:"allowed"`
	// Unknown are Pods of which it is not known, Missing what would tell.
	Unknown int            `json:"unknown"`
	Missing []string       `json:"missing"`
	Denied  []policyDenial `json:"denied"`
}

// policyDenial are Pods that one policy, or one set of them, keeps from every address.
type policyDenial struct {
	Policies []networkpolicy.Policy `json:"policies"`
	// Direction is "egress" or "ingress": at which end it is denied.
	Direction string   `json:"direction"`
	Reason    string   `json:"reason"`
	Unmet     []string `json:"unmet"`
	// Count is how many Pods it is, Pods the first of them, Nodes where they are.
	Count int                  `json:"count"`
	Pods  []facts.PodReference `json:"pods"`
	Nodes []string             `json:"nodes"`
}

// hasOwnNameservers says whether kubelet gives a Pod other nameservers than the cluster's.
func hasOwnNameservers(pod *facts.Pod) bool {
	return pod.Spec.DNSPolicy == "Default" || pod.Spec.DNSPolicy == "None"
}

// askDeniedPods judges the way of every Pod that asks the cluster's DNS to a port of several addresses that do the same
// work: a Pod is denied where none of them is allowed.
func askDeniedPods(in *Incident, args []any) (any, error) {
	destinations, protocol, port, err := destinationArguments(args)
	if err != nil {
		return nil, err
	}
	answer := deniedPodsAnswer{Missing: []string{}, Denied: []policyDenial{}}
	cluster := in.Snapshot.Cluster
	if cluster == nil || cluster.Pods.Status != facts.Read || len(destinations) == 0 {
		return answer, nil
	}
	policies := in.policies()
	for i := range cluster.Pods.Value {
		pod := &cluster.Pods.Value[i]
		if pod.Status.Phase != "Running" || pod.Spec.HostNetwork || pod.Metadata.DeletionTimestamp != "" || hasOwnNameservers(pod) {
			continue
		}
		answer.judge(policies, pod, destinations, protocol, port)
	}
	return answer, nil
}

func (a *deniedPodsAnswer) judge(policies *networkpolicy.Evaluator, pod *facts.Pod, destinations []netip.Addr, protocol string, port uint16) {
	var denial *networkpolicy.Verdict
	judged, unknown := false, false
	for _, destination := range destinations {
		source, ok := podAddress(pod, destination)
		if !ok {
			continue
		}
		judged = true
		verdict := policies.Judge(networkpolicy.Connection{Src: source, Dst: destination, Protocol: protocol, Port: port, SrcPod: pod})
		switch verdict.Outcome() {
		case networkpolicy.Allowed:
			a.Asked++
			a.Allowed++
			return
		case networkpolicy.Denied:
			denial = &verdict
		default:
			unknown = true
			for _, missing := range slices.Concat(verdict.Egress.Missing, verdict.Ingress.Missing) {
				if !slices.Contains(a.Missing, missing.What) && len(a.Missing) < maxDeniedPods {
					a.Missing = append(a.Missing, missing.What)
				}
			}
		}
	}
	switch {
	case !judged:
	case unknown:
		a.Asked++
		a.Unknown++
	default:
		a.Asked++
		a.deny(pod, denial)
	}
}

func podAddress(pod *facts.Pod, like netip.Addr) (netip.Addr, bool) {
	for _, text := range append([]facts.PodIP{{IP: pod.Status.PodIP}}, pod.Status.PodIPs...) {
		if address, err := netip.ParseAddr(text.IP); err == nil && address.Is4() == like.Is4() {
			return address, true
		}
	}
	return netip.Addr{}, false
}

func (a *deniedPodsAnswer) deny(pod *facts.Pod, verdict *networkpolicy.Verdict) {
	direction, judgement := "egress", verdict.Egress
	if judgement.Outcome != networkpolicy.Denied {
		direction, judgement = "ingress", verdict.Ingress
	}
	i := slices.IndexFunc(a.Denied, func(d policyDenial) bool {
		return d.Direction == direction && slices.Equal(d.Policies, judgement.Policies)
	})
	if i < 0 {
		d := policyDenial{Policies: judgement.Policies, Direction: direction, Reason: judgement.Reason, Unmet: []string{}, Nodes: []string{}}
		if judgement.Nearest != nil {
			d.Unmet = append(d.Unmet, judgement.Nearest.Unmet...)
		}
		a.Denied = append(a.Denied, d)
		i = len(a.Denied) - 1
	}
	d := &a.Denied[i]
	d.Count++
	if len(d.Pods) < maxDeniedPods {
		d.Pods = append(d.Pods, facts.PodReference{Namespace: pod.Metadata.Namespace, Name: pod.Metadata.Name})
	}
	if node := pod.Spec.NodeName; node != "" && !slices.Contains(d.Nodes, node) {
		d.Nodes = append(d.Nodes, node)
	}
}

func destinationArguments(args []any) ([]netip.Addr, string, uint16, error) {
	list, _ := args[0].([]any)
	var destinations []netip.Addr
	for _, item := range list {
		text, _ := item.(string)
		address, err := netip.ParseAddr(text)
		if err != nil {
			return nil, "", 0, fmt.Errorf("argument addresses: %w", err)
		}
		destinations = append(destinations, address.Unmap())
	}
	protocol, _ := args[1].(string)
	number, ok := args[2].(json.Number)
	if !ok {
		return nil, "", 0, errors.New("argument port: it is no number")
	}
	port, err := number.Int64()
	if err != nil || port < 1 || port > 65535 {
		return nil, "", 0, fmt.Errorf("argument port: %s is no port", number)
	}
	return destinations, strings.ToUpper(protocol), uint16(port), nil
}
