package bundle

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/netcause/netcause/collectors/lines"
	"github.com/netcause/netcause/collectors/procps"
)

const notRecognised = "not recognised: no name and no content that is known"

// recognised says whether a file of no format may tell facts, by the beginning of its content.
func recognised(name string, head []byte) bool {
	if hopeless(name) {
		return false
	}
	head = unixLines(head)
	if looksLikeObjects(head) || prompted(head) || isPodTable(head) || cniOfPod.MatchString(path.Base(name)) {
		return true
	}
	return subjectOf(name, head).subject != nothing
}

// unixLines are a text's lines without the carriage returns that a terminal (kubectl exec -t) puts at their ends.
func unixLines(text []byte) []byte {
	if !bytes.Contains(text, []byte("\r\n")) {
		return text
	}
	return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
}

// hopeless says whether a file's place in a node's tree, or a sosreport's, tells that its content is nothing to look at: a
// sosreport has tens of thousands of such files.
func hopeless(name string) bool {
	name = "/" + name
	for _, folder := range []string{"/proc/", "/sys/", "/var/log/", "/sos_reports/", "/sos_strings/", "/sos_logs/", "/etc/", "/lib/", "/boot/", "/dev/"} {
		if strings.Contains(name, folder) {
			return true
		}
	}
	_, rest, ok := strings.Cut(name, "/"+sosCommands)
	plugin, _, _ := strings.Cut(rest, "/")
	return ok && !slices.Contains(sosPlugins, plugin)
}

// subjectOf says what a text is the output of, by its content; its name says what the content does not.
func subjectOf(name string, head []byte) command {
	c := contentOf(head)
	if c.subject == nothing {
		return c
	}
	base := strings.ToLower(path.Base(name))
	inName := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(base, w) })
	}
	switch c.subject {
	case policyRules, routes:
		c.inet6 = c.inet6 || inName("-6", "ipv6", "ip6", "inet6", "v6")
		c.inet = c.subject == policyRules && !c.inet6
		if c.subject == routes {
			// Of a text with routes of the table local all tables are taken to be in it.
			c.main = !bytes.Contains(head, []byte(" table local ")) && !bytes.Contains(head, []byte(`"table":"local"`)) && !inName("table_all", "table-all", "tableall")
			c.inet = c.main && !c.inet6
		}
	case iptablesSave, iptablesTable:
		c.inet6 = c.inet6 || inName("ip6", "ipv6")
		if inName("legacy") {
			c.backend = "legacy"
		} else if inName("nft") {
			c.backend = "nft"
		}
		for _, table := range []string{"nat", "mangle", "raw", "filter", "security"} {
			if c.subject == iptablesTable && slices.Contains(strings.FieldsFunc(base, func(r rune) bool { return r < 'a' || r > 'z' }), table) {
				c.table = table
			}
		}
		if c.subject == iptablesTable && c.table == "" {
			if c.table = tableOf(head); c.table == "" {
				c.subject = nothing
			}
		}
	case devices:
		c.addresses = inName("addr")
	case sysctls:
		if inName(".conf") || strings.Contains(name, "sysctl.d/") {
			c.subject = nothing
		}
	}
	return c
}

// tableOf is the table of an iptables -L by the built-in chains that only it has.
func tableOf(head []byte) string {
	has := func(chain string) bool {
		return bytes.Contains(head, []byte("Chain "+chain+" (policy")) || bytes.Contains(head, []byte("-P "+chain+" "))
	}
	switch {
	case has("PREROUTING") && has("FORWARD"):
		return "mangle"
	case has("PREROUTING") && has("POSTROUTING"):
		return "nat"
	case has("INPUT") && has("FORWARD"):
		return "filter"
	}
	return ""
}

