package redact

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/netcause/netcause/collectors/netconf"
	"github.com/netcause/netcause/engine/facts"
)

// mask is what stands for a secret.
const mask = "********"

// meaning is what a text of a fact is.
type meaning int

const (
	// unsaid: the field is not in the table. It is taken for a text; a test fails.
	unsaid meaning = iota
	// word of the kernel's or Kubernetes': one of a few, a version, a time, a UID. It stays.
	word
	// text in which names and addresses may stand.
	text
	// name is one, or a text that names alone make.
	name
	// file is the text of a configuration file.
	file
	// provider is a cloud's id of a machine.
	provider
	// document is JSON.
	document
)

// fields say what each text of the facts is, by Go type and field; "#key" is a map's keys. What is of a type of net/netip
// needs no entry.
var fields = invert(map[meaning]string{
	word: `Address.Family Address.Flags Address.Scope Bond.Mode CNIFile.CNIVersion Condition.LastHeartbeatTime Condition.LastTransitionTime Condition.Reason
Condition.Status Condition.Type Conntrack.Counters#key ConntrackEntry.Family ConntrackEntry.Flags ConntrackEntry.Proto ConntrackEntry.State
Container.RestartPolicy ContainerPort.Protocol ContainerStateReason.Reason EndpointPort.Protocol EndpointSlice.AddressType
Event.EventTime Event.FirstTimestamp Event.LastTimestamp Event.Reason Event.Type EventSeries.LastObservedTime FDBEntry.Flags FDBEntry.State
Host.BootID Host.Kernel Host.Machine Host.OS Host.OS#key IPVLAN.Flag IPVLAN.Mode Input.Kind Input.Redacted InterfaceConfig.Format
KubeProxyConfig.Mode KubeletConfig.HairpinMode Link.Flags Link.Kind Link.LinkType Link.Operstate Listener.Family Listener.Proto
Listing.Format Listing.Tables Listing.Version LoadBalancerIngress.IPMode Macvlan.Mode Namespace.FoundBy Neighbour.Flags Neighbour.State
NetworkPolicyPort.Protocol NetworkPolicySpec.PolicyTypes Nexthop.Flags NodeAddress.Type NodeInfo.BootID NodeInfo.ContainerRuntimeVersion
NodeInfo.KernelVersion NodeInfo.KubeProxyVersion NodeInfo.KubeletVersion NodeInfo.OSImage NodeStatus.Allocatable NodeStatus.Allocatable#key
ObjectMeta.CreationTimestamp ObjectMeta.DeletionTimestamp ObjectMeta.UID ObjectReference.Kind OwnerReference.Kind PodReference.UID
PodSpec.DNSPolicy PodStatus.Phase PodStatus.Reason PolicyReference.APIGroup PolicyReference.Kind ResolvConf.Options Resources.Requests Resources.Requests#key Route.Family Route.Flags
Route.Protocol Route.Scope Route.Type RoutingRule.Action RoutingRule.Dport RoutingRule.Family RoutingRule.IPProto RoutingRule.Sport
RoutingRule.UIDs SelectorRequirement.Operator ServicePort.Protocol ServiceSpec.ExternalTrafficPolicy ServiceSpec.InternalTrafficPolicy
ServiceSpec.SessionAffinity ServiceSpec.TrafficDistribution ServiceSpec.Type Snapshot.Symptoms Taint.Effect Toleration.Effect
Toleration.Operator VLAN.Protocol Version.GitVersion Version.Platform WireGuard.PublicKey WireGuardPeer.PublicKey DNSOption.Name
DNSOption.Value`,
	text: `Address.Dev Address.Label Address.Source Bond.ActiveSlave CNI.Dir CNIFile.File CNIFile.Name CNIFile.Problem CNIFile.Plugins#key
CNIFile.Source Cluster.Server Condition.Message ConfigMap.Data#key ConfigMap.Source Conntrack.Source Container.Args Container.Command
ContainerStateReason.Message DaemonSet.Source Deployment.Source Endpoint.Addresses EndpointSlice.Source Event.Message Event.Source
FDBEntry.Dev FDBEntry.MAC FDBEntry.Master FDBEntry.Source FlannelSubnetEnv.File FlannelSubnetEnv.Source
Group.Value Group.Value#key IPBlock.CIDR IPBlock.Except Input.Problem InterfaceConfig.Device InterfaceConfig.File
InterfaceConfig.MACAddress KubeProxyConfig.BindAddress KubeProxyConfig.ClusterCIDR KubeProxyConfig.File
KubeProxyConfig.HealthzBindAddress KubeProxyConfig.Source KubeletConfig.ClusterDNS KubeletConfig.File KubeletConfig.NodeIP
KubeletConfig.PodCIDR KubeletConfig.ResolvConf KubeletConfig.Source LabelSelector.MatchLabels#key Link.Address Link.Altname Link.Ifname
Link.Link Link.Master Link.Source LogLine.Source LogLine.Text Listener.Dev Listener.Process Listener.Source LoadBalancerIngress.IP Meta.Reason Meta.Sources
NamespaceObject.Source Nameserver.Source Neighbour.Dev Neighbour.Lladdr Neighbour.Source NetworkPolicy.Source Nexthop.Dev NodeObject.Source
NodeSpec.PodCIDR NodeSpec.PodCIDRs ObjectMeta.Annotations ObjectMeta.Annotations#key ObjectMeta.Labels#key Pod.Source
PodDNSConfig.Nameservers PodIP.IP PolicyReference.Source PodSpec.NodeSelector#key PodStatus.HostIP PodStatus.Message PodStatus.PodIP PriorityClass.Source
Process.Args Process.Comm Process.Source Raw.Name ResolvConf.File ResolvConf.Source Route.Dev Route.From Route.Source RoutingRule.From
RoutingRule.Iif RoutingRule.Oif RoutingRule.Source RoutingRule.To SelectorRequirement.Key Service.Source ServiceSpec.ClusterIP
ServiceSpec.ClusterIPs ServiceSpec.ExternalIPs ServiceSpec.LoadBalancerSourceRanges ServiceSpec.Selector#key Setting.Key Setting.Source
StatefulSet.Source Sysctl.Source Sysctl.Value Taint.Key Toleration.Key Tunnel.Link VXLAN.Link`,
	name: `Container.Image Container.Name ContainerPort.Name ContainerStatus.Name Endpoint.Hostname Endpoint.NodeName Endpoint.Zone EndpointHint.Name
EndpointPort.Name Host.Hostname Host.MachineID Input.Name KubeProxyConfig.HostnameOverride KubeletConfig.ClusterDomain
LabelSelector.MatchLabels LoadBalancerIngress.Hostname Namespace.ID Namespace.Path NetworkPolicyPort.Port Node.Name NodeAddress.Address
NodeInfo.MachineID ObjectMeta.Labels ObjectMeta.Name ObjectMeta.Namespace ObjectReference.Name ObjectReference.Namespace
OwnerReference.Name PodDNSConfig.Searches PodReference.Name PodReference.Namespace PodSpec.NodeName PodSpec.NodeSelector
PodSpec.PriorityClassName PodSpec.RuntimeClassName PodSpec.ServiceAccountName ResolvConf.Search SelectorRequirement.Values
ServicePort.Name ServicePort.TargetPort ServiceSpec.ExternalName ServiceSpec.Selector Taint.Value Toleration.Value`,
	file:     `ConfigMap.Data Setting.Value Setting.Text`,
	provider: `NodeSpec.ProviderID`,
	document: `CNIFile.Plugins Container.ReadinessProbe Container.StartupProbe`,
})

