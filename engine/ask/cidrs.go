package ask

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

const (
	maxOverlaps = 20
	// maxBlocks bounds the blocks that are looked through for free ones: those of a /8 in /24.
	maxBlocks = 1 << 16
)

// podCIDRsAnswer are the ranges of Pod addresses that Nodes have.
type podCIDRsAnswer struct {
	Nodes int `json:"nodes"`
	With  int `json:"with"` // a podCIDR
	// Overlaps are ranges of two nodes that have addresses in common, Count is of all.
	Overlaps []cidrOverlap `json:"overlaps"`
	Count    int           `json:"count"`
	Missing  []noPodCIDR   `json:"missing"` // the first Nodes without one
	// Capacity is the range that blocks are taken from, where the objects tell.
	Capacity *cidrCapacity `json:"capacity"`
}

type cidrOverlap struct {
	A      podRange `json:"a"`
	B      podRange `json:"b"`
	Common string   `json:"common"` // the smaller of the two
	// Pods in the common range, one of each node; Same are addresses that Pods of both have. Where there are any the Pods
	// are those of the first.
	Pods []podAddressOn `json:"pods"`
	Same []string       `json:"same"`
	// Used: Pods of both nodes have addresses in it. Unused: none has, though both nodes have Pods with addresses.
	Used   bool `json:"used"`
	Unused bool `json:"unused"`
	// Later is the node that joined later.
	Later string `json:"later"`
	Free  string `json:"free"` // a block of the later node's size that is nobody's, or ""
}

type podRange struct {
	Node   string       `json:"node"`
	CIDR   string       `json:"cidr"`
	Fact   string       `json:"fact"` // "podCIDR", "FLANNEL_SUBNET"
	Source facts.Source `json:"source"`
	prefix netip.Prefix
	made   string
}

type podAddressOn struct {
	Pod     string       `json:"pod"`
	Node    string       `json:"node"`
	Address string       `json:"address"`
	Source  facts.Source `json:"source"`
}

type noPodCIDR struct {
	Node    string       `json:"node"`
	Source  facts.Source `json:"source"`
	Seconds *int         `json:"seconds"` // since it joined; nil is not known
	Ready   bool         `json:"ready"`
	// Networked: Pods on it have addresses of their own.
	Networked bool       `json:"networked"`
	Condition string     `json:"condition"` // the message of what it is not ready for
	Events    []podEvent `json:"events"`
	Free      string     `json:"free"` // a block that is nobody's, or ""
}

// cidrCapacity is kube-controller-manager's --cluster-cidr, and how many blocks it has.
type cidrCapacity struct {
	CIDR     string       `json:"cidr"`
	Size     int          `json:"size"` // of a block, as its prefix length
	Blocks   int          `json:"blocks"`
	Taken    int          `json:"taken"`
	Source   facts.Source `json:"source"`
	Allocate bool         `json:"allocate"` // --allocate-node-cidrs
	prefix   netip.Prefix
}

// askPodCIDRs compares the Nodes' ranges with each other, and with the range that they are taken from.
func askPodCIDRs(in *Incident, _ []any) (any, error) {
	answer := podCIDRsAnswer{Overlaps: []cidrOverlap{}, Missing: []noPodCIDR{}}
	cluster := in.Snapshot.Cluster
	if cluster == nil || cluster.Nodes.Status != facts.Read {
		return answer, nil
	}
	ranges := in.podRanges(&answer)
	answer.Capacity = capacity(cluster, ranges)
	taken := func(p netip.Prefix) bool {
		return slices.ContainsFunc(ranges, func(r podRange) bool { return r.prefix.Overlaps(p) })
	}
	free := func(bits int) string {
		if answer.Capacity == nil {
			return ""
		}
		return freeBlock(answer.Capacity.prefix, bits, taken)
	}
	for _, pair := range overlapping(ranges) {
		answer.Count++
		if len(answer.Overlaps) < maxOverlaps {
			o := in.overlap(pair[0], pair[1])
			o.Free = free(max(pair[0].prefix.Bits(), pair[1].prefix.Bits()))
			answer.Overlaps = append(answer.Overlaps, o)
		}
	}
	for _, node := range in.Nodes {
		if node.Object == nil || len(podCIDRs(node.Object)) > 0 {
			continue
		}
		if len(answer.Missing) < maxOverlaps {
			m := in.missingCIDR(node)
			if answer.Capacity != nil {
				m.Free = free(answer.Capacity.Size)
				// Each Node that lacks one gets another.
				if p, err := netip.ParsePrefix(m.Free); err == nil {
					ranges = append(ranges, podRange{prefix: p})
				}
			}
			answer.Missing = append(answer.Missing, m)
		}
	}
	return answer, nil
}

func podCIDRs(object *facts.NodeObject) []string {
	if len(object.Spec.PodCIDRs) > 0 || object.Spec.PodCIDR == "" {
		return object.Spec.PodCIDRs
	}
	return []string{object.Spec.PodCIDR}
}

