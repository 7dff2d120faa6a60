package bundle

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/netcause/netcause/engine/facts"
)

// collected is when the facts of the tests were read.
var collected = time.Date(2026, 3, 4, 5, 6, 7, 89, time.UTC)

// richSnapshot is one in which every field of every group is set.
func richSnapshot() *facts.Snapshot {
	fill := setter{}
	node := &facts.Node{Name: "n1"}
	fill.groups(node.Groups())
	fill.groups(node.NetNS.Groups())
	namespace := &facts.Namespace{}
	fill.value(reflect.ValueOf(namespace).Elem())
	namespace.ID = "cni-5f0e:1"
	fill.groups(namespace.Groups())
	node.Namespaces = []*facts.Namespace{namespace, {ID: "pid-7"}}

	// One text that two groups come from, two of one name, names that no file system likes, an empty text.
	shared := facts.Raw{Name: "ip_-d_-s_link", Data: []byte("1: lo: <LOOPBACK>\n")}
	node.Links.Raw = []facts.Raw{shared}
	node.Addresses.Raw = []facts.Raw{shared, {Name: "ip_-d_-s_link", Data: []byte("another\n")}}
	node.ConfigFiles.Raw = []facts.Raw{
		{Name: "etc/network/interfaces", Data: []byte("auto eth0\n")},
		{Name: "etc/network/interfaces/eth0", Data: []byte("a folder where a file is\n")},
		{Name: "ETC/network/Interfaces", Data: []byte("the same in capitals\n")},
		{Name: "../../etc/passwd", Data: []byte("root\n")},
		{Name: "/etc/netplan/50 café;$(reboot).yaml", Data: []byte("network: {}\n")},
		{Name: "", Data: []byte{}},
	}
	node.IPTablesLegacy = facts.ReadGroup(facts.Listing{Format: "iptables-save", Version: "1.8.9"}, "iptables-legacy-save -c")
	node.IPTablesLegacy.Raw = []facts.Raw{{Name: "iptables-legacy-save_-c", Data: []byte("*nat\nCOMMIT\n")}}
	namespace.IPTablesLegacy.Raw = []facts.Raw{{Name: "iptables-legacy-save_-c", Data: []byte("*filter\nCOMMIT\n")}}

	// Read and empty, and every way of not being read.
	other := &facts.Node{Name: "Ünüsual/..", NetNS: facts.NetNS{
		Links:      facts.ReadGroup([]facts.Link{}),
		Neighbours: facts.Unread[[]facts.Neighbour](facts.Denied, "CAP_NET_ADMIN is missing", "ip neigh"),
		FDB:        facts.Unread[[]facts.FDBEntry](facts.Absent, "there is no bridge command"),
		Routes:     facts.Fail[[]facts.Route](fmt.Errorf("netlink: <no> buffer & space")),
		Conntrack:  facts.ReadGroup(facts.Conntrack{}),
	}}

	cluster := &facts.Cluster{Server: "https://10.0.0.1:6443"}
	fill.groups(cluster.Groups())
	cluster.Nodes.Raw = []facts.Raw{{Name: "kubectl_get_nodes", Data: []byte(`{"items": []}`)}}

	return &facts.Snapshot{
		Nodes: []*facts.Node{other, node}, Cluster: cluster, Symptoms: []string{"dns-failure"},
		Inputs: []facts.Input{
			{Kind: "node", Name: "n1", CollectedAt: collected},
			{Kind: "cluster", Name: cluster.Server, CollectedAt: collected, Problem: "events were cut"},
		},
	}
}

// setter sets every field of a value to something that is not zero, and not what the one before it was.
type setter struct{ n int }

func (f *setter) groups(groups []facts.NamedGroup) {
	for _, group := range groups {
		f.value(reflect.ValueOf(group.Group).Elem().FieldByName("Value"))
		*group.Group.GetMeta() = facts.Meta{
			Status: facts.Read, Reason: "some of " + group.Name, Sources: []facts.Source{facts.Source(group.Name + " <show>")},
		}
	}
}

