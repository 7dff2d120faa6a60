package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Difference is a fact of one node that its peers do not have so: a candidate for evidence.
type Difference struct {
	// Path is the way from input.node on: "links[eth0].mtu". A list's member stands by its name and, where several have
	// it, its number.
	Path string `json:"path"`
	// Here is the node's value, Elsewhere that of every peer; empty: it is not there.
	Here      string `json:"here,omitempty"`
	Elsewhere string `json:"elsewhere,omitempty"`
	Source    string `json:"source,omitempty"`
	// Address: the values are addresses, which differ between sound nodes as well.
	Address bool `json:"address,omitempty"`
}

// Differences are those of a node from all of its peers that were collected; where peers differ among each other it is
// nothing that tells the node from them. What differs on any two machines (counters, identifiers, process ids) is left out.
func (s *Seen) Differences(node string) ([]Difference, error) {
	text, err := s.Input(node)
	if err != nil {
		return nil, err
	}
	var input struct {
		Node  map[string]any   `json:"node"`
		Peers []map[string]any `json:"peers"`
	}
	if err := json.Unmarshal(text, &input); err != nil {
		return nil, err
	}
	here := flattenFacts(input.Node)
	var peers []map[string]flatFact
	for _, peer := range input.Peers {
		if peer["collected"] == true {
			peers = append(peers, flattenFacts(peer))
		}
	}
	if len(peers) == 0 {
		return nil, fmt.Errorf("nothing to compare %s with: no other node was collected", node)
	}
	var list []Difference
	for _, path := range slices.Sorted(maps.Keys(here)) {
		if d, ok := differs(path, here[path], peers); ok {
			list = append(list, d)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(peers[0])) {
		if _, ok := here[path]; ok {
			continue
		}
		if value, same := everywhere(path, peers); same {
			list = append(list, Difference{Path: path, Elsewhere: value.text, Source: value.source, Address: value.address})
		}
	}
	// Of a member that is there or not, the whole is the difference.
	list = slices.DeleteFunc(list, func(d Difference) bool { return (d.Here == "" || d.Elsewhere == "") && hasParent(list, d) })
	slices.SortStableFunc(list, func(a, b Difference) int {
		switch {
		case a.Address == b.Address:
			return 0
		case a.Address:
			return 1
		}
		return -1
	})
	return list, nil
}

func differs(path string, value flatFact, peers []map[string]flatFact) (Difference, bool) {
	d := Difference{Path: path, Here: value.text, Source: value.source, Address: value.address}
	other, same := everywhere(path, peers)
	if same {
		d.Elsewhere = other.text
		d.Address = d.Address && other.address
		return d, other.text != value.text
	}
	for _, peer := range peers {
		if _, ok := peer[path]; ok {
			return d, false
		}
	}
	return d, true
}

func everywhere(path string, peers []map[string]flatFact) (flatFact, bool) {
	first, ok := peers[0][path]
	for _, peer := range peers[1:] {
		if other, has := peer[path]; !has || other.text != first.text {
			return first, false
		}
	}
	return first, ok
}

// hasParent says whether the member that a path goes through is in the list as a whole.
func hasParent(list []Difference, d Difference) bool {
	return slices.ContainsFunc(list, func(other Difference) bool {
		return strings.HasPrefix(d.Path, other.Path+".") && (other.Here == "") == (d.Here == "")
	})
}

type flatFact struct {
	text, source string
	address      bool
}

// volatile are fields that differ on any two machines, and groups that hold what passes.
var volatile = map[string]bool{
	"source": true, "ifindex": true, "link_index": true, "link_netnsid": true, "stats64": true, "carrier_changes": true, "gso_max_size": true,
	"pid": true, "uid": true, "recv_q": true, "send_q": true, "valid_life_time": true, "preferred_life_time": true,
	"line": true, "text": true, "key": true, "hostname": true, "machine_id": true, "boot_id": true, "name": true, "object": true, "pods": true,
	"namespaces": true, "status": true, "neighbours": true, "fdb": true, "conntrack": true, "settings": true,
}

// flattenFacts makes a node's facts lines: path and value. A member of a list that has a name is found by it.
func flattenFacts(node map[string]any) map[string]flatFact {
	flat := map[string]flatFact{}
	for _, group := range slices.Sorted(maps.Keys(node)) {
		if !volatile[group] && group != "collected" {
			flattenFactsInto(flat, group, node[group], "")
		}
	}
	name, _ := node["name"].(string)
	for path, fact := range flat {
		if podDevice.MatchString(path) {
			delete(flat, path)
			continue
		}
		// What a node says of itself by name is the same on each.
		if name != "" {
			fact.text = strings.ReplaceAll(fact.text, name, "<node>")
			flat[path] = fact
		}
	}
	return flat
}

// podDevice matches the devices of single Pods, whose names are made up.
var podDevice = regexp.MustCompile(`\b(veth|cali|lxc|tap|eni|azv|nsx|ovn-k8s-)[0-9a-f]{3,}`)

func flattenFactsInto(flat map[string]flatFact, path string, value any, source string) {
	switch v := value.(type) {
	case map[string]any:
		if s, ok := v["source"].(string); ok {
			source = s
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if !volatile[name] {
				flattenFactsInto(flat, path+"."+name, v[name], source)
			}
		}
	case []any:
		if texts, ok := textList(v); ok {
			flat[path] = flatFact{text: texts, source: source}
			return
		}
		counts := map[string]int{}
		for _, member := range v {
			key, address := memberName(member)
			counts[key]++
			each := fmt.Sprintf("%s[%s]", path, key)
			if n := counts[key]; n > 1 {
				each = fmt.Sprintf("%s[%s #%d]", path, key, n)
			}
			own := source
			if object, ok := member.(map[string]any); ok {
				if s, ok := object["source"].(string); ok {
					own = s
				}
			}
			flat[each] = flatFact{text: "there", source: own, address: address}
			flattenFactsInto(flat, each, member, own)
		}
	default:
		text := fmt.Sprint(v)
		if text == "" { // as good as not there
			return
		}
		flat[path] = flatFact{text: text, source: source, address: looksLikeAddress(text)}
	}
}

func textList(list []any) (string, bool) {
	var words []string
	for _, member := range list {
		word, ok := member.(string)
		if !ok {
			return "", false
		}
		words = append(words, word)
	}
	return "[" + strings.Join(words, ", ") + "]", true
}

// memberName is the name of a list's member, and whether it is an address.
func memberName(member any) (string, bool) {
	object, ok := member.(map[string]any)
	if !ok {
		return fmt.Sprint(member), false
	}
	var parts []string
	address := false
	for _, name := range []string{"ifname", "dev", "dst", "file", "device", "key", "type", "proto", "local", "port", "family", "comm", "priority", "address"} {
		value, ok := object[name]
		if !ok || name == "local" && object["prefixlen"] != nil || name == "type" && object["dst"] != nil || len(parts) > 2 || name == "address" && len(parts) > 0 {
			continue
		}
		text := fmt.Sprint(value)
		address = address || looksLikeAddress(text) && text != "0.0.0.0/0" && text != "::/0"
		parts = append(parts, text)
	}
	return strings.Join(parts, " "), address
}

func looksLikeAddress(text string) bool {
	if _, err := netip.ParseAddr(text); err == nil {
		return true
	}
	if _, err := netip.ParsePrefix(text); err == nil {
		return true
	}
	_, err := net.ParseMAC(text)
	return err == nil
}