// podRanges are all Nodes' podCIDRs, and the subnets that flannel uses where they are others.
func (in *Incident) podRanges(answer *podCIDRsAnswer) []podRange {
	var ranges []podRange
	for _, node := range in.Nodes {
		if node.Object == nil {
			continue
		}
		answer.Nodes++
		cidrs := podCIDRs(node.Object)
		if len(cidrs) > 0 {
			answer.With++
		}
		for _, text := range cidrs {
			if p, err := netip.ParsePrefix(text); err == nil {
				ranges = append(ranges, podRange{node.Name, text, "podCIDR", node.Object.Source, p.Masked(), node.Object.Metadata.CreationTimestamp})
			}
		}
		if node.Facts == nil || !node.Facts.FlannelSubnetEnv.Value.Subnet.IsValid() {
			continue
		}
		env := node.Facts.FlannelSubnetEnv.Value
		subnet := env.Subnet.Masked()
		if !slices.ContainsFunc(cidrs, func(text string) bool { return text == subnet.String() }) {
			ranges = append(ranges, podRange{node.Name, subnet.String(), "FLANNEL_SUBNET", cmp.Or(env.Source, facts.Source(env.File)), subnet, node.Object.Metadata.CreationTimestamp})
		}
	}
	return ranges
}

// overlapping are the pairs of ranges of two nodes that have addresses in common. Prefixes nest or are apart, so in their
// order each is compared with those that are still open around it.
func overlapping(ranges []podRange) [][2]podRange {
	sorted := slices.Clone(ranges)
	slices.SortStableFunc(sorted, func(a, b podRange) int {
		return cmp.Or(a.prefix.Addr().Compare(b.prefix.Addr()), cmp.Compare(a.prefix.Bits(), b.prefix.Bits()), cmp.Compare(a.Node, b.Node))
	})
	var pairs [][2]podRange
	var open []podRange
	seen := map[[2]string]bool{}
	for _, r := range sorted {
		open = slices.DeleteFunc(open, func(o podRange) bool { return !o.prefix.Overlaps(r.prefix) })
		for _, o := range open {
			key := [2]string{min(o.Node, r.Node), max(o.Node, r.Node)}
			if o.Node != r.Node && !seen[key] {
				seen[key] = true
				pairs = append(pairs, [2]podRange{o, r})
			}
		}
		open = append(open, r)
	}
	return pairs
}

func (in *Incident) overlap(a, b podRange) cidrOverlap {
	o := cidrOverlap{A: a, B: b, Common: b.CIDR, Pods: []podAddressOn{}, Same: []string{}, Later: b.Node}
	if b.prefix.Bits() < a.prefix.Bits() {
		o.Common = a.CIDR
	}
	if parseTime(a.made).After(parseTime(b.made)) {
		o.Later = a.Node
	}
	common, err := netip.ParsePrefix(o.Common)
	if err != nil {
		return o
	}
	// The Pod of each address, by node.
	inside, networked := map[string]map[netip.Addr]*facts.Pod{a.Node: {}, b.Node: {}}, map[string]bool{}
	for _, node := range []string{a.Node, b.Node} {
		for _, pod := range in.podsOn(node) {
			for _, address := range podAddressesOf(pod) {
				networked[node] = true
				if common.Contains(address) && inside[node][address] == nil {
					inside[node][address] = pod
				}
			}
		}
	}
	same := slices.DeleteFunc(slices.SortedFunc(maps.Keys(inside[a.Node]), netip.Addr.Compare), func(address netip.Addr) bool {
		return inside[b.Node][address] == nil
	})
	for _, address := range same[:min(len(same), maxServicePods)] {
		o.Same = append(o.Same, address.String())
	}
	for _, node := range []string{a.Node, b.Node} {
		addresses := slices.SortedFunc(maps.Keys(inside[node]), netip.Addr.Compare)
		if len(same) > 0 {
			addresses = same
		}
		if len(addresses) > 0 {
			pod := inside[node][addresses[0]]
			o.Pods = append(o.Pods, podAddressOn{pod.Metadata.Namespace + "/" + pod.Metadata.Name, node, addresses[0].String(), pod.Source})
		}
	}
	o.Used = len(inside[a.Node]) > 0 && len(inside[b.Node]) > 0
	o.Unused = networked[a.Node] && networked[b.Node] && len(inside[a.Node])+len(inside[b.Node]) == 0
	return o
}

// podsOn are the Pods of a node that have, or should have, a network of their own.
func (in *Incident) podsOn(node string) []*facts.Pod {
	view := in.byName[node]
	if view == nil || in.Snapshot.Cluster.Pods.Status != facts.Read {
		return nil
	}
	var list []*facts.Pod
	for _, i := range view.Pods {
		if pod := &in.Snapshot.Cluster.Pods.Value[i]; !pod.Spec.HostNetwork && !hasEnded(pod) {
			list = append(list, pod)
		}
	}
	return list
}

