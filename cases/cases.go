// Package cases is the knowledge base: a folder for each case, with its story (README.md), the recorded state of its
// machines and cluster (snapshot/, bundles of `netcause collect`), and the diagnosis that these must give
// (diagnosis.json, diagnosis.txt). The folder's name is the id of the rule that finds the cause.
//
// The package's tests analyse every snapshot, and, as root, bring each case about in network namespaces, see its symptom
// in traffic, diagnose it, put it right and see that it is right. README.md says how the snapshots are recorded.
package cases
