package ask

import (
	"net/netip"

	"github.com/netcause/netcause/engine/facts"
)

// maxStaleEvidence bounds the rules that are shown as stale.
const maxStaleEvidence = 3

type iptablesBackendsAnswer struct {
	// Unread are the groups of which a backend is not known.
	Unread []string `json:"unread"`
	// EndpointsKnown: Stale is counted against the cluster's endpoints.
	EndpointsKnown bool                    `json:"endpoints_known"`
	Backends       []iptablesBackendAnswer `json:"backends"`
}

type iptablesBackendAnswer struct {
	Backend string `json:"backend"`
	// Services is how many rules of KUBE-SERVICES lead to a Service; Reached whether packets come to them.
	Services int             `json:"services"`
	Reached  bool            `json:"reached"`
	Evidence *facts.Evidence `json:"evidence,omitempty"`
	// Targets is how many rules send to an endpoint, Stale how many of those to an address that none has.
	Targets        int              `json:"targets"`
	Stale          int              `json:"stale"`
	StaleEvidence  []facts.Evidence `json:"stale_evidence"`
	Calico         int              `json:"calico"`
	CalicoEvidence *facts.Evidence  `json:"calico_evidence,omitempty"`
}

// askIPTablesBackends compares the backends of a node: the kernel runs the rules of both.
func askIPTablesBackends(in *Incident, args []any) (any, error) {
	r, err := rulesetArgument(in, args)
	if err != nil {
		return nil, err
	}
	answer := iptablesBackendsAnswer{Unread: []string{}, Backends: []iptablesBackendAnswer{}}
	if r.IPTablesLegacy == nil {
		answer.Unread = append(answer.Unread, "iptables_legacy")
	}
	if r.IPTables == nil && r.NFT == nil {
		answer.Unread = append(answer.Unread, "iptables_nft")
	}
	endpoints, known := endpointAddresses(in.Snapshot.Cluster)
	answer.EndpointsKnown = known
	for _, b := range r.IPTablesBackends() {
		backend := iptablesBackendAnswer{
			Backend: string(b.Backend), Services: b.Services, Reached: b.Reached, Targets: len(b.Targets), Calico: b.Calico,
			StaleEvidence: []facts.Evidence{},
		}
		if b.Services > 0 {
			e := r.evidence(b.Evidence)
			backend.Evidence = &e
		}
		if b.Calico > 0 {
			e := r.evidence(b.CalicoEvidence)
			backend.CalicoEvidence = &e
		}
		for _, target := range b.Targets {
			if !known || endpoints[target.Addr.Addr()] {
				continue
			}
			if backend.Stale++; backend.Stale <= maxStaleEvidence {
				backend.StaleEvidence = append(backend.StaleEvidence, r.evidence(target.Hop))
			}
		}
		answer.Backends = append(answer.Backends, backend)
	}
	return answer, nil
}

// endpointAddresses are all that EndpointSlices have, ready or not: what rules may send to. false: they were not read.
func endpointAddresses(c *facts.Cluster) (map[netip.Addr]bool, bool) {
	if c == nil || c.EndpointSlices.Status != facts.Read {
		return nil, false
	}
	all := map[netip.Addr]bool{}
	for i := range c.EndpointSlices.Value {
		for _, endpoint := range c.EndpointSlices.Value[i].Endpoints {
			for _, text := range endpoint.Addresses {
				if a, err := netip.ParseAddr(text); err == nil {
					all[a] = true
				}
			}
		}
	}
	return all, true
}
