package ask

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/netcause/netcause/engine/facts"
)

const (
	// maxUnserved bounds the Services, or groups of them, that an answer names.
	maxUnserved = 50
	// maxServicePods bounds the Pods that it shows of one.
	maxServicePods = 5
	// maxPodEvents bounds the events that it shows of one Pod.
	maxPodEvents = 3
)

// serviceReference is a Service as answers show it.
type serviceReference struct {
	Namespace string              `json:"namespace"`
	Name      string              `json:"name"`
	Source    facts.Source        `json:"source"`
	Selector  string              `json:"selector"` // as kubectl -l takes it
	Headless  bool                `json:"headless"`
	DNS       bool                `json:"dns"`
	Ports     []facts.ServicePort `json:"ports"`
}

func referenceTo(service *facts.Service) serviceReference {
	return serviceReference{
		Namespace: service.Metadata.Namespace, Name: service.Metadata.Name, Source: service.Source,
		Selector: labelsText(service.Spec.Selector), Headless: service.Spec.ClusterIP == "None",
		DNS: isDNS(service), Ports: append([]facts.ServicePort{}, service.Spec.Ports...),
	}
}

func labelsText(labels map[string]string) string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		list = append(list, key+"="+labels[key])
	}
	return strings.Join(list, ",")
}

// isDNS says whether a Service is the cluster's DNS, by the labels and names of the usual distributions: what runs CoreDNS
// in a namespace of its own is somebody's for other names, or a virtual cluster's. rules/lib/dns.rego says the same.
func isDNS(service *facts.Service) bool {
	serves := slices.ContainsFunc(service.Spec.Ports, func(p facts.ServicePort) bool { return p.Port == 53 && p.Protocol == "UDP" })
	if !serves || service.Spec.ClusterIP == "None" {
		return false
	}
	m := service.Metadata
	one := func(of string, names ...string) bool { return slices.Contains(names, of) }
	switch m.Namespace {
	case "kube-system":
		return one(m.Name, "kube-dns", "coredns") || one(m.Labels["k8s-app"], "kube-dns", "coredns") ||
			one(m.Labels["app.kubernetes.io/name"], "coredns", "rke2-coredns") || one(m.Labels["kubernetes.io/name"], "CoreDNS", "KubeDNS")
	case "openshift-dns":
		return m.Name == "dns-default" || m.Labels["dns.operator.openshift.io/owning-dns"] != ""
	}
	return false
}

// selectsPods says whether the endpoints controller looks for the Service's Pods.
func selectsPods(service *facts.Service) bool {
	return len(service.Spec.Selector) > 0 && service.Spec.Type != "ExternalName"
}

// podIndex finds the Pods of a namespace by their labels.
type podIndex struct {
	byLabel     map[podLabel][]*facts.Pod
	byNamespace map[string][]*facts.Pod
}

type podLabel struct{ namespace, key, value string }

func newPodIndex(pods []facts.Pod) *podIndex {
	index := &podIndex{byLabel: map[podLabel][]*facts.Pod{}, byNamespace: map[string][]*facts.Pod{}}
	for i := range pods {
		pod := &pods[i]
		if hasEnded(pod) {
			continue
		}
		namespace := pod.Metadata.Namespace
		index.byNamespace[namespace] = append(index.byNamespace[namespace], pod)
		for key, value := range pod.Metadata.Labels {
			at := podLabel{namespace, key, value}
			index.byLabel[at] = append(index.byLabel[at], pod)
		}
	}
	return index
}

// hasEnded says whether a Pod is past being an endpoint (pkg/controller/util/endpoint, ShouldPodBeInEndpoints).
func hasEnded(pod *facts.Pod) bool {
	return pod.Status.Phase == "Succeeded" || pod.Status.Phase == "Failed"
}

// rarest is the label of a Service's selector that the fewest Pods have.
func (x *podIndex) rarest(service *facts.Service) podLabel {
	var rarest podLabel
	fewest := -1
	for key, value := range service.Spec.Selector {
		at := podLabel{service.Metadata.Namespace, key, value}
		if n := len(x.byLabel[at]); fewest < 0 || n < fewest {
			rarest, fewest = at, n
		}
	}
	return rarest
}

