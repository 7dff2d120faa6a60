package redact

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// noteSnapshot notes the names of a snapshot where it is known what they are of.
func (n *names) noteSnapshot(s *facts.Snapshot) {
	if s.Cluster != nil {
		n.noteCluster(s.Cluster)
	}
	for _, node := range s.Nodes {
		n.note(node.Name, aNode)
		host := node.Host.Known()
		n.note(host.Hostname, aNode)
		n.note(host.MachineID, aName)
		for _, search := range node.ResolvConf.Known().Search {
			n.noteDomain(search)
		}
		n.noteDomain(node.KubeletConfig.Known().ClusterDomain)
		n.note(node.KubeProxyConfig.Known().HostnameOverride, aNode)
		n.noteListings(&node.NetNS)
		for _, namespace := range node.Namespaces {
			n.noteListings(&namespace.NetNS)
			if pod := namespace.Pod; pod != nil {
				n.note(pod.Namespace, aNamespace)
				n.note(pod.Name, aPod)
			}
			for _, search := range namespace.ResolvConf.Known().Search {
				n.noteDomain(search)
			}
		}
	}
	for _, input := range s.Inputs {
		if input.Kind == "node" {
			n.note(input.Name, aNode)
		}
	}
}

func (n *names) noteCluster(c *facts.Cluster) {
	for _, o := range c.Nodes.Value {
		n.noteMeta(&o.Metadata, aNode)
		n.note(o.Status.NodeInfo.MachineID, aName)
		for _, a := range o.Status.Addresses {
			switch a.Type {
			case "Hostname":
				n.note(a.Address, aNode)
			case "InternalDNS", "ExternalDNS":
				n.noteDomain(a.Address)
			}
		}
		for _, taint := range o.Spec.Taints {
			n.noteValue(taint.Key, taint.Value)
		}
	}
	for _, o := range c.Namespaces.Value {
		n.noteMeta(&o.Metadata, aNamespace)
	}
	for _, o := range c.Services.Value {
		n.noteMeta(&o.Metadata, aService)
		n.noteValues(o.Spec.Selector)
		n.noteSelected(o.Spec.Selector)
		n.noteDomain(o.Spec.ExternalName)
		for _, port := range o.Spec.Ports {
			n.note(port.Name, aPort)
			if name, ok := port.TargetPort.(string); ok {
				n.note(name, aPort)
			}
		}
		for _, ingress := range o.Status.LoadBalancer.Ingress {
			n.noteDomain(ingress.Hostname)
		}
	}
	for _, o := range c.DaemonSets.Value {
		n.noteWorkload(&o.Metadata, &o.Spec)
	}
	for _, o := range c.Deployments.Value {
		n.noteWorkload(&o.Metadata, &o.Spec)
	}
	for _, o := range c.StatefulSets.Value {
		n.noteWorkload(&o.Metadata, &o.Spec)
	}
	for _, o := range c.Pods.Value {
		n.noteMeta(&o.Metadata, aPod)
		n.noteLabelled(o.Metadata.Labels)
		n.notePodSpec(&o.Spec)
	}
	for _, o := range c.EndpointSlices.Value {
		n.noteMeta(&o.Metadata, aPod)
		for _, e := range o.Endpoints {
			n.note(e.NodeName, aNode)
			n.note(e.Zone, aZone)
			n.note(e.Hostname, aPod)
			if e.Hints != nil {
				for _, zone := range e.Hints.ForZones {
					n.note(zone.Name, aZone)
				}
				for _, node := range e.Hints.ForNodes {
					n.note(node.Name, aNode)
				}
			}
			if e.TargetRef != nil {
				n.note(e.TargetRef.Namespace, aNamespace)
				n.note(e.TargetRef.Name, kindOf(e.TargetRef.Kind))
			}
		}
		for _, port := range o.Ports {
			n.note(port.Name, aPort)
		}
	}
	for _, o := range c.NetworkPolicies.Value {
		n.noteMeta(&o.Metadata, aName)
		n.notePolicy(&o.Spec)
	}
	for _, o := range c.OtherPolicies.Value {
		n.noteMeta(&o.Metadata, aName)
	}
	for _, o := range c.PriorityClasses.Value {
		n.noteMeta(&o.Metadata, aName)
	}
	for _, o := range c.ConfigMaps.Value {
		n.noteMeta(&o.Metadata, aName)
	}
	for _, o := range c.Events.Value {
		meta := o.Metadata
		if o.InvolvedObject.Name != "" {
			meta.Name = "" // that name and a number
		}
		n.noteMeta(&meta, aPod)
		n.note(o.InvolvedObject.Namespace, aNamespace)
		n.note(o.InvolvedObject.Name, kindOf(o.InvolvedObject.Kind))
	}
}

