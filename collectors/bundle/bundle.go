// Package bundle writes netcause's own support bundle, and reads recorded state back into a snapshot.
//
// A netcause bundle is a gzip-compressed tar archive with one top folder:
//
//	manifest.json                    the format, its version, when and with what it was collected, every other file
//	redaction.json                   what was taken out or replaced, where it was asked for: counts by file
//	nodes/NODE/node.json             a node's name
//	nodes/NODE/GROUP.json            one group of facts of the node, or of its host network namespace
//	nodes/NODE/raw/…                 the texts that those were parsed from
//	nodes/NODE/netns/ID/namespace.json, GROUP.json, raw/…
//	                                 the same of one more network namespace
//	cluster/cluster.json, GROUP.json, raw/…
//
// NODE, ID and what stands below raw are names made safe for any file system; the true ones are in the JSON. A group
// that nobody asked for has no file. A group's file is its JSON with one member more, "raw", which says in which file
// each of its texts is. One line of it is one element of the group's value.
//
// The manifest names every file, so that an archive which lost its end is known from a whole one. Files may have been
// edited since (a secret masked by hand): what changed in size is told, and read.
//
// Of other tools' bundles and of loose files it is read what rules ask for. A format says what its files are: the output
// of which command, a file of which node, objects of which namespaces; the rest is shared. What a bundle lacks is
// [facts.Absent], and a part that would pass for the whole is not read:
//
//	sosreport 3.x, 4.x    the outputs of ip, bridge, ss, netstat, ps, sysctl, nft, iptables -nvL and ipset, of each network
//	                      namespace too; /proc/net; configuration files; the kubernetes plugin's JSON, and of its tables
//	                      which Pod has which address. No iptables-save of the host, which sos does not take
//	kubectl               cluster-info dumps (folder or stream) and lists, as JSON or YAML; Endpoints stand in for
//	                      EndpointSlices that are not there. Single objects are no list
//	troubleshoot.sh       cluster-resources and what could not be listed, run-host outputs, sysctls; no exec
//	must-gather, inspect  Nodes, the namespaces that were inspected and their objects; outputs in network_logs
//	Rancher's collector   networking/ and systeminfo/, CNI files, lists of kubectl; of its tables who has which address
//	calicoctl             the outputs of each node's folder, the lists
//	cilium                a bugtool's outputs, alone or in a sysdump, and its lists
//	loose files           outputs under any name, several in one file with their prompts, and a node's own files
//
// Of the logs of all of them those of the cluster's DNS are read through, for lines that say why a program ended.
//
// An output of `ip link` without -d, of one device, or cut by a pipe is a part: it tells neither kinds nor what is not
// there. The devices of a network namespace are known all the same where the other ends of their veth pairs are. Of `ip
// route` alone the main table is known, and the routes that the kernel makes of addresses. `ps` tells no network namespaces:
// its processes are facts where the sockets of the node show those of its agents. ifconfig shows neither all addresses nor
// kinds: its counters are used. A table of `kubectl get` is no list of objects, since a field that it leaves out would pass
// for one that is empty. Where two texts of the same rules differ, the input says so.
//
// What is read may come from a stranger. Nothing is unpacked to disk, no path in an archive is ever opened, and
// [Limits] bound what it can make netcause hold in memory. Objects of names that no API server takes are left out: names
// stand in the commands of a fix.
package bundle

import (
	"time"

	"github.com/netcause/netcause/engine/facts"
)

const (
	formatName    = "netcause-bundle"
	formatVersion = 1
	manifestName  = "manifest.json"
	redactionName = "redaction.json"
)

// manifest is a bundle's manifest.json.
type manifest struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	// Tool is the version of the netcause that wrote it.
	Tool        string        `json:"tool,omitempty"`
	CollectedAt time.Time     `json:"collectedAt,omitzero"`
	Symptoms    []string      `json:"symptoms,omitempty"`
	Inputs      []facts.Input `json:"inputs,omitempty"`
	// Redacted is what was taken out or replaced: see [facts.Input].
	Redacted []string `json:"redacted,omitempty"`
	// Nodes are the names of the nodes, for a person: a reader takes them from each node.json.
	Nodes   []string `json:"nodes,omitempty"`
	Cluster bool     `json:"cluster"`
	// Entries are the other files, in the order in which facts are to appear.
	Entries []manifestEntry `json:"entries,omitempty"`
}

// manifestEntry is one file of the bundle.
type manifestEntry struct {
	Name string `json:"name"` // from the top folder: "nodes/n1/links.json"
	Size int64  `json:"size"` // bytes
}
