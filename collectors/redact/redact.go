// Package redact takes secrets out of a snapshot, and replaces names and addresses in it so that its topology survives.
//
// Collectors mask the secrets that they know (netconf.MaskSecrets, cluster.Prune), and never read environments and Secrets.
// [Apply] goes over every text that is kept, whatever it was made of, and on request replaces
//
//   - names, which somebody chose: of nodes, namespaces, Pods, Services, workloads, containers, images, ports, zones, values
//     of labels, hosts, domains and users. One name reads the same everywhere. Names of the network's components
//     (kube-system, kube-proxy, coredns, calico-node …), of Kubernetes' and the kernel's vocabulary, of devices and chains
//     stay, and so do keys of labels, ports, versions, UIDs;
//   - addresses, so that two of them share as many leading bits as before: see the type addresses.
//
// What is hashed from names or addresses and could be guessed by trying (kube-proxy's chains, Calico's devices, the
// machine-id) is replaced too. The order of names, how many there are, and how networks lie in each other can still be seen.
package redact

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// Options say what is replaced besides secrets.
type Options struct {
	Names, Addresses bool
	// Words are texts that are to occur nowhere, case aside: a company's name. Without Names they alone are replaced.
	Words []string
	// Mapping keeps what stands for what, and is continued where it has something already: bundles that are redacted one
	// after the other agree. nil: nothing is kept.
	Mapping *Mapping
}

// ErrMixed says that some of what a snapshot was read from is redacted already, and the rest is not in the same way.
var ErrMixed = errors.New("some bundles have their names or addresses replaced already and others do not, so that they no longer fit together")

// Apply makes a redacted copy of a snapshot, and the report of what was replaced: counts, never a value. Names and addresses of
// a snapshot that has them replaced already stay as they are. The snapshot itself is not changed.
func Apply(ctx context.Context, snapshot *facts.Snapshot, options Options) (*facts.Snapshot, *facts.Redaction, error) {
	if snapshot == nil {
		return nil, nil, errors.New("redact: there is no snapshot")
	}
	if slices.ContainsFunc(options.Words, func(word string) bool { return strings.TrimSpace(word) == "" }) {
		return nil, nil, errors.New("redact: a word is empty, and would be found everywhere")
	}
	names, err := before(snapshot, facts.RedactedNames)
	if err != nil {
		return nil, nil, fmt.Errorf("redact: %w", err)
	}
	addresses, err := before(snapshot, facts.RedactedAddresses)
	if err != nil {
		return nil, nil, fmt.Errorf("redact: %w", err)
	}
	report := &facts.Redaction{Names: options.Names || names, Addresses: options.Addresses || addresses}
	options.Names, options.Addresses = options.Names && !names, options.Addresses && !addresses
	r := &redaction{ctx: ctx, report: report, options: options}
	if err := r.prepare(snapshot); err != nil {
		return nil, nil, fmt.Errorf("redact: %w", err)
	}
	r.nameBundles(snapshot.Inputs)
	out := r.snapshot(snapshot)
	if err := context.Cause(ctx); err != nil {
		return nil, nil, fmt.Errorf("redact: %w", err)
	}
	if m := options.Mapping; m != nil {
		m.keep(r.sweeper)
	}
	return out, report, nil
}

// before says whether all bundles of a snapshot have something replaced already.
func before(snapshot *facts.Snapshot, what string) (bool, error) {
	with, without := 0, len(snapshot.Inputs) == 0
	for _, input := range snapshot.Inputs {
		switch {
		case input.Kind != "bundle":
		case slices.Contains(input.Redacted, what):
			with++
		default:
			without = true
		}
	}
	if with > 0 && without {
		return false, ErrMixed
	}
	return with > 0, nil
}

// redaction is one run.
type redaction struct {
	ctx     context.Context
	options Options
	report  *facts.Redaction
	// bundles are what the bundles that were read are called, where they are not to be told; nil: they may.
	bundles *strings.Replacer
	*sweeper
}

// prepare notes names and addresses, and settles what stands for them.
func (r *redaction) prepare(snapshot *facts.Snapshot) error {
	mapping := r.options.Mapping
	key := mapping.key()
	fresh := key == nil
	if fresh {
		key = make([]byte, 32)
		rand.Read(key) // never fails
	}
	r.sweeper = &sweeper{}
	a := newAddresses(key)
	if r.options.Addresses {
		r.sweeper.addresses = a
		r.noting = true
		mapping.prefixes(a)
		r.snapshot(snapshot)
		r.noting = false
		if fresh {
			if err := r.chooseKey(a); err != nil {
				return err
			}
			key = a.key
		}
		r.report.Clashes, _ = a.clashes()
		a.settle()
		if err := mapping.agrees(a); err != nil {
			return err
		}
	}
	if r.options.Names || r.options.Addresses || len(r.options.Words) > 0 {
		n := newNames(a.sum)
		n.hashesAlone = !r.options.Names
		mapping.names(n)
		n.addWords(r.options.Words)
		if r.options.Names {
			n.noteSnapshot(snapshot)
		}
		n.settle()
		r.sweeper.names = n
		r.report.OrdinaryWords = len(n.ordinary())
	}
	if mapping != nil {
		mapping.Key = key
	}
	return nil
}

