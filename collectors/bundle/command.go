package bundle

import (
	"path"
	"slices"
	"strings"
)

// subject is what an output tells.
type subject int

const (
	nothing subject = iota
	devices
	routes
	tableRoutes // of one table that is named by its number
	policyRules
	neighbours
	forwarding // bridge fdb
	sockets    // ss
	netstatSockets
	netstatRoutes
	sysctls
	nftRuleset
	iptablesSave
	iptablesTable // iptables -L or -S
	ipsetSave
	ipsetList
	ipvsTable // /proc/net/ip_vs
	conntrackCounters
	conntrackEntries
	uname
	iptablesVersion // iptables -V
	hostname
	namespaceNames // ip netns
	legacyTables   // /proc/net/ip_tables_names
	processList
	ifconfigDevices
	driverSettings     // ethtool
	protocolStatistics // netstat -s
)

// command is a command whose output is in a bundle, as far as its words tell what that is.
type command struct {
	// line is the command as a person would type it.
	line    string
	subject subject
	// netns is the named network namespace that it ran in, empty for the one of the node.
	netns string
	// inet6: it shows IPv6 alone. inet: IPv4 alone.
	inet, inet6 bool
	// main: of the routes it shows those of the main table alone.
	main bool
	// addresses: it shows addresses: `ip link` does not.
	addresses bool
	// backend of an iptables command is "nft", "legacy" or, where its name does not say, empty.
	backend string
	// table of an iptables -L or -S, or of routes.
	table string
	// tcp, udp: the sockets are those of the protocol, among others; listening: those that listen are among them.
	tcp, udp, listening bool
}

// parseCommand says what the output of a command tells. A command that shows a part of it alone (`ip route show dev eth0`)
// has no subject: what it leaves out would seem not to be there.
func parseCommand(words []string) command {
	c := command{line: strings.Join(words, " ")}
	words = slices.Clone(words)
	for i := range words {
		words[i] = strings.Trim(words[i], `"'`)
	}
	words = withoutPrefix(words)
	if len(words) == 0 {
		return c
	}
	name := path.Base(words[0])
	args := words[1:]
	if name == "ip" && len(args) >= 4 && args[0] == "netns" && args[1] == "exec" {
		inner := parseCommand(args[3:])
		inner.line, inner.netns = c.line, args[2]
		return inner
	}
	if pid, rest := entered(name, args); pid != "" {
		inner := parseCommand(rest)
		inner.line = c.line
		if inner.netns == "" && pid != "1" { // the first process is the node's own
			inner.netns = netnsOfPID + pid
		}
		return inner
	}
	switch {
	case name == "ip":
		c.ip(args)
	case name == "bridge":
		c.bridge(args)
	case name == "ss":
		c.ss(args)
	case name == "netstat":
		c.netstat(args)
	case name == "route":
		c.takes(netstatRoutes, args, "n")
		c.main, c.inet = true, true
	case name == "sysctl":
		c.takes(sysctls, args, "a", "--all")
	case name == "nft":
		if rest := withoutFlags(args, "-a", "-j", "-n", "-nn", "-s", "-aj", "-ja", "--json", "--handle"); slices.Equal(rest, []string{"list", "ruleset"}) {
			c.subject = nftRuleset
		}
	case strings.Contains(name, "tables") && (strings.HasPrefix(name, "ip") || strings.HasPrefix(name, "xtables")):
		c.iptables(name, args)
	case name == "ipset" && len(args) == 1 && (args[0] == "save" || args[0] == "-S"):
		c.subject = ipsetSave
	case name == "ipset" && len(args) == 1 && (args[0] == "list" || args[0] == "-L"):
		c.subject = ipsetList
	case name == "conntrack" && len(args) == 1 && args[0] == "-S":
		c.subject = conntrackCounters
	case name == "conntrack" && len(args) > 0 && args[0] == "-L" && len(withoutFlags(args[1:], "-n", "-o", "extended")) == 0:
		c.subject = conntrackEntries
	case name == "uname" && len(args) == 1 && args[0] == "-a":
		c.subject = uname
	case name == "hostname" && (len(args) == 0 || len(args) == 1 && (args[0] == "-f" || args[0] == "--fqdn")):
		c.subject = hostname
	case name == "ps":
		c.ps(args)
	case name == "ipvsadm" || name == "ipvsadm-save":
		c.ipvsadm(name, args)
	case name == "ifconfig":
		if len(args) == 0 || len(args) == 1 && args[0] == "-a" {
			c.subject = ifconfigDevices
		}
	case name == "ethtool":
		c.subject = driverSettings
	case name == "cat" && len(args) == 1:
		c.file(args[0])
	}
	return c
}

