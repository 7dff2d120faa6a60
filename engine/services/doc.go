// Package services says what becomes of a packet for a Service by the cluster's objects: which Service port it is for,
// which endpoints a node may send it to and how probably, or why it has none.
//
// It is what should be on a node. What is there, the node's netfilter and IPVS listings tell (engine/netfilter); the two
// are compared, and where a node's listings were not read, this is what is left to go by. The objects do not say how a
// node's proxy is configured, nor that one runs: an answer holds for a proxy that does as kube-proxy does in its iptables
// and nftables modes with its defaults.
//
// # Sources
//
// The field descriptions of k8s.io/api (core/v1 Service, discovery/v1 EndpointSlice); pkg/proxy of kubernetes (the choice
// of endpoints in topology.go, serviceport.go, endpointslicecache.go, the rules in iptables/proxier.go); KEP-752
// (EndpointSlices), KEP-1672 and KEP-1669 (terminating endpoints), KEP-2086 (internalTrafficPolicy), KEP-2433 (topology
// hints), KEP-3015 and KEP-4444 (trafficDistribution), KEP-1860 (ipMode), KEP-2447 (service-proxy-name is older: the label's
// description in pkg/proxy/apis); for names, the Kubernetes DNS-based service discovery specification 1.1.0.
package services