// chooseKey looks for a key by which no address stays, becomes another one's or comes to lie in another's network. Of many
// addresses in little room there may be none: then it is the best of those that were tried.
func (r *redaction) chooseKey(a *addresses) error {
	const most, work = 64, 3_000_000
	key := make([]byte, len(a.key))
	var best []byte
	bestSame, bestWithin := 0, 0
	for range min(most, max(4, work/(len(a.seen)+1))) {
		if err := context.Cause(r.ctx); err != nil {
			return err
		}
		rand.Read(key)
		a.rekey(key)
		same, within := a.clashes()
		if best == nil || same < bestSame || same == bestSame && within < bestWithin {
			best, bestSame, bestWithin = a.key, same, within
		}
		if same+within == 0 {
			break
		}
	}
	a.rekey(best)
	return nil
}

// snapshot makes the copy.
func (r *redaction) snapshot(from *facts.Snapshot) *facts.Snapshot {
	out := *from
	out.Inputs = r.inputs(from.Inputs)
	out.Nodes = make([]*facts.Node, 0, len(from.Nodes))
	for _, node := range from.Nodes {
		n := *node
		n.Name = r.textOf(node.Name, naming, false)
		folder := path.Join("nodes", n.Name)
		r.groups(folder, append(n.Groups(), n.NetNS.Groups()...))
		n.Namespaces = make([]*facts.Namespace, 0, len(node.Namespaces))
		for _, namespace := range node.Namespaces {
			ns := *namespace
			ns.ID = r.textOf(ns.ID, naming, false)
			ns.Path = r.textOf(ns.Path, naming, false)
			if ns.Pod != nil {
				pod := *ns.Pod
				pod.Namespace = r.textOf(pod.Namespace, naming, false)
				pod.Name = r.textOf(pod.Name, naming, false)
				ns.Pod = &pod
			}
			r.count(path.Join(folder, "netns", ns.ID, "namespace.json"))
			r.groups(path.Join(folder, "netns", ns.ID), ns.Groups())
			n.Namespaces = append(n.Namespaces, &ns)
		}
		r.count(path.Join(folder, "node.json"))
		out.Nodes = append(out.Nodes, &n)
	}
	if from.Cluster != nil {
		c := *from.Cluster
		c.Server = r.textOf(c.Server, plain, false)
		r.count("cluster/cluster.json")
		r.groups("cluster", c.Groups())
		out.Cluster = &c
	}
	return &out
}

// inputs are what the snapshot was read from. Where a bundle lay on somebody's disk is nobody's business.
func (r *redaction) inputs(from []facts.Input) []facts.Input {
	var list []facts.Input
	bundles := 0
	for _, input := range from {
		if input.Kind == "bundle" {
			bundles++
			input.Redacted = r.report.What()
			input.Name = r.bundle(input.Name, bundles)
		}
		if r.bundles != nil {
			input.Problem = r.bundles.Replace(input.Problem)
		}
		input.Name = r.textOf(input.Name, naming, false)
		input.Problem = r.textOf(input.Problem, plain, false)
		list = append(list, input)
	}
	r.count("manifest.json")
	return list
}

// bundle is what a bundle is called.
func (r *redaction) bundle(name string, n int) string {
	if r.options.Names || len(r.options.Words) > 0 {
		return fmt.Sprintf("bundle-%d", n)
	}
	return path.Base(name)
}

// nameBundles makes the replacer: problems and sources may have a bundle's path in them.
func (r *redaction) nameBundles(inputs []facts.Input) {
	const shortest = 5 // "n1" may be anything
	var pairs []string
	n := 0
	for _, input := range inputs {
		if input.Kind != "bundle" {
			continue
		}
		n++
		base, to := path.Base(input.Name), r.bundle(input.Name, n)
		for _, text := range []string{input.Name, base} {
			if len(text) >= shortest {
				pairs = append(pairs, text, to)
			}
		}
	}
	if len(pairs) > 0 {
		r.bundles = strings.NewReplacer(pairs...)
	}
}

// count puts what was counted since the last time to a file.
func (r *redaction) count(file string) {
	c := r.counts
	r.counts = counts{}
	if r.noting || c == (counts{}) {
		return
	}
	r.report.Files = append(r.report.Files, facts.RedactedFile{
		File: file, Redacted: facts.Redacted{Secrets: c.secrets, Names: c.names, Addresses: c.addresses, MACs: c.macs},
	})
}
