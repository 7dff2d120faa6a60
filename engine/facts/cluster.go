package facts

import "encoding/json"

// Cluster are the cluster's objects as the API server gave them, in Kubernetes' own JSON shape and cut down to the
// fields that have to do with the network. Environment variables and Secrets are never among them.
type Cluster struct {
	// Server is the API server's address, empty for a recorded cluster that does not say.
	Server string `json:"server,omitempty"`

	Version         Group[Version]         `json:"-"`
	Nodes           Group[[]NodeObject]    `json:"-"`
	Pods            Group[[]Pod]           `json:"-"`
	Services        Group[[]Service]       `json:"-"`
	EndpointSlices  Group[[]EndpointSlice] `json:"-"`
	NetworkPolicies Group[[]NetworkPolicy] `json:"-"`
	// OtherPolicies are the policies that others than networking.k8s.io define, by name: AdminNetworkPolicies, Cilium's,
	// Calico's and Antrea's.
	OtherPolicies   Group[[]PolicyReference] `json:"-"`
	DaemonSets      Group[[]DaemonSet]       `json:"-"`
	Deployments     Group[[]Deployment]      `json:"-"`
	StatefulSets    Group[[]StatefulSet]     `json:"-"`
	PriorityClasses Group[[]PriorityClass]   `json:"-"`
	// ConfigMaps are those of the network's components alone: kube-proxy, coredns, kube-flannel-cfg, calico-config ….
	ConfigMaps Group[[]ConfigMap]       `json:"-"`
	Events     Group[[]Event]           `json:"-"`
	Namespaces Group[[]NamespaceObject] `json:"-"`
}

// Groups are the cluster's groups. Rules write them in `needs` with "cluster." before the name.
func (c *Cluster) Groups() []NamedGroup {
	return []NamedGroup{
		{"version", &c.Version},
		{"nodes", &c.Nodes},
		{"pods", &c.Pods},
		{"services", &c.Services},
		{"endpointslices", &c.EndpointSlices},
		{"networkpolicies", &c.NetworkPolicies},
		{"otherpolicies", &c.OtherPolicies},
		{"daemonsets", &c.DaemonSets},
		{"deployments", &c.Deployments},
		{"statefulsets", &c.StatefulSets},
		{"priorityclasses", &c.PriorityClasses},
		{"configmaps", &c.ConfigMaps},
		{"events", &c.Events},
		{"namespaces", &c.Namespaces},
	}
}

// Version is the API server's.
type Version struct {
	GitVersion string `json:"gitVersion"`
	Platform   string `json:"platform,omitempty"`
}

// ObjectMeta is Kubernetes' metadata.
type ObjectMeta struct {
	Name              string            `json:"name"`
	Namespace         string            `json:"namespace,omitempty"`
	UID               string            `json:"uid,omitempty"`
	Labels            map[string]string `json:"labels,omitempty"`
	Annotations       map[string]string `json:"annotations,omitempty"`
	CreationTimestamp string            `json:"creationTimestamp,omitempty"`
	DeletionTimestamp string            `json:"deletionTimestamp,omitempty"`
	OwnerReferences   []OwnerReference  `json:"ownerReferences,omitempty"`
}

// OwnerReference names an object's owner.
type OwnerReference struct {
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	Controller bool   `json:"controller,omitempty"`
}

// Condition is a condition of a Node or a Pod.
type Condition struct {
	Type               string `json:"type"`
	Status             string `json:"status"`
	Reason             string `json:"reason,omitempty"`
	Message            string `json:"message,omitempty"`
	LastTransitionTime string `json:"lastTransitionTime,omitempty"`
	// LastHeartbeatTime is when the kubelet last wrote the condition of a Node, at least every five minutes
	// (nodeStatusReportFrequency): of a list without a time it tells when it was made.
	LastHeartbeatTime string `json:"lastHeartbeatTime,omitempty"`
}

// NodeObject is a v1 Node.
type NodeObject struct {
	Source   Source     `json:"source"`
	Metadata ObjectMeta `json:"metadata"`
	Spec     NodeSpec   `json:"spec"`
	Status   NodeStatus `json:"status"`
}

