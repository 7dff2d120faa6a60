package ask

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// settled is how long a Pod has to be ready, or not, until what it listens on counts, in seconds.
const settled = 15

// podSockets finds what Pods listen on.
type podSockets struct {
	in     *Incident
	byName map[serviceName]*facts.Namespace
	byUID  map[string]*facts.Namespace
}

func newPodSockets(in *Incident) *podSockets {
	s := &podSockets{in: in, byName: map[serviceName]*facts.Namespace{}, byUID: map[string]*facts.Namespace{}}
	for _, node := range in.Snapshot.Nodes {
		for _, ns := range node.Namespaces {
			if ns.Pod == nil {
				continue
			}
			if ns.Pod.Name != "" {
				s.byName[serviceName{ns.Pod.Namespace, ns.Pod.Name}] = ns
			}
			if ns.Pod.UID != "" {
				s.byUID[ns.Pod.UID] = ns
			}
		}
	}
	return s
}

// of are a Pod's listeners; the reason says why they are not known.
func (s *podSockets) of(pod *facts.Pod) (listeners []facts.Listener, reason string) {
	node := s.in.byName[pod.Spec.NodeName]
	if node == nil || node.Facts == nil {
		return nil, "nothing was collected on " + cmp.Or(pod.Spec.NodeName, "its node")
	}
	if pod.Spec.HostNetwork {
		return known(node.Name, &node.Facts.NetNS)
	}
	if pod.Spec.RuntimeClassName != "" {
		return nil, fmt.Sprintf("its runtime class %s may keep its sockets out of the node's sight", pod.Spec.RuntimeClassName)
	}
	ns := s.byUID[pod.Metadata.UID]
	if ns == nil || pod.Metadata.UID == "" {
		ns = s.byName[serviceName{pod.Metadata.Namespace, pod.Metadata.Name}]
	}
	if ns == nil {
		return nil, "its network namespace was not found on " + node.Name
	}
	if ns.Pod.UID != "" && pod.Metadata.UID != "" && ns.Pod.UID != pod.Metadata.UID {
		return nil, "its network namespace was not found on " + node.Name
	}
	if redirects(&ns.NetNS) || hasProxy(pod) {
		return nil, "rules in its network namespace lead its packets to a proxy"
	}
	return known(node.Name, &ns.NetNS)
}

func known(node string, ns *facts.NetNS) ([]facts.Listener, string) {
	if ns.Listeners.Status != facts.Read {
		return nil, strings.TrimSuffix("its listeners were not read on "+node+": "+ns.Listeners.Reason, ": ")
	}
	return ns.Listeners.Value, ""
}

// redirects says whether a namespace's own rules send packets elsewhere: what a sidecar of a service mesh has.
func redirects(ns *facts.NetNS) bool {
	for _, g := range []*facts.Group[facts.Listing]{&ns.IPTablesNFT, &ns.IPTablesLegacy, &ns.IP6TablesNFT, &ns.IP6TablesLegacy, &ns.NFTables} {
		text := facts.Text(g)
		for _, word := range []string{"REDIRECT", "TPROXY", "DNAT", "\"redirect\"", "\"tproxy\"", "\"dnat\""} {
			if bytes.Contains(text, []byte(word)) {
				return true
			}
		}
	}
	return false
}

// hasProxy says whether a Pod has the sidecar of a service mesh, which takes the connections in its stead.
func hasProxy(pod *facts.Pod) bool {
	return slices.ContainsFunc(slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers), func(c facts.Container) bool {
		return slices.Contains([]string{"istio-proxy", "linkerd-proxy", "kuma-sidecar", "consul-dataplane"}, c.Name)
	})
}

func protocolOf(port facts.ServicePort) string { return cmp.Or(port.Protocol, "TCP") }

// targetNumber is the number of the Pods' port; a port without targetPort sends to its own number.
func targetNumber(port facts.ServicePort) (int32, bool) {
	switch target := port.TargetPort.(type) {
	case nil:
		return port.Port, true
	case float64:
		return int32(target), true
	case int32:
		return target, true
	case int:
		return int32(target), true
	case string:
		if target == "" {
			return port.Port, true
		}
		number, err := strconv.ParseInt(target, 10, 32)
		return int32(number), err == nil
	}
	return 0, false
}