var (
	deviceLine    = regexp.MustCompile(`(?m)^\d+: [^\s:]+(: <[A-Z0-9_,-]*> mtu \d+|    inet6? )`)
	ruleLine      = regexp.MustCompile(`(?m)^\d+:\s+(not )?from `)
	routeLine     = regexp.MustCompile(`(?m)^((unicast|local|broadcast|multicast|blackhole|unreachable|prohibit|throw) )?(default|[0-9a-f.:]+(/\d+)?) (via|dev|proto|nhid|scope|from) `)
	neighbourLine = regexp.MustCompile(`(?m)^[0-9a-f.:]+ dev \S+ +(lladdr [0-9a-f:]+ .*)?(PERMANENT|REACHABLE|STALE|DELAY|PROBE|FAILED|INCOMPLETE|NOARP) *$`)
	fdbLine       = regexp.MustCompile(`(?m)^([0-9a-f]{2}:){5}[0-9a-f]{2} dev \S+ `)
	socketLine    = regexp.MustCompile(`(?m)^(Netid +)?State +Recv-Q +Send-Q +Local Address`)
	sysctlLine    = regexp.MustCompile(`(?m)^net\.(ipv4|ipv6|core|netfilter|bridge)\.[\w./-]+ ?= ?\S`)
	commentLine   = regexp.MustCompile(`(?m)^\s*[#;]`)
	unameLine     = regexp.MustCompile(`\ALinux \S+ \d+\.\d+\S* #`)
	conntrackLine = regexp.MustCompile(`(?m)^(ipv[46] +\d+ +)?\w+ +\d+ +\d* ?\w* ?src=\S+ dst=\S+ `)
	ipvsSaveLine  = regexp.MustCompile(`\A-A -[tuf] \S+ -s \S+`)
	ifconfigLine  = regexp.MustCompile(`\A\S+(: flags=\d+<|\s+Link encap:)`)
	counterLine   = regexp.MustCompile(`(?m)^cpu=\d+\s+(\w+=\d+ )*insert_failed=`)
)

// contentOf says what a text is the output of.
func contentOf(head []byte) command {
	of := func(s subject) command { return command{subject: s} }
	trimmed := bytes.TrimLeft(head, " \t\r\n")
	switch {
	case len(trimmed) == 0:
		return of(nothing)
	case trimmed[0] == '[':
		return jsonContent(trimmed)
	case bytes.HasPrefix(trimmed, []byte(`{"nftables"`)), bytes.HasPrefix(trimmed, []byte(`{ "nftables"`)):
		return of(nftRuleset)
	case bytes.Contains(head, []byte("# Generated by iptables")), bytes.Contains(head, []byte("# Generated by ip6tables")):
		c := of(iptablesSave)
		c.inet6 = bytes.Contains(head, []byte("# Generated by ip6tables"))
		return c
	case bytes.HasPrefix(trimmed, []byte("table ")) && regexp.MustCompile(`\Atable (ip|ip6|inet|arp|bridge|netdev) \S+ \{`).Match(trimmed),
		bytes.HasPrefix(trimmed, []byte("# Warning: table ")):
		return of(nftRuleset)
	case bytes.HasPrefix(trimmed, []byte("IP Virtual Server version")), bytes.HasPrefix(trimmed, []byte("Can't initialize ipvs: ")), ipvsSaveLine.Match(trimmed):
		return of(ipvsTable)
	case bytes.HasPrefix(trimmed, []byte("create ")) && bytes.Contains(trimmed, []byte(" hash:")):
		return of(ipsetSave)
	case bytes.HasPrefix(trimmed, []byte("Name: ")) && bytes.Contains(trimmed, []byte("\nType: ")) && bytes.Contains(trimmed, []byte("\nHeader: ")):
		return of(ipsetList)
	case unameLine.Match(trimmed):
		return of(uname)
	case deviceLine.Match(head):
		return of(devices)
	case ruleLine.Match(head):
		return of(policyRules)
	case socketLine.Match(head):
		return of(sockets)
	case bytes.Contains(head, []byte("Active Internet connections")):
		return of(netstatSockets)
	case bytes.Contains(head, []byte("Kernel IP routing table")):
		c := of(netstatRoutes)
		c.main, c.inet, c.line = true, true, "route -n"
		return c
	case fdbLine.Match(head):
		return of(forwarding)
	case neighbourLine.Match(head):
		return of(neighbours)
	case routeLine.Match(head):
		return of(routes)
	case sysctlLine.Match(head) && !commentLine.Match(head), bytes.HasPrefix(trimmed, []byte("abi.vsyscall32 = ")):
		return of(sysctls) // sysctl.conf, which has comments, says what is to be and not what is
	case counterLine.Match(head):
		return of(conntrackCounters)
	case conntrackLine.Match(head):
		return of(conntrackEntries)
	case procps.IsProcessHeader(firstLine(trimmed)):
		return of(processList)
	case ifconfigLine.Match(trimmed):
		return of(ifconfigDevices)
	case bytes.HasPrefix(trimmed, []byte("Chain ")) && bytes.Contains(head, []byte("(policy ")), bytes.HasPrefix(trimmed, []byte("-P INPUT ")), bytes.HasPrefix(trimmed, []byte("-P PREROUTING ")):
		return of(iptablesTable)
	}
	return of(nothing)
}

