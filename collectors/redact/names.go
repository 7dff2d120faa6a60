package redact

import (
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// kind is what is named. Its text begins the names that stand for others. No two are nearly alike: a label's value that is
// nearly another is taken for a misspelling.
type kind string

const (
	aNode      kind = "node"
	aNamespace kind = "ns"
	aService   kind = "svc"
	aWorkload  kind = "app"
	aPod       kind = "podname"
	aValue     kind = "value"
	aZone      kind = "area"
	aPort      kind = "portal"
	aDomain    kind = "dom"
	aUser      kind = "user"
	aName      kind = "thing"
	aWord      kind = "redacted"
)

// names replaces names. What is replaced is not a whole name but the parts of it that somebody chose: "web" of the Pod
// web-5d9c7b8f4-x2x7k and of the label app=web, "n1" of the static Pod kube-proxy-n1. So the same part reads the same
// wherever it occurs, and what Kubernetes made stays.
type names struct {
	// to are what stands for the parts, in lower case; a component of the network stands for itself.
	to map[string]string
	// domains and users are those for labels of names of DNS, and for users, which are such in their place alone.
	domains, users map[string]string
	// hashes are those for names that hold a hash of others.
	hashes map[string]string
	// words are texts that are replaced wherever they occur, in lower case: the place of one is its number.
	words []string
	match *regexp.Regexp
	// suffixes are domains that end a name of DNS here, whatever their last label.
	suffixes map[string]bool
	// parts is the largest number of parts in a key of to.
	parts int
	next  map[kind]int
	stems map[kind]string
	noted []notedName
	// selected are the values that Services select by each label, labelled those that Pods have.
	selected, labelled map[string]map[string]bool
	sum                func(purpose string, of []byte) []byte
	// hashesAlone: names stay, but for those that hold a hash of an address.
	hashesAlone bool
}

type notedName struct {
	part string
	kind kind
}

func newNames(sum func(string, []byte) []byte) *names {
	n := &names{
		to: map[string]string{}, domains: map[string]string{}, users: map[string]string{}, hashes: map[string]string{},
		suffixes: map[string]bool{}, next: map[kind]int{}, stems: map[kind]string{}, sum: sum,
		selected: map[string]map[string]bool{}, labelled: map[string]map[string]bool{},
	}
	for _, component := range components {
		n.set(component, component)
	}
	return n
}

// addWords adds texts behind those that are there, which keep their numbers.
func (n *names) addWords(words []string) {
	for _, word := range words {
		if word = strings.ToLower(word); !slices.Contains(n.words, word) {
			n.words = append(n.words, word)
		}
	}
}

func (n *names) set(part, to string) {
	n.to[part] = to
	n.parts = max(n.parts, strings.Count(part, "-")+strings.Count(part, "_")+1)
}

var (
	isComponent  = set(components)
	isVocabulary = set(vocabulary)

	// generated is what the API server appends to generateName, without vowels (apimachinery, util/rand); templateHash what
	// a Deployment puts before that; ordinal a StatefulSet's.
	generated    = regexp.MustCompile(`^[bcdfghjklmnpqrstvwxz2456789]{5}$`)
	templateHash = regexp.MustCompile(`^(?:[bcdfghjklmnpqrstvwxz2456789]{6,10}|[0-9a-f]{8,10})$`)
	ordinal      = regexp.MustCompile(`^[0-9]{1,3}$`)
	plainNumber  = regexp.MustCompile(`^v?[0-9.]*$`)
	machineID    = regexp.MustCompile(`^[0-9a-f]{32}$`)
)

// note tells of a name before any is replaced.
func (n *names) note(name string, of kind) {
	if of == aDomain {
		n.noteDomain(name)
		return
	}
	name = strings.ToLower(name)
	labels := strings.Split(name, ".")
	if of == aNode && len(labels) > 1 {
		n.noteDomain(strings.Join(labels[1:], "."))
		labels = labels[:1]
	}
	for i, label := range labels {
		if of == aPod && i > 0 && i == len(labels)-1 && templateHash.MatchString(label[:min(len(label), 10)]) {
			break // an event's: POD.18eb25b29c08c0aa
		}
		for _, part := range chosen(label, of) {
			n.noted = append(n.noted, notedName{part, of})
		}
	}
}

// noteDomain tells of a domain.
func (n *names) noteDomain(domain string) {
	domain = strings.ToLower(strings.Trim(domain, "."))
	if domain != "" && strings.Contains(domain, ".") {
		n.suffixes[domain] = true
	}
}

// chosen are the parts of a name that somebody chose.
func chosen(name string, of kind) []string {
	if of == aNode || machineID.MatchString(name) {
		if plainNumber.MatchString(name) || isComponent[name] {
			return nil
		}
		return []string{name}
	}
	segments := strings.Split(name, "-")
	if of == aPod {
		segments = segments[:len(segments)-made(segments)]
	}
	var parts, run []string
	end := func() {
		if part := strings.Trim(strings.Join(run, "-"), "_"); part != "" && !plainNumber.MatchString(part) {
			parts = append(parts, part)
		}
		run = nil
	}
	for i := 0; i < len(segments); {
		if k := component(segments[i:]); k > 0 {
			end()
			i += k
			continue
		}
		run = append(run, segments[i])
		i++
	}
	end()
	return parts
}

// made is how many of a Pod's last segments Kubernetes made. The first is never one.
func made(segments []string) int {
	last := len(segments) - 1
	switch {
	case last < 1:
		return 0
	case ordinal.MatchString(segments[last]):
		return 1
	case templateHash.MatchString(segments[last]) && strings.ContainsAny(segments[last], "0123456789"):
		return 1 // a ReplicaSet's
	case !generated.MatchString(segments[last]):
		return 0
	case last > 1 && templateHash.MatchString(segments[last-1]) && strings.ContainsAny(segments[last-1], "0123456789"):
		return 2
	}
	return 1
}

// component is how many of the first segments are a component's name: the most that are.
func component(segments []string) int {
	for k := min(len(segments), 5); k > 0; k-- {
		if isComponent[strings.Join(segments[:k], "-")] {
			return k
		}
	}
	return 0
}

// settle gives every name that was noted what stands for it. Names of before, of a mapping, keep theirs.
func (n *names) settle() {
	all := map[string]bool{}
	for _, noted := range n.noted {
		all[noted.part] = true
	}
	for _, of := range []kind{aNode, aNamespace, aService, aWorkload, aPod, aZone, aValue, aPort, aName, aDomain, aUser, aWord} {
		n.stem(of, all)
	}
	order := []kind{aNode, aNamespace, aService, aWorkload, aPod, aZone, aPort, aName, aValue}
	slices.SortStableFunc(n.noted, func(a, b notedName) int { return slices.Index(order, a.kind) - slices.Index(order, b.kind) })
	misspelt := n.misspelt()
	for _, noted := range n.noted {
		if _, ok := n.to[noted.part]; ok || misspelt[noted.part] != "" {
			continue
		}
		if machineID.MatchString(noted.part) {
			n.set(noted.part, hex.EncodeToString(n.sum("machine-id", []byte(noted.part))[:16]))
			continue
		}
		n.set(noted.part, n.fresh(noted.kind))
	}
	for _, part := range slices.Sorted(maps.Keys(misspelt)) {
		if _, ok := n.to[part]; !ok {
			n.set(part, n.misspell(misspelt[part]))
		}
	}
	n.noted = nil
	if len(n.words) > 0 {
		var quoted []string
		for _, word := range n.words {
			quoted = append(quoted, regexp.QuoteMeta(word))
		}
		slices.SortFunc(quoted, func(a, b string) int { return len(b) - len(a) })
		n.match = regexp.MustCompile(`(?i)` + strings.Join(quoted, "|"))
	}
}

// stem settles how the names that stand for others of a kind begin: in a way that no name of before does.
func (n *names) stem(of kind, all map[string]bool) {
	if n.stems[of] != "" {
		return
	}
	stem := string(of)
	for {
		taken := false
		for part := range all {
			rest, ok := strings.CutPrefix(part, stem+"-")
			taken = taken || ok && rest != "" && rest[0] >= '0' && rest[0] <= '9'
		}
		if !taken {
			n.stems[of] = stem
			return
		}
		stem = "x" + stem
	}
}

func (n *names) fresh(of kind) string {
	n.next[of]++
	return fmt.Sprintf("%s-%d", n.stems[of], n.next[of])
}

// replace is what stands for a word of letters, digits, dots, dashes and underscores. named says whether something is
// named there, so that a word of the vocabulary is a name too.
func (n *names) replace(word string, named bool) (string, int) {
	if !n.hashesAlone && n.isDomain(word) {
		return n.domain(word)
	}
	var b strings.Builder
	count := 0
	bounds := segmentBounds(word)
	for i := 0; i < len(bounds); {
		k, to := n.longest(word, bounds[i:], named)
		if k == 0 {
			k, to = n.hash(word, bounds, i)
		}
		if k == 0 {
			k, to = 1, word[bounds[i][0]:bounds[i][1]]
		} else if to != word[bounds[i][0]:bounds[i+k-1][1]] {
			count++
		}
		b.WriteString(to)
		i += k
		if i < len(bounds) {
			b.WriteString(word[bounds[i-1][1]:bounds[i][0]])
		}
	}
	return b.String(), count
}

// segmentBounds are where the segments of a word begin and end.
func segmentBounds(word string) [][2]int {
	var bounds [][2]int
	start := 0
	for i := 0; i <= len(word); i++ {
		if i < len(word) && word[i] != '-' && word[i] != '_' && word[i] != '.' {
			continue
		}
		bounds = append(bounds, [2]int{start, i})
		start = i + 1
	}
	return bounds
}

func (n *names) longest(word string, bounds [][2]int, named bool) (int, string) {
	if n.hashesAlone {
		return 0, ""
	}
	for k := min(len(bounds), n.parts); k > 0; k-- {
		part := strings.ToLower(word[bounds[0][0]:bounds[k-1][1]])
		to, ok := n.to[part]
		if ok && (named || !isVocabulary[part]) {
			return k, inCase(to, word[bounds[0][0]:bounds[k-1][1]])
		}
	}
	return 0, ""
}

// inCase is what stands for a part, with capitals as that has them: labels that differ in case alone are different.
func inCase(to, like string) string {
	switch {
	case strings.EqualFold(to, like):
		return like
	case like == strings.ToLower(like):
		return to
	case like == strings.ToUpper(like):
		return strings.ToUpper(to)
	}
	return strings.ToUpper(to[:1]) + to[1:]
}

var (
	kubeHash = regexp.MustCompile(`^[A-Z2-7]{16}$`)
	nftHash  = regexp.MustCompile(`^[A-Z2-7]{8}$`)
	caliHash = regexp.MustCompile(`^cali[0-9a-f]{11}$`)
)

// hash is what stands for a segment that is a hash of names or addresses: kube-proxy's chains (the first 16, in nftables 8
// characters of base32 of SHA-256 of "ns/svc:port", protocol and endpoint), kube-router's chains and sets alike, and
// Calico's devices (11 digits of SHA-1 of "ns.pod"). Who guesses a name, or tries all addresses, would find it.
func (n *names) hash(word string, bounds [][2]int, i int) (int, string) {
	segment := word[bounds[i][0]:bounds[i][1]]
	if n := len(segment); n != 8 && n != 15 && n != 16 {
		return 0, ""
	}
	before := ""
	if i > 0 {
		before = word[bounds[i-1][0]:bounds[i-1][1]]
	}
	switch {
	case kubeHash.MatchString(segment) && slices.Contains([]string{"SVC", "SEP", "FW", "XLB", "SVL", "EXT", "SRC", "DST", "NWPLCY"}, before),
		nftHash.MatchString(segment) && slices.Contains([]string{"service", "external", "firewall", "endpoint", "affinity", "nodeport", "local"}, before):
		return 1, n.hashed(segment, func(sum []byte) string {
			return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum)
		})
	case !n.hashesAlone && caliHash.MatchString(segment):
		return 1, "cali" + n.hashed(segment[4:], hex.EncodeToString)
	}
	return 0, ""
}

