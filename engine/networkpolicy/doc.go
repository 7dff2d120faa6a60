// Package networkpolicy judges connections by the cluster's networking.k8s.io/v1 NetworkPolicies as the API defines them.
//
// A connection goes in, a [Verdict] comes out: for the egress of its source and the ingress of its destination, whether it
// is allowed, denied, or not to be told from the facts at hand; which policies select the Pod; which rule allowed; which
// rule came nearest and what of it did not match; which facts are missing. A part of a policy that the API server would
// refuse is not taken for one that does not match: where the answer hangs on it, the answer is [Unknown].
//
// # What is judged
//
// A connection is judged at its first packet: policies are stateful and let answers pass. Destination and port are those
// after Service translation, of the endpoint. For addresses that are rewritten on the way (a LoadBalancer, masquerading),
// the API leaves it undefined whether policies see them before or after: an ipBlock over clients outside the cluster may
// see the address of a node instead, and it is the caller who knows. What one network plugin does differently from the
// API, and policies of its own kinds (Calico, Cilium, AdminNetworkPolicy), are not judged here.
//
// # Sources
//
// The field descriptions of k8s.io/api/networking/v1 (types.go), the defaults and validation of
// k8s.io/kubernetes/pkg/apis/networking, label selectors as in k8s.io/apimachinery/pkg/labels, and
// https://kubernetes.io/docs/concepts/services-networking/network-policies/, which names what is undefined.
package networkpolicy