// jsonContent says which of iproute2's commands printed a JSON list.
func jsonContent(head []byte) command {
	has := func(keys ...string) bool {
		return !slices.ContainsFunc(keys, func(key string) bool { return !bytes.Contains(head, []byte(`"`+key+`"`)) })
	}
	switch {
	case has("ifname", "ifindex"):
		return command{subject: devices}
	case has("priority", "src"):
		return command{subject: policyRules}
	case has("mac", "ifname"):
		return command{subject: forwarding}
	case has("dst", "dev", "state"):
		return command{subject: neighbours}
	case has("dst", "dev"):
		return command{subject: routes}
	}
	return command{}
}

// prompt is a shell's: [root@node1 ~]# ip addr, root@node1:~# ip addr, core@node1 ~ $ ip addr, # ip addr. A line that
// only names the command counts where it begins with one of the programs that are read.
var prompt = regexp.MustCompile(`^(?:\[?([\w.-]+)@([\w.-]+)[\]: ]?[^#$>\n]{0,80}[#$]|\$|#)\s+(.+)$`)

// programs are those whose outputs are read.
var programs = []string{
	"ip", "bridge", "ss", "netstat", "route", "sysctl", "nft", "iptables", "iptables-save", "ip6tables", "ip6tables-save", "iptables-nft-save",
	"iptables-legacy-save", "ip6tables-nft-save", "ip6tables-legacy-save", "ipset", "conntrack", "uname", "hostname", "cat", "kubectl", "oc", "ps", "ipvsadm", "ipvsadm-save", "ifconfig", "ethtool",
}

// typed is the host and the command of a line with a prompt.
func typed(line string) (host string, words []string, ok bool) {
	m := prompt.FindStringSubmatch(strings.TrimRight(line, " \t"))
	if m == nil {
		return "", nil, false
	}
	words = strings.Fields(m[3])
	first := withoutPrefix(words)
	if m[2] == "" && (len(first) == 0 || !slices.Contains(programs, path.Base(first[0]))) {
		return "", nil, false // a comment
	}
	return m[2], words, true
}

// titled says whether a text is one command's output in a Markdown block below its command as a title, as cilium-bugtool
// writes it.
func titled(head []byte) bool {
	title, rest, _ := bytes.Cut(head, []byte("\n"))
	return bytes.HasPrefix(title, []byte("# ")) && bytes.HasPrefix(bytes.TrimLeft(rest, "\n"), []byte("```"))
}

// prompted says whether a text has a prompt with a command that is read.
func prompted(head []byte) bool {
	fenced := titled(head)
	for _, line := range lines.All(head) {
		if host, words, ok := typed(line); ok {
			if fenced && parseCommand(words).subject != nothing {
				return true
			}
			first := withoutPrefix(words)
			if host != "" && len(first) > 0 && slices.Contains(programs, path.Base(first[0])) {
				return true
			}
			if parseCommand(words).subject != nothing && !strings.HasPrefix(line, "#") {
				return true
			}
			if args := kubectl(first); len(args) > 1 && args[0] == "get" && !strings.HasPrefix(line, "#") {
				return true
			}
		}
	}
	return false
}

// section is one command's part of a file in which people pasted several.
type section struct {
	host string
	command
	line int // of its first line of output
	text []byte
}

// sections cuts a file at its prompts. What stands before the first has no command.
func sections(text []byte) []section {
	var list []section
	current := section{line: 1}
	offset, start := 0, 0
	for n, line := range lines.All(text) {
		end := offset + len(line)
		next := bytes.IndexByte(text[min(end, len(text)):], '\n')
		if next < 0 {
			next = len(text) - end
		} else {
			next++
		}
		if host, words, ok := typed(line); ok {
			current.text = text[start:offset]
			list = append(list, current)
			current = section{host: host, command: parseCommand(words), line: n + 1}
			start = end + next
		}
		offset = end + next
	}
	current.text = text[start:]
	return append(list, current)
}