func (n *names) hashed(text string, encode func([]byte) string) string {
	to, ok := n.hashes[text]
	if !ok {
		to = encode(n.sum("hash", []byte(text)))[:len(text)]
		n.hashes[text] = to
	}
	return to
}

// isDomain says whether a word is a name of DNS.
func (n *names) isDomain(word string) bool {
	name := strings.ToLower(strings.Trim(word, "."))
	if !strings.Contains(name, ".") || strings.Contains(name, "..") {
		return false
	}
	if last := name[strings.LastIndexByte(name, '.')+1:]; topDomains[last] {
		return true
	}
	for suffix := name; ; {
		if n.suffixes[suffix] {
			return true
		}
		_, rest, ok := strings.Cut(suffix, ".")
		if !ok {
			return false
		}
		suffix = rest
	}
}

// domain is what stands for a name of DNS: label by label, so that one which ends with another still does.
func (n *names) domain(word string) (string, int) {
	name := strings.TrimRight(word, ".")
	dots := word[len(name):]
	labels := strings.Split(name, ".")
	stay := stays(strings.ToLower(name))
	count := 0
	for i, label := range labels[:len(labels)-stay] {
		lower := strings.ToLower(label)
		switch {
		case label == "", lower[0] == '_', stay == 0 && i == len(labels)-1 && topDomains[lower], plainNumber.MatchString(label):
			continue
		case len(labels)-i > 1 && (lower == "svc" || lower == "pod"):
			continue // of the cluster's zone, whatever it is called
		}
		to, of := "", 0
		if isVocabulary[lower] || isComponent[lower] {
			to, of = n.longestOf(label)
		} else {
			to, of = n.partwise(label)
		}
		if of == 0 && !isComponent[lower] {
			to, of = n.domainLabel(lower), 1
		}
		if of > 0 {
			labels[i] = to
			count += of
		}
	}
	return strings.Join(labels, ".") + dots, count
}

