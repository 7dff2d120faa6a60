package netfilter

// Untouched says whether a packet of a family ("ip" or "ip6") passes a hook as it is, whatever it is: all listings were
// read, and none has a chain there that does anything.
func (r *Ruleset) Untouched(hook Hook, family string) bool {
	unread, firm := r.unreadRules(family, hook)
	return len(unread) == 0 && firm == "" && len(r.plan(hook, family)) == 0
}
