package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/record"
	"sigs.k8s.io/yaml"
)

// kubeletVersion is what the Nodes say of theirs.
const kubeletVersion = "v1.36.3"

const (
	cniConfDir  = "/etc/cni/net.d"
	cniBinDir   = "/opt/cni/bin"
	kubeletDir  = "/var/lib/kubelet"
	kubeletConf = kubeletDir + "/config.yaml"
	kubeletPID  = "/run/kubelet.pid"
)

// kubelet is the stand-in for a node's kubelet and container runtime. It registers the Node and keeps its status and its
// lease, attaches the node's Pods to the network by the plugins of the configuration that comes first, runs the programs
// of their containers in the Pods' network and mount namespaces, restarts them, probes whether they are ready, and keeps
// the Pods' status. Images are names of programs.
type kubelet struct {
	node, address string
	// programs is the folder where the programs of images are, by their names.
	programs string
	self     string
	client   kubernetes.Interface
	events   record.EventRecorder

	mu     sync.Mutex // guards what follows
	config kubeletConfig
	pods   map[types.UID]*podWorker
}

// kubeletConfig is what of a KubeletConfiguration counts here.
type kubeletConfig struct {
	ClusterDNS    []string `json:"clusterDNS"`
	ClusterDomain string   `json:"clusterDomain"`
	ResolvConf    string   `json:"resolvConf"`
}

// kubeletMain runs on a node, in its namespaces.
func kubeletMain(ctx context.Context, node, address, programs, self string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeletKubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 100, 200
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	broadcaster := record.NewBroadcaster()
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
	k := &kubelet{
		node: node, address: address, programs: programs, self: self, client: client,
		events: broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kubelet", Host: node}),
		pods:   map[types.UID]*podWorker{},
	}
	if err := os.WriteFile(kubeletPID, fmt.Appendf(nil, "%d\n", os.Getpid()), 0o644); err != nil {
		return err
	}
	if err := k.configure(); err != nil {
		return err
	}
	// The stand-in of systemctl restarts the kubelet by this signal. As with the real one its Pods stay, and it registers
	// the Node where that is gone.
	restarts := make(chan os.Signal, 1)
	signal.Notify(restarts, syscall.SIGHUP)
	go func() {
		for range restarts {
			if err := errors.Join(k.configure(), k.register(ctx)); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}()
	if err := k.register(ctx); err != nil {
		return err
	}
	go k.heartbeat(ctx)

	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", node).String()
	}))
	if _, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { k.sync(ctx, o.(*corev1.Pod)) },
		UpdateFunc: func(_, o any) { k.sync(ctx, o.(*corev1.Pod)) },
		DeleteFunc: func(o any) {
			if gone, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = gone.Obj
			}
			k.forget(o.(*corev1.Pod))
		},
	}); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	k.keepReady(ctx)
	return nil
}

// configure reads the configuration and writes the chains by which others know the kubelet's iptables
// (pkg/kubelet/kubelet_network_linux.go).
func (k *kubelet) configure() error {
	text, err := os.ReadFile(kubeletConf)
	if err != nil {
		return err
	}
	var config kubeletConfig
	if err := yaml.Unmarshal(text, &config); err != nil {
		return fmt.Errorf("read %s: %w", kubeletConf, err)
	}
	k.mu.Lock()
	k.config = config
	k.mu.Unlock()

	restore := exec.Command("iptables-restore", "--noflush")
	restore.Stdin = strings.NewReader(`*mangle
:KUBE-IPTABLES-HINT - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
COMMIT
*filter
:KUBE-FIREWALL - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
COMMIT
*nat
:KUBE-KUBELET-CANARY - [0:0]
COMMIT
`)
	if out, err := restore.CombinedOutput(); err != nil {
		return fmt.Errorf("iptables-restore: %w: %s", err, out)
	}
	rule := []string{
		"KUBE-FIREWALL", "!", "-s", "127.0.0.0/8", "-d", "127.0.0.0/8", "-m", "comment", "--comment",
		"block incoming localnet connections", "-m", "conntrack", "!", "--ctstate", "RELATED,ESTABLISHED,DNAT", "-j", "DROP",
	}
	for _, rule := range [][]string{rule, {"INPUT", "-j", "KUBE-FIREWALL"}, {"OUTPUT", "-j", "KUBE-FIREWALL"}} {
		if exec.Command("iptables", append([]string{"-w", "-C"}, rule...)...).Run() == nil {
			continue
		}
		if out, err := exec.Command("iptables", append([]string{"-w", "-A"}, rule...)...).CombinedOutput(); err != nil {
			return fmt.Errorf("iptables -A %v: %w: %s", rule, err, out)
		}
	}
	return nil
}

