package cluster

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/netcause/netcause/engine/facts"
)

// Bounds of what is kept of one object. The API server enforces smaller ones on most of it, but is not relied on.
const (
	maxName       = 317 // of a label: a DNS name of 253, a slash, 63
	maxLabels     = 256
	maxMessage    = 4 << 10
	maxAnnotation = 8 << 10
	maxArgument   = 4 << 10
	maxArguments  = 256
	maxData       = 256 << 10 // of one key of a ConfigMap
)

// networkAnnotations are the domains of annotations (and their subdomains) that have to do with the network. All
// others are dropped: kubectl's last-applied-configuration alone holds the whole object, environment included.
var networkAnnotations = []string{
	"flannel.alpha.coreos.com",
	"projectcalico.org",
	"cilium.io",
	"k8s.ovn.org",
	"kube-router.io",
	"k8s.v1.cni.cncf.io",
	"metallb.io",
	"metallb.universe.tf",
	"k3s.io",
	"node.alpha.kubernetes.io",
	"service.beta.kubernetes.io",
	"service.kubernetes.io",
	"endpoints.kubernetes.io",
}

// plainAnnotations are single ones: those of kubernetes.io that have to do with the network.
var plainAnnotations = map[string]bool{
	"scheduler.alpha.kubernetes.io/critical-pod": true,
	"kubernetes.io/ingress-bandwidth":            true,
	"kubernetes.io/egress-bandwidth":             true,
}

func networkAnnotation(key string) bool {
	domain, name, slash := strings.Cut(key, "/")
	switch {
	case plainAnnotations[key] || strings.HasPrefix(key, "io.cilium"):
		return true
	case !slash || name == "node-env": // k3s.io/node-env is the environment of k3s
		return false
	}
	return slices.ContainsFunc(networkAnnotations, func(of string) bool {
		return domain == of || strings.HasSuffix(domain, "."+of)
	})
}

// Prune cuts a recorded cluster down to what [Collect] keeps of a live one: annotations of the network alone, no
// ConfigMaps but those of the network's components, no events but those that matter, secrets masked, texts bounded.
func Prune(c *facts.Cluster) {
	for i := range c.Nodes.Value {
		pruneNode(&c.Nodes.Value[i])
	}
	for i := range c.Pods.Value {
		prunePod(&c.Pods.Value[i])
	}
	for i := range c.Services.Value {
		pruneMeta(&c.Services.Value[i].Metadata)
	}
	for i := range c.EndpointSlices.Value {
		pruneMeta(&c.EndpointSlices.Value[i].Metadata)
	}
	for i := range c.NetworkPolicies.Value {
		pruneMeta(&c.NetworkPolicies.Value[i].Metadata)
	}
	for i := range c.DaemonSets.Value {
		pruneMeta(&c.DaemonSets.Value[i].Metadata)
		pruneTemplate(&c.DaemonSets.Value[i].Spec.Template)
	}
	for i := range c.Deployments.Value {
		pruneMeta(&c.Deployments.Value[i].Metadata)
		pruneTemplate(&c.Deployments.Value[i].Spec.Template)
	}
	for i := range c.StatefulSets.Value {
		pruneMeta(&c.StatefulSets.Value[i].Metadata)
		pruneTemplate(&c.StatefulSets.Value[i].Spec.Template)
	}
	for i := range c.OtherPolicies.Value {
		pruneMeta(&c.OtherPolicies.Value[i].Metadata)
	}
	for i := range c.PriorityClasses.Value {
		pruneMeta(&c.PriorityClasses.Value[i].Metadata)
	}
	for i := range c.Namespaces.Value {
		pruneMeta(&c.Namespaces.Value[i].Metadata)
	}
	c.ConfigMaps.Value = slices.DeleteFunc(c.ConfigMaps.Value, func(m facts.ConfigMap) bool {
		return !slices.Contains(componentConfigMaps, configMapName{m.Metadata.Namespace, m.Metadata.Name})
	})
	for i := range c.ConfigMaps.Value {
		pruneConfigMap(&c.ConfigMaps.Value[i])
	}
	c.Events.Value = slices.DeleteFunc(c.Events.Value, func(e facts.Event) bool { return !relevantReasons[e.Reason] })
	for i := range c.Events.Value {
		pruneEvent(&c.Events.Value[i])
	}
}

