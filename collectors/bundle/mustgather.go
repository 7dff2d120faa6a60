package bundle

import (
	"context"
	"slices"
	"strings"
)

// mustGather is what `oc adm must-gather` and `oc adm inspect` write (openshift/oc, pkg/cli/admin/inspect): its objects. It
// takes OpenShift's own namespaces and those of its operators, so its Namespaces are some of the cluster's. Its network_logs
// have the databases of OVN, and no output of a node's; what is there of such is recognised as loose files.
type mustGather struct{}

func (mustGather) String() string { return "OpenShift's must-gather" }

func (mustGather) wants(name string) bool {
	_, ok := mustGatherPlace(name)
	return ok
}

// mustGatherPlace is a file's name from the folder of the image, where it is one of objects that rules read.
func mustGatherPlace(name string) (string, bool) {
	if !strings.HasSuffix(name, ".yaml") {
		return "", false
	}
	for _, folder := range []string{"cluster-scoped-resources/", "namespaces/"} {
		i := strings.Index("/"+name, "/"+folder)
		if i < 0 {
			continue
		}
		parts := strings.Split(name[i:], "/")
		switch {
		case folder == "cluster-scoped-resources/" && len(parts) == 4 && parts[1] == "core" && (parts[2] == "nodes" || parts[2] == "namespaces"):
			return name[i:], true
		case folder == "namespaces/" && len(parts) == 3 && parts[2] == parts[1]+".yaml":
			return name[i:], true
		case folder == "namespaces/" && len(parts) == 4 && mustGatherKinds[parts[2]+"/"+strings.TrimSuffix(parts[3], ".yaml")]:
			return name[i:], true
		}
	}
	return "", false
}

// mustGatherKinds are GROUP/RESOURCE below a namespace's folder.
var mustGatherKinds = map[string]bool{
	"core/pods": true, "core/services": true, "core/endpoints": true, "core/events": true, "core/configmaps": true, "apps/daemonsets": true,
	"apps/deployments": true, "apps/statefulsets": true, "discovery.k8s.io/endpointslices": true, "networking.k8s.io/networkpolicies": true,
}

func (mustGather) roots(t *tree) ([]string, error) {
	var roots []string
	for name := range t.files {
		place, ok := mustGatherPlace(name)
		if !ok {
			continue
		}
		if root := strings.TrimSuffix(name, place); !slices.Contains(roots, root) {
			roots = append(roots, root)
		}
	}
	slices.Sort(roots)
	return roots, nil
}

func (mustGather) read(ctx context.Context, in *intake, t *tree, root string, names []string) error {
	var loose []string
	for _, name := range names {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if _, ok := mustGatherPlace(name); !ok {
			loose = append(loose, root+name)
			continue
		}
		if t.files[root+name].link != "" {
			continue
		}
		data, used, ok := in.load(t, root+name)
		if !ok {
			continue
		}
		d := document{name: root + name, text: data, used: used}
		switch parts := strings.Split(name, "/"); {
		case parts[0] == "namespaces" && len(parts) == 3:
			d.list, d.kind = true, "namespaces"
		case parts[0] == "namespaces":
			d.namespace, d.kind = parts[1], strings.TrimSuffix(parts[3], ".yaml")
		default:
			d.list, d.whole, d.kind = true, parts[2] == "nodes", parts[2]
		}
		in.addObjects(within(t.path, root), d)
	}
	return in.loose(ctx, t, loose)
}
