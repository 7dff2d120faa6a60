package netfilter

// option is one option of iptables that this package knows.
type option uint8

const (
	optUnknown option = iota
	optModule
	optJump
	optGoto
	optSource
	optDestination
	optIn
	optOut
	optProtocol
	optSport
	optDport
	optSports
	optPorts
	optFragment
	optLimitIfaceIn
	optLimitIfaceOut
	optReturnNomatch
	optDports
	optMark
	optSrcType
	optDstType
	optCTState
	optMode
	optProbability
	optEvery
	optPacket
	optMatchSet
	optComment
	optTCPFlags
	optSyn
	optRcheck
	optRecentUpdate
	optRecentSet
	optRecentName
	optAccounting // matches every packet, or refines an option already read
	optToDestination
	optRejectWith
	optSetMSS
	optClampMSS
	optNotrack
	optTargetOther // an option of a target: kept as text
	optCounters
)

// classify gives an option and how many arguments it takes. It is the one list of what is understood:
// the pass over the listing counts what is not in it, the decoder quotes it.
func classify(s string) (option, int) {
	if len(s) < 2 || s[0] != '-' {
		return optUnknown, 0
	}
	if s[1] != '-' {
		switch s {
		case "-m":
			return optModule, 1
		case "-j":
			return optJump, 1
		case "-p":
			return optProtocol, 1
		case "-s":
			return optSource, 1
		case "-d":
			return optDestination, 1
		case "-i":
			return optIn, 1
		case "-o":
			return optOut, 1
		case "-g":
			return optGoto, 1
		case "-c":
			return optCounters, 2
		case "-f":
			return optFragment, 0
		}
		return optUnknown, 0
	}
	switch s {
	case "--match":
		return optModule, 1
	case "--jump":
		return optJump, 1
	case "--goto":
		return optGoto, 1
	case "--protocol", "--proto":
		return optProtocol, 1
	case "--source", "--src":
		return optSource, 1
	case "--destination", "--dst":
		return optDestination, 1
	case "--in-interface":
		return optIn, 1
	case "--out-interface":
		return optOut, 1
	case "--sport", "--source-port":
		return optSport, 1
	case "--dport", "--destination-port":
		return optDport, 1
	case "--sports", "--source-ports":
		return optSports, 1
	case "--dports", "--destination-ports":
		return optDports, 1
	case "--ports":
		return optPorts, 1
	case "--limit-iface-in":
		return optLimitIfaceIn, 0
	case "--limit-iface-out":
		return optLimitIfaceOut, 0
	case "--return-nomatch":
		return optReturnNomatch, 0
	case "--update-counters", "--update-subcounters":
		return optAccounting, 0
	case "--mark":
		return optMark, 1
	case "--src-type":
		return optSrcType, 1
	case "--dst-type":
		return optDstType, 1
	case "--ctstate", "--state":
		return optCTState, 1
	case "--mode":
		return optMode, 1
	case "--probability":
		return optProbability, 1
	case "--every":
		return optEvery, 1
	case "--packet":
		return optPacket, 1
	case "--match-set":
		return optMatchSet, 2
	case "--comment":
		return optComment, 1
	case "--tcp-flags":
		return optTCPFlags, 2
	case "--syn":
		return optSyn, 0
	case "--rcheck":
		return optRcheck, 0
	case "--update", "--remove":
		return optRecentUpdate, 0
	case "--set":
		return optRecentSet, 0
	case "--name":
		return optRecentName, 1
	case "--seconds", "--hitcount", "--mask", "--nfacct-name":
		return optAccounting, 1
	case "--reap", "--rttl", "--rsource", "--rdest":
		return optAccounting, 0
	case "--to-destination":
		return optToDestination, 1
	case "--reject-with":
		return optRejectWith, 1
	case "--set-mss":
		return optSetMSS, 1
	case "--clamp-mss-to-pmtu":
		return optClampMSS, 0
	case "--notrack":
		return optNotrack, 0
	case "--to-source", "--to-ports", "--to", "--set-xmark", "--set-mark", "--and-mark", "--or-mark",
		"--xor-mark", "--nfmask", "--ctmask", "--log-prefix", "--log-level", "--nflog-group",
		"--nflog-prefix", "--nflog-size", "--nflog-threshold", "--zone", "--helper", "--queue-num",
		"--queue-balance", "--on-port", "--on-ip", "--tproxy-mark", "--set-dscp", "--set-class",
		"--add-set", "--del-set", "--timeout", "--set-tos", "--nflog-range", "--gateway", "--type", "--ttl-set", "--hl-set":
		return optTargetOther, 1
	case "--random", "--random-fully", "--persistent", "--save-mark", "--restore-mark", "--exist",
		"--queue-bypass", "--log-uid", "--log-ip-options", "--log-tcp-options", "--log-tcp-sequence",
		"--checksum-fill":
		return optTargetOther, 0
	}
	return optUnknown, 0
}

// moduleKnown says whether every option of a match module that iptables-save prints may be understood.
// Options are checked one by one besides.
func moduleKnown(s string) bool {
	switch s {
	case "comment", "tcp", "udp", "udplite", "sctp", "dccp", "conntrack", "state", "mark", "addrtype", "statistic",
		"set", "multiport", "recent", "nfacct", "connmark":
		return true
	}
	return false
}

// extension says what a target that is no chain does: whether iptables knows it here, and whether the
// packet goes no further.
func extension(name string) (known, terminates bool) {
	switch name {
	case "ACCEPT", "DROP", "RETURN", "DNAT", "SNAT", "REDIRECT", "MASQUERADE", "REJECT", "NETMAP", "TPROXY":
		return true, true
	case "MARK", "CONNMARK", "LOG", "NFLOG", "ULOG", "TCPMSS", "NOTRACK", "CT", "SET", "CHECKSUM", "DSCP", "TOS",
		"CLASSIFY", "TRACE", "TTL", "HL", "SECMARK", "CONNSECMARK", "AUDIT", "TCPOPTSTRIP", "ECN", "IDLETIMER",
		"LED", "RATEEST", "TEE":
		return true, false
	}
	return false, false
}