// NodeSpec is a Node's spec.
type NodeSpec struct {
	PodCIDR       string   `json:"podCIDR,omitempty"`
	PodCIDRs      []string `json:"podCIDRs,omitempty"`
	ProviderID    string   `json:"providerID,omitempty"`
	Unschedulable bool     `json:"unschedulable,omitempty"`
	Taints        []Taint  `json:"taints,omitempty"`
}

// Taint is a Node's taint.
type Taint struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Effect string `json:"effect"`
}

// NodeStatus is a Node's status.
type NodeStatus struct {
	Addresses   []NodeAddress     `json:"addresses,omitempty"`
	Conditions  []Condition       `json:"conditions,omitempty"`
	Allocatable map[string]string `json:"allocatable,omitempty"`
	NodeInfo    NodeInfo          `json:"nodeInfo"`
}

// NodeAddress is one of a Node's addresses.
type NodeAddress struct {
	Type    string `json:"type"` // "InternalIP", "ExternalIP", "Hostname" …
	Address string `json:"address"`
}

// NodeInfo are a Node's versions.
type NodeInfo struct {
	MachineID               string `json:"machineID,omitempty"`
	BootID                  string `json:"bootID,omitempty"`
	KernelVersion           string `json:"kernelVersion,omitempty"`
	OSImage                 string `json:"osImage,omitempty"`
	ContainerRuntimeVersion string `json:"containerRuntimeVersion,omitempty"`
	KubeletVersion          string `json:"kubeletVersion,omitempty"`
	KubeProxyVersion        string `json:"kubeProxyVersion,omitempty"`
}

// Pod is a v1 Pod.
type Pod struct {
	Source   Source     `json:"source"`
	Metadata ObjectMeta `json:"metadata"`
	Spec     PodSpec    `json:"spec"`
	Status   PodStatus  `json:"status"`
	// Logs are the last lines of its containers' logs that name why a program ends, where the logs were read: at most five, of
	// the conditions that a rule knows ("plugin/loop: Loop (… -> …) detected" of CoreDNS). They are no part of the object.
	Logs []LogLine `json:"logs,omitempty"`
}

// LogLine is a line of a container's log.
type LogLine struct {
	Text   string `json:"text"` // at most 300 bytes
	Source Source `json:"source"`
}

// PodSpec is a Pod's spec, or that of a template.
type PodSpec struct {
	NodeName           string        `json:"nodeName,omitempty"`
	HostNetwork        bool          `json:"hostNetwork,omitempty"`
	DNSPolicy          string        `json:"dnsPolicy,omitempty"`
	DNSConfig          *PodDNSConfig `json:"dnsConfig,omitempty"`
	PriorityClassName  string        `json:"priorityClassName,omitempty"`
	Priority           *int32        `json:"priority,omitempty"`
	ServiceAccountName string        `json:"serviceAccountName,omitempty"`
	// RuntimeClassName names another runtime than the node's own: in one that keeps the network stack to itself (gVisor,
	// Kata) the Pod's sockets are not in its network namespace.
	RuntimeClassName string            `json:"runtimeClassName,omitempty"`
	NodeSelector     map[string]string `json:"nodeSelector,omitempty"`
	Affinity         *Affinity         `json:"affinity,omitempty"`
	Tolerations      []Toleration      `json:"tolerations,omitempty"`
	Containers       []Container       `json:"containers,omitempty"`
	// InitContainers run before, or beside the others where their restartPolicy is Always.
	InitContainers []Container `json:"initContainers,omitempty"`
}

// PodDNSConfig is a Pod's dnsConfig.
type PodDNSConfig struct {
	Nameservers []string    `json:"nameservers,omitempty"`
	Searches    []string    `json:"searches,omitempty"`
	Options     []DNSOption `json:"options,omitempty"`
}

// DNSOption is an option of a dnsConfig.
type DNSOption struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}