// serving are the containers whose ports count: the Pod's and its sidecars (pkg/api/v1/pod, FindPort).
func serving(pod *facts.Pod) []facts.Container {
	list := slices.Clone(pod.Spec.Containers)
	for _, c := range pod.Spec.InitContainers {
		if c.RestartPolicy == "Always" {
			list = append(list, c)
		}
	}
	return list
}

func declares(pod *facts.Pod, number int32, protocol string) bool {
	return slices.ContainsFunc(serving(pod), func(c facts.Container) bool {
		return slices.ContainsFunc(c.Ports, func(p facts.ContainerPort) bool {
			return p.ContainerPort == number && cmp.Or(p.Protocol, "TCP") == protocol
		})
	})
}

func namedPort(pod *facts.Pod, name, protocol string) (int32, bool) {
	for _, c := range serving(pod) {
		for _, p := range c.Ports {
			if p.Name == name && cmp.Or(p.Protocol, "TCP") == protocol {
				return p.ContainerPort, true
			}
		}
	}
	return 0, false
}

// hearing says what a Pod has on a port.
type hearing struct {
	// State is "listens", "loopback" (on the loopback address alone), "elsewhere" (on another address alone), "nothing",
	// "undeclared" (no container has a port of that name), "resting" (not running, leaving or not settled) or "unknown".
	State  string
	Reason string // of unknown and resting
	Port   int32
	// On are the listeners on the port, Others those on other ports that machines reach.
	On, Others []facts.Listener
}

func (w *serviceWorld) hear(service *facts.Service, port facts.ServicePort, pod *facts.Pod) hearing {
	number, isNumber := targetNumber(port)
	if !isNumber {
		declared, ok := namedPort(pod, fmt.Sprint(port.TargetPort), protocolOf(port))
		if !ok {
			return hearing{State: "undeclared"}
		}
		number = declared
	}
	h := hearing{Port: number}
	protocol := strings.ToLower(protocolOf(port))
	switch {
	case protocol != "tcp" && protocol != "udp":
		h.State, h.Reason = "unknown", "listeners of "+strings.ToUpper(protocol)+" are not collected"
		return h
	case !w.isSettled(pod, &h):
		return h
	}
	address := podAddressFor(service, pod)
	listeners, reason := w.sockets.of(pod)
	if reason != "" || !address.IsValid() {
		h.State, h.Reason = "unknown", cmp.Or(reason, "the Pod has no address")
		return h
	}
	h.State = "nothing"
	for _, l := range listeners {
		if l.Proto != protocol {
			continue
		}
		reached := reaches(l, address)
		switch {
		case l.Port != int(number) && reached:
			h.Others = append(h.Others, l)
		case l.Port != int(number):
		case reached:
			h.State, h.On = "listens", append(h.On, l)
		default:
			h.On = append(h.On, l)
			if h.State == "nothing" || h.State == "elsewhere" {
				h.State = "elsewhere"
				if l.Local.IsLoopback() || l.Dev == "lo" {
					h.State = "loopback"
				}
			}
		}
	}
	return h
}

// isSettled says whether a Pod runs, and for long enough to listen; where it does not, it sets why.
func (w *serviceWorld) isSettled(pod *facts.Pod, h *hearing) bool {
	running := pod.Status.Phase == "Running" && pod.Metadata.DeletionTimestamp == ""
	for _, c := range pod.Status.ContainerStatuses {
		restarts := c.RestartCount > 0 && !c.Ready
		running = running && !restarts && c.State.Waiting == nil && c.State.Terminated == nil
	}
	since := w.secondsInState(pod)
	switch {
	case !running:
		h.State, h.Reason = "resting", "it does not run, or restarts"
	case since >= 0 && since < settled:
		h.State, h.Reason = "resting", fmt.Sprintf("it changed %d s before the cluster was read", since)
	default:
		return true
	}
	return false
}

