package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// How a crashed container is started again. The kubelet begins with ten seconds and ends with five minutes; nobody who
// waits for a lab has these.
const (
	firstBackOff = time.Second
	longBackOff  = 8 * time.Second
)

// podWorker brings one Pod about, keeps its status, and takes it down.
type podWorker struct {
	k   *kubelet
	pod *corev1.Pod
	// ending is closed when the Pod is to end.
	ending  chan struct{}
	endOnce sync.Once

	mu         sync.Mutex // guards what follows
	address    string
	initStatus []corev1.ContainerStatus
	containers []corev1.ContainerStatus
	processes  map[string]*os.Process // by the container's name
	conditions map[corev1.PodConditionType]metav1.Time
}

func newPodWorker(k *kubelet, pod *corev1.Pod) *podWorker {
	w := &podWorker{
		k: k, pod: pod, ending: make(chan struct{}), processes: map[string]*os.Process{}, conditions: map[corev1.PodConditionType]metav1.Time{},
	}
	waiting := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}
	if len(pod.Spec.InitContainers) > 0 {
		waiting.Waiting.Reason = "PodInitializing"
	}
	started := false
	for _, c := range pod.Spec.InitContainers {
		w.initStatus = append(w.initStatus, corev1.ContainerStatus{Name: c.Name, Image: c.Image, State: waiting, Started: &started})
	}
	for _, c := range pod.Spec.Containers {
		w.containers = append(w.containers, corev1.ContainerStatus{Name: c.Name, Image: c.Image, State: waiting, Started: &started})
	}
	return w
}

func (w *podWorker) end() { w.endOnce.Do(func() { close(w.ending) }) }

func (w *podWorker) ended() bool {
	select {
	case <-w.ending:
		return true
	default:
		return false
	}
}

// pause waits, unless the Pod is to end.
func (w *podWorker) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.ending:
	}
}

func (w *podWorker) dir() string { return filepath.Join(kubeletDir, "pods", string(w.pod.UID)) }

func (w *podWorker) netns() string { return "cni-" + string(w.pod.UID) }

func (w *podWorker) warn(reason, format string, args ...any) {
	w.k.events.Eventf(w.pod, corev1.EventTypeWarning, reason, format, args...)
}

func (w *podWorker) run(ctx context.Context) {
	w.publish(ctx)
	var binds []bind
	for !w.ended() {
		err := w.attach(ctx)
		if err == nil {
			binds, err = w.volumes(ctx)
			if err != nil {
				w.warn("FailedMount", "%v", err)
			}
		} else {
			w.warn("FailedCreatePodSandBox", "Failed to create pod sandbox: %v", err)
		}
		if err == nil {
			break
		}
		w.pause(time.Second)
	}
	w.publish(ctx)
	for i := range w.pod.Spec.InitContainers {
		w.initialize(ctx, i, binds)
	}
	w.publish(ctx)
	var all sync.WaitGroup
	if !w.ended() {
		for i := range w.pod.Spec.Containers {
			all.Go(func() { w.keep(ctx, i, binds) })
			all.Go(func() { w.probe(ctx, i) })
		}
	}
	<-w.ending
	w.stop()
	all.Wait()
	w.detach(context.WithoutCancel(ctx))
	err := w.k.client.CoreV1().Pods(w.pod.Namespace).Delete(ctx, w.pod.Name, deleteNow(w.pod))
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		fmt.Fprintf(os.Stderr, "delete Pod %s: %v\n", w.pod.Name, err)
	}
}

// stop ends the containers: with SIGTERM, and with SIGKILL when the grace period is over.
func (w *podWorker) stop() {
	signal := func(s syscall.Signal) (left int) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, p := range w.processes {
			_ = p.Signal(s) // it may have ended
		}
		return len(w.processes)
	}
	// Nothing here has anything to say good-bye for.
	const grace = 2 * time.Second
	if signal(syscall.SIGTERM) == 0 {
		return
	}
	time.AfterFunc(grace, func() { signal(syscall.SIGKILL) })
}

