package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
)

// sameFromBundle sees that a bundle that is collected on a node gives the diagnosis that is made there live, in all but
// what it was read from and what is left of a lease. It is tried until nothing is so young that its age decides.
func (l *Lab) sameFromBundle(ctx context.Context, node string, symptoms []string) error {
	n, bundle := l.Node(node), filepath.Join(l.dir, "same.tar.gz")
	return l.await(ctx, "the same diagnosis live and from a bundle of "+node, healWithin, func(ctx context.Context) error {
		live, err := l.diagnoseOn(ctx, node, symptoms)
		if err != nil {
			return err
		}
		args := append([]string{"collect", "--force", "-o", bundle, "--kubeconfig", kubeletKubeconfig}, reported(symptoms)...)
		if _, err := output(n.command(ctx, l.netcause, args...)); err != nil {
			return err
		}
		recorded, err := l.analyze(ctx, []string{bundle})
		if err != nil {
			return err
		}
		var all [2]map[string]any
		for i, d := range []diagnosis{live, recorded} {
			if err := json.Unmarshal(lifetime.ReplaceAll(d.text, nil), &all[i]); err != nil {
				return err
			}
			delete(all[i], "sources")
		}
		if diff := cmp.Diff(all[0], all[1]); diff != "" {
			return fmt.Errorf("live (-), from the bundle (+):\n%s", diff)
		}
		return nil
	})
}

// lifetime is what is left of a lease, in the fact of an address.
var lifetime = regexp.MustCompile(` \(\d+h\d+m left\)`)

// judgeForeign has other programs collect the nodes and the cluster, and judges what netcause finds in what they wrote: a
// sosreport of each node with a dump of the cluster, and support bundles of troubleshoot.sh.
func (l *Lab) judgeForeign(ctx context.Context, r *row, c Case) error {
	for _, format := range []struct {
		name    string
		collect func(context.Context, string) ([]string, error)
	}{
		{"sos", l.sosreports},
		{"troubleshoot", l.supportBundles},
	} {
		folder := filepath.Join(l.dir, format.name)
		if err := os.RemoveAll(folder); err != nil {
			return err
		}
		if err := os.Mkdir(folder, 0o755); err != nil {
			return err
		}
		paths, err := format.collect(ctx, folder)
		if err != nil {
			return fmt.Errorf("%s: %w", format.name, err)
		}
		d, err := l.analyze(ctx, paths)
		if err != nil {
			return fmt.Errorf("%s: %w", format.name, err)
		}
		l.judge(r, "by "+format.name, d, c.Roots)
		// Nothing is found in what is not read, either.
		for _, id := range examined {
			if !d.examined(id) {
				r.fail("by %s: %s is not examined", format.name, id)
			}
		}
	}
	return nil
}

// examined are rules that any of these formats has the facts for.
var examined = []string{"ip-forward-disabled", "pod-network-route-missing", "vxlan-fdb-wrong", "vxlan-neighbour-wrong", "default-route-missing"}

// sosreports has sos write a report of each node, and kubectl a dump of the cluster, with the lists beside it that a dump
// leaves out. The plugins are those of the network, and those that every version has.
func (l *Lab) sosreports(ctx context.Context, folder string) ([]string, error) {
	group, ctx := errgroup.WithContext(ctx)
	for _, n := range l.Nodes() {
		group.Go(func() error {
			_, err := output(n.command(ctx, "sos", "report", "--batch", "--quiet", "--only-plugins", "host,kernel,networking", "--tmp-dir", folder))
			if err != nil {
				return fmt.Errorf("sos report on %s: %w", n.Name, err)
			}
			return nil
		})
	}
	dump := filepath.Join(folder, "cluster-info")
	group.Go(func() error {
		if _, err := l.Kubectl(ctx, "cluster-info", "dump", "--all-namespaces", "--output-directory", dump); err != nil {
			return err
		}
		for _, kind := range []string{"namespaces", "endpointslices", "networkpolicies", "priorityclasses", "configmaps"} {
			list, err := l.Kubectl(ctx, "get", kind, "--all-namespaces", "-o", "json")
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dump, kind+".json"), []byte(list), 0o644); err != nil {
				return err
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	// As a shell gives them, with the checksum that is beside each.
	reports, err := filepath.Glob(filepath.Join(folder, "sosreport-*"))
	if err != nil {
		return nil, err
	}
	return append(reports, dump), nil
}

// supportBundles has troubleshoot.sh write a bundle on each node: of its host, and the first of the cluster besides.
func (l *Lab) supportBundles(ctx context.Context, folder string) ([]string, error) {
	var specs []string
	for _, name := range []string{"support-bundle-host.yaml", "support-bundle-cluster.yaml"} {
		text, err := manifestFiles.ReadFile("manifests/" + name)
		if err != nil {
			return nil, err
		}
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return nil, err
		}
		specs = append(specs, path)
	}
	var paths []string
	group, ctx := errgroup.WithContext(ctx)
	for i, n := range l.Nodes() {
		path := filepath.Join(folder, "support-bundle-"+n.Name)
		paths = append(paths, path+".tar.gz")
		args := append([]string{
			"--kubeconfig", kubeletKubeconfig, "--interactive=false", "--auto-update=false", "--no-uri", "--output", path,
		}, specs[:1]...)
		if i == 0 {
			args = append(args, specs[1])
		}
		group.Go(func() error {
			if out, err := output(n.command(ctx, l.program("troubleshoot"), args...)); err != nil {
				return fmt.Errorf("on %s: %w: %s", n.Name, err, out)
			}
			return nil
		})
	}
	return paths, group.Wait()
}

// analyze has netcause read bundles. A path that leads to nothing is an error.
func (l *Lab) analyze(ctx context.Context, paths []string) (diagnosis, error) {
	if len(paths) == 0 {
		return diagnosis{}, errors.New("nothing was written")
	}
	return diagnose(exec.CommandContext(ctx, l.netcause, append([]string{"analyze", "-o", "json"}, paths...)...))
}