var (
	// listed are comments of rules, as iptables and nft write them.
	listed = regexp.MustCompile(`comment(?: |": *)(?:"((?:[^"\\]|\\.)*)"|([^\s"-][^\s"]*))`)
	// object is "shop/web:http" in one: kube-proxy's Service, Calico's policy.
	object = regexp.MustCompile(`([A-Za-z0-9][\w.-]*)/([A-Za-z0-9][\w.-]*)(?::([A-Za-z0-9][\w-]*))?`)
	// chain is the same in kube-proxy's names of nftables: "service-ULMVA6XW-shop/web/tcp/http".
	chain = regexp.MustCompile(`-[A-Z2-7]{8}-([a-z0-9][a-z0-9-]*)/([a-z0-9][a-z0-9.-]*)/(?:tcp|udp|sctp)/([a-z0-9-]*)`)
	// routed is a Pod, or a policy, in a comment of kube-router.
	routed       = regexp.MustCompile(`\bname:\s*(\S+) namespace:\s*(\S+)`)
	routedPolicy = regexp.MustCompile(`\bnw policy (\S+)`)
)

// noteListings notes the names in rules: of a node by itself nothing else tells them.
func (n *names) noteListings(ns *facts.NetNS) {
	seen := map[string]bool{} // a Service's comment stands at many rules
	for _, g := range []*facts.Group[facts.Listing]{&ns.IPTablesNFT, &ns.IPTablesLegacy, &ns.IP6TablesNFT, &ns.IP6TablesLegacy, &ns.NFTables, &ns.IPSet} {
		for _, raw := range g.Raw {
			for _, m := range listed.FindAllSubmatch(raw.Data, -1) {
				if text := string(m[1]) + string(m[2]); !seen[text] {
					seen[text] = true
					n.noteComment(text)
				}
			}
			for _, m := range chain.FindAllSubmatch(raw.Data, -1) {
				if text := string(m[0]); !seen[text] {
					seen[text] = true
					n.note(string(m[1]), aNamespace)
					n.note(string(m[2]), aService)
					n.note(strings.Trim(string(m[3]), "-"), aPort)
				}
			}
		}
	}
}

func (n *names) noteComment(text string) {
	for _, m := range object.FindAllStringSubmatch(text, -1) {
		n.note(m[1], aNamespace)
		n.note(m[2], aService)
		n.note(m[3], aPort)
	}
	for _, m := range routed.FindAllStringSubmatch(text, -1) {
		n.note(m[1], aPod)
		n.note(m[2], aNamespace)
	}
	for _, m := range routedPolicy.FindAllStringSubmatch(text, -1) {
		n.note(m[1], aName)
	}
}

// kindOf is what an object of a kind of Kubernetes' is here.
func kindOf(object string) kind {
	switch object {
	case "Node":
		return aNode
	case "Namespace":
		return aNamespace
	case "Service", "Endpoints":
		return aService
	case "DaemonSet", "Deployment", "StatefulSet", "CronJob":
		return aWorkload
	case "Pod", "ReplicaSet", "EndpointSlice", "Job":
		return aPod
	}
	return aName
}

func (n *names) noteMeta(m *facts.ObjectMeta, of kind) {
	n.note(m.Namespace, aNamespace)
	n.note(m.Name, of)
	n.noteValues(m.Labels)
	for _, owner := range m.OwnerReferences {
		n.note(owner.Name, kindOf(owner.Kind))
	}
}