func pruneMeta(m *facts.ObjectMeta) {
	m.Labels = boundLabels(m.Labels)
	kept := map[string]string{}
	for key, v := range m.Annotations {
		if networkAnnotation(key) {
			kept[truncate(key, maxName)] = truncate(maskSetting(key, v), maxAnnotation)
		}
	}
	m.Annotations = nil
	if len(kept) > 0 {
		m.Annotations = kept
	}
}

// boundLabels gives the map itself where nothing is out of bounds: there are many, and few are.
func boundLabels(labels map[string]string) map[string]string {
	long := len(labels) > maxLabels
	for key, v := range labels {
		long = long || len(key) > maxName || len(v) > maxName
	}
	if !long {
		return labels
	}
	out := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if len(out) == maxLabels {
			break
		}
		out[truncate(key, maxName)] = truncate(labels[key], maxName)
	}
	return out
}

func pruneConditions(conditions []facts.Condition) {
	for i := range conditions {
		conditions[i].Message = truncate(maskMessage(conditions[i].Message), maxMessage)
	}
}

func pruneNode(n *facts.NodeObject) {
	pruneMeta(&n.Metadata)
	pruneConditions(n.Status.Conditions)
}

func prunePod(p *facts.Pod) {
	pruneMeta(&p.Metadata)
	prunePodSpec(&p.Spec)
	p.Status.Message = truncate(maskMessage(p.Status.Message), maxMessage)
	pruneConditions(p.Status.Conditions)
	for _, statuses := range [][]facts.ContainerStatus{p.Status.ContainerStatuses, p.Status.InitContainerStatuses} {
		for i := range statuses {
			pruneState(&statuses[i].State)
			if statuses[i].LastState != nil {
				pruneState(statuses[i].LastState)
			}
		}
	}
}

func pruneState(s *facts.ContainerState) {
	// The message of a container that ended is its own output, where terminationMessagePath is used.
	for _, r := range []*facts.ContainerStateReason{s.Waiting, s.Terminated} {
		if r != nil {
			r.Message = truncate(maskText(r.Message), maxMessage)
		}
	}
}

func pruneTemplate(t *facts.PodTemplate) {
	pruneMeta(&t.Metadata)
	prunePodSpec(&t.Spec)
}

func prunePodSpec(s *facts.PodSpec) {
	for _, containers := range [][]facts.Container{s.Containers, s.InitContainers} {
		for i := range containers {
			c := &containers[i]
			c.Command = pruneArguments(c.Command)
			c.Args = pruneArguments(c.Args)
			c.ReadinessProbe, c.StartupProbe = pruneProbe(c.ReadinessProbe), pruneProbe(c.StartupProbe)
		}
	}
}

func pruneArguments(args []string) []string {
	if len(args) > maxArguments {
		args = args[:maxArguments]
	}
	args = maskArguments(args)
	for i := range args {
		args[i] = truncate(args[i], maxArgument)
	}
	return args
}

// pruneProbe masks what a probe sends: headers, and the command's secrets.
func pruneProbe(raw *json.RawMessage) *json.RawMessage {
	if raw == nil || !bytes.Contains(*raw, []byte("httpHeaders")) && !bytes.Contains(*raw, []byte("exec")) {
		return raw
	}
	var probe map[string]any
	if err := json.Unmarshal(*raw, &probe); err != nil {
		return nil
	}
	if get, ok := probe["httpGet"].(map[string]any); ok {
		headers, _ := get["httpHeaders"].([]any)
		for _, h := range headers {
			header, _ := h.(map[string]any)
			name, _ := header["name"].(string)
			if !strings.EqualFold(name, "Host") && header != nil {
				header["value"] = masked
			}
		}
	}
	if exec, ok := probe["exec"].(map[string]any); ok {
		var args []string
		list, _ := exec["command"].([]any)
		for _, a := range list {
			text, _ := a.(string)
			args = append(args, text)
		}
		exec["command"] = pruneArguments(args)
	}
	return rawJSON(probe)
}

func pruneConfigMap(m *facts.ConfigMap) {
	pruneMeta(&m.Metadata)
	for key, v := range m.Data {
		m.Data[key] = truncate(maskSetting(key, v), maxData)
	}
}

func pruneEvent(e *facts.Event) {
	pruneMeta(&e.Metadata)
	e.Message = truncate(maskMessage(e.Message), maxMessage)
}

// truncate cuts s to at most n bytes at a character's border, and says so.
func truncate(s string, n int) string {
	const mark = "…"
	if len(s) <= n {
		return s
	}
	cut := n - len(mark)
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + mark
}