// Affinity is a Pod's affinity; only what ties it to nodes.
type Affinity struct {
	NodeAffinity *NodeAffinity `json:"nodeAffinity,omitempty"`
}

// NodeAffinity is a Pod's node affinity.
type NodeAffinity struct {
	Required *NodeSelector `json:"requiredDuringSchedulingIgnoredDuringExecution,omitempty"`
}

// NodeSelector is a v1 NodeSelector.
type NodeSelector struct {
	NodeSelectorTerms []NodeSelectorTerm `json:"nodeSelectorTerms"`
}

// NodeSelectorTerm is one alternative of a NodeSelector.
type NodeSelectorTerm struct {
	MatchExpressions []SelectorRequirement `json:"matchExpressions,omitempty"`
	MatchFields      []SelectorRequirement `json:"matchFields,omitempty"`
}

// SelectorRequirement is a requirement of a label or node selector.
type SelectorRequirement struct {
	Key      string   `json:"key"`
	Operator string   `json:"operator"`
	Values   []string `json:"values,omitempty"`
}

// Toleration is a Pod's toleration.
type Toleration struct {
	Key      string `json:"key,omitempty"`
	Operator string `json:"operator,omitempty"`
	Value    string `json:"value,omitempty"`
	Effect   string `json:"effect,omitempty"`
}

// Container is a container of a Pod, without its environment.
type Container struct {
	Name           string           `json:"name"`
	Image          string           `json:"image,omitempty"`
	Command        []string         `json:"command,omitempty"`
	Args           []string         `json:"args,omitempty"`
	Ports          []ContainerPort  `json:"ports,omitempty"`
	Resources      Resources        `json:"resources"`
	ReadinessProbe *json.RawMessage `json:"readinessProbe,omitempty"`
	// StartupProbe holds the others back until it succeeds.
	StartupProbe *json.RawMessage `json:"startupProbe,omitempty"`
	// RestartPolicy is "Always" on an init container that is a sidecar.
	RestartPolicy string `json:"restartPolicy,omitempty"`
}

// Resources are what a container asks of its node.
type Resources struct {
	Requests map[string]string `json:"requests,omitempty"`
}

// ContainerPort is a port that a container declares.
type ContainerPort struct {
	Name          string `json:"name,omitempty"`
	ContainerPort int32  `json:"containerPort"`
	HostPort      int32  `json:"hostPort,omitempty"`
	Protocol      string `json:"protocol,omitempty"`
}

// PodStatus is a Pod's status.
type PodStatus struct {
	Phase             string            `json:"phase,omitempty"`
	Reason            string            `json:"reason,omitempty"` // "Evicted", "Preempting" …
	Message           string            `json:"message,omitempty"`
	HostIP            string            `json:"hostIP,omitempty"`
	PodIP             string            `json:"podIP,omitempty"`
	PodIPs            []PodIP           `json:"podIPs,omitempty"`
	Conditions        []Condition       `json:"conditions,omitempty"`
	ContainerStatuses []ContainerStatus `json:"containerStatuses,omitempty"`
	// InitContainerStatuses are those of the init containers: network plugins install themselves in such.
	InitContainerStatuses []ContainerStatus `json:"initContainerStatuses,omitempty"`
}

// PodIP is one of a Pod's addresses.
type PodIP struct {
	IP string `json:"ip"`
}

// ContainerStatus is a container's status.
type ContainerStatus struct {
	Name         string          `json:"name"`
	Ready        bool            `json:"ready"`
	RestartCount int32           `json:"restartCount,omitempty"`
	State        ContainerState  `json:"state"`
	LastState    *ContainerState `json:"lastState,omitempty"`
}

// ContainerState is one of running, waiting and terminated.
type ContainerState struct {
	Running    *struct{}             `json:"running,omitempty"`
	Waiting    *ContainerStateReason `json:"waiting,omitempty"`
	Terminated *ContainerStateReason `json:"terminated,omitempty"`
}

// ContainerStateReason is why a container waits or ended.
type ContainerStateReason struct {
	Reason   string `json:"reason,omitempty"`
	Message  string `json:"message,omitempty"`
	ExitCode int32  `json:"exitCode,omitempty"`
}