// register makes the Node, or makes the one that is there its own.
func (k *kubelet) register(ctx context.Context) error {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return err
	}
	resources := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("8Gi"), corev1.ResourcePods: resource.MustParse("110"),
	}
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: k.node, Labels: map[string]string{
			corev1.LabelHostname: k.node, corev1.LabelOSStable: "linux", corev1.LabelArchStable: runtime.GOARCH,
		}},
		Status: corev1.NodeStatus{
			Capacity: resources, Allocatable: resources,
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: k.address}, {Type: corev1.NodeHostName, Address: k.node}},
			NodeInfo: corev1.NodeSystemInfo{
				KubeletVersion: kubeletVersion, ContainerRuntimeVersion: "containerd://2.1.4", OperatingSystem: "linux",
				Architecture: runtime.GOARCH, KernelVersion: strings.TrimSpace(string(release)), OSImage: "Debian GNU/Linux",
			},
		},
	}
	node.Status.Conditions = k.conditions(networkNotReady())
	_, err = k.client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	patch, err := json.Marshal(map[string]any{"status": node.Status})
	if err != nil {
		return err
	}
	_, err = k.client.CoreV1().Nodes().PatchStatus(ctx, k.node, patch)
	return err
}

// networkNotReady is why the Node's network is not ready, in containerd's words; nil: it is.
func networkNotReady() error {
	if _, err := networkConfig(); err != nil {
		return errors.New("container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady " +
			"message:Network plugin returns error: cni plugin not initialized")
	}
	return nil
}

