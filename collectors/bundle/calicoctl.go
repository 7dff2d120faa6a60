package bundle

import (
	"bytes"
	"context"
	"path"
	"slices"
	"strings"
)

// calicoctl is what `calicoctl cluster diags` writes (projectcalico/calico, calicoctl/calicoctl/commands/cluster/diags.go): a
// folder for each node with the outputs that it asked of the calico-node Pod there, which has the node's network namespace,
// and the cluster's objects beside them.
type calicoctl struct{}

func (calicoctl) String() string { return "calicoctl's cluster diags" }

// calicoFiles are the files of a node's folder; iptables-save.txt and iproute.txt are of the versions before 3.20.
var calicoFiles = map[string]string{
	"ip-addr.txt": "ip addr", "ip-link.txt": "ip link", "ip-neigh.txt": "ip neigh", "ip-rule.txt": "ip rule",
	"ip-route.txt": "ip route show table all", "ip-route-v6.txt": "ip -6 route show table all", "iproute.txt": "ip route",
	"iptables-legacy-save.txt": "iptables-legacy-save -c", "iptables-nft-save.txt": "iptables-nft-save -c", "iptables-save.txt": "iptables-save -c",
	"nft-ruleset.txt": "nft -n -a list ruleset", "ipset-list.txt": "ipset list",
}

// calicoPlace is a file's name from the top of the archive, its node and its command.
func calicoPlace(name string) (root, node, line string) {
	dir, file := path.Split(name)
	line = calicoFiles[file]
	dir, node = path.Split(strings.TrimSuffix(dir, "/"))
	if line == "" || path.Base(dir) != "nodes" {
		return "", "", ""
	}
	return strings.TrimSuffix(dir, "nodes/"), node, line
}

func (calicoctl) wants(name string) bool {
	_, _, line := calicoPlace(name)
	return line != ""
}

func (calicoctl) roots(t *tree) ([]string, error) {
	known := map[string]bool{}
	for name := range t.files {
		if root, _, line := calicoPlace(name); line != "" {
			known[root] = true
		}
	}
	var roots []string
	for root := range known {
		// Others call their own outputs so too, and of other options.
		if strings.Contains(root, "calico-diagnostics") || t.hasFolder(root+"cluster/") {
			roots = append(roots, root)
		}
	}
	slices.Sort(roots)
	return roots, nil
}

// killed is what calicoctl writes at the end of an output whose command it gave up.
var killed = []byte("=== calicoctl cluster diags: no output for ")

func (calicoctl) read(ctx context.Context, in *intake, t *tree, root string, names []string) error {
	machines := map[string]*machine{}
	var loose []string
	for _, name := range names {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		_, node, line := calicoPlace(name)
		switch {
		case t.files[root+name].link != "":
			continue // links/ has the logs once more
		case line == "":
			loose = append(loose, root+name)
			continue
		}
		data, used, ok := in.load(t, root+name)
		if !ok {
			continue
		}
		if bytes.Contains(data[max(0, len(data)-headSize):], killed) {
			used.PassedOver = "it was cut: calicoctl gave the command up, which is worth a look itself"
			continue
		}
		m := machines[node]
		if m == nil {
			// The folder is the Node's name; versions before 3.20 have the Pod's.
			m = in.machine(within(t.path, root+"nodes/"+node), printable(node), !strings.HasPrefix(node, "calico-node-"), t.at(root+name))
			machines[node] = m
		}
		m.outputs = append(m.outputs, output{command: parseCommand(strings.Fields(line)), file: root + name, text: withoutExec(data), used: used})
	}
	return in.loose(ctx, t, loose)
}

// withoutExec is an output of `kubectl exec -t` as the program printed it: without what kubectl adds where it failed. Of an
// output that is nothing else that stays, for it says what went wrong.
func withoutExec(data []byte) []byte {
	data = unixLines(data)
	const failed = "\ncommand terminated with exit code "
	if i := bytes.LastIndex(data, []byte(failed)); i >= 0 && bytes.Count(data[i+1:], []byte("\n")) <= 1 {
		return data[:i+1]
	}
	return data
}
