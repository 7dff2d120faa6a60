package facts

import (
	"encoding/json"
	"net/netip"
)

// Host identifies a machine.
type Host struct {
	Hostname  string `json:"hostname"`
	MachineID string `json:"machine_id,omitempty"`
	BootID    string `json:"boot_id,omitempty"`
	// Kernel is uname -r.
	Kernel  string            `json:"kernel"`
	Machine string            `json:"machine,omitempty"`    // uname -m
	OS      map[string]string `json:"os_release,omitempty"` // /etc/os-release: ID, VERSION_ID, PRETTY_NAME …
}

// Process is a running program that has to do with the network: kubelet, kube-proxy, a CNI agent, a runtime, a firewall.
type Process struct {
	PID  int    `json:"pid"`
	Comm string `json:"comm"`
	// Args are its arguments, without the values of those that look secret.
	Args []string `json:"args,omitempty"`
	// HostNetwork: it runs in the namespace that is the node's own here.
	HostNetwork bool   `json:"hostNetwork"`
	Source      Source `json:"source"`
}

// ConfigFiles are the files that configure the host's links.
type ConfigFiles struct {
	Interfaces []InterfaceConfig `json:"interfaces"`
}

// InterfaceConfig is what one file (or one stanza of it) says of one link, whatever the format.
type InterfaceConfig struct {
	File string `json:"file"`
	// Format is "ifcfg", "netplan", "keyfile" (NetworkManager), "networkd" or "interfaces" (/etc/network/interfaces).
	Format string `json:"format"`
	// Device is the interface's name, or the pattern that matches it. Empty: the file names none.
	Device string `json:"device"`
	// MACAddress is the hardware address by which the file finds its device, in lower case with colons.
	MACAddress string `json:"mac_address,omitempty"`
	// DHCP4 and DHCP6 are the settings that turn the client on; nil: off.
	DHCP4 *Setting `json:"dhcp4,omitempty"`
	DHCP6 *Setting `json:"dhcp6,omitempty"`
	// Addresses are the static ones.
	Addresses []ConfigAddress `json:"addresses,omitempty"`
	Gateway   *Setting        `json:"gateway,omitempty"`
	MTU       *Setting        `json:"mtu,omitempty"`
	// OnBoot: the link is configured at boot. True where the format has no such word.
	OnBoot bool `json:"onboot"`
	// NMControlled: NetworkManager manages it. True where the format has no such word.
	NMControlled bool `json:"nm_controlled"`
	// Settings are all of the file's or stanza's, in order, secrets masked.
	Settings []Setting `json:"settings"`
	// Unparsed are lines that were not understood.
	Unparsed []Setting `json:"unparsed,omitempty"`
}

// Setting is one line of a configuration file.
type Setting struct {
	Key   string `json:"key"` // "BOOTPROTO", "network.ethernets.eth0.dhcp4", "ipv4.method", "Network.DHCP", "inet"
	Value string `json:"value"`
	Line  int    `json:"line"`
	// Text is the line as it stands.
	Text   string `json:"text"`
	Source Source `json:"source"`
}

// ConfigAddress is a static address of a configuration file.
type ConfigAddress struct {
	Local netip.Addr `json:"local"`
	// Prefixlen is 0 where the file does not say.
	Prefixlen int     `json:"prefixlen,omitempty"`
	Setting   Setting `json:"setting"`
}

// ResolvConf is /etc/resolv.conf.
type ResolvConf struct {
	File        string       `json:"file"`
	Nameservers []Nameserver `json:"nameservers"`
	Search      []string     `json:"search,omitempty"`
	Options     []string     `json:"options,omitempty"` // "ndots:5"
	Source      Source       `json:"source"`
}

// Nameserver is one of resolv.conf's.
type Nameserver struct {
	Address netip.Addr `json:"address"`
	Source  Source     `json:"source"`
}

// CNI is the node's CNI configuration.
type CNI struct {
	// Dir is where it was looked for.
	Dir string `json:"dir"`
	// Files are the configurations in the order in which the runtime would take them: the first is used.
	Files []CNIFile `json:"files"`
}

// CNIFile is one file of /etc/cni/net.d.
type CNIFile struct {
	File       string `json:"file"`
	Source     Source `json:"source"`
	Name       string `json:"name"`
	CNIVersion string `json:"cniVersion,omitempty"`
	// Plugins are the plugins of a list, or the one of a single configuration, as they stand, secrets masked.
	Plugins []map[string]json.RawMessage `json:"plugins"`
	// Problem is why it is no valid configuration.
	Problem string `json:"problem,omitempty"`
}

// FlannelSubnetEnv is /run/flannel/subnet.env, what flanneld tells its CNI plugin. Zero where there is no such file.
type FlannelSubnetEnv struct {
	File    string       `json:"file,omitempty"`
	Network netip.Prefix `json:"FLANNEL_NETWORK,omitzero"`
	// Subnet is the bridge's address with the prefix length of the node's subnet.
	Subnet netip.Prefix `json:"FLANNEL_SUBNET,omitzero"`
	MTU    int          `json:"FLANNEL_MTU,omitempty"`
	IPMasq bool         `json:"FLANNEL_IPMASQ,omitempty"`
	Source Source       `json:"source,omitempty"`
}

// KubeletConfig are the fields of the KubeletConfiguration that have to do with the network, and of kubelet's flags.
// Zero where there is no such file and no such process.
type KubeletConfig struct {
	File          string   `json:"file,omitempty"`
	ClusterDNS    []string `json:"clusterDNS,omitempty"`
	ClusterDomain string   `json:"clusterDomain,omitempty"`
	ResolvConf    string   `json:"resolvConf,omitempty"`
	HairpinMode   string   `json:"hairpinMode,omitempty"`
	PodCIDR       string   `json:"podCIDR,omitempty"`
	NodeIP        string   `json:"nodeIP,omitempty"` // --node-ip
	MaxPods       int      `json:"maxPods,omitempty"`
	Source        Source   `json:"source,omitempty"`
}

// KubeProxyConfig are the fields of the KubeProxyConfiguration, or of kube-proxy's flags. Zero where neither is there.
type KubeProxyConfig struct {
	File               string `json:"file,omitempty"`
	Mode               string `json:"mode,omitempty"` // "iptables", "nftables", "ipvs"; empty is the default of its version
	ClusterCIDR        string `json:"clusterCIDR,omitempty"`
	HostnameOverride   string `json:"hostnameOverride,omitempty"`
	BindAddress        string `json:"bindAddress,omitempty"`
	HealthzBindAddress string `json:"healthzBindAddress,omitempty"`
	MasqueradeAll      bool   `json:"masqueradeAll,omitempty"`
	IPVSStrictARP      bool   `json:"strictARP,omitempty"`
	Source             Source `json:"source,omitempty"`
}