// Service is a v1 Service.
type Service struct {
	Source   Source        `json:"source"`
	Metadata ObjectMeta    `json:"metadata"`
	Spec     ServiceSpec   `json:"spec"`
	Status   ServiceStatus `json:"status"`
}

// ServiceSpec is a Service's spec.
type ServiceSpec struct {
	Type                     string            `json:"type,omitempty"`
	ClusterIP                string            `json:"clusterIP,omitempty"` // "None": headless
	ClusterIPs               []string          `json:"clusterIPs,omitempty"`
	ExternalIPs              []string          `json:"externalIPs,omitempty"`
	ExternalName             string            `json:"externalName,omitempty"`
	Selector                 map[string]string `json:"selector,omitempty"`
	Ports                    []ServicePort     `json:"ports,omitempty"`
	SessionAffinity          string            `json:"sessionAffinity,omitempty"`
	SessionAffinityConfig    *SessionAffinity  `json:"sessionAffinityConfig,omitempty"`
	InternalTrafficPolicy    string            `json:"internalTrafficPolicy,omitempty"`
	ExternalTrafficPolicy    string            `json:"externalTrafficPolicy,omitempty"`
	HealthCheckNodePort      int32             `json:"healthCheckNodePort,omitempty"`
	PublishNotReadyAddresses bool              `json:"publishNotReadyAddresses,omitempty"`
	LoadBalancerSourceRanges []string          `json:"loadBalancerSourceRanges,omitempty"`
	TrafficDistribution      string            `json:"trafficDistribution,omitempty"` // "PreferSameZone", "PreferSameNode", "PreferClose"
}

// SessionAffinity is a v1 SessionAffinityConfig.
type SessionAffinity struct {
	ClientIP *ClientIPAffinity `json:"clientIP,omitempty"`
}

// ClientIPAffinity keeps a client's connections together for a time.
type ClientIPAffinity struct {
	TimeoutSeconds int32 `json:"timeoutSeconds,omitempty"`
}

// ServicePort is a port of a Service.
type ServicePort struct {
	Name       string `json:"name,omitempty"`
	Protocol   string `json:"protocol,omitempty"`
	Port       int32  `json:"port"`
	TargetPort any    `json:"targetPort,omitempty"` // a number or a container port's name
	NodePort   int32  `json:"nodePort,omitempty"`
}

// ServiceStatus is a Service's status.
type ServiceStatus struct {
	LoadBalancer LoadBalancerStatus `json:"loadBalancer"`
}

// LoadBalancerStatus are the addresses of a Service's load balancer.
type LoadBalancerStatus struct {
	Ingress []LoadBalancerIngress `json:"ingress,omitempty"`
}

// LoadBalancerIngress is one of them.
type LoadBalancerIngress struct {
	IP       string `json:"ip,omitempty"`
	Hostname string `json:"hostname,omitempty"`
	IPMode   string `json:"ipMode,omitempty"`
}

// EndpointSlice is a discovery.k8s.io/v1 EndpointSlice.
type EndpointSlice struct {
	Source      Source         `json:"source"`
	Metadata    ObjectMeta     `json:"metadata"` // label kubernetes.io/service-name names the Service
	AddressType string         `json:"addressType"`
	Endpoints   []Endpoint     `json:"endpoints,omitempty"`
	Ports       []EndpointPort `json:"ports,omitempty"`
}

// Endpoint is an endpoint of a slice.
type Endpoint struct {
	Addresses  []string           `json:"addresses"`
	Conditions EndpointConditions `json:"conditions"`
	Hostname   string             `json:"hostname,omitempty"`
	NodeName   string             `json:"nodeName,omitempty"`
	Zone       string             `json:"zone,omitempty"`
	Hints      *EndpointHints     `json:"hints,omitempty"`
	TargetRef  *ObjectReference   `json:"targetRef,omitempty"`
}

// EndpointHints say which clients an endpoint is meant for.
type EndpointHints struct {
	ForZones []EndpointHint `json:"forZones,omitempty"`
	ForNodes []EndpointHint `json:"forNodes,omitempty"`
}

