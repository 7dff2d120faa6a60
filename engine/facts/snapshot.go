package facts

import "time"

// Snapshot is everything known of an incident at one time.
type Snapshot struct {
	Nodes   []*Node
	Cluster *Cluster // nil: no cluster was asked
	// Symptoms are what a person reported: ids of the taxonomy ("dns-failure").
	Symptoms []string
	// Inputs are what the snapshot was read from, for the report's `sources`.
	Inputs []Input
}

// Input is one thing that was read: a live node, a live cluster, a bundle.
type Input struct {
	// Kind is "node", "cluster" or "bundle".
	Kind string `json:"kind"`
	// Name is the node's name, the API server's address or the path.
	Name string `json:"name"`
	// CollectedAt is when the facts were read.
	CollectedAt time.Time `json:"collectedAt"`
	// Problem is what could not be done about the input as a whole ("the API server did not answer: …").
	Problem string `json:"problem,omitempty"`
	// Redacted is what was taken out of or replaced in a bundle before it was written: "secrets", "names", "addresses".
	Redacted []string `json:"redacted,omitempty"`
}

// Node is one machine: usually a Node of the cluster, also a client outside it.
type Node struct {
	// Name is the name of the machine in the report: the Kubernetes Node's where it was matched, else the host name.
	Name string `json:"name"`
	// NetNS is the host's network namespace.
	NetNS
	// Namespaces are the other network namespaces: the Pods'.
	Namespaces []*Namespace `json:"-"`
	// NamespaceList says how Namespaces was found; its value is the namespaces' ids.
	NamespaceList Group[[]string] `json:"-"`

	Host             Group[Host]             `json:"-"`
	ConfigFiles      Group[ConfigFiles]      `json:"-"`
	ResolvConf       Group[ResolvConf]       `json:"-"`
	CNI              Group[CNI]              `json:"-"`
	FlannelSubnetEnv Group[FlannelSubnetEnv] `json:"-"`
	KubeletConfig    Group[KubeletConfig]    `json:"-"`
	KubeProxyConfig  Group[KubeProxyConfig]  `json:"-"`
	Processes        Group[[]Process]        `json:"-"`
}

// Groups are the node's own groups, without those of its network namespaces.
func (n *Node) Groups() []NamedGroup {
	return []NamedGroup{
		{"host", &n.Host},
		{"config_files", &n.ConfigFiles},
		{"resolv_conf", &n.ResolvConf},
		{"cni", &n.CNI},
		{"flannel_subnet_env", &n.FlannelSubnetEnv},
		{"kubelet_config", &n.KubeletConfig},
		{"kube_proxy_config", &n.KubeProxyConfig},
		{"processes", &n.Processes},
		{"namespaces", &n.NamespaceList},
	}
}

// Namespace is a network namespace beside the host's.
type Namespace struct {
	// ID is unique on the node: the base name of its file in /var/run/netns, or "pid-N".
	ID string `json:"id"`
	// Path is the file that it was entered by.
	Path string `json:"path,omitempty"`
	// Pod is whose it is, where the CNI result cache, the process's cgroup or the Pod's address tells.
	Pod *PodReference `json:"pod,omitempty"`
	// FoundBy is how: "/var/run/netns", "cni-results" or "/proc".
	FoundBy string `json:"foundBy,omitempty"`
	NetNS   `json:"-"`

	// ResolvConf is /etc/resolv.conf as a process in the namespace sees it.
	ResolvConf Group[ResolvConf] `json:"-"`
}

// Groups are the namespace's groups.
func (n *Namespace) Groups() []NamedGroup {
	return append(n.NetNS.Groups(), NamedGroup{"resolv_conf", &n.ResolvConf})
}

// PodReference names a Pod.
type PodReference struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid,omitempty"`
}

// NetNS is what is known of one network namespace.
type NetNS struct {
	Links      Group[[]Link]            `json:"-"`
	Addresses  Group[[]Address]         `json:"-"`
	Routes     Group[[]Route]           `json:"-"`
	Rules      Group[[]RoutingRule]     `json:"-"`
	Neighbours Group[[]Neighbour]       `json:"-"`
	FDB        Group[[]FDBEntry]        `json:"-"`
	Sysctls    Group[map[string]Sysctl] `json:"-"`
	Listeners  Group[[]Listener]        `json:"-"`
	Conntrack  Group[Conntrack]         `json:"-"`
	// ConntrackEntries is bulk: rules do not see it whole.
	ConntrackEntries Group[[]ConntrackEntry] `json:"-"`

	// Netfilter's listings are bulk, kept as the text in Meta.Raw and asked about through built-in functions.
	// A legacy group is Read and empty where the kernel has no legacy tables in this namespace.
	IPTablesNFT     Group[Listing] `json:"-"`
	IPTablesLegacy  Group[Listing] `json:"-"`
	IP6TablesNFT    Group[Listing] `json:"-"`
	IP6TablesLegacy Group[Listing] `json:"-"`
	NFTables        Group[Listing] `json:"-"`
	IPSet           Group[Listing] `json:"-"`
	IPVS            Group[Listing] `json:"-"`
}

// Groups are the namespace's groups.
func (n *NetNS) Groups() []NamedGroup {
	return []NamedGroup{
		{"links", &n.Links},
		{"addresses", &n.Addresses},
		{"routes", &n.Routes},
		{"rules", &n.Rules},
		{"neighbours", &n.Neighbours},
		{"fdb", &n.FDB},
		{"sysctls", &n.Sysctls},
		{"listeners", &n.Listeners},
		{"conntrack", &n.Conntrack},
		{"conntrack_entries", &n.ConntrackEntries},
		{"iptables_nft", &n.IPTablesNFT},
		{"iptables_legacy", &n.IPTablesLegacy},
		{"ip6tables_nft", &n.IP6TablesNFT},
		{"ip6tables_legacy", &n.IP6TablesLegacy},
		{"nftables", &n.NFTables},
		{"ipset", &n.IPSet},
		{"ipvs", &n.IPVS},
	}
}

// Listing is a netfilter listing. Its text is the one Raw of its group, but for [IPTablesList].
type Listing struct {
	// Format is "iptables-save", [IPTablesList], "nft-json", "nft", "ipset-save", "proc-ip_vs" or "ipvsadm" (-Ln, -Sn).
	Format string `json:"format"`
	// Version is the version of the program that wrote it, where it says so ("1.8.9").
	Version string `json:"version,omitempty"`
	// Tables are those of an [IPTablesList], in the order of its group's Raw and Sources: "nat", "filter". What the other
	// tables of the backend hold is not known.
	Tables []string `json:"tables,omitempty"`
}

// IPTablesList is the format of what `iptables -t TABLE -nvL` and `iptables -t TABLE -S` print, in any mixture: a Raw and
// a Source for each table, since the output does not name it. An empty Raw is of a table that is known not to be there.
const IPTablesList = "iptables-list"

// Text is the group's only raw text, nil where there is none.
func Text(g *Group[Listing]) []byte {
	if len(g.Raw) == 0 {
		return nil
	}
	return g.Raw[0].Data
}
