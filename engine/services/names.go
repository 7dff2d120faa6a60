package services

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// DefaultDomain is the cluster domain where nothing else is configured.
const DefaultDomain = "cluster.local"

// Resolver resolves names as a Pod's C library and the cluster's DNS do together.
type Resolver struct {
	// Domain is the cluster domain; empty is [DefaultDomain].
	Domain string
	// Search and Ndots are of the resolv.conf: see [Resolver.ForPod].
	Search []string
	Ndots  int
}

// ForPod has the search list that kubelet gives a Pod, as far as the objects say: the node's own list follows it in truth,
// and does for a Pod of dnsPolicy Default (pkg/kubelet/network/dns).
func (r Resolver) ForPod(p *facts.Pod) Resolver {
	policy := p.Spec.DNSPolicy
	if policy == "ClusterFirst" && p.Spec.HostNetwork {
		policy = "Default"
	}
	domain := r.domain()
	r.Search, r.Ndots = nil, 1
	if policy == "" || strings.HasPrefix(policy, "ClusterFirst") {
		r.Search, r.Ndots = []string{p.Metadata.Namespace + ".svc." + domain, "svc." + domain, domain}, 5
	}
	if c := p.Spec.DNSConfig; c != nil {
		r.Search = append(r.Search, c.Searches...)
		for _, o := range c.Options {
			if n, err := strconv.Atoi(o.Value); err == nil && o.Name == "ndots" {
				r.Ndots = n
			}
		}
	}
	return r
}

func (r Resolver) domain() string {
	if r.Domain == "" {
		return DefaultDomain
	}
	return strings.ToLower(strings.Trim(r.Domain, "."))
}

// candidates are the names asked for in turn (res_search of resolver(3)).
func (r Resolver) candidates(name string) []string {
	if absolute, ok := strings.CutSuffix(name, "."); ok {
		return []string{absolute}
	}
	var list []string
	for _, suffix := range r.Search {
		list = append(list, name+"."+strings.ToLower(strings.Trim(suffix, ".")))
	}
	if strings.Count(name, ".") >= r.Ndots {
		return append([]string{name}, list...)
	}
	return append(list, name)
}

// Resolution is what a name comes to.
type Resolution struct {
	// Name is the name that there is, complete: "web.default.svc.cluster.local".
	Name string
	// Addresses are in the order of the facts; a client takes one of its choice.
	Addresses []netip.Addr
	// Service is whose cluster IPs they are; nil where they are endpoints'.
	Service *facts.Service
	// Text is whose they are.
	Text   string
	Source facts.Source
}

// NameError says that a name does not resolve, or not by what the objects tell.
type NameError struct {
	Name string
	// Reason is a sentence without its end.
	Reason string
	// External: the name is none of the cluster's, and only a DNS server outside could tell.
	External bool
}

func (e *NameError) Error() string { return fmt.Sprintf("name %s: %s", e.Name, e.Reason) }

// maxAliases bounds a chain of ExternalName Services.
const maxAliases = 8

// Resolve resolves a name. The error is a [*NameError].
func (x *Index) Resolve(name string, r Resolver) (Resolution, error) {
	asked := strings.ToLower(name)
	return x.resolve(name, asked, r, maxAliases)
}

func (x *Index) resolve(name, asked string, r Resolver, aliases int) (Resolution, error) {
	var tried []string
	for _, candidate := range r.candidates(asked) {
		rest, inside := strings.CutSuffix(candidate, "."+r.domain())
		if !inside {
			tried = append(tried, candidate)
			continue
		}
		labels := strings.Split(rest, ".")
		found, alias, err := x.record(labels)
		switch {
		case err != nil:
			return Resolution{}, &NameError{Name: name, Reason: err.Error()}
		case alias != "" && aliases == 0:
			return Resolution{}, &NameError{Name: name, Reason: "ExternalName Services lead from one to another without end"}
		case alias != "":
			found, err := x.resolve(name, strings.ToLower(alias)+".", r, aliases-1)
			if err != nil {
				return found, &NameError{Name: name, External: isExternal(err), Reason: candidate + " is an alias of " + alias + " (ExternalName): " + reasonOf(err)}
			}
			return found, nil
		case found != nil:
			found.Name = candidate
			return *found, nil
		}
		tried = append(tried, candidate)
	}
	last := tried[len(tried)-1]
	if len(tried) > 1 {
		last = strings.Join(tried, ", ")
	}
	e := &NameError{Name: name, Reason: "there is no " + last + x.servicesIn(asked, r)}
	if slices.ContainsFunc(tried, func(n string) bool { return !strings.HasSuffix(n, "."+r.domain()) }) {
		e.External = true
		e.Reason = "it is no name of the cluster's, and facts do not tell what a DNS server outside answers" + x.servicesIn(asked, r)
	}
	return Resolution{}, e
}