// loose takes files of no bundle: outputs of commands under any name, and Kubernetes objects.
func (in *intake) loose(ctx context.Context, t *tree, names []string) error {
	l := &looseFiles{in: in, t: t, machines: map[string]*machine{}}
	if t.single != "" {
		if in.singles[t.single] == nil {
			in.singles[t.single] = l
		}
		l = in.singles[t.single]
		l.t = t
	}
	for _, name := range names {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if t.files[name].link != "" {
			continue
		}
		data, used, ok := in.load(t, name)
		if !ok {
			continue
		}
		l.take(name, data, used)
	}
	if t.single == "" {
		l.settle()
	}
	return nil
}

// objectsOf takes the Kubernetes objects among files that a format has no other use for.
func (in *intake) objectsOf(ctx context.Context, t *tree, names []string) error {
	var objects []string
	for _, name := range names {
		data, err := t.data(name)
		if err != nil {
			t.problems = append(t.problems, err)
			continue
		}
		head := data[:min(len(data), headSize)]
		if looksLikeObjects(head) || isPodTable(head) {
			objects = append(objects, name)
			continue
		}
		in.note(t.path, name).PassedOver = "nothing of it is a fact that rules read"
	}
	return in.loose(ctx, t, objects)
}

const (
	// maxSections is how many commands of one file are read.
	maxSections = 2000
	// maxPadding bounds the empty lines that stand for what is before a section, over all files.
	maxPadding = 64 << 20
)

// padded is a section of a file with as many empty lines before it as the file has, so that facts' lines are the file's.
// Of a file with very many prompts the lines of the last sections count from their own beginning.
func (l *looseFiles) padded(text []byte, line int) []byte {
	if line <= 1 || l.in.padding+line > maxPadding {
		return text
	}
	l.in.padding += line
	return append(bytes.Repeat([]byte("\n"), line-1), text...)
}

// looseFiles are the loose files of one tree.
type looseFiles struct {
	in       *intake
	t        *tree
	machines map[string]*machine
	found    []looseOutput
}

type looseOutput struct {
	output
	host string // from a prompt
	name string
	tree *tree
}

func (l *looseFiles) take(name string, data []byte, used *File) {
	data = unixLines(data)
	head := data[:min(len(data), headSize)]
	if looksLikeObjects(head) {
		l.in.addObjects(l.t.path, document{
			name: name, bundle: within(l.t.path, path.Dir(name)), text: data, used: used, namespace: namespaceOf(name),
		})
		return
	}
	base := path.Base(name)
	if prompted(head) {
		all := sections(data)
		if len(all) > maxSections {
			used.Unparsed, used.FirstUnparsed = len(all)-maxSections, fmt.Sprintf("more than %d prompts: what follows was not read", maxSections)
			all = all[:maxSections]
		}
		for _, s := range all {
			if s.subject == nothing && s.line == 1 && len(bytes.TrimSpace(s.text)) > 0 {
				s.command = subjectOf("", s.text[:min(len(s.text), headSize)])
			}
			if s.subject == nothing {
				l.shownFiles(name, s, used)
				continue
			}
			if unused[s.subject] != "" {
				continue
			}
			l.found = append(l.found, looseOutput{
				output: output{command: s.command, file: name, text: l.padded(withoutFence(bytes.TrimRight(s.text, " \n")), s.line), used: used}, host: s.host, name: name, tree: l.t,
			})
			l.in.used++
		}
		return
	}
	if m := cniOfPod.FindStringSubmatch(base); m != nil {
		l.cniFile(name, m[2], m[1], data, used)
		return
	}
	c := subjectOf(base, head)
	if isPodTable(head) {
		if !l.in.takePods(data, argument(base, "namespace"), used) {
			used.PassedOver = passedOver(name, head)
		}
		return
	}
	if c.subject == nothing && isNodeFile(name) {
		for _, top := range []string{"/etc/", "/run/", "/var/lib/", "/usr/lib/", "/proc/"} {
			if i := strings.Index("/"+name, top); i >= 0 {
				l.nodeFile(name[:i], name[i:], data, used)
				return
			}
		}
	}
	if c.subject == nothing {
		used.PassedOver = notRecognised
		return
	}
	c.line = cmdLine(c, base)
	l.found = append(l.found, looseOutput{output: output{command: c, file: name, text: data, used: used}, name: name, tree: l.t})
	l.in.used++
}

// cniOfPod are the files of a sysdump of the cilium CLI (cilium-cli/sysdump) that have a file of a node's CNI configuration, by
// its name and the agent's Pod there.
var cniOfPod = regexp.MustCompile(`\Acniconf-(.+?\.(?:conflist|conf|json))-(.+)-\d{8}-\d{6}\.txt\z`)

