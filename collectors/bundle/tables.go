package bundle

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/netcause/netcause/collectors/lines"
	"github.com/netcause/netcause/engine/facts"
)

// objectTable is what tells a table of `kubectl get` of one resource: the columns that it begins with, after NAMESPACE where
// that is there (pkg/printers/internalversion of Kubernetes).
type objectTable struct {
	resource string
	columns  []string
	// lacks are the fields that rules read of the objects and the table leaves out: without them an object would seem to have
	// none. So tables are no list of objects.
	lacks string
}

var objectTables = []objectTable{
	{"nodes", []string{"NAME", "STATUS", "ROLES", "AGE", "VERSION"}, "podCIDR, annotations, taints, conditions"},
	{"pods", []string{"NAME", "READY", "STATUS", "RESTARTS", "AGE"}, "labels, ports, hostNetwork, conditions"},
	{"services", []string{"NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)"}, "targetPort, names of ports, traffic policies"},
	{"endpoints", []string{"NAME", "ENDPOINTS", "AGE"}, "addresses beyond the third, those that are not ready, targetRef"},
	{"endpointslices", []string{"NAME", "ADDRESSTYPE", "PORTS", "ENDPOINTS"}, "addresses beyond the third, conditions, nodes"},
	{"daemonsets", []string{"NAME", "DESIRED", "CURRENT", "READY", "UP-TO-DATE"}, "their Pods' template"},
	{"deployments", []string{"NAME", "READY", "UP-TO-DATE", "AVAILABLE"}, "their Pods' template"},
	{"statefulsets", []string{"NAME", "READY", "AGE"}, "their Pods' template"},
	{"networkpolicies", []string{"NAME", "POD-SELECTOR", "AGE"}, "their rules"},
	{"namespaces", []string{"NAME", "STATUS", "AGE"}, "labels"},
	{"configmaps", []string{"NAME", "DATA", "AGE"}, "their data"},
	{"events", []string{"LAST SEEN", "TYPE", "REASON", "OBJECT"}, "counts, and when they were first seen"},
}

// cells are a line of a table cut into its columns, between which kubectl leaves three blanks or more: a cell has single
// ones ("3 (5d ago)").
func cells(line string) []string {
	return cellGap.Split(strings.TrimRight(line, " \r"), -1)
}

var cellGap = regexp.MustCompile(` {2,}|\t+`)

// tableOfObjects says of which resource a text is kubectl's table.
func tableOfObjects(head []byte) (*objectTable, bool) {
	columns := cells(firstLine(head))
	if len(columns) > 1 && columns[0] == "NAMESPACE" {
		columns = columns[1:]
	}
	for i := range objectTables {
		if t := &objectTables[i]; len(columns) >= len(t.columns) && slices.Equal(columns[:len(t.columns)], t.columns) {
			return t, true
		}
	}
	return nil, false
}

func tableUnused(t *objectTable) string {
	all := ""
	if t.resource != "nodes" && t.resource != "namespaces" {
		all = " -A"
	}
	return fmt.Sprintf("recognised: a table of kubectl get %s, without what rules read (%s): give kubectl get %[1]s%[3]s -o json", t.resource, t.lacks, all)
}

// podRow is what `kubectl get pods -o wide` says of a Pod that is of use without its other fields: who has an address.
type podRow struct {
	namespace, name, node string
	ip                    netip.Addr
}

// maxPodRows bounds the Pods that are kept of tables.
const maxPodRows = 200_000

// podTable reads the running Pods of a table with addresses. namespace is theirs where the table has no such column, empty
// where nothing says it: then none is kept.
func podTable(text []byte, namespace string) (rows []podRow, unparsed lines.Unparsed) {
	at := map[string]int{}
	columns := 0
	for n, line := range lines.All(text) {
		row := cells(line)
		switch {
		case strings.TrimSpace(line) == "":
			continue
		case columns == 0:
			columns = len(row)
			for i, name := range row {
				at[name] = i
			}
			if _, ok := at["IP"]; !ok || at["NAME"]+1 != at["READY"] || at["NODE"] == 0 {
				return nil, unparsed
			}
			continue
		case len(row) != columns:
			unparsed.Add(n, line)
			continue
		}
		ip, err := netip.ParseAddr(row[at["IP"]])
		if err != nil || row[at["STATUS"]] != "Running" || len(rows) == maxPodRows {
			continue // <none>: it has no address
		}
		p := podRow{namespace: namespace, name: row[at["NAME"]], node: row[at["NODE"]], ip: ip}
		if i, ok := at["NAMESPACE"]; ok {
			p.namespace = row[i]
		}
		if p.namespace != "" {
			rows = append(rows, p)
		}
	}
	return rows, unparsed
}

// takePods keeps the addresses of a table of Pods, and says whether it has any. They tell whose the network namespaces are
// where there is no list of Pods.
func (in *intake) takePods(text []byte, namespace string, used *File) bool {
	rows, unparsed := podTable(text, namespace)
	used.Unparsed += unparsed.Count
	if unparsed.Count > 0 && used.FirstUnparsed == "" {
		used.FirstUnparsed = fmt.Sprintf("line %d: %s", unparsed.First[0].Number, printable(strings.TrimSpace(unparsed.First[0].Text)))
	}
	if len(rows) == 0 {
		return false
	}
	in.podRows = append(in.podRows, rows[:min(len(rows), maxPodRows-min(len(in.podRows), maxPodRows))]...)
	in.podTables = append(in.podTables, used)
	in.used++
	return true
}

// namesOfNamespaces tells whose a node's network namespaces are by the tables of Pods.
func (in *intake) namesOfNamespaces(node *facts.Node) {
	if len(in.podRows) == 0 {
		return
	}
	owners := map[netip.Addr][]podRow{}
	for _, p := range in.podRows {
		if !slices.Contains(owners[p.ip], p) {
			owners[p.ip] = append(owners[p.ip], p)
		}
	}
	for _, ns := range node.Namespaces {
		if ns.Pod != nil || ns.Addresses.Status != facts.Read {
			continue
		}
		var found []podRow
		for _, a := range ns.Addresses.Value {
			if !a.Local.IsLoopback() {
				found = append(found, owners[a.Local]...)
			}
		}
		if len(found) == 1 {
			ns.Pod = &facts.PodReference{Namespace: found[0].namespace, Name: found[0].name}
			for _, used := range in.podTables {
				used.facts("namespaces")
			}
		}
	}
}

// isPodTable says whether a text is a table of Pods with their addresses.
func isPodTable(head []byte) bool {
	t, ok := tableOfObjects(head)
	return ok && t.resource == "pods" && slices.Contains(cells(firstLine(head)), "IP")
}

// optionOf is the value of an option of a command: -n shop, -nshop, --namespace=shop.
func optionOf(words []string, short, long string) string {
	for i, word := range words {
		switch {
		case (word == short || word == long) && i+1 < len(words):
			return words[i+1]
		case strings.HasPrefix(word, long+"="):
			return word[len(long)+1:]
		case strings.HasPrefix(word, short) && len(word) > len(short) && !strings.HasPrefix(word, "--"):
			return word[len(short):]
		}
	}
	return ""
}