func invert(lists map[meaning]string) map[string]meaning {
	of := map[string]meaning{}
	for is, list := range lists {
		for _, field := range strings.Fields(list) {
			of[field] = is
		}
	}
	return of
}

// groups replaces in groups, each in its own memory, and counts by the files that they become.
func (r *redaction) groups(folder string, groups []facts.NamedGroup) {
	for _, g := range groups {
		if r.ctx.Err() != nil {
			return
		}
		meta := g.Group.GetMeta()
		if meta.Status == facts.NotAsked {
			continue
		}
		raw := meta.Raw
		meta.Raw = nil // not walked as a field: what it is, the group says
		value := reflect.ValueOf(g.Group).Elem()
		value.Set(r.value(value, ""))
		r.count(path.Join(folder, g.Name+".json"))
		style, listing := plain, ""
		if l, ok := g.Group.(*facts.Group[facts.Listing]); ok {
			listing = cmp.Or(l.Value.Format, "unknown")
			if style = rules; listing == "nft-json" {
				style = jsonRules
			}
		}
		meta.Raw = make([]facts.Raw, 0, len(raw))
		for _, of := range raw {
			of.Name = r.textOf(of.Name, plain, false)
			of.Data = r.data(of, style, listing)
			meta.Raw = append(meta.Raw, of)
			r.count(path.Join(folder, "raw", of.Name))
		}
	}
}