// attach makes the Pod's network namespace and has the plugins connect it.
func (w *podWorker) attach(ctx context.Context) error {
	if err := os.MkdirAll(w.dir(), 0o755); err != nil {
		return err
	}
	if w.pod.Spec.HostNetwork {
		w.mu.Lock()
		w.address = w.k.address
		w.mu.Unlock()
		return nil
	}
	network, err := networkConfig()
	if err != nil {
		return fmt.Errorf("failed to setup network for sandbox: %w", err)
	}
	w.detach(ctx)
	if _, err := output(exec.CommandContext(ctx, "ip", "netns", "add", w.netns())); err != nil {
		return err
	}
	result, err := w.cni(ctx, "add", network)
	if err != nil {
		return fmt.Errorf("failed to setup network for sandbox: %w", err)
	}
	var added struct {
		IPs []struct {
			Address string `json:"address"`
		} `json:"ips"`
	}
	if err := json.Unmarshal([]byte(result), &added); err != nil || len(added.IPs) == 0 {
		return fmt.Errorf("the network plugin gave no address: %s", result)
	}
	w.mu.Lock()
	w.address, _, _ = strings.Cut(added.IPs[0].Address, "/")
	w.mu.Unlock()
	// containerd has the plugin of loopback do this.
	_, err = output(exec.CommandContext(ctx, "ip", "-n", w.netns(), "link", "set", "lo", "up"))
	return err
}

// detach undoes what attach did, as far as it went.
func (w *podWorker) detach(ctx context.Context) {
	if w.pod.Spec.HostNetwork {
		return
	}
	if _, err := os.Stat("/run/netns/" + w.netns()); err != nil {
		return
	}
	if network, err := networkConfig(); err == nil {
		if _, err := w.cni(ctx, "del", network); err != nil {
			fmt.Fprintf(os.Stderr, "detach Pod %s: %v\n", w.pod.Name, err)
		}
	}
	if _, err := output(exec.CommandContext(ctx, "ip", "netns", "delete", w.netns())); err != nil {
		fmt.Fprintf(os.Stderr, "detach Pod %s: %v\n", w.pod.Name, err)
	}
}

// cni runs a CNI command of the network's plugins by cnitool, with what a container runtime tells them.
func (w *podWorker) cni(ctx context.Context, command, network string) (string, error) {
	type mapping struct {
		HostPort      int32  `json:"hostPort"`
		ContainerPort int32  `json:"containerPort"`
		Protocol      string `json:"protocol"`
		HostIP        string `json:"hostIP,omitempty"`
	}
	mappings := []mapping{}
	for _, c := range w.pod.Spec.Containers {
		for _, p := range c.Ports {
			if p.HostPort != 0 {
				mappings = append(mappings, mapping{p.HostPort, p.ContainerPort, strings.ToLower(string(p.Protocol)), p.HostIP})
			}
		}
	}
	capabilities, err := json.Marshal(map[string]any{"portMappings": mappings})
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(w.k.programs, "cnitool"), command, network, "/var/run/netns/"+w.netns())
	cmd.Env = append(os.Environ(), "CNI_PATH="+cniBinDir, "NETCONFPATH="+cniConfDir, "CAP_ARGS="+string(capabilities),
		fmt.Sprintf("CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=%s;K8S_POD_NAME=%s;K8S_POD_UID=%s;K8S_POD_INFRA_CONTAINER_ID=%s",
			w.pod.Namespace, w.pod.Name, w.pod.UID, w.netns()))
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w: %s%s", err, bytes.TrimSpace(problems.Bytes()), bytes.TrimSpace(out.Bytes()))
	}
	return out.String(), nil
}

// bind is a file or folder that a container sees in a place of its own.
type bind struct {
	From string `json:"from"`
	To   string `json:"to"`
	// only: of that container alone; empty: of all.
	only string
}

// volumes lays out what the Pod's containers see in their places: volumes, the service account, DNS and names.
func (w *podWorker) volumes(ctx context.Context) ([]bind, error) {
	var binds []bind
	sources := map[string]string{}
	for _, v := range w.pod.Spec.Volumes {
		dir := filepath.Join(w.dir(), "volumes", v.Name)
		files := map[string]string{}
		switch {
		case v.HostPath != nil:
			sources[v.Name] = v.HostPath.Path
			if v.HostPath.Type != nil && *v.HostPath.Type == corev1.HostPathFileOrCreate {
				f, err := os.OpenFile(v.HostPath.Path, os.O_CREATE, 0o644)
				if err != nil {
					return nil, err
				}
				f.Close()
			}
			continue
		case v.ConfigMap != nil:
			cm, err := w.k.client.CoreV1().ConfigMaps(w.pod.Namespace).Get(ctx, v.ConfigMap.Name, metav1.GetOptions{})
			if err != nil {
				return nil, fmt.Errorf("MountVolume.SetUp failed for volume %q: %w", v.Name, err)
			}
			files = cm.Data
			if len(v.ConfigMap.Items) > 0 {
				files = map[string]string{}
				for _, item := range v.ConfigMap.Items {
					files[item.Path] = cm.Data[item.Key]
				}
			}
		case v.Projected != nil:
			account, err := w.serviceAccount(ctx)
			if err != nil {
				return nil, fmt.Errorf("MountVolume.SetUp failed for volume %q: %w", v.Name, err)
			}
			files = account
		case v.EmptyDir != nil:
		default:
			return nil, fmt.Errorf("volume %s is of a kind that the lab does not know", v.Name)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				return nil, err
			}
		}
		sources[v.Name] = dir
	}
	for _, c := range slices.Concat(w.pod.Spec.InitContainers, w.pod.Spec.Containers) {
		for _, m := range c.VolumeMounts {
			if from, to := sources[m.Name], filepath.Clean(m.MountPath); from != to {
				binds = append(binds, bind{from, to, c.Name})
			}
		}
	}
	if w.pod.Spec.HostNetwork {
		return binds, nil
	}
	resolv, err := w.k.resolvConf(w.pod)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	hosts := fmt.Sprintf("127.0.0.1\tlocalhost\n%s\t%s\n", w.address, w.pod.Name)
	w.mu.Unlock()
	for name, text := range map[string]string{"resolv.conf": resolv, "hosts": hosts, "hostname": w.pod.Name + "\n"} {
		path := filepath.Join(w.dir(), name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return nil, err
		}
		binds = append(binds, bind{From: path, To: "/etc/" + name})
	}
	return binds, nil
}

