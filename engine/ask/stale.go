package ask

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/netfilter"
	"github.com/netcause/netcause/engine/services"
)

// maxStale bounds the Service ports that an answer names.
const maxStale = 20

// staleServicesAnswer is a node's rules against the endpoints that the cluster's objects say it should have.
type staleServicesAnswer struct {
	// Total is how many cluster IPs and ports were compared, Fresh how many agree; Undecided could not be compared.
	Total     int `json:"total"`
	Fresh     int `json:"fresh"`
	Undecided int `json:"undecided"`
	// Stale are the first that differ, the surest first; Count is of all.
	Stale []staleService `json:"stale"`
	Count int            `json:"count"`
	// Lag is by how many seconds the cluster was read after the node; nil is not known.
	Lag *int `json:"lag"`
	// Patience is how many seconds a proxy may need for so many Services.
	Patience int `json:"patience"`
}

// staleService is a port of a Service whose rules on a node are not what they should be.
type staleService struct {
	Service  string       `json:"service"`
	Address  string       `json:"address"`
	Port     int32        `json:"port"`
	Protocol string       `json:"protocol"`
	Source   facts.Source `json:"source"` // of the endpoints as they should be
	// Gone are addresses that the rules send to and that are no endpoint any more, Absent are endpoints that they do not
	// send to.
	Gone   []string `json:"gone"`
	Absent []string `json:"absent"`
	// Should are the endpoints as they should be, the first of them.
	Should []string `json:"should"`
	// Refused: the rules refuse the Service although it has endpoints; Missing: there is none.
	Refused bool `json:"refused"`
	Missing bool `json:"missing"`
	// Seconds since its Pods last changed, before the node was read; nil is not known.
	Seconds  *int             `json:"seconds"`
	Evidence []facts.Evidence `json:"evidence"`
}

// askStaleServices compares, for every Service that is a proxy's, the endpoints that a node's rules translate it to with
// those that the node should have for it: ready ones by its traffic policy and hints, or serving ones that terminate.
func askStaleServices(in *Incident, args []any) (any, error) {
	node, err := nodeArgument(in, args)
	if err != nil {
		return nil, err
	}
	r, err := node.ruleset()
	if err != nil {
		return nil, err
	}
	answer := &staleServicesAnswer{Stale: []staleService{}}
	cluster := in.Snapshot.Cluster
	if cluster == nil || cluster.Services.Status != facts.Read {
		return answer, nil
	}
	nodeTime, nodeKnown := readAt(in.Snapshot, node.Name)
	clusterTime, clusterKnown := readAt(in.Snapshot, "")
	if nodeKnown && clusterKnown {
		lag := int(clusterTime.Sub(nodeTime).Seconds())
		answer.Lag = &lag
	}
	w := in.serviceWorld()
	changes := lastChanges(cluster)
	for i := range cluster.Services.Value {
		service := &cluster.Services.Value[i]
		if !services.Proxied(service) {
			continue
		}
		for _, port := range services.Ports(service) {
			for _, front := range services.Addresses(service) {
				if front.Kind != services.ClusterIP {
					continue
				}
				stale, ok := compareRules(r, in.backends(), node.Name, port, front.Address)
				answer.Total++
				switch {
				case !ok:
					answer.Undecided++
				case stale == nil:
					answer.Fresh++
				default:
					stale.since(w, service, changes, nodeTime, nodeKnown)
					answer.Stale = append(answer.Stale, *stale)
				}
			}
		}
	}
	answer.Count = len(answer.Stale)
	answer.Patience = 10 + answer.Total/200
	slices.SortStableFunc(answer.Stale, func(a, b staleService) int {
		return cmp.Or(cmp.Compare(seconds(b.Seconds), seconds(a.Seconds)), cmp.Compare(a.Service, b.Service))
	})
	answer.Stale = answer.Stale[:min(len(answer.Stale), maxStale)]
	return answer, nil
}

func seconds(s *int) int {
	if s == nil {
		return -1
	}
	return *s
}

// compareRules is nil where the rules agree, and not ok where rules or endpoints are not known.
func compareRules(r *ruleset, index *services.Index, node string, port services.Port, address netip.Addr) (_ *staleService, ok bool) {
	backends := index.Backends(node, port, address)
	if backends.Missing != nil {
		return nil, false
	}
	should := backends.For(port.Service, services.ClusterIP)
	stale := &staleService{
		Service: port.Service.Metadata.Namespace + "/" + port.Service.Metadata.Name, Address: address.String(),
		Port: port.Port, Protocol: port.Protocol(), Source: port.Service.Source, Gone: []string{}, Absent: []string{}, Should: []string{},
		Evidence: []facts.Evidence{},
	}
	for i, e := range should {
		if i == 0 {
			stale.Source = cmp.Or(e.Source, stale.Source)
		}
		if i < maxServicePods {
			stale.Should = append(stale.Should, e.Addr.String())
		}
	}
	path := r.ServicePath(address, strings.ToLower(port.Protocol()), uint16(port.Port))
	switch path.Status {
	case netfilter.StatusTranslated:
		var is []netip.AddrPort
		for _, e := range path.Endpoints {
			is = append(is, e.Addr)
		}
		if !stale.differs(backends, should, is) {
			return nil, true
		}
		stale.Evidence = r.staleEvidence(path, stale.Gone)
	case netfilter.StatusRejected:
		if len(should) == 0 {
			return nil, true
		}
		if !isKubeProxys(path) {
			return nil, false
		}
		stale.Refused = true
		stale.Evidence = r.pathAnswer(path).Evidence
	case netfilter.StatusNoRule:
		if len(should) == 0 {
			return nil, true
		}
		if r.HasService(address, strings.ToLower(port.Protocol()), uint16(port.Port)) {
			return nil, false
		}
		stale.Missing = true
	default:
		return nil, false
	}
	return stale, true
}