// file is the output of `cat` of a file of the kernel's.
func (c *command) file(name string) {
	name = strings.TrimPrefix(name, "/")
	switch subject, inet6 := procSubject(name); {
	case subject != nothing:
		c.subject, c.inet6, c.inet = subject, inet6, !inet6
	case name == "etc/hostname", name == "proc/sys/kernel/hostname":
		c.subject = hostname
	}
}

// procSubject says what a file of /proc/net tells, of whatever process it is.
func procSubject(name string) (s subject, inet6 bool) {
	rest, ok := strings.CutPrefix(name, "proc/")
	if !ok {
		return nothing, false
	}
	i := strings.Index(rest, "net/")
	if i < 0 || i > 0 && strings.Trim(rest[:i], "0123456789/selfthrad-") != "" {
		return nothing, false
	}
	switch rest[i+len("net/"):] {
	case "ip_vs":
		return ipvsTable, false
	case "nf_conntrack":
		return conntrackEntries, false
	case "stat/nf_conntrack":
		return conntrackCounters, false
	case "ip_tables_names":
		return legacyTables, false
	case "ip6_tables_names":
		return legacyTables, true
	}
	return nothing, false
}

// withoutPrefix leaves out what runs another command: sudo, timeout 10, chroot /host.
func withoutPrefix(words []string) []string {
	for len(words) > 0 {
		switch path.Base(words[0]) {
		case "sudo", "nice", "stdbuf", "env":
			words = words[1:]
			for len(words) > 0 && strings.HasPrefix(words[0], "-") {
				words = words[1:]
			}
		case "timeout", "chroot":
			words = words[1:]
			for len(words) > 0 && strings.HasPrefix(words[0], "-") {
				words = words[1:]
			}
			if len(words) > 0 {
				words = words[1:]
			}
		default:
			// A redirection or what follows in a pipe may have cut the output.
			if i := slices.IndexFunc(words, func(w string) bool { return strings.ContainsAny(w, "|<>;&") }); i >= 0 {
				if strings.ContainsAny(words[i], "|<;&") && words[i] != "2>&1" {
					return nil
				}
				return words[:i]
			}
			return words
		}
	}
	return nil
}

// netnsOfPID begins the name of a network namespace that is known by a process in it.
const netnsOfPID = "pid:"

// entered are the process whose network namespace nsenter(1) runs a command in, and the command. The process is empty
// for other commands and namespaces.
func entered(name string, args []string) (pid string, rest []string) {
	if name != "nsenter" {
		return "", nil
	}
	net := false
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		flag := args[0]
		args = args[1:]
		switch {
		case flag == "-n", flag == "--net":
			net = true
		case strings.HasPrefix(flag, "--target="):
			pid = strings.TrimPrefix(flag, "--target=")
		case flag == "-t", flag == "--target", flag == "-nt":
			net = net || flag == "-nt"
			if len(args) > 0 {
				pid, args = args[0], args[1:]
			}
		case strings.HasPrefix(flag, "-t"):
			pid = strings.TrimPrefix(flag, "-t")
		case flag == "-a", flag == "--all":
			net = true
		default:
			return "", nil // another file system shows other configuration
		}
	}
	if !net || strings.Trim(pid, "0123456789") != "" {
		return "", nil
	}
	return pid, args
}

func withoutFlags(args []string, flags ...string) []string {
	return slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return slices.Contains(flags, arg) })
}