// EndpointHint names a zone or a node.
type EndpointHint struct {
	Name string `json:"name"`
}

// EndpointConditions are an endpoint's; absent means unknown and is to be taken as ready.
type EndpointConditions struct {
	Ready       *bool `json:"ready,omitempty"`
	Serving     *bool `json:"serving,omitempty"`
	Terminating *bool `json:"terminating,omitempty"`
}

// ObjectReference names an object.
type ObjectReference struct {
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
}

// EndpointPort is a port of a slice.
type EndpointPort struct {
	Name     string `json:"name,omitempty"`
	Protocol string `json:"protocol,omitempty"`
	Port     int32  `json:"port"`
}

// LabelSelector is a metav1 LabelSelector.
type LabelSelector struct {
	MatchLabels      map[string]string     `json:"matchLabels,omitempty"`
	MatchExpressions []SelectorRequirement `json:"matchExpressions,omitempty"`
}

// NetworkPolicy is a networking.k8s.io/v1 NetworkPolicy.
type NetworkPolicy struct {
	Source   Source            `json:"source"`
	Metadata ObjectMeta        `json:"metadata"`
	Spec     NetworkPolicySpec `json:"spec"`
}

// PolicyReference names a policy of another API than networking.k8s.io. What it says is not kept.
type PolicyReference struct {
	Source   Source     `json:"source"`
	APIGroup string     `json:"apiGroup"` // "cilium.io", "crd.projectcalico.org", "policy.networking.k8s.io" …
	Kind     string     `json:"kind"`
	Metadata ObjectMeta `json:"metadata"`
}

// NetworkPolicySpec is a policy's spec.
type NetworkPolicySpec struct {
	PodSelector LabelSelector       `json:"podSelector"`
	PolicyTypes []string            `json:"policyTypes,omitempty"`
	Ingress     []NetworkPolicyRule `json:"ingress,omitempty"`
	Egress      []NetworkPolicyRule `json:"egress,omitempty"`
}

// NetworkPolicyRule is one rule of a direction: From in ingress, To in egress.
type NetworkPolicyRule struct {
	Ports []NetworkPolicyPort `json:"ports,omitempty"`
	From  []NetworkPolicyPeer `json:"from,omitempty"`
	To    []NetworkPolicyPeer `json:"to,omitempty"`
}

// NetworkPolicyPort is a port of a rule.
type NetworkPolicyPort struct {
	Protocol string `json:"protocol,omitempty"`
	Port     any    `json:"port,omitempty"` // a number or a name
	EndPort  int32  `json:"endPort,omitempty"`
}

// NetworkPolicyPeer is a peer of a rule.
type NetworkPolicyPeer struct {
	PodSelector       *LabelSelector `json:"podSelector,omitempty"`
	NamespaceSelector *LabelSelector `json:"namespaceSelector,omitempty"`
	IPBlock           *IPBlock       `json:"ipBlock,omitempty"`
}

// IPBlock is a range of addresses with exceptions.
type IPBlock struct {
	CIDR   string   `json:"cidr"`
	Except []string `json:"except,omitempty"`
}

// DaemonSet is an apps/v1 DaemonSet.
type DaemonSet struct {
	Source   Source          `json:"source"`
	Metadata ObjectMeta      `json:"metadata"`
	Spec     WorkloadSpec    `json:"spec"`
	Status   DaemonSetStatus `json:"status"`
}

// WorkloadSpec is the spec of a DaemonSet, a Deployment or a StatefulSet.
type WorkloadSpec struct {
	Replicas *int32        `json:"replicas,omitempty"`
	Selector LabelSelector `json:"selector"`
	Template PodTemplate   `json:"template"`
}

// PodTemplate is a template of Pods.
type PodTemplate struct {
	Metadata ObjectMeta `json:"metadata"`
	Spec     PodSpec    `json:"spec"`
}