// selected are the Pods that a selector matches.
func (x *podIndex) selected(namespace string, selector map[string]string) []*facts.Pod {
	var fewest []*facts.Pod
	first := true
	for key, value := range selector {
		if pods := x.byLabel[podLabel{namespace, key, value}]; first || len(pods) < len(fewest) {
			fewest, first = pods, false
		}
	}
	var list []*facts.Pod
	for _, pod := range fewest {
		if matches(selector, pod.Metadata.Labels) {
			list = append(list, pod)
		}
	}
	return list
}

func matches(selector, labels map[string]string) bool {
	for key, value := range selector {
		if have, ok := labels[key]; !ok || have != value {
			return false
		}
	}
	return true
}

// isReady says whether the endpoints controller takes the Pod for ready.
func isReady(pod *facts.Pod) bool {
	return pod.Metadata.DeletionTimestamp == "" && slices.ContainsFunc(pod.Status.Conditions, func(c facts.Condition) bool {
		return c.Type == "Ready" && c.Status == "True"
	})
}

// servicePodsAnswer is every Service that selects Pods against the Pods that there are.
type servicePodsAnswer struct {
	// Total is how many Services select Pods, Served how many of them have one that is ready.
	Total  int `json:"total"`
	Served int `json:"served"`
	// Unknown are those in namespaces whose Pods were not all read: they are in no other count.
	Unknown      int    `json:"unknown"`
	FirstUnknown string `json:"first_unknown"`
	// Empty are the first of those that match no Pod, NotReady those whose Pods are all not ready; the counts are of all.
	Empty         []emptyService  `json:"empty"`
	EmptyCount    int             `json:"empty_count"`
	NotReady      []notReadyGroup `json:"not_ready"`
	NotReadyCount int             `json:"not_ready_count"`
	// DNS are the cluster's DNS Services, with the ready endpoints of each: its ready Pods', or those of its EndpointSlices.
	DNS []dnsService `json:"dns"`
	// Unread are the groups of workloads that were not read, and so may have Pods that a selector is meant for.
	Unread []string `json:"unread"`
}

type dnsService struct {
	Service serviceReference `json:"service"`
	Selects bool             `json:"selects"` // it has a selector
	Ready   []string         `json:"ready"`
	Source  facts.Source     `json:"source"` // of them
	// Known: the Pods or the EndpointSlices that would show its endpoints were read.
	Known bool `json:"known"`
}

// notReadyGroup are the Services that select the same Pods, of which none is ready.
type notReadyGroup struct {
	Services []serviceReference `json:"services"`
	Pods     []podProblem       `json:"pods"`
	Count    int                `json:"count"` // of Pods
	Nodes    []string           `json:"nodes"`
	// Published: they are endpoints all the same (publishNotReadyAddresses).
	Published bool `json:"published"`
	// Workloads are what makes the Pods.
	Workloads []workloadReference `json:"workloads"`
	// Events are those of the workloads: why no Pods are made.
	Events []podEvent `json:"events"`
	// Unheard: all Pods run, and nothing listens where the Services send, so no probe of that port can succeed.
	Unheard bool `json:"unheard"`
}

// podProblem is a Pod that is not ready, with how long and what its events say.
type podProblem struct {
	Pod *facts.Pod `json:"pod"`
	// Seconds since it was last ready, or was made; -1 is not known.
	Seconds int            `json:"seconds"`
	Events  []podEvent     `json:"events"`
	Probe   *probeSchedule `json:"probe,omitempty"`
}

type podEvent struct {
	Reason  string       `json:"reason"`
	Message string       `json:"message"`
	Source  facts.Source `json:"source"`
}

// probeSchedule is how long a Pod's probes may take until it is ready, in seconds.
type probeSchedule struct {
	Seconds int    `json:"seconds"`
	Shown   string `json:"shown"` // of the first container that has one
}