func (n *names) noteWorkload(m *facts.ObjectMeta, spec *facts.WorkloadSpec) {
	n.noteMeta(m, aWorkload)
	n.noteValues(spec.Selector.MatchLabels)
	n.noteRequirements(spec.Selector.MatchExpressions)
	n.noteMeta(&spec.Template.Metadata, aPod)
	n.noteLabelled(spec.Template.Metadata.Labels)
	n.notePodSpec(&spec.Template.Spec)
}

func (n *names) notePodSpec(spec *facts.PodSpec) {
	n.note(spec.NodeName, aNode)
	n.note(spec.ServiceAccountName, aName)
	n.note(spec.PriorityClassName, aName)
	n.note(spec.RuntimeClassName, aName)
	n.noteValues(spec.NodeSelector)
	if dns := spec.DNSConfig; dns != nil {
		for _, search := range dns.Searches {
			n.noteDomain(search)
		}
	}
	if spec.Affinity != nil && spec.Affinity.NodeAffinity != nil && spec.Affinity.NodeAffinity.Required != nil {
		for _, term := range spec.Affinity.NodeAffinity.Required.NodeSelectorTerms {
			n.noteRequirements(term.MatchExpressions)
			for _, field := range term.MatchFields {
				for _, value := range field.Values {
					n.note(value, aNode) // metadata.name
				}
			}
		}
	}
	for _, toleration := range spec.Tolerations {
		n.noteValue(toleration.Key, toleration.Value)
	}
	for _, containers := range [][]facts.Container{spec.Containers, spec.InitContainers} {
		for _, c := range containers {
			n.note(c.Name, aWorkload)
			n.noteImage(c.Image)
			for _, port := range c.Ports {
				n.note(port.Name, aPort)
			}
		}
	}
}

func (n *names) notePolicy(spec *facts.NetworkPolicySpec) {
	n.noteSelector(&spec.PodSelector)
	for _, rules := range [][]facts.NetworkPolicyRule{spec.Ingress, spec.Egress} {
		for _, rule := range rules {
			for _, port := range rule.Ports {
				if name, ok := port.Port.(string); ok {
					n.note(name, aPort)
				}
			}
			for _, peer := range slices.Concat(rule.From, rule.To) {
				n.noteSelector(peer.PodSelector)
				n.noteSelector(peer.NamespaceSelector)
			}
		}
	}
}

func (n *names) noteSelector(s *facts.LabelSelector) {
	if s == nil {
		return
	}
	n.noteValues(s.MatchLabels)
	n.noteRequirements(s.MatchExpressions)
}

func (n *names) noteRequirements(list []facts.SelectorRequirement) {
	for _, requirement := range list {
		for _, value := range requirement.Values {
			n.noteValue(requirement.Key, value)
		}
	}
}

func (n *names) noteValues(labels map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		n.noteValue(key, labels[key])
	}
}

// noteValue notes a label's value, or a taint's.
func (n *names) noteValue(key, value string) {
	lower := strings.ToLower(value)
	if plainKeys[key] || plainValues[lower] || strings.HasPrefix(key, "pod-security.kubernetes.io/") || plainNumber.MatchString(lower) {
		return
	}
	of := aValue
	switch _, after, _ := strings.Cut(key, "/"); {
	case after == "zone" || after == "region":
		of = aZone
	case key == "kubernetes.io/hostname":
		of = aNode
	case key == "kubernetes.io/metadata.name":
		of = aNamespace
	case key == "kubernetes.io/service-name":
		of = aService
	}
	n.note(value, of)
}

var imageTag = regexp.MustCompile(`(?::[\w.-]+)?(?:@[\w:]+)?$`)

// noteImage notes the parts of an image's path; its registry is a name of DNS, its tag a version.
func (n *names) noteImage(image string) {
	parts := strings.Split(imageTag.ReplaceAllString(image, ""), "/")
	if len(parts) > 1 && strings.ContainsAny(parts[0], ".:") {
		host, _, _ := strings.Cut(parts[0], ":")
		n.noteDomain(host)
		parts = parts[1:]
	}
	for _, part := range parts {
		for _, chosen := range chosen(strings.ToLower(part), aName) {
			// kube-proxy-amd64
			if !isVocabulary[chosen] || chosen == part {
				n.noted = append(n.noted, notedName{chosen, aName})
			}
		}
	}
}
