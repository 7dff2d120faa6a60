package cluster

import _ "embed"

// ClusterRole is the manifest (YAML) of a ServiceAccount, a ClusterRole and their ClusterRoleBinding with which
// [Collect] reads everything that it reads, and no more.
//
//go:embed clusterrole.yaml
var ClusterRole string