// data replaces in a raw text; listing is the format of one of netfilter's. Those hold no settings, and words such as "key"
// that are none.
func (r *redaction) data(of facts.Raw, is style, listing string) []byte {
	data := bytes.Clone(of.Data)
	if !r.noting {
		if listing != "" {
			data = netconf.MaskTokens(data)
		} else {
			data = netconf.MaskSecrets(data)
		}
		if r.options.Names {
			data = certificates(data, mask)
		}
		r.counts.secrets += bytes.Count(data, []byte(mask))
	}
	out := r.sweep(string(data), is)
	if listing == "proc-ip_vs" {
		out = r.ipvs(out)
	}
	return []byte(out)
}

// sweep replaces names and addresses, if they are asked for.
func (r *redaction) sweep(in string, is style) string {
	if r.names == nil && r.addresses == nil {
		return in
	}
	return r.sweeper.text(in, is)
}

// textOf replaces in a text of a fact.
func (r *redaction) textOf(in string, is style, config bool) string {
	if in == "" {
		return in
	}
	if !r.noting {
		if config {
			in = string(netconf.MaskSecrets([]byte(in)))
		} else {
			in = string(netconf.MaskTokens([]byte(in)))
		}
		if r.options.Names {
			in = string(certificates([]byte(in), mask))
		}
		r.counts.secrets += strings.Count(in, mask)
	}
	return r.sweep(in, is)
}

// meant replaces in a text that is what its field says.
func (r *redaction) meant(in, field string) string {
	if r.bundles != nil && (strings.HasSuffix(field, "Source") || strings.HasSuffix(field, "Sources") || field == "Meta.Reason") {
		in = r.bundles.Replace(in)
	}
	switch fields[field] {
	case word:
		return in
	case name:
		return r.textOf(in, naming, false)
	case file:
		return r.textOf(in, plain, true)
	case provider:
		return r.provider(in)
	case document:
		return string(r.document(json.RawMessage(in)))
	}
	return r.textOf(in, plain, false)
}

// provider leaves of "aws:///zone/instance" which provider it is.
func (r *redaction) provider(id string) string {
	scheme, rest, ok := strings.Cut(id, "://")
	if !r.options.Names || r.noting || !ok || rest == "" || r.names == nil {
		return r.textOf(id, plain, false)
	}
	r.counts.names++
	return scheme + ":///" + hex.EncodeToString(r.names.sum("provider", []byte(rest)))[:16]
}

