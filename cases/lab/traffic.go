package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The Service echo, which is always there: a Pod on each node, each on port 8080.
const (
	echoServiceAddress = "10.96.10.10"
	echoService        = echoServiceAddress + ":80"
	echoName           = "echo.default.svc.cluster.local"
	echoNodePort       = "30080"
	echoPort           = "8080"
	// largeBody is more than a few full segments of any MTU here.
	largeBody = 200_000
)

// Place is where traffic comes from: a [Machine] or a [Pod].
type Place interface {
	fmt.Stringer
	command(ctx context.Context, program string, args ...string) *exec.Cmd
	lab() string
}

func (m *Machine) String() string { return m.Name }

func (m *Machine) lab() string { return m.self }

// Pod is a running Pod.
type Pod struct {
	Namespace, Name string
	Address         string
	Node            *Machine
	uid, container  string
}

func (p *Pod) String() string { return p.Name + " on " + p.Node.Name }

func (p *Pod) lab() string { return p.Node.self }

// command runs a program in the network and mount namespaces of the Pod's first container.
func (p *Pod) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	pid, err := p.Node.ReadFile(filepath.Join(kubeletDir, "pods", p.uid, "containers", p.container))
	if err != nil {
		pid = "0" // nsenter will say that it is not there
	}
	return p.Node.command(ctx, "nsenter", append([]string{"--target", strings.TrimSpace(pid), "--mount", "--net", "--", program}, args...)...)
}

// Shell runs a line of shell in the Pod.
func (p *Pod) Shell(ctx context.Context, line string) (string, error) {
	return output(p.command(ctx, "sh", "-c", line))
}

// Pod finds the running Pod with these labels that is on a node; an empty node: on any.
func (l *Lab) Pod(ctx context.Context, namespace, selector, node string) (*Pod, error) {
	options := metav1.ListOptions{LabelSelector: selector}
	if node != "" {
		options.FieldSelector = "spec.nodeName=" + node
	}
	pods, err := l.client.CoreV1().Pods(namespace).List(ctx, options)
	if err != nil {
		return nil, err
	}
	for _, p := range pods.Items {
		if p.Status.Phase == corev1.PodRunning && p.DeletionTimestamp == nil {
			return &Pod{
				Namespace: namespace, Name: p.Name, Address: p.Status.PodIP, Node: l.Node(p.Spec.NodeName),
				uid: string(p.UID), container: p.Spec.Containers[0].Name,
			}, nil
		}
	}
	return nil, fmt.Errorf("no Pod of %s in %s runs on %s", selector, namespace, node)
}

// PodOn is the Pod of the Service echo on a node.
func (l *Lab) PodOn(ctx context.Context, node string) (*Pod, error) {
	return l.Pod(ctx, "default", "app=echo", node)
}

// Post posts that many bytes from a place to an address (or name) and port of an HTTP server of the image lab/echo. The
// error is what the client was told, with who it was.
func (l *Lab) Post(ctx context.Context, from Place, to string, size int) error {
	return l.try(ctx, from, attempt{To: to, Size: size})
}

// PodToPod posts from the Pod of the Service echo on a node to that on another.
func (l *Lab) PodToPod(ctx context.Context, from, to string, size int) error {
	a, err := l.PodOn(ctx, from)
	if err != nil {
		return err
	}
	b, err := l.PodOn(ctx, to)
	if err != nil {
		return err
	}
	return l.Post(ctx, a, b.Address+":"+echoPort, size)
}

// PodPost posts from the Pod of the Service echo on a node.
func (l *Lab) PodPost(ctx context.Context, node, to string, size int) error {
	p, err := l.PodOn(ctx, node)
	if err != nil {
		return err
	}
	return l.Post(ctx, p, to, size)
}

// PodResolve looks a name up in the Pod of the Service echo on a node.
func (l *Lab) PodResolve(ctx context.Context, node, name string) error {
	p, err := l.PodOn(ctx, node)
	if err != nil {
		return err
	}
	return l.Resolve(ctx, p, name)
}

// Resolve looks a name up, as a program there does: by its resolv.conf.
func (l *Lab) Resolve(ctx context.Context, from Place, name string) error {
	return l.try(ctx, from, attempt{Name: name})
}

// errNotTried is that of traffic that could not even be tried: no symptom.
var errNotTried = errors.New("not tried")

// try makes attempts side by side, and gives what was said of those that failed.
func (l *Lab) try(ctx context.Context, from Place, attempts ...attempt) error {
	text, err := json.Marshal(attempts)
	if err != nil {
		return err
	}
	out, err := output(from.command(ctx, from.lab(), "client", string(text)))
	if err != nil {
		return fmt.Errorf("%w: %s: %w", errNotTried, from, err)
	}
	if err := json.Unmarshal([]byte(out), &attempts); err != nil {
		return fmt.Errorf("%w: %s: %q", errNotTried, from, out)
	}
	var failed []error
	for _, a := range attempts {
		if a.Error != "" {
			failed = append(failed, fmt.Errorf("%s: %s: %s", from, a, a.Error))
		}
	}
	return errors.Join(failed...)
}

// Healthy tries everything that must pass where nothing is wrong: each node, each of its Pods and the client, to each Pod,
// to the Service by its address, its name and its NodePorts, with small requests and large ones, and names of the cluster
// and of the site. Its error is all that failed.
func (l *Lab) Healthy(ctx context.Context) error {
	pods := map[string]*Pod{}
	for _, node := range nodeNames {
		p, err := l.PodOn(ctx, node)
		if err != nil {
			return err
		}
		pods[node] = p
	}
	var toPods, toNodePorts []attempt
	for _, node := range nodeNames {
		toPods = append(toPods, attempt{To: pods[node].Address + ":" + echoPort, Size: largeBody})
		toNodePorts = append(toNodePorts, attempt{To: nodeAddresses[node] + ":" + echoNodePort, Size: largeBody})
	}
	// One in three is of the Pod's own node.
	services := []attempt{{To: echoService, Size: 1}, {To: echoService, Size: 1}, {To: echoService, Size: largeBody}}
	names := []attempt{{Name: "echo"}, {Name: echoName}, {Name: siteName}, {To: echoName + ":80", Size: 1}}

	group, ctx := errgroup.WithContext(ctx)
	var failed [7]error
	for i, node := range nodeNames {
		group.Go(func() error {
			failed[i] = l.try(ctx, pods[node], append(append(append([]attempt{}, toPods...), services...), names...)...)
			return nil
		})
		group.Go(func() error {
			failed[3+i] = l.try(ctx, l.Node(node), append(append([]attempt{}, toPods...), services...)...)
			return nil
		})
	}
	group.Go(func() error {
		failed[6] = l.try(ctx, l.Client(), toNodePorts...)
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	return errors.Join(failed[:]...)
}