// secondsInState is how long ago a Pod became ready, or not; -1 is not known.
func (w *serviceWorld) secondsInState(pod *facts.Pod) int {
	since := parseTime(pod.Metadata.CreationTimestamp)
	for _, c := range pod.Status.Conditions {
		if at := parseTime(c.LastTransitionTime); (c.Type == "Ready" || c.Type == "ContainersReady" || c.Type == "Initialized") && at.After(since) {
			since = at
		}
	}
	return w.secondsSince(since)
}

// podAddressFor is the Pod's address of the Service's first family.
func podAddressFor(service *facts.Service, pod *facts.Pod) netip.Addr {
	clusterIP, err := netip.ParseAddr(service.Spec.ClusterIP)
	if err == nil {
		if address, ok := podAddress(pod, clusterIP.Unmap()); ok {
			return address
		}
		return netip.Addr{}
	}
	address, _ := netip.ParseAddr(pod.Status.PodIP)
	return address
}

// reaches says whether a packet to an address comes to a listener. A socket on :: takes IPv4 too unless it is told not to.
func reaches(l facts.Listener, address netip.Addr) bool {
	local := l.Local.Unmap()
	switch {
	case l.Dev == "lo":
		return false
	case local.IsUnspecified() && l.Local.Is6() && !l.Local.Is4In6():
		return address.Is6() || !l.V6Only
	case local.IsUnspecified():
		return address.Is4()
	}
	return local == address
}

// unheard says whether every Pod of a Service runs and none hears the first of its ports that was asked.
func (w *serviceWorld) unheard(service *facts.Service, pods []*facts.Pod) bool {
	for _, port := range service.Spec.Ports {
		deaf := 0
		for _, pod := range pods {
			switch w.hear(service, port, pod).State {
			case "nothing", "loopback", "elsewhere":
				deaf++
			}
		}
		if deaf > 0 && deaf == len(pods) {
			return true
		}
	}
	return false
}

// serviceTargetsAnswer is where Services send against what their Pods listen on.
type serviceTargetsAnswer struct {
	// Total is how many ports of Services with Pods were looked at; Heard those on which all Pods that were asked listen.
	Total int `json:"total"`
	Heard int `json:"heard"`
	// Faults are the first ports that are not heard on some Pod, Count is of all.
	Faults []targetFault `json:"faults"`
	Count  int           `json:"count"`
	// Undecided are ports of which it is not known: how many, and the first reasons.
	Undecided int      `json:"undecided"`
	Reasons   []string `json:"reasons"`
	// Undeclared is how many of those Undecided send to a number that no container declares while some declare others.
	Undeclared     int                `json:"undeclared"`
	UndeclaredList []serviceReference `json:"undeclared_list"`
	// Unknown are the Services in namespaces whose Pods were not all read: their ports are in no other count.
	Unknown      int    `json:"unknown"`
	FirstUnknown string `json:"first_unknown"`
}

// targetFault is a port of a Service that some Pods do not listen on.
type targetFault struct {
	Service serviceReference  `json:"service"`
	Port    facts.ServicePort `json:"port"`
	// Index is the port's place in the Service.
	Index int `json:"index"`
	// State is the worst of its Pods': see hearing.
	State string `json:"state"`
	// Target is the number of the Pods' port; 0 where State is undeclared.
	Target   int32 `json:"target"`
	Declared bool  `json:"declared"` // some container declares it
	// Pods are the first in that state, Count all of them, Heard those that listen.
	Pods  []deafPod `json:"pods"`
	Count int       `json:"count"`
	Heard int       `json:"heard"`
	Nodes []string  `json:"nodes"`
	// Suggestion is the port that the Service is probably meant to send to, 0 where that cannot be told; Named are the
	// names of ports that the containers declare.
	Suggestion int32    `json:"suggestion"`
	Named      []string `json:"named"`
	// Ready: one of the Pods is ready, so connections are sent there.
	Ready bool `json:"ready"`
}

type deafPod struct {
	Namespace string           `json:"namespace"`
	Name      string           `json:"name"`
	Node      string           `json:"node"`
	Address   string           `json:"address"`
	Source    facts.Source     `json:"source"`
	On        []facts.Listener `json:"on"`
	Others    []facts.Listener `json:"others"`
	// Container is the first that declares the port, or the first.
	Container string `json:"container"`
}