// DaemonSetStatus is a DaemonSet's status.
type DaemonSetStatus struct {
	DesiredNumberScheduled int32 `json:"desiredNumberScheduled"`
	CurrentNumberScheduled int32 `json:"currentNumberScheduled"`
	NumberReady            int32 `json:"numberReady"`
	NumberAvailable        int32 `json:"numberAvailable,omitempty"`
	NumberUnavailable      int32 `json:"numberUnavailable,omitempty"`
	NumberMisscheduled     int32 `json:"numberMisscheduled"`
}

// Deployment is an apps/v1 Deployment.
type Deployment struct {
	Source   Source           `json:"source"`
	Metadata ObjectMeta       `json:"metadata"`
	Spec     WorkloadSpec     `json:"spec"`
	Status   DeploymentStatus `json:"status"`
}

// DeploymentStatus is a Deployment's status.
type DeploymentStatus struct {
	Replicas            int32 `json:"replicas,omitempty"`
	ReadyReplicas       int32 `json:"readyReplicas,omitempty"`
	AvailableReplicas   int32 `json:"availableReplicas,omitempty"`
	UnavailableReplicas int32 `json:"unavailableReplicas,omitempty"`
}

// StatefulSet is an apps/v1 StatefulSet.
type StatefulSet struct {
	Source   Source            `json:"source"`
	Metadata ObjectMeta        `json:"metadata"`
	Spec     WorkloadSpec      `json:"spec"`
	Status   StatefulSetStatus `json:"status"`
}

// StatefulSetStatus is a StatefulSet's status.
type StatefulSetStatus struct {
	Replicas          int32 `json:"replicas"`
	ReadyReplicas     int32 `json:"readyReplicas,omitempty"`
	AvailableReplicas int32 `json:"availableReplicas,omitempty"`
}

// PriorityClass is a scheduling.k8s.io/v1 PriorityClass.
type PriorityClass struct {
	Source        Source     `json:"source"`
	Metadata      ObjectMeta `json:"metadata"`
	Value         int32      `json:"value"`
	GlobalDefault bool       `json:"globalDefault,omitempty"`
}

// ConfigMap is a v1 ConfigMap of a network component.
type ConfigMap struct {
	Source   Source            `json:"source"`
	Metadata ObjectMeta        `json:"metadata"`
	Data     map[string]string `json:"data,omitempty"`
}

// Event is a v1 Event about the network, scheduling or a Pod's life.
type Event struct {
	Source         Source          `json:"source"`
	Metadata       ObjectMeta      `json:"metadata"`
	InvolvedObject ObjectReference `json:"involvedObject"`
	Type           string          `json:"type,omitempty"`
	Reason         string          `json:"reason,omitempty"`
	Message        string          `json:"message,omitempty"`
	Count          int32           `json:"count,omitempty"`
	FirstTimestamp string          `json:"firstTimestamp,omitempty"`
	LastTimestamp  string          `json:"lastTimestamp,omitempty"`
	// EventTime and Series stand instead of the timestamps and Count in events that came through events.k8s.io.
	EventTime string       `json:"eventTime,omitempty"`
	Series    *EventSeries `json:"series,omitempty"`
}

// EventSeries says how often an event of events.k8s.io was seen.
type EventSeries struct {
	Count            int32  `json:"count,omitempty"`
	LastObservedTime string `json:"lastObservedTime,omitempty"`
}

// UnmarshalJSON reads an event of a snapshot and one of Kubernetes: only there "source" is an object, the component that
// wrote the event, which is not kept.
func (e *Event) UnmarshalJSON(data []byte) error {
	type plain Event
	shape := struct {
		*plain
		Source json.RawMessage `json:"source"`
	}{plain: (*plain)(e)}
	if err := json.Unmarshal(data, &shape); err != nil {
		return err
	}
	if len(shape.Source) == 0 || shape.Source[0] != '"' {
		return nil
	}
	return json.Unmarshal(shape.Source, &e.Source)
}

// NamespaceObject is a v1 Namespace: its name and labels.
type NamespaceObject struct {
	Source   Source     `json:"source"`
	Metadata ObjectMeta `json:"metadata"`
}