// longestOf is what stands for a label that is a name as a whole.
func (n *names) longestOf(label string) (string, int) {
	if to, ok := n.to[strings.ToLower(label)]; ok && !strings.EqualFold(to, label) {
		return to, 1
	}
	return label, 0
}

// partwise is what stands for a label with names in it: a Pod's, a StatefulSet's with its ordinal.
func (n *names) partwise(label string) (string, int) {
	if to, of := n.longestOf(label); of > 0 {
		return to, of
	}
	segments := strings.Split(strings.ToLower(label), "-")
	if m := made(segments); m > 0 || component(segments) > 0 {
		word := strings.Join(segments, "-")
		bounds := segmentBounds(word)
		if k, _ := n.longest(word, bounds, true); k > 0 && k+m >= len(segments) {
			return n.replace(word, true)
		}
	}
	return label, 0
}

func (n *names) domainLabel(label string) string {
	to, ok := n.domains[label]
	if !ok {
		to = n.fresh(aDomain)
		n.domains[label] = to
	}
	return to
}

func (n *names) user(name string) string {
	name = strings.ToLower(name)
	if to, ok := n.to[name]; ok {
		return to
	}
	to, ok := n.users[name]
	if !ok {
		to = n.fresh(aUser)
		n.users[name] = to
	}
	return to
}