// serviceAccount are the files of the projected volume that the API server gives each Pod.
func (w *podWorker) serviceAccount(ctx context.Context) (map[string]string, error) {
	token, err := w.k.client.CoreV1().ServiceAccounts(w.pod.Namespace).CreateToken(ctx, w.pod.Spec.ServiceAccountName, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{BoundObjectRef: &authenticationv1.BoundObjectReference{
			Kind: "Pod", APIVersion: "v1", Name: w.pod.Name, UID: w.pod.UID,
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	ca, err := w.k.client.CoreV1().ConfigMaps(w.pod.Namespace).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return map[string]string{"token": token.Status.Token, "ca.crt": ca.Data["ca.crt"], "namespace": w.pod.Namespace}, nil
}

// initialize runs an init container until it has succeeded.
func (w *podWorker) initialize(ctx context.Context, i int, binds []bind) {
	c := &w.pod.Spec.InitContainers[i]
	for !w.ended() {
		status := w.runOnce(ctx, c, &w.initStatus[i], binds)
		w.mu.Lock()
		w.initStatus[i].State = corev1.ContainerState{Terminated: status}
		w.initStatus[i].Ready = status.ExitCode == 0
		w.mu.Unlock()
		if status.ExitCode == 0 {
			return
		}
		w.publish(ctx)
		w.pause(firstBackOff)
	}
}

// keep runs a container, and again when it ends.
func (w *podWorker) keep(ctx context.Context, i int, binds []bind) {
	c := &w.pod.Spec.Containers[i]
	backOff := firstBackOff
	for !w.ended() {
		began := time.Now()
		status := w.runOnce(ctx, c, &w.containers[i], binds)
		if w.ended() {
			return
		}
		if time.Since(began) > longBackOff {
			backOff = firstBackOff
		}
		w.mu.Lock()
		s := &w.containers[i]
		s.LastTerminationState = corev1.ContainerState{Terminated: status}
		s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
			Reason:  "CrashLoopBackOff",
			Message: fmt.Sprintf("back-off %v restarting failed container=%s pod=%s_%s(%s)", backOff, c.Name, w.pod.Name, w.pod.Namespace, w.pod.UID),
		}}
		s.Ready, s.Started = false, new(bool)
		s.RestartCount++
		w.mu.Unlock()
		w.publish(ctx)
		w.warn("BackOff", "Back-off restarting failed container %s in pod %s_%s(%s)", c.Name, w.pod.Name, w.pod.Namespace, w.pod.UID)
		w.pause(backOff)
		backOff = min(2*backOff, longBackOff)
	}
}

// runOnce runs a container until it ends.
func (w *podWorker) runOnce(ctx context.Context, c *corev1.Container, s *corev1.ContainerStatus, binds []bind) *corev1.ContainerStateTerminated {
	began := metav1.Now()
	failed := func(err error) *corev1.ContainerStateTerminated {
		w.warn("Failed", "Error: %v", err)
		return &corev1.ContainerStateTerminated{ExitCode: 128, Reason: "StartError", Message: err.Error(), StartedAt: began, FinishedAt: metav1.Now()}
	}
	program, err := w.k.program(c)
	if err != nil {
		return failed(err)
	}
	w.mu.Lock()
	env := w.k.environ(w.pod, c, w.address)
	restarts := s.RestartCount
	w.mu.Unlock()
	spec := containerSpec{Program: program, Args: []string{filepath.Base(program)}}
	for _, b := range binds {
		if b.only == "" || b.only == c.Name {
			spec.Binds = append(spec.Binds, b)
		}
	}
	for _, a := range slices.Concat(c.Command[min(1, len(c.Command)):], c.Args) {
		spec.Args = append(spec.Args, expand(a, env))
	}
	for name, value := range env {
		spec.Env = append(spec.Env, name+"="+value)
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return failed(err)
	}
	log, err := w.openLog(c.Name, restarts)
	if err != nil {
		return failed(err)
	}
	defer log.Close()
	cmd := exec.Command(w.k.self, "container")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "LAB_CONTAINER="+string(text))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: syscall.CLONE_NEWNS}
	if w.pod.Spec.HostNetwork {
		err = cmd.Start()
	} else {
		// A child has the network namespace of the thread that forks.
		err = inNetns("/run/netns/"+w.netns(), cmd.Start)
	}
	if err != nil {
		return failed(err)
	}
	w.mu.Lock()
	w.processes[c.Name] = cmd.Process
	started := true
	s.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: began}}
	s.Started = &started
	s.Ready = c.ReadinessProbe == nil
	s.ContainerID = fmt.Sprintf("containerd://%x", sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d", w.pod.UID, c.Name, restarts)))
	s.ImageID = c.Image
	w.mu.Unlock()
	// The lab reads this to enter the Pod.
	pids := filepath.Join(w.dir(), "containers")
	if err := errors.Join(os.MkdirAll(pids, 0o755), os.WriteFile(filepath.Join(pids, c.Name), fmt.Appendf(nil, "%d\n", cmd.Process.Pid), 0o644)); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if w.ended() { // stop may have come before the process was known
		_ = cmd.Process.Kill()
	}
	w.publish(ctx)
	err = cmd.Wait()
	w.mu.Lock()
	delete(w.processes, c.Name)
	w.mu.Unlock()
	status := &corev1.ContainerStateTerminated{Reason: "Completed", StartedAt: began, FinishedAt: metav1.Now()}
	if err != nil {
		status.Reason, status.ExitCode = "Error", int32(cmd.ProcessState.ExitCode())
		if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			status.ExitCode, status.Signal = 128+int32(ws.Signal()), int32(ws.Signal())
		}
	}
	return status
}