// askServicePods finds the Services without a ready Pod.
func askServicePods(in *Incident, _ []any) (any, error) {
	if cluster := in.Snapshot.Cluster; cluster == nil || cluster.Services.Status != facts.Read {
		return servicePodsAnswer{Empty: []emptyService{}, NotReady: []notReadyGroup{}, Unread: []string{}, DNS: []dnsService{}}, nil
	}
	return in.serviceWorld().servicePods(), nil
}

// comparePods is the answer, which several rules ask for.
func (w *serviceWorld) comparePods() servicePodsAnswer {
	answer := servicePodsAnswer{Empty: []emptyService{}, NotReady: []notReadyGroup{}, Unread: w.unread, DNS: []dnsService{}}
	cluster := w.cluster
	searched := 0
	groups := map[string]*notReadyGroup{}
	var order []string
	for i := range cluster.Services.Value {
		service := &cluster.Services.Value[i]
		if isDNS(service) {
			answer.DNS = append(answer.DNS, w.dns(service))
		}
		if !selectsPods(service) {
			continue
		}
		if !w.knowsNamespace(service.Metadata.Namespace) {
			if answer.Unknown++; answer.FirstUnknown == "" {
				answer.FirstUnknown = service.Metadata.Namespace + "/" + service.Metadata.Name
			}
			continue
		}
		answer.Total++
		pods := w.pods.selected(service.Metadata.Namespace, service.Spec.Selector)
		if slices.ContainsFunc(pods, isReady) || w.hasReadyEndpoint(service) {
			answer.Served++
			continue
		}
		workloads := w.workloadsOf(service)
		if len(pods) == 0 && !slices.ContainsFunc(workloads, func(l workloadReference) bool { return l.Replicas > 0 }) {
			answer.EmptyCount++
			empty := emptyService{Service: referenceTo(service), Workloads: workloads, Near: []nearPods{}}
			if len(workloads) == 0 && searched < maxSearched {
				searched++
				empty.Near = w.near(service)
			}
			answer.Empty = append(answer.Empty, empty)
			continue
		}
		key := podsKey(service, pods)
		group, ok := groups[key]
		if !ok {
			group = w.notReady(pods, workloads)
			groups[key] = group
			order = append(order, key)
		}
		group.Services = append(group.Services, referenceTo(service))
		group.Published = group.Published || service.Spec.PublishNotReadyAddresses
		group.Unheard = group.Unheard || w.unheard(service, pods)
	}
	for _, key := range order {
		answer.NotReady = append(answer.NotReady, *groups[key])
	}
	answer.NotReadyCount = len(order)
	slices.SortStableFunc(answer.NotReady, func(a, b notReadyGroup) int { return compareDNSFirst(a.Services[0], b.Services[0]) })
	slices.SortStableFunc(answer.Empty, func(a, b emptyService) int {
		return cmp.Or(cmp.Compare(len(b.Near), len(a.Near)), compareDNSFirst(a.Service, b.Service))
	})
	answer.NotReady = answer.NotReady[:min(len(answer.NotReady), maxUnserved)]
	answer.Empty = answer.Empty[:min(len(answer.Empty), maxUnserved)]
	return answer
}

// dns are the ready endpoints of a DNS Service, at most five.
func (w *serviceWorld) dns(service *facts.Service) dnsService {
	d := dnsService{Service: referenceTo(service), Selects: selectsPods(service), Ready: []string{}, Source: service.Source}
	add := func(address string, source facts.Source) {
		if !slices.Contains(d.Ready, address) && len(d.Ready) < maxServicePods {
			d.Ready, d.Source = append(d.Ready, address), source
		}
	}
	namespace := service.Metadata.Namespace
	d.Known = w.cluster.EndpointSlices.Unread(namespace) == "" || d.Selects && w.knowsNamespace(namespace)
	for i := range w.cluster.EndpointSlices.Value {
		slice := &w.cluster.EndpointSlices.Value[i]
		if slice.Metadata.Namespace != namespace || slice.Metadata.Labels["kubernetes.io/service-name"] != service.Metadata.Name {
			continue
		}
		for _, endpoint := range slice.Endpoints {
			if isReadyEndpoint(endpoint) && len(endpoint.Addresses) > 0 {
				add(endpoint.Addresses[0], cmp.Or(slice.Source, service.Source))
			}
		}
	}
	if d.Selects && len(d.Ready) == 0 {
		for _, pod := range w.pods.selected(namespace, service.Spec.Selector) {
			if isReady(pod) {
				add(pod.Status.PodIP, pod.Source)
			}
		}
	}
	return d
}