var (
	isKnownDomain = set(knownDomains)
	isProvider    = set(providers)
)

// stays is how many of a name's last labels stay.
func stays(name string) int {
	total := strings.Count(name, ".") + 1
	for suffix := name; suffix != ""; {
		if isKnownDomain[suffix] {
			if suffix == "cluster.local" || suffix == "svc.cluster.local" {
				return strings.Count(suffix, ".") + 1
			}
			return total
		}
		if isProvider[suffix] {
			return strings.Count(suffix, ".") + 1
		}
		_, suffix, _ = strings.Cut(suffix, ".")
	}
	return 0
}

// replaceWords replaces the texts that are not to occur anywhere.
func (n *names) replaceWords(text string) (string, int) {
	if n.match == nil {
		return text, 0
	}
	count := 0
	text = n.match.ReplaceAllStringFunc(text, func(word string) string {
		count++
		return n.word(word)
	})
	return text, count
}

func (n *names) word(word string) string {
	return fmt.Sprintf("%s-%d", n.stems[aWord], slices.Index(n.words, strings.ToLower(word))+1)
}

// ordinary are the names that are words of the vocabulary.
func (n *names) ordinary() []string {
	var list []string
	for part, to := range n.to {
		if part != to && isVocabulary[part] {
			list = append(list, part)
		}
	}
	slices.Sort(list)
	return list
}

// replaced are what stands for what, of every kind.
func (n *names) replaced() map[string]string {
	all := map[string]string{}
	for _, table := range []map[string]string{n.users, n.domains, n.hashes, n.to} {
		maps.Copy(all, table)
	}
	for _, word := range n.words {
		all[word] = n.word(word)
	}
	for from, to := range all {
		if from == to {
			delete(all, from)
		}
	}
	return all
}
