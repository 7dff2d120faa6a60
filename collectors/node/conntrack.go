package node

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/netcause/netcause/engine/facts"
)

// maxConntrackEntries bounds the connections that are kept.
const maxConntrackEntries = 100_000

const conntrackNotLoaded = "nf_conntrack is not loaded: nothing is tracked"

// conntrack reads the tracker's size and counters in the calling thread's namespace.
func (c *conn) conntrack(n *netns, modules *kernelModules) (facts.Conntrack, error) {
	ct := facts.Conntrack{
		Source: n.source("sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max"),
	}
	var err error
	ct.Count, err = readInt("/proc/sys/net/netfilter/nf_conntrack_count")
	if errors.Is(err, fs.ErrNotExist) {
		return ct, &incomplete{conntrackNotLoaded}
	}
	if err == nil {
		ct.Max, err = readInt("/proc/sys/net/netfilter/nf_conntrack_max")
	}
	if err != nil {
		return facts.Conntrack{}, err
	}
	ct.Counters, err = c.conntrackCounters(modules)
	if err != nil {
		return ct, &incomplete{"counters: " + err.Error()}
	}
	return ct, nil
}

func readInt(path string) (int, error) {
	b, err := readBounded(path, sysctlMax)
	if err != nil {
		return 0, err
	}
	v, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	return v, nil
}

