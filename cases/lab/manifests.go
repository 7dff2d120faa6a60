package main

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"strings"
	"text/template"
)

//go:embed manifests
var manifestFiles embed.FS

// manifests are those of the cluster, as YAML.
func (l *Lab) manifests(names ...string) (string, error) {
	values := map[string]string{
		"ClusterCIDR": clusterCIDR, "APIServer": apiURL, "DNS": dnsAddress, "Echo": echoServiceAddress,
		"Proxy": "iptables", "Backend": "vxlan", "ServiceCIDR": serviceCIDR,
	}
	if l.state.Variant.Proxy == NFTables {
		values["Proxy"] = "nftables"
	}
	if b := l.state.Variant.Backend; b != "" {
		values["Backend"] = b
	}
	var all bytes.Buffer
	for _, name := range names {
		t, err := template.ParseFS(manifestFiles, "manifests/"+name+".yaml")
		if err != nil {
			return "", err
		}
		if err := t.Execute(&all, values); err != nil {
			return "", fmt.Errorf("manifest %s: %w", name, err)
		}
		all.WriteString("---\n")
	}
	return all.String(), nil
}

// Kubectl runs the real one, as the administrator, and gives what it printed.
func (l *Lab) Kubectl(ctx context.Context, args ...string) (string, error) {
	return l.kubectl(ctx, "", args...)
}

func (l *Lab) kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := l.Control().command(ctx, l.program("kubectl"), append([]string{"--kubeconfig=" + adminKubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := output(cmd)
	if err != nil {
		return out, fmt.Errorf("kubectl %s: %w", strings.Join(args, " "), err)
	}
	return out, nil
}

// Apply makes the objects of manifests in YAML or JSON. They go when the case has ended.
func (l *Lab) Apply(ctx context.Context, yaml string) error {
	l.applied = append(l.applied, yaml)
	_, err := l.kubectl(ctx, yaml, "apply", "-f", "-")
	return err
}

// deleteApplied deletes what Apply made, last first.
func (l *Lab) deleteApplied(ctx context.Context) error {
	for len(l.applied) > 0 {
		last := len(l.applied) - 1
		if _, err := l.kubectl(ctx, l.applied[last], "delete", "--ignore-not-found", "--cascade=foreground", "--timeout=20s", "-f", "-"); err != nil {
			return err
		}
		l.applied = l.applied[:last]
	}
	return nil
}
