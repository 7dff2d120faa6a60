package networkpolicy

import (
	"fmt"
	"regexp"
	"slices"
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
	// Others are the API groups of policies that who enforces these heeds as well.
	Others []string `json:"others,omitempty"`
}

// heeds are the API groups of a plugin's other policies, by what its DaemonSet or image is called.
var heeds = []struct {
	plugin *regexp.Regexp
	groups []string
}{
	{regexp.MustCompile(`canal|calico`), []string{"crd.projectcalico.org", "projectcalico.org", "policy.networking.k8s.io"}},
	{regexp.MustCompile(`cilium|^anetd$`), []string{"cilium.io", "policy.networking.k8s.io"}},
	{regexp.MustCompile(`antrea`), []string{"crd.antrea.io", "policy.networking.k8s.io"}},
	{regexp.MustCompile(`ovnkube|kube-ovn|kindnetd|kube-network-policies`), []string{"policy.networking.k8s.io"}},
}

func others(plugin string) []string {
	for _, of := range heeds {
		if of.plugin.MatchString(plugin) {
			return of.groups
		}
	}
	return nil
}

// plugins are names of DaemonSets and of images that enforce policies: anetd is GKE's Dataplane V2.
var plugins = regexp.MustCompile(
	`canal|calico|cilium|^anetd$|kube-router|antrea|weave-(net|kube|npc)|ovnkube|kube-ovn|network-polic|azure-npm`)

// kindnetd is kind's plugin with the date of its image. Since kind v0.24.0, of August 2024, it enforces policies.
var kindnetd = regexp.MustCompile(`kindest/kindnetd:v(\d{8})-`)

// FindEnforcement looks for who enforces policies: a DaemonSet of a plugin that is known to, or the controller that k3s
// has built in. Flannel alone carries packets and enforces nothing (its README, "policies"), nor does the VPC CNI of EKS
// unless its agent is told to. Of other clusters without a known plugin nothing is said.
func FindEnforcement(cluster *facts.Cluster) Enforcement {
	if cluster == nil {
		return Enforcement{Status: "unknown", Fact: "network plugin", Value: "no cluster was read"}
	}
	for i := range cluster.DaemonSets.Known() {
		d := &cluster.DaemonSets.Value[i]
		if name, ok := enforces(d); ok {
			return Enforcement{"enforced", fmt.Sprintf("DaemonSet %s/%s", d.Metadata.Namespace, d.Metadata.Name), name + " enforces policies", d.Source, others(name)}
		}
	}
	var off *facts.DaemonSet
	for i := range cluster.DaemonSets.Known() {
		if d := &cluster.DaemonSets.Value[i]; d.Metadata.Name == "aws-node" && has(d, "--enable-network-policy=false") {
			off = d
		}
	}
	var flannel *facts.NodeObject
	for i := range cluster.Nodes.Known() {
		n := &cluster.Nodes.Value[i]
		if v := n.Status.NodeInfo.KubeletVersion; strings.Contains(v, "+k3s") {
			return Enforcement{"enforced", "kubelet of Node " + n.Metadata.Name, v + ": k3s has a policy controller built in", n.Source, nil}
		}
		if flannel == nil && n.Metadata.Annotations["flannel.alpha.coreos.com/backend-type"] != "" {
			flannel = n
		}
	}
	switch why := cluster.DaemonSets.Unread(""); {
	case why != "":
		return Enforcement{"unknown", "DaemonSets", why, "", nil}
	case off != nil:
		return Enforcement{"not-enforced", fmt.Sprintf("DaemonSet %s/%s", off.Metadata.Namespace, off.Metadata.Name), "--enable-network-policy=false", off.Source, nil}
	case flannel != nil:
		return Enforcement{"not-enforced", "network of Node " + flannel.Metadata.Name, "flannel, and no DaemonSet that enforces policies", flannel.Source, nil}
	}
	return Enforcement{"unknown", "DaemonSets", "none of a network plugin that is known", "", nil}
}

// enforces is what of a DaemonSet tells that it does.
func enforces(d *facts.DaemonSet) (string, bool) {
	switch {
	// The agent of EKS is in every aws-node, and kube-router may be there for routes or Services alone.
	case has(d, "--enable-network-policy=false"), has(d, "--run-firewall=false"):
		return "", false
	case plugins.MatchString(d.Metadata.Name), d.Metadata.Namespace == "openshift-sdn" && d.Metadata.Name == "sdn":
		return d.Metadata.Name, true
	}
	for _, c := range d.Spec.Template.Spec.Containers {
		if plugins.MatchString(c.Image) {
			return c.Image, true
		}
		if made := kindnetd.FindStringSubmatch(c.Image); made != nil && made[1] >= "20240801" {
			return c.Image, true
		}
	}
	return "", false
}

// has says whether a container of a DaemonSet has a word among its arguments.
func has(d *facts.DaemonSet, word string) bool {
	return slices.ContainsFunc(d.Spec.Template.Spec.Containers, func(c facts.Container) bool {
		return slices.Contains(c.Args, word) || slices.Contains(c.Command, word)
	})
}
