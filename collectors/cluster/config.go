package cluster

import (
	"errors"
	"fmt"
	"io/fs"

	_ "k8s.io/client-go/plugin/pkg/client/auth/oidc" // the auth-provider of kubeconfigs that kubectl carries too
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// ErrNoConfig: there is no kubeconfig and the process does not run in a Pod, so there is no cluster to ask.
var ErrNoConfig = errors.New("no cluster: no --kubeconfig, nothing in KUBECONFIG or ~/.kube/config, and not in a Pod")

// Options say which cluster to read, and how much of it. The zero value is all of the cluster that kubectl would ask.
type Options struct {
	// Kubeconfig is the path given with --kubeconfig; no other file is read then.
	Kubeconfig string
	// Context is the kubeconfig's context to use instead of the current one.
	Context string
	// Namespace limits what is read of namespaced resources to one namespace, besides those where the network's own
	// components live. Empty: all namespaces.
	Namespace string
}

// Config is how to reach the cluster, found in kubectl's order: the explicit kubeconfig, the files that KUBECONFIG
// lists, ~/.kube/config, the service account of the Pod that the process runs in.
//
// The error is [ErrNoConfig] where there is none of them; any other names the file or context that is wrong.
func Config(opts Options) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = opts.Kubeconfig
	// Migration would copy a file of ancient kubectls to ~/.kube/config; diagnosing writes nothing.
	rules.MigrationRules = nil
	rules.WarnIfAllMissing = false
	overrides := &clientcmd.ConfigOverrides{CurrentContext: opts.Context}
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)

	cfg, err := loader.ClientConfig()
	switch {
	case err == nil:
		return cfg, nil
	case errors.Is(err, fs.ErrNotExist) && opts.Kubeconfig != "":
		return nil, fmt.Errorf("read kubeconfig %s: no such file", opts.Kubeconfig)
	case !clientcmd.IsEmptyConfig(err):
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}

	// clientcmd calls a kubeconfig empty too when its current-context is, which is another fault than having none.
	if raw, rawErr := loader.RawConfig(); rawErr == nil && len(raw.Contexts)+len(raw.Clusters) > 0 {
		return nil, errors.New("read kubeconfig: it has clusters, but no current-context: give one with --context")
	}
	if opts.Kubeconfig != "" {
		return nil, fmt.Errorf("read kubeconfig %s: there is no cluster in it", opts.Kubeconfig)
	}
	return nil, ErrNoConfig
}
