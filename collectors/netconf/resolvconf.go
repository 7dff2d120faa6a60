package netconf

import (
	"net/netip"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

const resolvConfFile = "/etc/resolv.conf"

// ParseResolvConf reads resolv.conf(5): all of its nameservers (resolvers ask the first three), the last of its search
// and domain lines, the options of all lines. The lines that were not understood are named in unparsed.
func ParseResolvConf(file string, data []byte) (conf facts.ResolvConf, unparsed []facts.Source) {
	conf = facts.ResolvConf{File: file, Nameservers: []facts.Nameserver{}, Source: facts.Source(file)}
	number := 0
	for line := range strings.SplitSeq(string(data), "\n") {
		number++
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") || strings.HasPrefix(words[0], ";") {
			continue
		}
		source := facts.FileLine(file, number)
		switch args := words[1:]; words[0] {
		case "nameserver":
			if len(args) > 0 {
				if addr, err := netip.ParseAddr(args[0]); err == nil {
					conf.Nameservers = append(conf.Nameservers, facts.Nameserver{Address: addr, Source: source})
					continue
				}
			}
			unparsed = append(unparsed, source)
		case "search", "domain":
			if words[0] == "domain" && len(args) > 1 {
				args = args[:1]
			}
			conf.Search = args
		case "options":
			conf.Options = append(conf.Options, args...)
		case "sortlist", "lookup", "family":
		default:
			unparsed = append(unparsed, source)
		}
	}
	return conf, unparsed
}
