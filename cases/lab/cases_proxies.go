package main

import "context"

// proxyCases are faults of clusters whose kube-proxy writes its rules elsewhere: by the legacy backend of iptables, where
// the tools of the other one show nothing, or in a table of nftables.
func proxyCases() []Case {
	legacy, nftables := Variant{Proxy: IPTablesLegacy}, Variant{Proxy: NFTables}
	return []Case{
		firewallRejectsServiceTraffic().in(legacy),
		forwardChainDrops().in(legacy),
		serviceRulesStale().in(nftables),
		forwardTableDrops().in(nftables),
	}
}

// in is the case in a cluster of another kube-proxy.
func (c Case) in(v Variant) Case {
	c.ID += "@" + string(v.Proxy)
	c.Cluster = v
	return c
}

// forwardTableDrops gives n2 a packet filter of the site's own, as /etc/nftables.conf loads it, whose policy is to drop what
// is forwarded. What the tables of kube-proxy and flannel accept does not count there: each base chain has its say.
func forwardTableDrops() Case {
	const ruleset = `table inet site {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
	}
}
`
	c := forwardChainDrops()
	c.About = "on n2 a table of nftables drops what is forwarded"
	c.Inject = func(ctx context.Context, l *Lab) error {
		n2 := l.Node("n2")
		if err := n2.WriteFile("/etc/nftables.conf", ruleset); err != nil {
			return err
		}
		return n2.Run(ctx, "nft -f /etc/nftables.conf")
	}
	c.After = func(ctx context.Context, l *Lab) error {
		return l.Node("n2").Run(ctx, "nft delete table inet site && rm /etc/nftables.conf")
	}
	return c
}
