package report

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"github.com/netcause/netcause/engine/datapath"
)

// Path is one way of a packet as the report shows it, with the way of its answer.
type Path struct {
	Probability float64          `json:"probability"`
	When        []string         `json:"when,omitempty"`
	Verdict     datapath.Verdict `json:"verdict"`
	Hops        []datapath.Step  `json:"hops"`
	Reply       []Path           `json:"reply"`
}

// PathReport is what `netcause trace` says: the verdict of all ways, and the way that decides it or all of them.
type PathReport struct {
	From    string           `json:"from"`
	To      string           `json:"to"`
	Packet  datapath.Packet  `json:"packet"`
	Verdict datapath.Verdict `json:"verdict"`
	// Hops and Reply are of the way that decides the verdict.
	Hops  []datapath.Step `json:"hops"`
	Reply []Path          `json:"reply"`
	// Paths are all ways, where they were asked for.
	Paths []Path `json:"paths,omitempty"`
}

// NewPathReport picks of a trace the way that decides its verdict; all keeps every way.
func NewPathReport(from, to string, t datapath.Trace, all bool) PathReport {
	r := PathReport{From: from, To: to, Packet: t.Packet, Verdict: t.Verdict, Hops: []datapath.Step{}, Reply: []Path{}}
	paths := pathsOf(t.Branches)
	for _, p := range paths {
		if p.Verdict == t.Verdict {
			r.Hops, r.Reply = p.Hops, p.Reply
			break
		}
	}
	if all {
		r.Paths = paths
	}
	return r
}

func pathsOf(branches []datapath.Branch) []Path {
	paths := []Path{}
	for _, b := range branches {
		paths = append(paths, Path{b.Probability, b.When, b.Verdict, b.Steps, pathsOf(b.Reply)})
	}
	return paths
}

// PathJSON writes the report for a program.
func PathJSON(w io.Writer, r PathReport) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// PathText writes the report for a person: hop by hop, where, what happened, by which rule or route, and the packet
// wherever it changed.
func PathText(w io.Writer, r PathReport) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s -> %s (%s): %s\n", clean(r.From), clean(r.To), clean(r.Packet.Proto), strings.ToUpper(string(r.Verdict)))
	if len(r.Paths) == 0 {
		writePath(&b, Path{Verdict: r.Verdict, Hops: r.Hops, Reply: r.Reply}, "")
	}
	for i, p := range r.Paths {
		fmt.Fprintf(&b, "\nWay %d of %d, %.0f%%: %s\n", i+1, len(r.Paths), p.Probability*100, p.Verdict)
		for _, when := range p.When {
			fmt.Fprintf(&b, "  when %s\n", clean(when))
		}
		writePath(&b, p, "")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writePath(b *strings.Builder, p Path, title string) {
	if title != "" {
		fmt.Fprintf(b, "%s\n", title)
	}
	at, shown := "", ""
	for _, step := range p.Hops {
		if here := placeOf(step); here != at {
			at = here
			fmt.Fprintf(b, "  %s\n", clean(here))
		}
		mark := ""
		if step.Verdict != datapath.Pass {
			mark = strings.ToUpper(string(step.Verdict)) + ": "
		}
		fmt.Fprintf(b, "    %-12s %s%s", step.Stage, mark, clean(step.Text))
		if step.Source != "" {
			fmt.Fprintf(b, "  [%s]", clean(string(step.Source)))
		}
		b.WriteByte('\n')
		for _, round := range step.Circle {
			fmt.Fprintf(b, "    %-12s   %s\n", "", clean(round))
		}
		if now := packetText(step.Packet); now != shown {
			shown = now
			fmt.Fprintf(b, "    %-12s %s\n", "", clean(now))
		}
		if step.Missing != nil && step.Missing.Collect != "" {
			fmt.Fprintf(b, "    %-12s to know more: %s\n", "", clean(step.Missing.Collect))
		}
	}
	for i, reply := range p.Reply {
		title := "  The answer"
		if len(p.Reply) > 1 {
			title = fmt.Sprintf("  The answer, way %d of %d", i+1, len(p.Reply))
		}
		writePath(b, reply, title+": "+string(reply.Verdict))
	}
}

func placeOf(step datapath.Step) string {
	if step.Namespace == "" {
		return step.Node
	}
	return step.Node + ", namespace " + step.Namespace
}

func packetText(p datapath.Packet) string {
	end := func(a netip.Addr, port uint16) string {
		switch {
		case !a.IsValid():
			return "?"
		case port == 0:
			return a.String()
		}
		return netip.AddrPortFrom(a, port).String()
	}
	text := end(p.Src, p.Sport) + " > " + end(p.Dst, p.Dport)
	if p.Mark != 0 {
		text += " mark 0x" + strconv.FormatUint(uint64(p.Mark), 16)
	}
	if p.Inner != nil {
		text += fmt.Sprintf(" %s vni %d { %s }", p.Proto, p.VNI, packetText(*p.Inner))
	}
	return text
}