const maxListeners = 5

// askServiceTargets compares each port of each Service that selects Pods with what these listen on.
func askServiceTargets(in *Incident, _ []any) (any, error) {
	answer := serviceTargetsAnswer{Faults: []targetFault{}, Reasons: []string{}, UndeclaredList: []serviceReference{}}
	cluster := in.Snapshot.Cluster
	if cluster == nil || cluster.Services.Status != facts.Read || cluster.Pods.Status != facts.Read {
		return answer, nil
	}
	w := in.serviceWorld()
	for i := range cluster.Services.Value {
		service := &cluster.Services.Value[i]
		if !selectsPods(service) {
			continue
		}
		if !w.knowsNamespace(service.Metadata.Namespace) {
			if answer.Unknown++; answer.FirstUnknown == "" {
				answer.FirstUnknown = service.Metadata.Namespace + "/" + service.Metadata.Name
			}
			continue
		}
		pods := w.pods.selected(service.Metadata.Namespace, service.Spec.Selector)
		if len(pods) == 0 {
			continue
		}
		for index, port := range service.Spec.Ports {
			answer.judge(w, service, index, port, pods)
		}
	}
	slices.SortStableFunc(answer.Faults, func(a, b targetFault) int {
		return cmp.Or(compareDNSFirst(a.Service, b.Service), cmp.Compare(a.Index, b.Index))
	})
	answer.Count = len(answer.Faults)
	answer.Faults = answer.Faults[:min(len(answer.Faults), maxUnserved)]
	return answer, nil
}

// worst first: what a fault is called by.
var deafStates = []string{"undeclared", "loopback", "elsewhere", "nothing"}

func (a *serviceTargetsAnswer) judge(w *serviceWorld, service *facts.Service, index int, port facts.ServicePort, pods []*facts.Pod) {
	a.Total++
	heard, undecided, resting, undeclaredAtRest := 0, 0, 0, 0
	deaf := map[string][]*facts.Pod{}
	hearings := map[*facts.Pod]hearing{}
	for _, pod := range pods {
		h := w.hear(service, port, pod)
		hearings[pod] = h
		switch h.State {
		case "listens":
			heard++
		case "unknown":
			undecided++
			if !slices.Contains(a.Reasons, h.Reason) && len(a.Reasons) < maxUnserved/10 {
				a.Reasons = append(a.Reasons, h.Reason)
			}
		case "resting":
			resting++
		default:
			// A Pod that is not ready gets no connections while another one listens.
			if !isReady(pod) && !service.Spec.PublishNotReadyAddresses && slices.ContainsFunc(pods, isReady) {
				resting++
				if h.State == "undeclared" {
					undeclaredAtRest++
				}
				continue
			}
			deaf[h.State] = append(deaf[h.State], pod)
		}
	}
	// Containers that declare a port by a name may come and go with a new version of the Pods: those that rest or were not
	// asked declare it.
	if n := len(deaf["undeclared"]); n > 0 && n+undeclaredAtRest < len(pods) {
		delete(deaf, "undeclared")
		resting += n
	}
	// The port of a headless Service is a hint alone: its clients find the Pods by name, and use the port they know.
	if service.Spec.ClusterIP == "None" {
		deaf = map[string][]*facts.Pod{"loopback": deaf["loopback"]}
	}
	for _, state := range deafStates {
		if list := deaf[state]; len(list) > 0 {
			a.Faults = append(a.Faults, newTargetFault(service, index, port, state, list, hearings, heard))
			return
		}
	}
	if number, ok := targetNumber(port); ok && heard == 0 && undecided+resting > 0 && declaresOthers(pods, number, protocolOf(port)) {
		a.Undeclared++
		if len(a.UndeclaredList) < maxServicePods {
			a.UndeclaredList = append(a.UndeclaredList, referenceTo(service))
		}
	}
	switch {
	case undecided > 0:
		a.Undecided++
	case heard > 0:
		a.Heard++
	case resting > 0:
		a.Undecided++
		reason := "Pods that do not run, or started only now"
		if !slices.Contains(a.Reasons, reason) && len(a.Reasons) < maxUnserved/10 {
			a.Reasons = append(a.Reasons, reason)
		}
	}
}