func podAddressesOf(pod *facts.Pod) []netip.Addr {
	var list []netip.Addr
	for _, ip := range append([]facts.PodIP{{IP: pod.Status.PodIP}}, pod.Status.PodIPs...) {
		if a, err := netip.ParseAddr(ip.IP); err == nil && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}

func (in *Incident) missingCIDR(node *Node) noPodCIDR {
	m := noPodCIDR{Node: node.Name, Source: node.Object.Source, Ready: true, Events: []podEvent{}}
	now := in.clusterTime()
	if made := parseTime(node.Object.Metadata.CreationTimestamp); !made.IsZero() && !now.IsZero() {
		n := int(now.Sub(made).Seconds())
		m.Seconds = &n
	}
	for _, c := range node.Object.Status.Conditions {
		if c.Type == "Ready" && c.Status != "True" || c.Type == "NetworkUnavailable" && c.Status == "True" {
			m.Ready, m.Condition = false, cmp.Or(c.Message, c.Reason)
		}
	}
	for _, pod := range in.podsOn(node.Name) {
		m.Networked = m.Networked || len(podAddressesOf(pod)) > 0
	}
	events := in.Snapshot.Cluster.Events.Value
	for i := range events {
		e := &events[i]
		if e.InvolvedObject.Kind == "Node" && e.InvolvedObject.Name == node.Name && (e.Reason == "CIDRNotAvailable" || e.Reason == "CIDRAssignmentFailed") {
			m.Events = []podEvent{{e.Reason, e.Message, e.Source}}
		}
	}
	return m
}

// flagsOf are the flags of a Pod's programs: "--name=value", "--name value", or "--name" alone, which is true.
func flagsOf(pod *facts.Pod) map[string]string {
	flags := map[string]string{}
	for _, c := range pod.Spec.Containers {
		var words []string
		for _, word := range slices.Concat(c.Command, c.Args) {
			words = append(words, strings.Fields(word)...) // a shell's line is one word
		}
		for i, word := range words {
			flag, ok := strings.CutPrefix(word, "--")
			if !ok {
				continue
			}
			name, value, ok := strings.Cut(flag, "=")
			switch {
			case ok:
			case i+1 < len(words) && !strings.HasPrefix(words[i+1], "-"):
				value = words[i+1]
			default:
				value = "true"
			}
			flags[name] = strings.Trim(value, `"'`)
		}
	}
	return flags
}

// capacity reads kube-controller-manager's flags from its Pod. The defaults are a mask of 24, and of 64 for IPv6.
func capacity(cluster *facts.Cluster, ranges []podRange) *cidrCapacity {
	if cluster.Pods.Status != facts.Read {
		return nil
	}
	for i := range cluster.Pods.Value {
		pod := &cluster.Pods.Value[i]
		if pod.Metadata.Namespace != "kube-system" || !strings.HasPrefix(pod.Metadata.Name, "kube-controller-manager") {
			continue
		}
		flags := flagsOf(pod)
		first, _, _ := strings.Cut(flags["cluster-cidr"], ",")
		prefix, err := netip.ParsePrefix(first)
		if err != nil {
			continue
		}
		size := 24
		if prefix.Addr().Is6() {
			size = 64
		}
		for _, flag := range []string{"node-cidr-mask-size", "node-cidr-mask-size-ipv4"} {
			if n, err := strconv.Atoi(flags[flag]); err == nil && prefix.Addr().Is4() {
				size = n
			}
		}
		if size < prefix.Bits() || size > prefix.Addr().BitLen() || size-prefix.Bits() > 30 {
			continue
		}
		c := &cidrCapacity{
			CIDR: prefix.Masked().String(), Size: size, Blocks: 1 << (size - prefix.Bits()), Source: pod.Source,
			Allocate: flags["allocate-node-cidrs"] == "true", prefix: prefix.Masked(),
		}
		for _, r := range ranges {
			if c.prefix.Contains(r.prefix.Addr()) && r.Fact == "podCIDR" {
				c.Taken++
			}
		}
		return c
	}
	return nil
}

// freeBlock is the first block of a range that is not taken, "" where there is none among the first.
func freeBlock(within netip.Prefix, bits int, taken func(netip.Prefix) bool) string {
	if !within.Addr().Is4() || bits < within.Bits() || bits > 30 {
		return ""
	}
	base := within.Masked().Addr().As4()
	start := uint64(base[0])<<24 | uint64(base[1])<<16 | uint64(base[2])<<8 | uint64(base[3])
	blocks := min(1<<(bits-within.Bits()), maxBlocks)
	for i := range uint64(blocks) {
		n := start + i<<(32-bits)
		block := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}), bits)
		if !taken(block) {
			return block.String()
		}
	}
	return ""
}