// openLog is a container's log, in the place and the format of the kubelet's (KEP 0030 of the CRI: time, stream, tag).
func (w *podWorker) openLog(container string, restarts int32) (io.WriteCloser, error) {
	dir := filepath.Join("/var/log/pods", fmt.Sprintf("%s_%s_%s", w.pod.Namespace, w.pod.Name, w.pod.UID), container)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, fmt.Sprintf("%d.log", restarts))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	links := "/var/log/containers"
	if err := os.MkdirAll(links, 0o755); err != nil {
		return nil, err
	}
	link := filepath.Join(links, fmt.Sprintf("%s_%s_%s.log", w.pod.Name, w.pod.Namespace, container))
	_ = os.Remove(link)
	if err := os.Symlink(path, link); err != nil {
		return nil, err
	}
	in, out := io.Pipe()
	go func() {
		defer f.Close()
		lines := bufio.NewReader(in)
		for {
			line, err := lines.ReadString('\n')
			if line != "" {
				fmt.Fprintf(f, "%s stderr F %s\n", time.Now().UTC().Format(time.RFC3339Nano), strings.TrimSuffix(line, "\n"))
			}
			if err != nil {
				return
			}
		}
	}()
	return out, nil
}

// probe keeps whether a container is ready.
func (w *podWorker) probe(ctx context.Context, i int) {
	c := &w.pod.Spec.Containers[i]
	p := c.ReadinessProbe
	if p == nil {
		return
	}
	w.pause(time.Duration(p.InitialDelaySeconds) * time.Second)
	failures := int32(0)
	for !w.ended() {
		w.mu.Lock()
		running := w.containers[i].State.Running != nil
		address := w.address
		w.mu.Unlock()
		if running {
			err := probeOnce(ctx, c, p, address)
			w.mu.Lock()
			before := w.containers[i].Ready
			if err == nil {
				failures, w.containers[i].Ready = 0, true
			} else if failures++; failures >= p.FailureThreshold {
				w.containers[i].Ready = false
			}
			after := w.containers[i].Ready
			w.mu.Unlock()
			if before != after {
				w.publish(ctx)
			}
			if err != nil {
				w.warn("Unhealthy", "Readiness probe failed: %v", err)
			}
		}
		w.pause(time.Second)
	}
}