// takes sets the subject where all arguments are among the given ones: single letters may stand together.
func (c *command) takes(s subject, args []string, known ...string) {
	for _, arg := range args {
		letters, short := strings.CutPrefix(arg, "-")
		if slices.Contains(known, arg) {
			continue
		}
		if !short || strings.HasPrefix(letters, "-") {
			return
		}
		for _, letter := range letters {
			if !slices.Contains(known, string(letter)) {
				return
			}
		}
	}
	c.subject = s
}

func (c *command) ip(args []string) {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-6", "-inet6":
			c.inet6 = true
		case "-4", "-inet":
			c.inet = true
		case "-f", "-family", "-n", "-netns":
			if len(args) < 2 {
				return
			}
			switch {
			case args[0] == "-n" || args[0] == "-netns":
				c.netns = args[1]
			case args[1] == "inet6":
				c.inet6 = true
			case args[1] == "inet":
				c.inet = true
			default:
				return
			}
			args = args[1:]
		case "-d", "-details", "-s", "-stats", "-statistics", "-o", "-oneline", "-j", "-json", "-p", "-pretty", "-t", "-timestamp", "-N", "-Numeric", "-c", "-color", "-h", "-human":
		default:
			return // -br leaves out too much
		}
		args = args[1:]
	}
	if len(args) == 0 {
		return
	}
	object := args[0]
	args = args[1:]
	if len(args) > 0 && (args[0] != "" && strings.HasPrefix("show", args[0]) || args[0] == "list" || args[0] == "ls" || args[0] == "lst") {
		args = args[1:]
	}
	is := func(name string, least int) bool {
		return len(object) >= least && strings.HasPrefix(name, object)
	}
	switch {
	case is("address", 1):
		c.addresses = true
		if len(args) == 0 && !c.inet6 {
			c.subject = devices
		}
	case is("link", 1):
		if len(args) == 0 {
			c.subject = devices
		}
	case is("route", 1):
		table := ""
		if len(args) == 2 && args[0] == "table" || len(args) == 2 && args[0] == "t" {
			table, args = args[1], nil
		}
		if len(args) == 0 && table != "" && strings.Trim(table, "0123456789") == "" && table != "0" {
			c.subject, c.table, c.inet = tableRoutes, table, !c.inet6
		}
		if len(args) == 0 && (table == "" || table == "main" || table == "all" || table == "0") {
			c.subject, c.main = routes, table != "all" && table != "0"
			c.inet = c.inet || c.main && !c.inet6
		}
	case is("rule", 2):
		if len(args) == 0 {
			c.subject, c.inet = policyRules, !c.inet6
		}
	case is("neighbour", 1), is("neighbor", 1):
		if len(args) == 0 || len(args) == 2 && args[0] == "nud" {
			c.subject = neighbours
		}
	case object == "netns":
		if len(args) == 0 {
			c.subject = namespaceNames
		}
	}
}

func (c *command) bridge(args []string) {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		args = args[1:]
	}
	if len(args) == 0 || args[0] != "fdb" {
		return
	}
	if rest := args[1:]; len(rest) == 0 || len(rest) == 1 && (rest[0] == "show" || rest[0] == "list") {
		c.subject = forwarding
	}
}

func (c *command) ss(args []string) {
	var letters string
	for _, arg := range args {
		short, ok := strings.CutPrefix(arg, "-")
		switch {
		case !ok:
			return // a filter
		case !strings.HasPrefix(short, "-"):
			letters += short
		case short == "-all":
			letters += "a"
		case short == "-listening":
			letters += "l"
		case short == "-tcp":
			letters += "t"
		case short == "-udp":
			letters += "u"
		}
	}
	c.protocols(letters)
	if strings.ContainsAny(letters, "l"+"a") && !strings.ContainsAny(letters, "s") {
		c.subject = sockets
	}
}

var netstatLong = map[string]string{
	"--all": "a", "--listening": "l", "--numeric": "n", "--programs": "p", "--tcp": "t", "--udp": "u", "--extend": "e", "--wide": "W", "--timers": "o",
	"--route": "r", "--statistics": "s",
}

