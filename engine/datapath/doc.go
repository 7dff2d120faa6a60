// Package datapath follows one packet through a cluster as its nodes' kernels would: policy rules, routes, source
// validation, netfilter, neighbours, bridges, veth pairs and tunnels, to the socket that receives it, and its answer back.
//
// It is a set of pure functions over [facts.Snapshot]. Every answer is one of three: it goes on, it does not, or the facts
// do not tell; the last says whose facts would. Every step carries the rule or route that decided it and where that was
// read. The kernel's own functions are named where their behaviour is modelled; behaviour that depends on what no fact
// shows (hashes, caches of path MTUs) is left open as branches with probabilities.
package datapath
