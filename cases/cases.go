// Package cases is the knowledge base: a folder for each case, with its story (README.md), the recorded state of its
// machines and cluster (snapshot/, bundles of `netcause collect`), and the diagnosis that these must give
// (diagnosis.json, diagnosis.txt). The folder's name is the id of the rule that finds the cause.
//
// The package's tests analyse every snapshot. The lab brings each case about on a real cluster, sees its symptom in
// traffic, diagnoses it, puts it right and sees that it is right, and records it on the way.
package cases