func probeOnce(ctx context.Context, c *corev1.Container, p *corev1.Probe, address string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(max(p.TimeoutSeconds, 1))*time.Second)
	defer cancel()
	port := func(of intstr.IntOrString) int {
		for _, named := range c.Ports {
			if of.Type == intstr.String && named.Name == of.StrVal {
				return int(named.ContainerPort)
			}
		}
		return of.IntValue()
	}
	switch {
	case p.HTTPGet != nil:
		url := fmt.Sprintf("http://%s%s", net.JoinHostPort(address, fmt.Sprint(port(p.HTTPGet.Port))), p.HTTPGet.Path)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		response.Body.Close()
		if response.StatusCode < 200 || response.StatusCode >= 400 {
			return fmt.Errorf("HTTP probe failed with statuscode: %d", response.StatusCode)
		}
		return nil
	case p.TCPSocket != nil:
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(address, fmt.Sprint(port(p.TCPSocket.Port))))
		if err != nil {
			return err
		}
		return conn.Close()
	}
	return fmt.Errorf("a probe of a kind that the lab does not know")
}

// publish writes the Pod's status.
func (w *podWorker) publish(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	status := w.status()
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": w.pod.UID}, "status": status})
	if err == nil {
		_, err = w.k.client.CoreV1().Pods(w.pod.Namespace).Patch(ctx, w.pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	}
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		fmt.Fprintf(os.Stderr, "status of Pod %s: %v\n", w.pod.Name, err)
	}
}

func (w *podWorker) status() map[string]any {
	ready, initialized, running := true, true, true
	for _, s := range w.containers {
		ready = ready && s.Ready
		running = running && (s.State.Waiting == nil || s.RestartCount > 0)
	}
	for _, s := range w.initStatus {
		initialized = initialized && s.Ready
	}
	phase := corev1.PodPending
	if running {
		phase = corev1.PodRunning
	}
	var conditions []map[string]any
	for _, c := range []struct {
		kind   corev1.PodConditionType
		is     bool
		reason string
	}{
		{"PodReadyToStartContainers", w.address != "", ""},
		{corev1.PodInitialized, initialized, "ContainersNotInitialized"},
		{corev1.PodReady, ready, "ContainersNotReady"},
		{corev1.ContainersReady, ready, "ContainersNotReady"},
	} {
		condition := map[string]any{"type": c.kind, "status": "True", "reason": nil}
		key := c.kind + "/True"
		if !c.is {
			key = c.kind + "/False"
			condition["status"] = "False"
			if c.reason != "" {
				condition["reason"] = c.reason
			}
		}
		if _, there := w.conditions[key]; !there {
			delete(w.conditions, c.kind+"/True")
			delete(w.conditions, c.kind+"/False")
			w.conditions[key] = metav1.Now()
		}
		condition["lastTransitionTime"] = w.conditions[key]
		conditions = append(conditions, condition)
	}
	status := map[string]any{
		"phase": phase, "conditions": conditions, "hostIP": w.k.address, "hostIPs": []map[string]any{{"ip": w.k.address}},
		"containerStatuses": w.containers, "startTime": w.pod.CreationTimestamp,
	}
	if len(w.initStatus) > 0 {
		status["initContainerStatuses"] = w.initStatus
	}
	if w.address != "" {
		status["podIP"], status["podIPs"] = w.address, []map[string]any{{"ip": w.address}}
	}
	return status
}

// containerSpec is what a container's first process is told.
type containerSpec struct {
	Program string   `json:"program"`
	Args    []string `json:"args"`
	Env     []string `json:"env"`
	Binds   []bind   `json:"binds"`
}

// containerMain is that process: it lays out the mounts and becomes the program.
func containerMain() error {
	var spec containerSpec
	if err := json.Unmarshal([]byte(os.Getenv("LAB_CONTAINER")), &spec); err != nil {
		return err
	}
	// What is mounted here stays here; what the node unmounts, such as another Pod's namespace, goes here too.
	if err := mount("", "/", "", syscall.MS_REC|syscall.MS_SLAVE); err != nil {
		return err
	}
	for _, b := range spec.Binds {
		info, err := os.Stat(b.From)
		if err != nil {
			return err
		}
		if info.IsDir() {
			err = os.MkdirAll(b.To, 0o755)
		} else {
			err = touch(b.To)
		}
		if err != nil {
			return err
		}
		if err := mount(b.From, b.To, "", syscall.MS_BIND); err != nil {
			return err
		}
	}
	return syscall.Exec(spec.Program, spec.Args, spec.Env)
}

func touch(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}
