package networkpolicy

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// Enforcement says whether anything in a cluster does what NetworkPolicies ask: the API server takes them whether or not a
// network plugin heeds them.
type Enforcement struct {
	// Status is "enforced", "not-enforced" or "unknown".
	Status string `json:"status"`
	// Fact, Value and Source are what shows it, as evidence; of what is unknown, Value is why.
	Fact   string       `json:"fact"`
	Value  string       `json:"value"`
	Source facts.Source `json:"source"`
}

// plugins are names of DaemonSets and of images that enforce policies.
var plugins = regexp.MustCompile(`canal|calico|cilium|kube-router|antrea|weave|ovnkube|network-polic|azure-npm`)

// FindEnforcement looks for who enforces policies: a DaemonSet of a plugin that is known to, or the controller that k3s
// has built in. Flannel alone carries packets and enforces nothing (its README, "policies"). Of other clusters without a
// known plugin nothing is said.
func FindEnforcement(cluster *facts.Cluster) Enforcement {
	if cluster == nil {
		return Enforcement{Status: "unknown", Fact: "network plugin", Value: "no cluster was read"}
	}
	for i := range cluster.DaemonSets.Known() {
		d := &cluster.DaemonSets.Value[i]
		if name, ok := enforces(d); ok {
			return Enforcement{"enforced", fmt.Sprintf("DaemonSet %s/%s", d.Metadata.Namespace, d.Metadata.Name), name + " enforces policies", d.Source}
		}
	}
	var flannel *facts.NodeObject
	for i := range cluster.Nodes.Known() {
		n := &cluster.Nodes.Value[i]
		if v := n.Status.NodeInfo.KubeletVersion; strings.Contains(v, "+k3s") {
			return Enforcement{"enforced", "kubelet of Node " + n.Metadata.Name, v + ": k3s has a policy controller built in", n.Source}
		}
		if flannel == nil && n.Metadata.Annotations["flannel.alpha.coreos.com/backend-type"] != "" {
			flannel = n
		}
	}
	switch why := cluster.DaemonSets.Unread(""); {
	case why != "":
		return Enforcement{"unknown", "DaemonSets", why, ""}
	case flannel != nil:
		return Enforcement{"not-enforced", "network of Node " + flannel.Metadata.Name, "flannel, and no DaemonSet that enforces policies", flannel.Source}
	}
	return Enforcement{"unknown", "DaemonSets", "none of a network plugin that is known", ""}
}

// enforces is what of a DaemonSet tells that it does.
func enforces(d *facts.DaemonSet) (string, bool) {
	if plugins.MatchString(d.Metadata.Name) {
		return d.Metadata.Name, true
	}
	for _, c := range d.Spec.Template.Spec.Containers {
		if plugins.MatchString(c.Image) {
			return c.Image, true
		}
	}
	return "", false
}
