package redact

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/netcause/netcause/engine/facts"
)

// TestEveryFieldIsSaid fails for a text of the facts of which nobody said what it is, and for entries of fields that are gone.
func TestEveryFieldIsSaid(t *testing.T) {
	found := map[string]bool{}
	seen := map[reflect.Type]bool{}
	var visit func(reflect.Type, string)
	visit = func(typ reflect.Type, field string) {
		switch typ {
		case addrType, prefixType, addrPortType:
			return
		case rawJSONType:
			found[field] = true
			return
		}
		switch typ.Kind() {
		case reflect.Struct:
			if seen[typ] || typ.PkgPath() != reflect.TypeFor[facts.Meta]().PkgPath() {
				return
			}
			seen[typ] = true
			owner, _, _ := strings.Cut(typ.Name(), "[")
			for i := range typ.NumField() {
				visit(typ.Field(i).Type, owner+"."+typ.Field(i).Name)
			}
		case reflect.Map:
			visit(typ.Key(), field+"#key")
			visit(typ.Elem(), field)
		case reflect.Slice, reflect.Pointer:
			if field != "Raw.Data" {
				visit(typ.Elem(), field)
			}
		case reflect.String, reflect.Interface:
			found[field] = true
		}
	}
	visit(reflect.TypeFor[facts.Snapshot](), "Snapshot")
	for field := range found {
		if fields[field] == unsaid {
			t.Errorf("%s: say in fields what this text is", field)
		}
	}
	for field := range fields {
		if !found[field] {
			t.Errorf("%s is in fields and not among the facts", field)
		}
	}
}

// TestEveryNameIsNoted fills every field that is a name with one of its own: one that is not noted where it stands is not
// replaced anywhere.
func TestEveryNameIsNoted(t *testing.T) {
	left := map[string]bool{
		// Names of network namespaces stay, but for what of them is a name elsewhere.
		"Namespace.ID": true, "Namespace.Path": true,
		// They repeat the names of the Pod's containers.
		"ContainerStatus.Name": true,
	}
	domains := map[string]bool{
		"KubeletConfig.ClusterDomain": true, "LoadBalancerIngress.Hostname": true, "PodDNSConfig.Searches": true, "ResolvConf.Search": true,
		"ServiceSpec.ExternalName": true,
	}
	const mark = "quux"
	marks := 0
	var fill func(v reflect.Value, field string)
	fill = func(v reflect.Value, field string) {
		switch v.Type() {
		case addrType, prefixType, addrPortType, rawJSONType:
			return
		}
		switch v.Kind() {
		case reflect.Struct:
			if v.Type().PkgPath() != reflect.TypeFor[facts.Meta]().PkgPath() {
				return
			}
			owner, _, _ := strings.Cut(v.Type().Name(), "[")
			for i := range v.NumField() {
				fill(v.Field(i), owner+"."+v.Type().Field(i).Name)
			}
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), field)
		case reflect.Slice:
			if field != "Meta.Raw" {
				v.Set(reflect.MakeSlice(v.Type(), 1, 1))
				fill(v.Index(0), field)
			}
		case reflect.Map:
			value := reflect.New(v.Type().Elem()).Elem()
			fill(value, field)
			v.Set(reflect.MakeMap(v.Type()))
			v.SetMapIndex(reflect.ValueOf("key").Convert(v.Type().Key()), value)
		case reflect.String, reflect.Interface:
			if fields[field] == name && !left[field] {
				marks++
				text := fmt.Sprintf("%s%c%c", mark, 'a'+marks/26, 'a'+marks%26)
				if domains[field] {
					text += ".example"
				}
				v.Set(reflect.ValueOf(text).Convert(v.Type()))
			}
		}
	}
	var snapshot facts.Snapshot
	fill(reflect.ValueOf(&snapshot).Elem(), "Snapshot")
	snapshot.Inputs[0].Kind = "node"
	snapshot.Cluster.Nodes.Value[0].Status.Addresses[0].Type = "Hostname"
	event := &snapshot.Cluster.Events.Value[0]
	event.Metadata.Name = event.InvolvedObject.Name + ".18eb25b29c08c0aa"
	read := func(groups []facts.NamedGroup) {
		for _, g := range groups {
			g.Group.GetMeta().Status = facts.Read
		}
	}
	for _, node := range snapshot.Nodes {
		read(append(node.Groups(), node.NetNS.Groups()...))
		for _, ns := range node.Namespaces {
			read(ns.Groups())
		}
	}
	read(snapshot.Cluster.Groups())
	if marks < 50 {
		t.Fatalf("%d names", marks)
	}

	out, _, err := Apply(t.Context(), &snapshot, Options{Names: true})
	if err != nil {
		t.Fatal(err)
	}
	var look func(v reflect.Value, field string)
	look = func(v reflect.Value, field string) {
		switch v.Kind() {
		case reflect.Struct:
			owner, _, _ := strings.Cut(v.Type().Name(), "[")
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					look(v.Field(i), field+"/"+owner+"."+v.Type().Field(i).Name)
				}
			}
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				look(v.Elem(), field)
			}
		case reflect.Slice:
			for i := range v.Len() {
				look(v.Index(i), field)
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				look(v.MapIndex(key), field)
			}
		case reflect.String:
			if strings.Contains(v.String(), mark) {
				t.Errorf("%s is %s still", field, v)
			}
		}
	}
	look(reflect.ValueOf(out), "")
}