func (l *looseFiles) cniFile(name, pod, file string, data []byte, used *File) {
	key := "\x01" + pod
	if l.machines[key] == nil {
		m := l.in.machine(within(l.t.path, path.Dir(name)), printable(pod), false, l.t.at(name))
		m.ofPod = true
		l.machines[key] = m
	}
	l.machines[key].files["etc/cni/net.d/"+path.Base(file)] = &nodeFile{data: data, used: used}
}

// withoutFence is a text without the lines of a Markdown block's ends; their places stay.
func withoutFence(text []byte) []byte {
	if !bytes.HasPrefix(bytes.TrimLeft(text, "\n"), []byte("```")) {
		return text
	}
	return bytes.TrimSuffix(bytes.Replace(text, []byte("```"), nil, 1), []byte("```"))
}

// shownFiles takes a node's own files that `cat FILE` or `head -v FILE…` shows.
func (l *looseFiles) shownFiles(name string, s section, used *File) {
	words := withoutPrefix(strings.Fields(s.command.line))
	if args := kubectl(words); len(args) > 0 {
		switch {
		case isPodTable(s.text):
			l.in.takePods(s.text, optionOf(args, "-n", "--namespace"), used)
		case looksLikeObjects(s.text[:min(len(s.text), headSize)]) && !listsNamed(args, s.text):
			l.in.addObjects(l.t.path, shownObjects(args, document{name: name, bundle: within(l.t.path, path.Dir(name)), text: s.text, used: used}))
		}
		return
	}
	if len(words) < 2 || words[0] != "cat" && words[0] != "head" && words[0] != "tail" {
		return
	}
	take := func(file string, text []byte) {
		file = strings.TrimPrefix(file, "/")
		if !isNodeFile(file) || bytes.HasPrefix(text, []byte(words[0]+": ")) {
			return
		}
		if s.host == "" {
			l.nodeFile(path.Dir(name), file, text, used)
			return
		}
		l.machine("", s.host).files[file] = &nodeFile{data: text, used: used}
	}
	if words[0] == "cat" {
		if len(words) == 2 {
			take(words[1], s.text)
		}
		return
	}
	for part := range bytes.SplitSeq(append([]byte("\n"), s.text...), []byte("\n==> ")) {
		file, text, ok := bytes.Cut(part, []byte(" <==\n"))
		if ok {
			take(string(file), text)
		}
	}
}

// kubectl are the arguments of kubectl or oc, options before the verb behind the others; nil where a command is none.
func kubectl(words []string) []string {
	if len(words) > 1 && slices.Contains([]string{"k3s", "microk8s", "minikube"}, path.Base(words[0])) {
		words = words[1:]
	}
	if len(words) < 2 || !slices.Contains([]string{"kubectl", "oc"}, path.Base(words[0])) {
		return nil
	}
	args := words[1:]
	var options []string
	for len(args) > 1 && strings.HasPrefix(args[0], "-") {
		n := 2
		if strings.Contains(args[0], "=") {
			n = 1
		}
		options, args = append(options, args[:n]...), args[n:]
	}
	return slices.Concat(args, options)
}

// listsNamed says whether kubectl get printed a List of objects that it was given the names of: it is none of all.
func listsNamed(args []string, text []byte) bool {
	names := 0
	for i, arg := range args {
		if i > 1 && !strings.HasPrefix(arg, "-") && !slices.Contains([]string{"-n", "--namespace", "-o", "--output", "-l", "--selector", "--field-selector"}, args[i-1]) {
			names++
		}
	}
	return names > 0 && (bytes.Contains(text, []byte("\nkind: List")) || bytes.Contains(text, []byte(`"kind": "List"`)))
}

// shownObjects says of what `kubectl get` printed whose objects it has: without -A those of one namespace, with a selector
// some of them.
func shownObjects(args []string, d document) document {
	if len(args) == 0 || args[0] != "get" {
		return d
	}
	if len(args) > 1 && !strings.HasPrefix(args[1], "-") && !strings.Contains(args[1], ",") {
		d.kind, _, _ = strings.Cut(args[1], ".")
	}
	selected := slices.ContainsFunc(args, func(arg string) bool {
		return strings.HasPrefix(arg, "-l") || strings.HasPrefix(arg, "--selector") || strings.HasPrefix(arg, "--field-selector")
	})
	all := slices.ContainsFunc(args, func(arg string) bool { return arg == "-A" || strings.HasPrefix(arg, "--all-namespaces") })
	d.namespace = optionOf(args, "-n", "--namespace")
	d.whole, d.part = all && !selected, selected || !all
	return d
}

