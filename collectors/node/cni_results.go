package node

import (
	"encoding/json"
	"fmt"

	"github.com/netcause/netcause/engine/facts"
)

// maxCNIResult bounds one file of the CNI results.
const maxCNIResult = 4 << 20

// cniResult is what a CNI result says of a namespace.
type cniResult struct {
	netns string
	pod   *facts.PodReference
}

// parseCNIResult reads a file of /var/lib/cni/results: the JSON that libcni keeps of each interface that it added
// (cachedInfo of containernetworking/cni's libcni/api.go). Its cniArgs have the Pod, where a kubelet asked for it. Files
// of libcni before 0.8 have neither.
func parseCNIResult(text []byte) (cniResult, error) {
	var cached struct {
		Netns   string      `json:"netns"`
		CNIArgs [][2]string `json:"cniArgs"`
	}
	if err := json.Unmarshal(text, &cached); err != nil {
		return cniResult{}, fmt.Errorf("CNI result: %w", err)
	}
	args := map[string]string{}
	for _, pair := range cached.CNIArgs {
		args[pair[0]] = pair[1]
	}
	r := cniResult{netns: cached.Netns}
	if args["K8S_POD_NAME"] != "" {
		r.pod = &facts.PodReference{
			Namespace: args["K8S_POD_NAMESPACE"], Name: args["K8S_POD_NAME"], UID: args["K8S_POD_UID"],
		}
	}
	return r, nil
}