// isReadyEndpoint takes a condition that is not there for true, as the API says.
func isReadyEndpoint(e facts.Endpoint) bool { return e.Conditions.Ready == nil || *e.Conditions.Ready }

func compareDNSFirst(a, b serviceReference) int {
	rank := func(s serviceReference) int {
		if s.DNS {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

func podsKey(service *facts.Service, pods []*facts.Pod) string {
	if len(pods) == 0 {
		return service.Metadata.Namespace + "//" + labelsText(service.Spec.Selector)
	}
	names := make([]string, len(pods))
	for i, pod := range pods {
		names[i] = pod.Metadata.Name
	}
	slices.Sort(names)
	return service.Metadata.Namespace + "/" + strings.Join(names, ",")
}

// serviceWorld is what Services are judged by.
type serviceWorld struct {
	in      *Incident
	cluster *facts.Cluster
	pods    *podIndex
	sockets *podSockets
	// byRarest are the Services that select Pods, by the label of their selector that the fewest Pods have.
	byRarest map[podLabel][]*facts.Service
	// servicePods compares all Services with all Pods, once.
	servicePods func() servicePodsAnswer
	ready       map[serviceName]bool // has a ready endpoint
	workloads   map[podLabel][]*workload
	events      map[facts.ObjectReference][]*facts.Event // of Pods
	failures    []*facts.Event                           // to make Pods
	now         time.Time
	unread      []string
}

type serviceName struct{ namespace, name string }

func newServiceWorld(in *Incident) *serviceWorld {
	cluster := in.Snapshot.Cluster
	w := &serviceWorld{
		in: in, cluster: cluster, pods: newPodIndex(cluster.Pods.Value), byRarest: map[podLabel][]*facts.Service{},
		ready: map[serviceName]bool{}, events: map[facts.ObjectReference][]*facts.Event{}, now: in.clusterTime(), unread: []string{},
	}
	w.sockets = newPodSockets(in)
	w.indexWorkloads()
	w.servicePods = sync.OnceValue(w.comparePods)
	for i := range cluster.Services.Value {
		if service := &cluster.Services.Value[i]; selectsPods(service) {
			at := w.pods.rarest(service)
			w.byRarest[at] = append(w.byRarest[at], service)
		}
	}
	for i := range cluster.EndpointSlices.Value {
		slice := &cluster.EndpointSlices.Value[i]
		if slices.ContainsFunc(slice.Endpoints, isReadyEndpoint) {
			w.ready[serviceName{slice.Metadata.Namespace, slice.Metadata.Labels["kubernetes.io/service-name"]}] = true
		}
	}
	for i := range cluster.Events.Value {
		event := &cluster.Events.Value[i]
		if event.Reason == "FailedCreate" {
			w.failures = append(w.failures, event)
		}
		if event.InvolvedObject.Kind == "Pod" && event.Type != "Normal" {
			of := facts.ObjectReference{Namespace: event.InvolvedObject.Namespace, Name: event.InvolvedObject.Name}
			w.events[of] = append(w.events[of], event)
		}
	}
	for _, g := range cluster.Groups() {
		switch g.Name {
		case "deployments", "statefulsets", "daemonsets":
			if meta := g.Group.GetMeta(); meta.Status != facts.Read {
				w.unread = append(w.unread, facts.ClusterPrefix+g.Name)
			}
		}
	}
	return w
}

// knowsNamespace says whether the Pods of a namespace were all read.
func (w *serviceWorld) knowsNamespace(namespace string) bool {
	return w.cluster.Pods.Unread(namespace) == ""
}

func (w *serviceWorld) hasReadyEndpoint(service *facts.Service) bool {
	return w.ready[serviceName{service.Metadata.Namespace, service.Metadata.Name}]
}

// workloadReference is what makes Pods.
type workloadReference struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Replicas  int32  `json:"replicas"` // wanted
	// Seconds since it was made; -1 is not known.
	Seconds int          `json:"seconds"`
	Source  facts.Source `json:"source"`
}

// workload is a workload with the labels of its Pods.
type workload struct {
	workloadReference
	labels map[string]string
}

// workloadsOf are those whose Pods a Service selects.
func (w *serviceWorld) workloadsOf(service *facts.Service) []workloadReference {
	list := []workloadReference{}
	var rarest []*workload
	first := true
	for key, value := range service.Spec.Selector {
		if found := w.workloads[podLabel{service.Metadata.Namespace, key, value}]; first || len(found) < len(rarest) {
			rarest, first = found, false
		}
	}
	for _, l := range rarest {
		if matches(service.Spec.Selector, l.labels) {
			list = append(list, l.workloadReference)
		}
	}
	return list
}

// indexWorkloads finds workloads by the labels of their Pods.
func (w *serviceWorld) indexWorkloads() {
	w.workloads = map[podLabel][]*workload{}
	add := func(kind string, source facts.Source, meta facts.ObjectMeta, template facts.PodTemplate, replicas int32) {
		l := &workload{
			workloadReference{kind, meta.Namespace, meta.Name, replicas, w.secondsSince(parseTime(meta.CreationTimestamp)), source},
			template.Metadata.Labels,
		}
		for key, value := range l.labels {
			at := podLabel{meta.Namespace, key, value}
			w.workloads[at] = append(w.workloads[at], l)
		}
	}
	for i := range w.cluster.Deployments.Value {
		d := &w.cluster.Deployments.Value[i]
		add("Deployment", d.Source, d.Metadata, d.Spec.Template, wanted(d.Spec.Replicas))
	}
	for i := range w.cluster.StatefulSets.Value {
		s := &w.cluster.StatefulSets.Value[i]
		add("StatefulSet", s.Source, s.Metadata, s.Spec.Template, wanted(s.Spec.Replicas))
	}
	for i := range w.cluster.DaemonSets.Value {
		d := &w.cluster.DaemonSets.Value[i]
		add("DaemonSet", d.Source, d.Metadata, d.Spec.Template, d.Status.DesiredNumberScheduled)
	}
}

func wanted(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}

func (w *serviceWorld) notReady(pods []*facts.Pod, workloads []workloadReference) *notReadyGroup {
	group := &notReadyGroup{Pods: []podProblem{}, Count: len(pods), Nodes: []string{}, Workloads: workloads, Events: []podEvent{}}
	if len(pods) == 0 {
		group.Events = w.failuresOf(workloads)
	}
	for _, pod := range pods {
		if node := pod.Spec.NodeName; node != "" && !slices.Contains(group.Nodes, node) {
			group.Nodes = append(group.Nodes, node)
		}
		if len(group.Pods) < maxServicePods {
			group.Pods = append(group.Pods, w.problem(pod))
		}
	}
	slices.Sort(group.Nodes)
	return group
}

// failuresOf are the last failures to make a workload's Pods: a Deployment's are told of its ReplicaSets.
func (w *serviceWorld) failuresOf(workloads []workloadReference) []podEvent {
	list := []podEvent{}
	for _, event := range slices.Backward(w.failures) {
		of := event.InvolvedObject
		ofThese := slices.ContainsFunc(workloads, func(l workloadReference) bool {
			return of.Namespace == l.Namespace && (of.Name == l.Name && of.Kind == l.Kind || of.Kind == "ReplicaSet" && strings.HasPrefix(of.Name, l.Name+"-"))
		})
		if ofThese && len(list) == 0 {
			list = append(list, podEvent{event.Reason, event.Message, event.Source})
		}
	}
	return list
}

func (w *serviceWorld) problem(pod *facts.Pod) podProblem {
	p := podProblem{Pod: pod, Seconds: w.secondsNotReady(pod), Events: []podEvent{}, Probe: readinessOf(pod)}
	events := w.events[facts.ObjectReference{Namespace: pod.Metadata.Namespace, Name: pod.Metadata.Name}]
	seen := map[string]bool{}
	for _, event := range slices.Backward(events) { // the newest first
		if !seen[event.Reason] && len(p.Events) < maxPodEvents {
			seen[event.Reason] = true
			p.Events = append(p.Events, podEvent{event.Reason, event.Message, event.Source})
		}
	}
	return p
}

func (w *serviceWorld) secondsNotReady(pod *facts.Pod) int {
	since := parseTime(pod.Metadata.CreationTimestamp)
	for _, c := range pod.Status.Conditions {
		if at := parseTime(c.LastTransitionTime); c.Type == "Ready" && c.Status != "True" && at.After(since) {
			since = at
		}
	}
	return w.secondsSince(since)
}

// secondsSince is -1 where either time is not known.
func (w *serviceWorld) secondsSince(at time.Time) int {
	if at.IsZero() || w.now.IsZero() {
		return -1
	}
	return max(0, int(w.now.Sub(at).Seconds()))
}

// probe is what counts here of a v1 Probe.
type probe struct {
	InitialDelaySeconds int `json:"initialDelaySeconds"`
	PeriodSeconds       int `json:"periodSeconds"`
	SuccessThreshold    int `json:"successThreshold"`
	FailureThreshold    int `json:"failureThreshold"`
	HTTPGet             *struct {
		Path string `json:"path"`
		Port any    `json:"port"`
	} `json:"httpGet"`
	TCPSocket *struct {
		Port any `json:"port"`
	} `json:"tcpSocket"`
	Exec *struct{} `json:"exec"`
	GRPC *struct {
		Port any `json:"port"`
	} `json:"grpc"`
}

func (p probe) String() string {
	switch {
	case p.HTTPGet != nil:
		return fmt.Sprintf("HTTP GET %s on port %v", cmp.Or(p.HTTPGet.Path, "/"), p.HTTPGet.Port)
	case p.TCPSocket != nil:
		return fmt.Sprintf("TCP port %v", p.TCPSocket.Port)
	case p.GRPC != nil:
		return fmt.Sprintf("gRPC on port %v", p.GRPC.Port)
	}
	return "a command"
}

// readinessOf is when a Pod that is well is ready at the latest, for the container that takes longest: its startup probe
// may fail failureThreshold times, and then its readiness probe has initialDelaySeconds and as many periods as must
// succeed. Kubernetes' defaults are 0 s, periods of 10 s, 3 failures and 1 success.
func readinessOf(pod *facts.Pod) *probeSchedule {
	var longest *probeSchedule
	for _, c := range pod.Spec.Containers {
		readiness, ready := parseProbe(c.ReadinessProbe)
		startup, starts := parseProbe(c.StartupProbe)
		schedule := &probeSchedule{}
		if starts {
			schedule.Seconds += startup.InitialDelaySeconds + cmp.Or(startup.PeriodSeconds, 10)*cmp.Or(startup.FailureThreshold, 3)
			schedule.Shown = startup.String()
		}
		if ready {
			schedule.Seconds += readiness.InitialDelaySeconds + cmp.Or(readiness.PeriodSeconds, 10)*(cmp.Or(readiness.SuccessThreshold, 1)+1)
			schedule.Shown = readiness.String()
		}
		if (starts || ready) && (longest == nil || schedule.Seconds > longest.Seconds) {
			longest = schedule
		}
	}
	return longest
}

func parseProbe(raw *json.RawMessage) (p probe, ok bool) {
	ok = raw != nil && json.Unmarshal(*raw, &p) == nil
	return p, ok
}