// document replaces in the texts of a JSON value; members keep their names.
func (r *redaction) document(value json.RawMessage) json.RawMessage {
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return json.RawMessage(r.textOf(string(value), jsonRules, false))
	}
	changed := false
	v = r.member(v, &changed)
	if !changed {
		return value
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return json.RawMessage(`"` + mask + `"`)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func (r *redaction) member(v any, changed *bool) any {
	switch v := v.(type) {
	case string:
		out := r.textOf(v, plain, false)
		*changed = *changed || out != v
		return out
	case []any:
		for i := range v {
			v[i] = r.member(v[i], changed)
		}
	case map[string]any:
		for key := range v {
			v[key] = r.member(v[key], changed)
		}
	}
	return v
}

var (
	addrType     = reflect.TypeFor[netip.Addr]()
	prefixType   = reflect.TypeFor[netip.Prefix]()
	addrPortType = reflect.TypeFor[netip.AddrPort]()
	rawJSONType  = reflect.TypeFor[json.RawMessage]()
)

// value makes a copy of a value of the facts with what is to be replaced replaced. field is where it stands.
func (r *redaction) value(v reflect.Value, field string) reflect.Value {
	switch t := v.Type(); t {
	case addrType:
		if a := v.Interface().(netip.Addr); a.IsValid() && r.addresses != nil {
			return reflect.ValueOf(r.address(a))
		}
		return v
	case prefixType:
		if p := v.Interface().(netip.Prefix); p.IsValid() && r.addresses != nil {
			return reflect.ValueOf(r.prefix(p))
		}
		return v
	case addrPortType:
		if a := v.Interface().(netip.AddrPort); a.IsValid() && r.addresses != nil {
			return reflect.ValueOf(netip.AddrPortFrom(r.address(a.Addr()), a.Port()))
		}
		return v
	case rawJSONType:
		return reflect.ValueOf(r.document(v.Interface().(json.RawMessage)))
	}
	switch v.Kind() {
	case reflect.String:
		return reflect.ValueOf(r.meant(v.String(), field)).Convert(v.Type())
	case reflect.Struct:
		return r.structure(v)
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(r.value(v.Elem(), field))
		return out
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(r.value(v.Index(i), field))
		}
		return out
	case reflect.Map:
		return r.mapping(v, field)
	case reflect.Interface:
		if s, ok := v.Interface().(string); ok {
			out := reflect.New(v.Type()).Elem()
			out.Set(reflect.ValueOf(r.meant(s, field)))
			return out
		}
	}
	return v
}

func (r *redaction) structure(v reflect.Value) reflect.Value {
	t := v.Type()
	if t.PkgPath() != reflect.TypeFor[facts.Meta]().PkgPath() {
		return v // time.Time
	}
	out := reflect.New(t).Elem()
	out.Set(v)
	if s, ok := v.Interface().(facts.Setting); ok && s.Value != "" && netconf.IsSecret(s.Key) {
		s.Text = strings.ReplaceAll(s.Text, s.Value, mask)
		s.Value = mask
		v = reflect.ValueOf(s)
	}
	if r.addresses != nil {
		r.lengths(v)
	}
	owner, _, _ := strings.Cut(t.Name(), "[")
	for i := range t.NumField() {
		out.Field(i).Set(r.value(v.Field(i), owner+"."+t.Field(i).Name))
	}
	return out
}

// lengths notes the prefixes that a struct has in two fields.
func (r *redaction) lengths(v reflect.Value) {
	if !r.noting {
		return
	}
	switch f := v.Interface().(type) {
	case facts.Address:
		r.addresses.notePrefix(netip.PrefixFrom(f.Local, f.Prefixlen))
		if f.Peer.IsValid() {
			r.addresses.notePrefix(netip.PrefixFrom(f.Peer, f.Prefixlen))
		}
	case facts.ConfigAddress:
		if f.Prefixlen > 0 {
			r.addresses.notePrefix(netip.PrefixFrom(f.Local, f.Prefixlen))
		}
	}
}

// mapping copies a map. Of keys that become one the first in order keeps its value.
func (r *redaction) mapping(v reflect.Value, field string) reflect.Value {
	if v.IsNil() {
		return v
	}
	out := reflect.MakeMapWithSize(v.Type(), v.Len())
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, key := range keys {
		to := reflect.ValueOf(r.meant(key.String(), field+"#key")).Convert(key.Type())
		value := v.MapIndex(key)
		if fields[field] == file && netconf.IsSecret(key.String()) && value.String() != "" {
			value = reflect.ValueOf(mask).Convert(value.Type())
		}
		if value = r.value(value, field); !out.MapIndex(to).IsValid() {
			out.SetMapIndex(to, value)
		}
	}
	return out
}
