package redact

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Mapping is what stands for what in a redacted bundle. It belongs to the owner of the bundle alone: with it all names and
// addresses can be read.
type Mapping struct {
	// Key is the run's: hashes and addresses follow from it.
	Key hexBytes `json:"key"`
	// Names, Domains, Users, Hashes and Addresses are by what stood there.
	Names   map[string]string `json:"names,omitempty"`
	Domains map[string]string `json:"domains,omitempty"`
	Users   map[string]string `json:"users,omitempty"`
	Hashes  map[string]string `json:"hashes,omitempty"`
	Words   []string          `json:"words,omitempty"`
	// Ordinary are the names that are words of the kernel's or Kubernetes' too: in running text they stay.
	Ordinary []string `json:"ordinaryWords,omitempty"`
	// Stems begin the names that stand for others, by kind; Next is how many of a kind there are.
	Stems     map[kind]string           `json:"stems,omitempty"`
	Next      map[kind]int              `json:"next,omitempty"`
	Addresses map[netip.Addr]netip.Addr `json:"addresses,omitempty"`
	// Prefixes and Ranges are those that addresses were replaced by.
	Prefixes []netip.Prefix `json:"prefixes,omitempty"`
	Ranges   []netip.Prefix `json:"ranges,omitempty"`
}

type hexBytes []byte

func (b hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(b)), nil }

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

// ReadMapping reads what [Mapping.Marshal] wrote.
func ReadMapping(data []byte) (*Mapping, error) {
	var m Mapping
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("read mapping: %w", err)
	}
	if len(m.Key) < 16 {
		return nil, fmt.Errorf("read mapping: it has no key")
	}
	return &m, nil
}

// Marshal is the mapping as JSON.
func (m *Mapping) Marshal() ([]byte, error) {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write mapping: %w", err)
	}
	return append(text, '\n'), nil
}

// key is the key of an earlier run; nil: there was none.
func (m *Mapping) key() []byte {
	if m == nil || len(m.Key) == 0 {
		return nil
	}
	return m.Key
}

// names gives a run the names of earlier ones.
func (m *Mapping) names(n *names) {
	if m == nil {
		return
	}
	for part, to := range m.Names {
		n.set(part, to)
	}
	maps.Copy(n.domains, m.Domains)
	maps.Copy(n.users, m.Users)
	maps.Copy(n.hashes, m.Hashes)
	maps.Copy(n.stems, m.Stems)
	maps.Copy(n.next, m.Next)
	n.addWords(m.Words)
}

// prefixes gives a run the prefixes and addresses of earlier ones.
func (m *Mapping) prefixes(a *addresses) {
	if m == nil {
		return
	}
	for _, p := range m.Prefixes {
		a.notePrefix(p)
	}
	for _, p := range m.Ranges {
		a.ranges[p] = true
	}
	for from := range m.Addresses {
		a.seen[from] = true
	}
}

// agrees is an error where an address of an earlier run would become another now: a prefix is known now that was not then.
func (m *Mapping) agrees(a *addresses) error {
	if m == nil {
		return nil
	}
	n := 0
	for from, to := range m.Addresses {
		if a.replace(from) != to {
			n++
		}
	}
	if n > 0 {
		return fmt.Errorf("%d addresses of the mapping would become others, because this bundle has prefixes that the earlier ones had not: redact the bundles together", n)
	}
	return nil
}

// keep takes what stands for what from a run.
func (m *Mapping) keep(s *sweeper) {
	if n := s.names; n != nil {
		m.Names = map[string]string{}
		for part, to := range n.to {
			if part != to {
				m.Names[part] = to
			}
		}
		m.Ordinary = n.ordinary()
		m.Domains, m.Users, m.Hashes, m.Stems, m.Next, m.Words = n.domains, n.users, n.hashes, n.stems, n.next, n.words
	}
	if a := s.addresses; a != nil {
		if m.Addresses == nil {
			m.Addresses = map[netip.Addr]netip.Addr{}
		}
		for from, to := range a.done {
			if from != to {
				m.Addresses[from] = to
			}
		}
		m.Prefixes = sortedPrefixes(a.prefixes)
		m.Ranges = sortedPrefixes(a.ranges)
	}
}

// Shown are the names that stand in a text still, of those that were replaced: the name of the bundle's own file.
func (m *Mapping) Shown(text string) []string {
	var shown []string
	word := segmentBounds(strings.ToLower(text))
	for i := range word {
		for j := i; j < len(word); j++ {
			part := strings.ToLower(text)[word[i][0]:word[j][1]]
			if to, ok := m.Names[part]; ok && to != part && !isVocabulary[part] && !slices.Contains(shown, part) {
				shown = append(shown, part)
			}
		}
	}
	return shown
}

func sortedPrefixes(of map[netip.Prefix]bool) []netip.Prefix {
	return slices.SortedFunc(maps.Keys(of), netip.Prefix.Compare)
}

// Restore puts names and addresses back in a text that was made of a redacted bundle: a diagnosis. Addresses that were
// computed from others (a network's first) are found by the key.
func (m *Mapping) Restore(text string) string {
	back := &restorer{to: map[string]string{}}
	n := newNames(nil)
	m.names(n)
	for i, word := range slices.Backward(m.Words) { // the longer number first
		back.words = append(back.words, fmt.Sprintf("%s-%d", n.stems[aWord], i+1), word)
	}
	for from, to := range n.replaced() {
		back.set(to, from)
	}
	a := newAddresses(m.Key)
	m.prefixes(a)
	a.settle()
	s := &sweeper{addresses: a, back: back}
	text = s.text(text, plain)
	return strings.NewReplacer(back.words...).Replace(text)
}

// restorer puts names back.
type restorer struct {
	to    map[string]string
	words []string
	parts int
}

func (r *restorer) set(part, to string) {
	r.to[strings.ToLower(part)] = to
	r.parts = max(r.parts, strings.Count(part, "-")+1)
}

func (r *restorer) word(word string) string {
	n := &names{to: r.to, parts: r.parts}
	var b strings.Builder
	bounds := segmentBounds(word)
	for i := 0; i < len(bounds); {
		k, to := n.longest(word, bounds[i:], true)
		if k == 0 {
			k, to = 1, word[bounds[i][0]:bounds[i][1]]
		}
		b.WriteString(to)
		i += k
		if i < len(bounds) {
			b.WriteString(word[bounds[i-1][1]:bounds[i][0]])
		}
	}
	return b.String()
}
