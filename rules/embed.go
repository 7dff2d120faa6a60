// Package rules is the library of root causes: a folder for each category, each rule beside its test, and in lib what
// rules have in common.
package rules

import "embed"

// FS holds the library's Rego files.
//
//go:embed lib cni dns-failure large-packet-loss network-unreachable port-unreachable
var FS embed.FS
