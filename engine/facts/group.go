// Package facts is the typed snapshot of a cluster's network: the contract between collectors, bundles and rules.
//
// A [Snapshot] has nodes, each with its network namespaces, and the cluster's objects. Facts come in groups, and every
// [Group] says whether it was read, and from what, so that a rule can tell health from silence. Field names are the
// kernel's, iproute2's and Kubernetes' own; addresses are net/netip values. The package imports nothing of netcause.
package facts

import (
	"fmt"
	"slices"
	"strings"
)

// Status says how a group of facts was obtained. The zero value is [NotAsked].
type Status int

const (
	// NotAsked: nobody tried to read the group (out of the asked scope).
	NotAsked Status = iota
	// Read: the place was read. An empty value is knowledge: there is nothing there.
	Read
	// Absent: what would show the group is not there (a tool is not installed, a bundle has no such file). Not
	// knowledge of anything.
	Absent
	// Denied: permission was missing; the reason names it.
	Denied
	// Failed: reading or parsing went wrong; the reason is the error.
	Failed
)

var statusNames = []string{"not-asked", "read", "absent", "denied", "failed"}

func (s Status) String() string {
	if s < 0 || int(s) >= len(statusNames) {
		return fmt.Sprintf("Status(%d)", int(s))
	}
	return statusNames[s]
}

// MarshalText writes the status as in bundles and in what rules see: "read", "not-asked", ….
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (s *Status) UnmarshalText(text []byte) error {
	i := slices.Index(statusNames, string(text))
	if i < 0 {
		return fmt.Errorf("unknown status %q of a group of facts", text)
	}
	*s = Status(i)
	return nil
}

// Source says where a fact was read, for a person to check it: "ifcfg-eth0:4" (file and line) or "ip -d address"
// (command; where it was asked of the kernel directly, the command that shows the same).
type Source string

// FileLine is the source of what stands in line n (from 1) of a file.
func FileLine(path string, n int) Source { return Source(fmt.Sprintf("%s:%d", path, n)) }

// Raw is a text that facts were parsed from. It is kept so that a later parser can read it again.
type Raw struct {
	// Name is the file's path on its node without the leading slash ("etc/resolv.conf"), or the command with
	// blanks as underscores ("iptables-nft-save_-c").
	Name string
	Data []byte
}

// Meta says how a group was obtained. It is the same for every type of group.
type Meta struct {
	Status Status `json:"status"`
	// Reason is why the group is not Read: an error, or the permission that is missing ("list endpointslices in
	// group discovery.k8s.io"). On a Read group it names what of it is missing, if anything.
	Reason string `json:"reason,omitempty"`
	// Sources are the commands or files that the group was read from.
	Sources []Source `json:"sources,omitempty"`
	// Raw is what they said, where that was text. Not part of the JSON: bundles keep it in files of its own.
	Raw []Raw `json:"-"`
}

// limitedTo begins the reason of a group of the cluster that was read in some namespaces alone; their names follow.
const limitedTo = "limited to namespaces "

// Unread says why objects of a namespace may be missing from a group of the cluster, in a few words; "" asks of all
// namespaces. It is empty where none are missing.
func (m *Meta) Unread(namespace string) string {
	if m.Status != Read {
		return strings.TrimSuffix(m.Status.String()+": "+m.Reason, ": ")
	}
	// What failed in one of the namespaces follows after a semicolon: then none is sure.
	names, limited := strings.CutPrefix(m.Reason, limitedTo)
	if limited && namespace != "" && !strings.Contains(names, ";") && slices.Contains(strings.Split(names, ", "), namespace) {
		return ""
	}
	return m.Reason
}

// Group is one group of facts together with how it was obtained. Value means something only where Status is [Read].
type Group[T any] struct {
	Meta
	Value T `json:"value,omitempty"`
}

// Known is the value where the group was read, else the zero value.
func (g *Group[T]) Known() (value T) {
	if g.Status == Read {
		return g.Value
	}
	return value
}

// ReadGroup is a group that was read.
func ReadGroup[T any](value T, sources ...Source) Group[T] {
	return Group[T]{Meta: Meta{Status: Read, Sources: sources}, Value: value}
}

// Unread is a group that was not: status is why in a word, reason in a sentence.
func Unread[T any](status Status, reason string, sources ...Source) Group[T] {
	return Group[T]{Meta: Meta{Status: status, Reason: reason, Sources: sources}}
}

// Fail is a group whose reading failed with err.
func Fail[T any](err error, sources ...Source) Group[T] {
	return Unread[T](Failed, err.Error(), sources...)
}

// AnyGroup is a pointer to a [Group] of whatever type: what bundles and the engine need of it.
type AnyGroup interface {
	// GetMeta is the group's own Meta, to read or set.
	GetMeta() *Meta
	// Any is the group's value.
	Any() any
}

// GetMeta implements [AnyGroup].
func (g *Group[T]) GetMeta() *Meta { return &g.Meta }

// Any implements [AnyGroup].
func (g *Group[T]) Any() any { return g.Value }

// NamedGroup is a group with its name: the name rules write in `needs`, and the file's name in a bundle.
type NamedGroup struct {
	Name  string
	Group AnyGroup
}