// conditions are the Node's, where its network is ready or for that reason is not.
func (k *kubelet) conditions(notReady error) []corev1.NodeCondition {
	now := metav1.Now()
	conditions := []corev1.NodeCondition{
		{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientMemory", Message: "kubelet has sufficient memory available"},
		{Type: corev1.NodeDiskPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasNoDiskPressure", Message: "kubelet has no disk pressure"},
		{Type: corev1.NodePIDPressure, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficientPID", Message: "kubelet has sufficient PID available"},
		{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady", Message: "kubelet is posting ready status"},
	}
	if notReady != nil {
		conditions[3].Status, conditions[3].Reason, conditions[3].Message = corev1.ConditionFalse, "KubeletNotReady", notReady.Error()
	}
	for i := range conditions {
		conditions[i].LastHeartbeatTime = now
		conditions[i].LastTransitionTime = now
	}
	return conditions
}

// heartbeat keeps the Node's lease.
func (k *kubelet) heartbeat(ctx context.Context) {
	leases := k.client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	seconds := int32(40)
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		now := metav1.NewMicroTime(time.Now())
		lease := &coordinationv1.Lease{
			ObjectMeta: metav1.ObjectMeta{Name: k.node, Namespace: corev1.NamespaceNodeLease},
			Spec:       coordinationv1.LeaseSpec{HolderIdentity: &k.node, LeaseDurationSeconds: &seconds, RenewTime: &now},
		}
		if old, err := leases.Get(ctx, k.node, metav1.GetOptions{}); err == nil {
			old.Spec = lease.Spec
			_, err = leases.Update(ctx, old, metav1.UpdateOptions{})
			if err != nil {
				fmt.Fprintln(os.Stderr, "renew the lease:", err)
			}
		} else if _, err := leases.Create(ctx, lease, metav1.CreateOptions{}); err != nil {
			fmt.Fprintln(os.Stderr, "make the lease:", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// keepReady keeps the Node's conditions: it is ready while there is a configuration of the network plugin.
func (k *kubelet) keepReady(ctx context.Context) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	said := "nothing"
	for {
		notReady := networkNotReady()
		if now := fmt.Sprint(notReady); now != said {
			if err := k.patchNode(ctx, notReady); err != nil {
				fmt.Fprintln(os.Stderr, "keep the Node's status:", err)
			} else {
				said = now
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (k *kubelet) patchNode(ctx context.Context, notReady error) error {
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": k.conditions(notReady)}})
	if err != nil {
		return err
	}
	_, err = k.client.CoreV1().Nodes().PatchStatus(ctx, k.node, patch)
	return err
}

// networkConfig is the name of the network whose configuration comes first, as containerd chooses it.
func networkConfig() (string, error) {
	entries, err := os.ReadDir(cniConfDir)
	if err != nil {
		return "", err
	}
	for _, e := range entries { // sorted
		if !slices.Contains([]string{".conf", ".conflist", ".json"}, filepath.Ext(e.Name())) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(cniConfDir, e.Name()))
		if err != nil {
			return "", err
		}
		var conf struct {
			Name string `json:"name"`
		}
		if err := json.Unmarshal(text, &conf); err != nil || conf.Name == "" {
			continue
		}
		return conf.Name, nil
	}
	return "", errors.New("no network config found in " + cniConfDir)
}

// sync brings a Pod's worker about, or ends it.
func (k *kubelet) sync(ctx context.Context, pod *corev1.Pod) {
	if pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
		if pod.DeletionTimestamp != nil {
			_ = k.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, deleteNow(pod))
		}
		return
	}
	k.mu.Lock()
	w, there := k.pods[pod.UID]
	if !there {
		w = newPodWorker(k, pod)
		k.pods[pod.UID] = w
		go w.run(ctx)
	}
	k.mu.Unlock()
	if pod.DeletionTimestamp != nil {
		w.end()
	}
}

func (k *kubelet) forget(pod *corev1.Pod) {
	k.mu.Lock()
	w := k.pods[pod.UID]
	delete(k.pods, pod.UID)
	k.mu.Unlock()
	if w != nil {
		w.end()
	}
}

func deleteNow(pod *corev1.Pod) metav1.DeleteOptions {
	var now int64
	return metav1.DeleteOptions{GracePeriodSeconds: &now, Preconditions: &metav1.Preconditions{UID: &pod.UID}}
}

// resolvConf is the Pod's, by its DNS policy and the kubelet's configuration (pkg/kubelet/network/dns).
func (k *kubelet) resolvConf(pod *corev1.Pod) (string, error) {
	k.mu.Lock()
	config := k.config
	k.mu.Unlock()
	file := config.ResolvConf
	if file == "" {
		file = "/etc/resolv.conf"
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var servers, searches, options []string
	for line := range strings.Lines(string(text)) {
		switch f := strings.Fields(line); {
		case len(f) < 2:
		case f[0] == "nameserver":
			servers = append(servers, f[1])
		case f[0] == "search":
			searches = f[1:]
		case f[0] == "options":
			options = f[1:]
		}
	}
	policy := pod.Spec.DNSPolicy
	if policy == corev1.DNSClusterFirst && pod.Spec.HostNetwork {
		policy = corev1.DNSDefault
	}
	switch policy {
	case corev1.DNSNone:
		servers, searches, options = nil, nil, nil
	case corev1.DNSDefault:
	default:
		if len(config.ClusterDNS) > 0 {
			servers, options = config.ClusterDNS, []string{"ndots:5"}
			if d := config.ClusterDomain; d != "" {
				searches = append([]string{pod.Namespace + ".svc." + d, "svc." + d, d}, searches...)
			}
		}
	}
	if c := pod.Spec.DNSConfig; c != nil {
		servers = append(slices.Clone(servers), c.Nameservers...)
		searches = append(searches, c.Searches...)
		for _, o := range c.Options {
			option := o.Name
			if o.Value != nil {
				option += ":" + *o.Value
			}
			options = append(slices.Clone(options), option)
		}
	}
	var out strings.Builder
	if len(searches) > 0 {
		fmt.Fprintf(&out, "search %s\n", strings.Join(searches, " "))
	}
	for _, s := range servers {
		fmt.Fprintf(&out, "nameserver %s\n", s)
	}
	if len(options) > 0 {
		fmt.Fprintf(&out, "options %s\n", strings.Join(options, " "))
	}
	return out.String(), nil
}

// program is what runs for a container: the base name of its command in the folder of programs, or of the system; or, by
// the image's name, its entrypoint.
func (k *kubelet) program(c *corev1.Container) (path string, err error) {
	name, _, _ := strings.Cut(filepath.Base(c.Image), ":")
	if len(c.Command) > 0 {
		name = filepath.Base(c.Command[0])
	}
	path = filepath.Join(k.programs, name)
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if len(c.Command) > 0 {
		return exec.LookPath(name)
	}
	return "", fmt.Errorf("failed to pull and unpack image %q: %s is not a program of the lab", c.Image, name)
}

// environ is a container's: what the image would have, the API server's Service, and its own variables.
func (k *kubelet) environ(pod *corev1.Pod, c *corev1.Container, address string) map[string]string {
	env := map[string]string{
		"PATH":                    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOSTNAME":                pod.Name,
		"KUBERNETES_SERVICE_HOST": apiServiceAddress,
		"KUBERNETES_SERVICE_PORT": "443",
	}
	for _, e := range c.Env {
		value := expand(e.Value, env)
		if e.ValueFrom != nil && e.ValueFrom.FieldRef != nil {
			value = map[string]string{
				"metadata.name": pod.Name, "metadata.namespace": pod.Namespace, "metadata.uid": string(pod.UID),
				"spec.nodeName": pod.Spec.NodeName, "spec.serviceAccountName": pod.Spec.ServiceAccountName,
				"status.hostIP": k.address, "status.podIP": address,
			}[e.ValueFrom.FieldRef.FieldPath]
		}
		env[e.Name] = value
	}
	return env
}

// expand puts variables in place of $(NAME).
func expand(text string, env map[string]string) string {
	for name := range maps.Keys(env) {
		text = strings.ReplaceAll(text, "$("+name+")", env[name])
	}
	return text
}
