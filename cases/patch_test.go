package cases_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"testing"

	"github.com/netcause/netcause/engine"
)

// printedPatch is the one patch of the root cause's fix.
func printedPatch(t *testing.T, d *engine.Diagnosis) string {
	t.Helper()
	var patches []string
	for _, root := range d.RootCauses {
		for _, step := range root.Fix.Steps {
			if step.Patch != "" {
				patches = append(patches, step.Patch)
			}
		}
	}
	if len(patches) != 1 {
		t.Fatalf("patches: %q, want one", patches)
	}
	return patches[0]
}

var (
	kubectlPatch = regexp.MustCompile(`^kubectl -n (\S+) patch (daemonset|configmap) (\S+) --type (strategic|merge) -p '([^']+)'$`)
	patchPaths   = map[string]string{"daemonset": "/apis/apps/v1/namespaces/%s/daemonsets/%s", "configmap": "/api/v1/namespaces/%s/configmaps/%s"}
	patchTypes   = map[string]string{"strategic": "application/strategic-merge-patch+json", "merge": "application/merge-patch+json"}
)

// patch does what a printed kubectl command does, and gives the object that the API server has then.
func (c controlPlane) patch(t *testing.T, command string) object {
	t.Helper()
	match := kubectlPatch.FindStringSubmatch(command)
	if match == nil {
		t.Fatalf("not a patch that this test understands: %s", command)
	}
	namespace, kind, name, how, body := match[1], match[2], match[3], match[4], match[5]
	answer, err := c.Do(t.Context(), http.MethodPatch, fmt.Sprintf(patchPaths[kind], namespace, name), patchTypes[how], json.RawMessage(body))
	if err != nil {
		t.Fatal(err)
	}
	return answer
}