// differs sets what is gone and absent. An address that is an endpoint of the Service in whatever state is not gone: it
// may be chosen by hints or while it terminates, and which of these a proxy heeds depends on its version. For the same
// reason nothing is absent where hints choose, or where another endpoint of the Service stands in for it.
func (s *staleService) differs(backends *services.Backends, should []services.Endpoint, is []netip.AddrPort) bool {
	surplus, absent := services.Compare(should, is)
	for _, addr := range surplus {
		if !slices.ContainsFunc(backends.All, func(e services.Endpoint) bool { return e.Addr == addr }) {
			s.Gone = append(s.Gone, addr.String())
		}
	}
	standsIn := len(surplus) > len(s.Gone)
	for _, e := range absent {
		if e.Ready && backends.Topology == "" && !standsIn {
			s.Absent = append(s.Absent, e.Addr.String())
		}
	}
	return len(s.Gone)+len(s.Absent) > 0
}

// staleEvidence is the way to an endpoint that is gone, or to the first.
func (r *ruleset) staleEvidence(path netfilter.Path, gone []string) []facts.Evidence {
	if len(gone) > 0 {
		i := slices.IndexFunc(path.Endpoints, func(e netfilter.Endpoint) bool { return e.Addr.String() == gone[0] })
		path.Endpoints = path.Endpoints[max(i, 0):]
	}
	return r.pathAnswer(path).Evidence
}

// isKubeProxys says whether the rule that refuses is one of the Service proxy's and not of a firewall.
func isKubeProxys(path netfilter.Path) bool {
	if len(path.Hops) == 0 {
		return false
	}
	last := path.Hops[len(path.Hops)-1]
	return strings.HasPrefix(last.Chain, "KUBE-") || strings.HasPrefix(last.Chain, "map no-endpoint") || last.Table == "kube-proxy"
}

// lastChanges are when the EndpointSlices of each Service last changed for a Pod's sake, as their controller notes.
func lastChanges(cluster *facts.Cluster) map[serviceName]time.Time {
	changes := map[serviceName]time.Time{}
	for i := range cluster.EndpointSlices.Value {
		slice := &cluster.EndpointSlices.Value[i]
		of := serviceName{slice.Metadata.Namespace, slice.Metadata.Labels["kubernetes.io/service-name"]}
		at := parseTime(slice.Metadata.Annotations["endpoints.kubernetes.io/last-change-trigger-time"])
		if made := parseTime(slice.Metadata.CreationTimestamp); made.After(at) {
			at = made
		}
		if at.After(changes[of]) {
			changes[of] = at
		}
	}
	return changes
}

// since sets how long before the node was read the Service, or its Pods, last changed.
func (s *staleService) since(w *serviceWorld, service *facts.Service, changes map[serviceName]time.Time, nodeTime time.Time, known bool) {
	last := changes[serviceName{service.Metadata.Namespace, service.Metadata.Name}]
	later := func(text string) {
		if at := parseTime(text); at.After(last) {
			last = at
		}
	}
	later(service.Metadata.CreationTimestamp)
	if selectsPods(service) {
		for _, pod := range w.pods.selected(service.Metadata.Namespace, service.Spec.Selector) {
			later(pod.Metadata.CreationTimestamp)
			later(pod.Metadata.DeletionTimestamp)
			for _, c := range pod.Status.Conditions {
				if c.Type == "Ready" {
					later(c.LastTransitionTime)
				}
			}
		}
	}
	if known && !last.IsZero() {
		n := int(nodeTime.Sub(last).Seconds())
		s.Seconds = &n
	}
}

// readAt is when a node, or for "" the cluster, was read; a bundle that does not say of each has one time for all.
func readAt(snapshot *facts.Snapshot, node string) (time.Time, bool) {
	kind := "cluster"
	if node != "" {
		kind = "node"
	}
	var bundle time.Time
	for _, input := range snapshot.Inputs {
		switch {
		case input.Kind == kind && (node == "" || input.Name == node) && !input.CollectedAt.IsZero():
			return input.CollectedAt, true
		case input.Kind == "bundle" && input.CollectedAt.After(bundle):
			bundle = input.CollectedAt
		}
	}
	return bundle, !bundle.IsZero() && !slices.ContainsFunc(snapshot.Inputs, func(i facts.Input) bool { return i.Kind == kind })
}