// conntrackCounters takes the text in /proc, which needs no capability, and netlink's where the kernel was built without
// (CONFIG_NF_CONNTRACK_PROCFS, as Debian's are).
func (c *conn) conntrackCounters(modules *kernelModules) (map[string]uint64, error) {
	text, err := readBounded("/proc/thread-self/net/stat/nf_conntrack", 16<<20)
	if err == nil {
		return parseConntrackStat(text)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if modules.has(partCtnetlink) != present {
		return nil, errors.New("the kernel has no /proc/net/stat/nf_conntrack, and nf_conntrack_netlink is not loaded")
	}
	if err := c.add(unix.NETLINK_NETFILTER); err != nil {
		return nil, err
	}
	counters := map[string]uint64{}
	err = c.dump(unix.NETLINK_NETFILTER, subsysCtnetlink<<8|ctMsgGetStatsCPU, 0, &nl.Nfgenmsg{}, func(msg []byte) bool {
		attrs, err := attributes(msg, nl.SizeofNfgenmsg)
		if err != nil {
			return true
		}
		for _, a := range attrs {
			if name := conntrackStatAttrs[a.kind]; name != "" && len(a.value) == 4 {
				counters[name] += uint64(binary.BigEndian.Uint32(a.value))
			}
		}
		return true
	})
	if denied(err) {
		return nil, errors.New(needs("CAP_NET_ADMIN", err))
	}
	return counters, err
}

// Of include/uapi/linux/netfilter/nfnetlink.h and nfnetlink_conntrack.h.
const (
	subsysCtnetlink  = 1
	ctMsgGet         = 1
	ctMsgGetStatsCPU = 4
)

// conntrackStatAttrs are CTA_STATS_, by the names that `conntrack -S` prints.
var conntrackStatAttrs = map[uint16]string{
	2: "found", 4: "invalid", 8: "insert", 9: "insert_failed", 10: "drop", 11: "early_drop", 12: "error",
	13: "search_restart", 14: "clash_resolve", 15: "chaintoolong",
}

// conntrackStatColumns are the columns of /proc/net/stat/nf_conntrack that are counters of today's kernels, by the names
// that `conntrack -S` prints (ct_cpu_seq_show of net/netfilter/nf_conntrack_standalone.c). Kernels before 5.9 have
// searched and delete_list where clashres and chainlength are.
var conntrackStatColumns = map[string]string{
	"found": "found", "invalid": "invalid", "insert": "insert", "insert_failed": "insert_failed", "drop": "drop",
	"early_drop": "early_drop", "icmp_error": "error", "search_restart": "search_restart",
	"clashres": "clash_resolve", "chainlength": "chaintoolong",
}

// parseConntrackStat sums the lines, one for each processor, of hexadecimal columns below a line of names.
func parseConntrackStat(text []byte) (map[string]uint64, error) {
	head, rest, _ := bytes.Cut(text, []byte("\n"))
	names := strings.Fields(string(head))
	counters := map[string]uint64{}
	for line := range bytes.Lines(rest) {
		for i, field := range strings.Fields(string(line)) {
			if i >= len(names) {
				break
			}
			name := conntrackStatColumns[names[i]]
			if name == "" {
				continue
			}
			v, err := strconv.ParseUint(field, 16, 64)
			if err != nil {
				return nil, fmt.Errorf("column %s of nf_conntrack's statistics: %w", names[i], err)
			}
			counters[name] += v
		}
	}
	if len(counters) == 0 {
		return nil, errors.New("no counters in nf_conntrack's statistics")
	}
	return counters, nil
}

// conntrackEntries reads the tracked connections of both families. The library's own decoder leaves out the status, and
// keeps all.
func (c *conn) conntrackEntries(modules *kernelModules) ([]facts.ConntrackEntry, error) {
	if _, err := os.Stat("/proc/sys/net/netfilter/nf_conntrack_count"); errors.Is(err, fs.ErrNotExist) {
		return []facts.ConntrackEntry{}, &incomplete{conntrackNotLoaded}
	}
	if modules.has(partCtnetlink) != present {
		return nil, &absent{"nf_conntrack_netlink is not loaded, and asking for connections would load it: conntrack -L"}
	}
	if err := c.add(unix.NETLINK_NETFILTER); err != nil {
		return nil, err
	}
	return consistent(func() ([]facts.ConntrackEntry, error) {
		entries := []facts.ConntrackEntry{}
		var bad error
		total := 0
		request := subsysCtnetlink<<8 | ctMsgGet
		err := c.dump(unix.NETLINK_NETFILTER, request, 0, &nl.Nfgenmsg{}, func(msg []byte) bool {
			total++
			if len(entries) == maxConntrackEntries {
				return true // to count them
			}
			e, err := decodeConntrack(msg)
			if err != nil {
				bad = err
				return true
			}
			entries = append(entries, e)
			return true
		})
		switch {
		case err != nil:
			return entries, err
		case bad != nil:
			return entries, &incomplete{fmt.Sprintf("%d of %d could not be decoded: %v", total-len(entries), total, bad)}
		case total > len(entries):
			return entries, &incomplete{fmt.Sprintf("the first %d of %d connections", len(entries), total)}
		}
		return entries, nil
	})
}

// Attributes of a connection, CTA_ of include/uapi/linux/netfilter/nfnetlink_conntrack.h.
const (
	ctaTupleOrig     = 1
	ctaTupleReply    = 2
	ctaStatus        = 3
	ctaProtoinfo     = 4
	ctaTimeout       = 7
	ctaMark          = 8
	ctaCountersOrig  = 9
	ctaCountersReply = 10
	ctaZone          = 18

	ctaTupleIP    = 1
	ctaTupleProto = 2

	ctaProtoNum     = 1
	ctaProtoSrcPort = 2
	ctaProtoDstPort = 3

	ctaCountersPackets = 1
	ctaCountersBytes   = 2

	ctaProtoinfoTCP      = 1
	ctaProtoinfoTCPState = 1

	// IPS_SEEN_REPLY and IPS_ASSURED of nf_conntrack_common.h.
	ipsSeenReply = 1 << 1
	ipsAssured   = 1 << 2
)

// decodeConntrack decodes an IPCTNL_MSG_CT_NEW. Numbers are big-endian, whether their attributes say so or not.
func decodeConntrack(msg []byte) (facts.ConntrackEntry, error) {
	attrs, err := attributes(msg, nl.SizeofNfgenmsg)
	if err != nil {
		return facts.ConntrackEntry{}, err
	}
	e := facts.ConntrackEntry{Family: familyName(msg[0])}
	for _, a := range attrs {
		switch v := a.value; a.kind {
		case ctaTupleOrig:
			var proto uint8
			proto, err = decodeTuple(v, &e.Orig)
			e.Proto = conntrackProtoName(proto)
		case ctaTupleReply:
			_, err = decodeTuple(v, &e.Reply)
		case ctaCountersOrig:
			err = decodeCounters(v, &e.Orig)
		case ctaCountersReply:
			err = decodeCounters(v, &e.Reply)
		case ctaStatus:
			e.Flags = conntrackFlags(uint32(bigEndian(v)))
		case ctaProtoinfo:
			e.State, err = decodeProtoinfo(v)
		case ctaTimeout:
			e.Timeout = uint32(bigEndian(v))
		case ctaMark:
			e.Mark = uint32(bigEndian(v))
		case ctaZone:
			e.Zone = int(bigEndian(v))
		}
		if err != nil {
			return facts.ConntrackEntry{}, err
		}
	}
	return e, nil
}

func conntrackFlags(status uint32) []string {
	flags := []string{"UNREPLIED"}
	if status&ipsSeenReply != 0 {
		flags[0] = "SEEN_REPLY"
	}
	if status&ipsAssured != 0 {
		flags = append(flags, "ASSURED")
	}
	return flags
}

func conntrackProtoName(p uint8) string {
	if p == unix.IPPROTO_ICMPV6 {
		return "icmpv6" // as conntrack(8) has it, where rules say ipv6-icmp
	}
	return ipProtocolName(p)
}

func decodeTuple(b []byte, t *facts.Tuple) (proto uint8, err error) {
	attrs, err := parseAttributes(b)
	if err != nil {
		return 0, err
	}
	for _, a := range attrs {
		parts, err := parseAttributes(a.value)
		if err != nil {
			return 0, err
		}
		for _, p := range parts {
			kind := p.kind
			switch a.kind {
			case ctaTupleIP:
				// CTA_IP_V4_SRC, V4_DST, V6_SRC, V6_DST are 1 to 4.
				switch kind {
				case 1, 3:
					t.Src = rawAddress(p.value)
				case 2, 4:
					t.Dst = rawAddress(p.value)
				}
			case ctaTupleProto:
				switch kind {
				case ctaProtoNum:
					proto = uint8(bigEndian(p.value))
				case ctaProtoSrcPort:
					t.Sport = int(bigEndian(p.value))
				case ctaProtoDstPort:
					t.Dport = int(bigEndian(p.value))
				}
			}
		}
	}
	return proto, nil
}

func decodeCounters(b []byte, t *facts.Tuple) error {
	attrs, err := parseAttributes(b)
	if err != nil {
		return err
	}
	for _, a := range attrs {
		switch a.kind {
		case ctaCountersPackets:
			t.Packets = bigEndian(a.value)
		case ctaCountersBytes:
			t.Bytes = bigEndian(a.value)
		}
	}
	return nil
}

func decodeProtoinfo(b []byte) (state string, err error) {
	infos, err := parseAttributes(b)
	if err != nil {
		return "", err
	}
	for _, info := range infos {
		if info.kind != ctaProtoinfoTCP {
			continue
		}
		attrs, err := parseAttributes(info.value)
		if err != nil {
			return "", err
		}
		for _, a := range attrs {
			if a.kind == ctaProtoinfoTCPState {
				if s := int(bigEndian(a.value)); s < len(tcpConntrackStates) {
					return tcpConntrackStates[s], nil
				}
			}
		}
	}
	return "", nil
}

// bigEndian is an attribute's number in network order, 0 where it has no such size.
func bigEndian(b []byte) uint64 {
	switch len(b) {
	case 1:
		return uint64(b[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(b))
	case 4:
		return uint64(binary.BigEndian.Uint32(b))
	case 8:
		return binary.BigEndian.Uint64(b)
	}
	return 0
}