// declaresOthers says whether the Pods declare ports of the protocol, and none of them this one.
func declaresOthers(pods []*facts.Pod, number int32, protocol string) bool {
	any := false
	for _, pod := range pods {
		if declares(pod, number, protocol) {
			return false
		}
		for _, c := range serving(pod) {
			any = any || slices.ContainsFunc(c.Ports, func(p facts.ContainerPort) bool { return cmp.Or(p.Protocol, "TCP") == protocol })
		}
	}
	return any
}

func newTargetFault(
	service *facts.Service, index int, port facts.ServicePort, state string, pods []*facts.Pod, hearings map[*facts.Pod]hearing, heard int,
) targetFault {
	f := targetFault{
		Service: referenceTo(service), Port: port, Index: index, State: state, Target: hearings[pods[0]].Port,
		Pods: []deafPod{}, Count: len(pods), Heard: heard, Nodes: []string{}, Named: []string{},
	}
	protocol := protocolOf(port)
	suggestions := map[int32]int{}
	for _, pod := range pods {
		h := hearings[pod]
		f.Ready = f.Ready || isReady(pod)
		f.Declared = f.Declared || declares(pod, f.Target, protocol)
		if node := pod.Spec.NodeName; node != "" && !slices.Contains(f.Nodes, node) {
			f.Nodes = append(f.Nodes, node)
		}
		for _, number := range suggested(pod, h, protocol) {
			suggestions[number]++
		}
		for _, c := range serving(pod) {
			for _, p := range c.Ports {
				if p.Name != "" && !slices.Contains(f.Named, p.Name) && len(f.Named) < maxListeners && cmp.Or(p.Protocol, "TCP") == protocol {
					f.Named = append(f.Named, p.Name)
				}
			}
		}
		if len(f.Pods) < maxServicePods {
			f.Pods = append(f.Pods, newDeafPod(service, pod, h, f.Target, protocol))
		}
	}
	if len(suggestions) == 1 {
		for number, n := range suggestions {
			if n == len(pods) {
				f.Suggestion = number
			}
		}
	}
	slices.Sort(f.Nodes)
	return f
}

func newDeafPod(service *facts.Service, pod *facts.Pod, h hearing, target int32, protocol string) deafPod {
	d := deafPod{
		Namespace: pod.Metadata.Namespace, Name: pod.Metadata.Name, Node: pod.Spec.NodeName, Source: pod.Source,
		On: append([]facts.Listener{}, h.On[:min(len(h.On), maxListeners)]...), Others: []facts.Listener{},
	}
	if address := podAddressFor(service, pod); address.IsValid() {
		d.Address = address.String()
	}
	if !pod.Spec.HostNetwork { // the host's other listeners are not the Pod's
		d.Others = append(d.Others, h.Others[:min(len(h.Others), maxListeners)]...)
	}
	for _, c := range serving(pod) {
		if d.Container == "" || slices.ContainsFunc(c.Ports, func(p facts.ContainerPort) bool {
			return p.ContainerPort == target && cmp.Or(p.Protocol, "TCP") == protocol
		}) {
			d.Container = c.Name
		}
	}
	return d
}

// suggested are the ports that a Service of this Pod may be meant for: those that it declares and listens on, else all
// that it listens on, else, where it was not asked, the only one that it declares.
func suggested(pod *facts.Pod, h hearing, protocol string) []int32 {
	var listened, both, declared []int32
	for _, l := range h.Others {
		number := int32(l.Port)
		if slices.Contains(listened, number) || pod.Spec.HostNetwork {
			continue
		}
		listened = append(listened, number)
		if declares(pod, number, protocol) {
			both = append(both, number)
		}
	}
	if h.State == "undeclared" {
		for _, c := range serving(pod) {
			for _, p := range c.Ports {
				if cmp.Or(p.Protocol, "TCP") == protocol && !slices.Contains(declared, p.ContainerPort) {
					declared = append(declared, p.ContainerPort)
				}
			}
		}
		return declared
	}
	if len(both) > 0 {
		return both
	}
	return listened
}