// ps takes those that show all processes with their command lines. A format of one's own has to end with it.
func (c *command) ps(args []string) {
	all, words, format := false, "", ""
	for i := 0; i < len(args); i++ {
		arg := args[i]
		short, dash := strings.CutPrefix(arg, "-")
		switch {
		case strings.HasPrefix(short, "-"):
			return
		case strings.HasSuffix(short, "o") || strings.HasSuffix(short, "O"):
			if i++; i == len(args) || format != "" {
				return
			}
			format = args[i]
		case strings.Trim(short, "aAxuefFlLjmwHcZ1234567890") != "":
			return // of a user, of a terminal, sorted …
		}
		if dash {
			all = all || strings.ContainsAny(short, "eA")
		} else {
			words += short
		}
	}
	all = all || strings.Contains(words, "a") && strings.Contains(words, "x")
	last := format[strings.LastIndexByte(format, ',')+1:]
	if all && (format == "" || slices.Contains([]string{"args", "cmd", "command"}, last)) {
		c.subject = processList
	}
}

// ipvsadm takes `ipvsadm -Ln` and `ipvsadm -Sn`. Without -n addresses and ports are names; --stats, --rate and -c show
// something else.
func (c *command) ipvsadm(name string, args []string) {
	list, numeric := name == "ipvsadm-save", false
	for _, arg := range args {
		switch short, dash := strings.CutPrefix(arg, "-"); {
		case arg == "--list", arg == "--save":
			list = true
		case arg == "--numeric":
			numeric = true
		case arg == "--exact", arg == "--sort":
		case dash && strings.Trim(short, "LlSn") == "":
			list = list || strings.ContainsAny(short, "LlS")
			numeric = numeric || strings.Contains(short, "n")
		default:
			return
		}
	}
	if list && numeric {
		c.subject = ipvsTable
	}
}

func (c *command) netstat(args []string) {
	letters := ""
	for _, arg := range args {
		short, ok := strings.CutPrefix(arg, "-")
		if long, isLong := netstatLong[arg]; isLong {
			short = long
		} else if !ok || strings.HasPrefix(short, "-") {
			return
		}
		letters += short
	}
	switch {
	case strings.Contains(letters, "r"):
		c.subject, c.main, c.inet = netstatRoutes, true, true
	case strings.Contains(letters, "s"):
		c.subject = protocolStatistics
	case strings.ContainsAny(letters, "giM"):
	case strings.ContainsAny(letters, "la"):
		c.protocols(letters)
		c.subject = netstatSockets
	}
}

// protocols says which protocols the letters of ss and netstat ask for.
func (c *command) protocols(letters string) {
	c.listening = true
	c.tcp, c.udp = strings.Contains(letters, "t"), strings.Contains(letters, "u")
	if !strings.ContainsAny(letters, "tuxwdSM0") {
		c.tcp, c.udp = true, true
	}
}

// iptables says what a program of iptables shows: "iptables-legacy-save", "ip6tables -t nat -nvL".
func (c *command) iptables(name string, args []string) {
	c.inet6 = strings.HasPrefix(name, "ip6")
	c.inet = !c.inet6
	switch {
	case strings.Contains(name, "-nft"):
		c.backend = "nft"
	case strings.Contains(name, "-legacy"):
		c.backend = "legacy"
	}
	if strings.HasSuffix(name, "-save") {
		c.takes(iptablesSave, args, "c", "--counters")
		return
	}
	if len(args) == 1 && (args[0] == "-V" || args[0] == "--version") {
		c.subject = iptablesVersion
		return
	}
	c.table = "filter"
	list := false
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "-t" || arg == "--table":
			if i++; i == len(args) {
				return
			}
			c.table = args[i]
		case arg == "--list" || arg == "--list-rules":
			list = true
		case arg == "--line-numbers", arg == "-w", arg == "--wait", arg == "--numeric", arg == "--verbose", arg == "--exact":
		case strings.HasPrefix(arg, "-") && strings.Trim(arg[1:], "nvxLSw") == "":
			list = list || strings.ContainsAny(arg, "LS")
		default:
			return // a chain
		}
	}
	if list {
		c.subject = iptablesTable
	}
}