func (f *setter) value(v reflect.Value) {
	f.n++
	switch v.Interface().(type) {
	case netip.Addr:
		v.Set(reflect.ValueOf(netip.AddrFrom4([4]byte{10, 0, byte(f.n >> 8), byte(f.n)})))
		return
	case netip.Prefix:
		v.Set(reflect.ValueOf(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(f.n >> 8), byte(f.n), 0}), 24)))
		return
	case netip.AddrPort:
		v.Set(reflect.ValueOf(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(f.n >> 8), byte(f.n)}), uint16(f.n))))
		return
	case json.RawMessage:
		v.SetBytes(fmt.Appendf(nil, `{"n":[%d,"<a>"]}`, f.n))
		return
	}
	device := func() string { f.n++; return fmt.Sprintf("device-%d", f.n) }
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(f.n))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(f.n))
	case reflect.Float64:
		v.SetFloat(float64(f.n) + 0.5)
	case reflect.String:
		v.SetString(fmt.Sprintf("text & <%d>\n", f.n))
	case reflect.Interface:
		v.Set(reflect.ValueOf(float64(f.n))) // what JSON numbers become
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.value(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			f.value(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		keys := []string{"b", "a", "\"c"}
		if v.Type() == reflect.TypeFor[map[string]facts.Sysctl]() {
			keys[2] = "c" // another would fail the group
		}
		for _, key := range keys {
			element := reflect.New(v.Type().Elem()).Elem()
			f.value(element)
			v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), element)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("json") != "-" {
				f.value(v.Field(i))
			}
		}
		// An object that is called otherwise is left out, and a group of devices that are fails.
		switch of := v.Addr().Interface().(type) {
		case *facts.ObjectMeta:
			of.Namespace, of.Name = fmt.Sprintf("ns-%d", f.n), fmt.Sprintf("name-%d", f.n)
		case *facts.ObjectReference:
			of.Namespace, of.Name = fmt.Sprintf("ns-%d", f.n), fmt.Sprintf("name-%d", f.n)
		case *facts.PodSpec:
			of.NodeName = fmt.Sprintf("node-%d", f.n)
		case *facts.Link:
			of.Ifname, of.Address, of.Master, of.Link = device(), device(), device(), device()
		case *facts.Address:
			of.Dev = device()
		case *facts.Route:
			of.Dev = device()
		case *facts.Nexthop:
			of.Dev = device()
		case *facts.Neighbour:
			of.Dev, of.Lladdr = device(), device()
		case *facts.FDBEntry:
			of.Dev, of.MAC, of.Master = device(), device(), device()
		case *facts.KubeletConfig:
			of.File = device()
		case *facts.ResolvConf:
			of.File = device()
		}
	default:
		panic("the setter does not know " + v.Type().String())
	}
}

// Every group must be in Groups, or a bundle would lose it; and no two files of one folder may have one name.
func TestGroupsAreComplete(t *testing.T) {
	node, namespace, cluster := &facts.Node{}, &facts.Namespace{}, &facts.Cluster{}
	for _, test := range []struct {
		of     any
		own    string
		groups []facts.NamedGroup
	}{
		{node, "node", append(node.Groups(), node.NetNS.Groups()...)},
		{namespace, "namespace", namespace.Groups()},
		{cluster, "cluster", cluster.Groups()},
	} {
		t.Run(test.own, func(t *testing.T) {
			names, listed := map[string]bool{test.own: true}, map[facts.AnyGroup]bool{}
			for _, group := range test.groups {
				if names[group.Name] {
					t.Errorf("the name %q is there twice", group.Name)
				}
				if safe := safeComponent(group.Name); safe != group.Name {
					t.Errorf("the name %q is no file's", group.Name)
				}
				names[group.Name], listed[group.Group] = true, true
			}
			var visit func(v reflect.Value)
			visit = func(v reflect.Value) {
				for i := range v.NumField() {
					field := v.Field(i)
					group, is := field.Addr().Interface().(facts.AnyGroup)
					switch {
					case is && !listed[group]:
						t.Errorf("%s.%s is not in Groups", v.Type(), v.Type().Field(i).Name)
					case !is && field.Kind() == reflect.Struct:
						visit(field)
					}
				}
			}
			visit(reflect.ValueOf(test.of).Elem())
		})
	}
}
