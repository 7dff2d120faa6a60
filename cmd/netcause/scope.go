package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/netcause/netcause/collectors/cluster"
	"github.com/netcause/netcause/collectors/node"
	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/facts"
)

// scope is what to collect.
type scope struct {
	cluster     cluster.Options
	node        node.Options
	nodeOnly    bool
	clusterOnly bool
	timeout     time.Duration
}

func (s *scope) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.cluster.Kubeconfig, "kubeconfig", "", "kubeconfig `FILE`; default: KUBECONFIG, ~/.kube/config, or the Pod's own account")
	f.StringVar(&s.cluster.Context, "context", "", "`NAME` of the kubeconfig's context to use")
	f.StringVarP(&s.cluster.Namespace, "namespace", "n", "", "read the cluster's objects of this `NAMESPACE` only, and those of the network itself")
	f.BoolVar(&s.nodeOnly, "node-only", false, "read this node only, no cluster")
	f.BoolVar(&s.clusterOnly, "cluster-only", false, "read the cluster's objects only, nothing of this node")
	f.StringVar(&s.node.Name, "node-name", "", "`NAME` of this node in the cluster; default: found by host name and address")
	f.StringVar(&s.node.Root, "root", "", "read the node's files below this `DIR` (a host's file system seen from a Pod)")
	f.DurationVar(&s.timeout, "timeout", 2*time.Minute, "stop reading after this `TIME` and go on with what was read")
	cmd.MarkFlagsMutuallyExclusive("node-only", "cluster-only")
	_ = cmd.MarkFlagDirname("root")
}

// collect reads the node and the cluster side by side. A cluster that does not answer is a problem of the snapshot's
// input, unless nothing but the cluster was asked for. What was not read when the time is up is among the facts as failed.
func (s *scope) collect(parent context.Context) (*facts.Snapshot, error) {
	var (
		snapshot     facts.Snapshot
		nodeInput    []facts.Input
		clusterInput []facts.Input
	)
	ctx, cancel := context.WithTimeout(parent, s.timeout)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	if !s.clusterOnly {
		group.Go(func() error {
			at := time.Now().UTC()
			n := node.Collect(ctx, s.node)
			snapshot.Nodes = []*facts.Node{n}
			nodeInput = []facts.Input{{Kind: "node", Name: n.Name, CollectedAt: at}}
			return parent.Err()
		})
	}
	if !s.nodeOnly {
		group.Go(func() (err error) {
			snapshot.Cluster, clusterInput, err = s.collectCluster(ctx)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	engine.MatchNodes(&snapshot)
	for i := range nodeInput {
		nodeInput[i].Name = snapshot.Nodes[i].Name
	}
	snapshot.Inputs = append(nodeInput, clusterInput...)
	return &snapshot, nil
}

func (s *scope) collectCluster(ctx context.Context) (*facts.Cluster, []facts.Input, error) {
	config, err := cluster.Config(s.cluster)
	if errors.Is(err, cluster.ErrNoConfig) && !s.clusterOnly {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	input := facts.Input{Kind: "cluster", Name: config.Host, CollectedAt: time.Now().UTC()}
	c, err := cluster.Collect(ctx, config, s.cluster)
	var unreachable *cluster.UnreachableError
	switch {
	case errors.As(err, &unreachable) && !s.clusterOnly:
		input.Problem = err.Error()
		return nil, []facts.Input{input}, nil
	case err != nil:
		return nil, nil, fmt.Errorf("read the cluster: %w", err)
	}
	if missing := s.missingNamespace(c); missing != "" {
		input.Problem = missing
	}
	return c, []facts.Input{input}, nil
}

// missingNamespace says that the namespace asked for does not exist: nothing in it is found then.
func (s *scope) missingNamespace(c *facts.Cluster) string {
	name := s.cluster.Namespace
	if name == "" || c.Namespaces.Status != facts.Read {
		return ""
	}
	for _, namespace := range c.Namespaces.Value {
		if namespace.Metadata.Name == name {
			return ""
		}
	}
	return fmt.Sprintf("there is no namespace %q in the cluster", name)
}
