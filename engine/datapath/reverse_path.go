package datapath

import "github.com/netcause/netcause/engine/facts"

// ReversePath is what reverse-path filtering does with a packet (rp_filter, RFC 3704).
type ReversePath struct {
	// Verdict is "pass", "drop" or "unknown".
	Verdict string `json:"verdict"`
	// Filter is the filter that counts: the greater of conf.all and conf.DEV; -1: it was not read.
	Filter int `json:"rp_filter"`
	// FilterSource is the sysctl that says so.
	FilterSource facts.Source `json:"rp_filter_source,omitempty"`
	// Back is the way back to the packet's source.
	Back Result `json:"back"`
	// Detail says why it is dropped or unknown, Missing what would tell.
	Detail  string   `json:"detail,omitempty"`
	Missing *Missing `json:"missing,omitempty"`
}

// ReversePath says whether a packet with the source f.Src may come in by f.Iif, where it leaves by out, or is delivered
// here where out is empty: fib_validate_source of net/ipv4/fib_frontend.c. IPv6 has no such filter in the kernel.
func (n *Namespace) ReversePath(f Flow, out string) ReversePath {
	if f.Dst.Is6() || f.Src.Is6() {
		return ReversePath{Verdict: "pass"}
	}
	if f.UID == nil {
		f.UID = new(int)
	}
	rp := n.maxConf(f.Iif, "rp_filter")
	answer := ReversePath{Verdict: "pass", Filter: rp.value, FilterSource: rp.source}
	if !rp.known {
		answer.Filter = -1
	}
	back := Flow{Src: f.Dst, Dst: f.Src, Iif: out, Proto: f.Proto, UID: f.UID}
	if out == "" {
		back.Iif = "lo"
	}
	answer.Back = n.Lookup(back)
	c := n.validate(f, out)
	switch c.ok {
	case no:
		answer.Verdict = "drop"
	case maybe:
		answer.Verdict = "unknown"
	}
	answer.Detail, answer.Missing = c.text, c.missing
	return answer
}