func isExternal(err error) bool {
	e, ok := err.(*NameError)
	return ok && e.External
}

func reasonOf(err error) string {
	if e, ok := err.(*NameError); ok {
		return e.Reason
	}
	return err.Error()
}

// record is what the cluster's zone has under a name, or the alias that it is; neither is no such name.
func (x *Index) record(labels []string) (found *Resolution, alias string, err error) {
	n := len(labels)
	switch {
	case n == 3 && labels[2] == "pod":
		// CoreDNS answers with the address in the name ("pods insecure").
		for _, separator := range []string{".", ":"} {
			if a, ok := parseAddr(strings.ReplaceAll(labels[0], "-", separator)); ok {
				return &Resolution{Addresses: []netip.Addr{a}, Text: "the address that the name spells"}, "", nil
			}
		}
		return nil, "", nil
	case n < 3 || n > 4 || labels[n-1] != "svc":
		return nil, "", nil
	}
	namespace, name := labels[n-2], labels[n-3]
	s := x.Service(namespace, name)
	if s == nil {
		if why := x.cluster.Services.Unread(namespace); why != "" {
			return nil, "", fmt.Errorf("whether there is a Service %s/%s is not known: %s", namespace, name, why)
		}
		return nil, "", nil
	}
	if s.Spec.Type == "ExternalName" && n == 3 {
		return nil, s.Spec.ExternalName, nil
	}
	if n == 3 && !headless(s) {
		r := &Resolution{Service: s, Text: "Service " + nameOf(s), Source: s.Source}
		for _, f := range Addresses(s) {
			if f.Kind == ClusterIP {
				r.Addresses = append(r.Addresses, f.Address)
			}
		}
		return r, "", nil
	}
	return x.endpointRecord(s, labels[:n-3])
}

// endpointRecord are the ready endpoints of a headless Service, or one endpoint by its hostname. CoreDNS has a name of an
// endpoint's address for those without.
func (x *Index) endpointRecord(s *facts.Service, host []string) (*Resolution, string, error) {
	if why := x.cluster.EndpointSlices.Unread(s.Metadata.Namespace); why != "" {
		return nil, "", fmt.Errorf("the EndpointSlices of headless Service %s are not known: %s", nameOf(s), why)
	}
	r := &Resolution{Text: "endpoints of headless Service " + nameOf(s)}
	for _, slice := range x.slices[nameOf(s)] {
		for i := range slice.Endpoints {
			e := &slice.Endpoints[i]
			if e.Conditions.Ready != nil && !*e.Conditions.Ready && !s.Spec.PublishNotReadyAddresses {
				continue
			}
			for _, text := range e.Addresses {
				a, ok := parseAddr(text)
				dashed := strings.NewReplacer(".", "-", ":", "-").Replace(text)
				if !ok || len(host) > 0 && e.Hostname != host[0] && dashed != host[0] || slices.Contains(r.Addresses, a) {
					continue
				}
				r.Addresses, r.Source = append(r.Addresses, a), slice.Source
			}
		}
	}
	switch {
	case len(r.Addresses) > 0:
		return r, "", nil
	case len(host) > 0:
		return nil, "", nil
	}
	return nil, "", fmt.Errorf("headless Service %s has no ready endpoint", nameOf(s))
}

// servicesIn names the Services that may have been meant.
func (x *Index) servicesIn(asked string, r Resolver) string {
	asked = strings.TrimSuffix(strings.TrimSuffix(asked, "."), "."+r.domain())
	labels := strings.Split(asked, ".")
	var namespaces []string
	if len(labels) > 1 {
		namespaces = append(namespaces, labels[1])
	}
	if len(r.Search) > 0 && len(labels) == 1 {
		own, _, _ := strings.Cut(r.Search[0], ".")
		namespaces = append(namespaces, own)
	}
	for _, namespace := range namespaces {
		if list := x.Nearby(namespace); list != "" {
			return "; " + list
		}
	}
	return ""
}

// Nearby is a sentence that names the Services of a namespace, empty where it has none: for who asked for another.
func (x *Index) Nearby(namespace string) string {
	var names []string
	for _, s := range x.services {
		if s.Metadata.Namespace == namespace {
			names = append(names, s.Metadata.Name)
		}
	}
	const most = 10
	slices.Sort(names)
	more := ""
	if n := len(names); n > most {
		names, more = names[:most], fmt.Sprintf(" and %d more", n-most)
	}
	if len(names) == 0 {
		return ""
	}
	return "Services in " + namespace + ": " + strings.Join(names, ", ") + more
}