// cmdLine names a command for a person where the file does not.
func cmdLine(c command, file string) string {
	if c.line != "" {
		return c.line
	}
	return "the command of " + file
}

// namespaceOf is the namespace of a file of a cluster-info dump: NAMESPACE/pods.json.
func namespaceOf(name string) string {
	dir, base := path.Split(name)
	if !slices.Contains([]string{
		"events.json", "replication-controllers.json", "services.json", "daemonsets.json", "deployments.json", "replicasets.json", "pods.json",
		"events.yaml", "replication-controllers.yaml", "services.yaml", "daemonsets.yaml", "deployments.yaml", "replicasets.yaml", "pods.yaml",
	}, base) {
		return ""
	}
	return path.Base(dir)
}

func (l *looseFiles) nodeFile(folder, name string, data []byte, used *File) {
	m := l.machine(strings.TrimSuffix(folder, "/"), "")
	m.files[name] = &nodeFile{data: data, used: used}
}

// machine is the one that a key stands for: a host's name, or a folder.
func (l *looseFiles) machine(folder, host string) *machine {
	key := host
	if host == "" {
		key = "\x00" + folder
	}
	if m := l.machines[key]; m != nil {
		return m
	}
	name, where := host, l.t.path
	if host == "" {
		if where = within(l.t.path, folder); folder != "" && folder != "." {
			if name = path.Base(folder); name == "cmd" && path.Dir(folder) != "." {
				name = path.Base(path.Dir(folder)) // cilium-bugtool
			}
		} else {
			name = "unnamed-host"
		}
	}
	m := l.in.machine(where, printable(name), host != "", l.t.at(folder))
	l.machines[key] = m
	return m
}

// settle gives the outputs to machines: by the host of a prompt, by a word of the file's name where one folder has several
// outputs of one command, else by the folder.
func (l *looseFiles) settle() {
	kinds := map[string]map[string]int{} // by folder, the subjects with how often they are there
	kind := func(o looseOutput) string {
		c := o.command
		return fmt.Sprint(c.subject, c.inet6, c.netns, c.table, c.backend, c.main, bytes.Contains(o.text, []byte("    inet ")))
	}
	for _, o := range l.found {
		if o.host == "" {
			folder := path.Dir(o.name)
			if kinds[folder] == nil {
				kinds[folder] = map[string]int{}
			}
			kinds[folder][kind(o)]++
		}
	}
	for _, o := range l.found {
		folder := path.Dir(o.name)
		host := o.host
		if host == "" {
			several := false
			for _, n := range kinds[folder] {
				several = several || n > 1
			}
			if several {
				host = hostInName(path.Base(o.name))
			}
		}
		l.t = o.tree
		m := l.machine(folder, host)
		if at := o.tree.at(o.name); at.After(m.at) {
			m.at = at
		}
		m.outputs = append(m.outputs, o.output)
	}
	for _, m := range l.machines {
		if !m.named {
			m.settleName()
		}
	}
}

// hostInName is what is left of a file's name without the words of commands: "n1" of "n1-ip-addr.txt".
func hostInName(name string) string {
	var rest []string
	for _, word := range strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return strings.ContainsRune("-_. ", r) }) {
		if !slices.Contains(commandWords, word) {
			rest = append(rest, word)
		}
	}
	host := strings.Join(rest, "-")
	if strings.Trim(host, "0123456789-") == "" {
		return "" // a number tells files apart, not hosts
	}
	return host
}

var commandWords = []string{
	"ip", "ip6", "a", "d", "s", "o", "j", "r", "n", "t", "c", "4", "6", "addr", "address", "addresses", "link", "links", "route", "routes", "rule", "rules",
	"neigh", "neighbour", "neighbours", "show", "table", "all", "list", "bridge", "fdb", "ss", "lntup", "netstat", "sysctl", "iptables", "ip6tables", "save", "nft",
	"legacy", "ruleset", "nat", "filter", "mangle", "raw", "nvl", "uname", "hostname", "conntrack", "ipset", "txt", "log", "out", "json", "output", "of", "on",
	"from", "details", "arp", "ps", "aux", "auxww", "auxf", "ef", "ipvsadm", "ln", "sn", "ifconfig", "ipv4", "ipv6", "inet6", "sockets", "listeners", "fdb", "main", "local",
}
