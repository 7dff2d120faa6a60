// Package netfilter holds the parsed, indexed rule sets of one network namespace: iptables in both
// backends, nftables and IPVS. It answers what those rules do to a packet for a Kubernetes Service,
// and names the rule (table, chain, text, line of the listing) behind every answer.
//
// A listing is parsed once, in time linear in its length, and keeps its text: rules are spans of it,
// decoded when somebody asks. What a parser does not understand is counted with its line, and a walk
// that meets such a rule answers [StatusUnknown] and quotes it; it never guesses.
//
// Listings of all tables (iptables-save, nft list ruleset) and of single ones (iptables -nvL, iptables -S) come to the same
// model; a listing knows which tables it shows, and an answer says what was not read.
//
// [Ruleset.Traverse] takes any packet through all tables of a hook, as the kernel does; [Ruleset.ServicePath] asks one
// question of it, of packets to a Service from anybody, and is faster to answer it. Both are three-valued: what a rule set
// does not tell is a condition or unknown. The tests hold Traverse to the kernel with random rule sets and packets.
//
// The input is untrusted. Jumps may form loops, a chain may be visited by exponentially many ways, a
// line may hold anything: walks are bounded in depth and steps, and nothing here panics.
package netfilter
