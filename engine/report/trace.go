package report

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/question"
)

// PathJSON writes the report for a program.
func PathJSON(w io.Writer, r *question.Answer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// PathText writes the report for a person: hop by hop, where, what happened, by which rule or route, and the packet
// wherever it changed.
func PathText(w io.Writer, r *question.Answer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s -> %s (%s): %s\n", clean(r.From), clean(r.To), clean(r.Packet.Proto), verdictText(r))
	if r.Resolved != "" {
		fmt.Fprintf(&b, "  to %s of %s\n", end(r.Packet.Dst, r.Packet.Dport), clean(r.Resolved))
	}
	if len(r.Paths) == 0 {
		writePath(&b, question.Way{Verdict: r.Verdict, Hops: r.Hops, Reply: r.Reply}, "")
	}
	for i, p := range r.Paths {
		fmt.Fprintf(&b, "\nWay %d of %d, %.0f%%: %s\n", i+1, len(r.Paths), p.Probability*100, likely(p.Verdict, p.Expected))
		for _, when := range p.When {
			fmt.Fprintf(&b, "  when %s\n", clean(when))
		}
		writePath(&b, p, "")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writePath(b *strings.Builder, p question.Way, title string) {
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
		writePath(b, reply, title+": "+likely(reply.Verdict, reply.Expected))
	}
}

func placeOf(step datapath.Step) string {
	if step.Namespace == "" {
		return step.Node
	}
	return step.Node + ", namespace " + step.Namespace
}

// verdictText is the verdict, and of one that is not certain what is expected and on what that rests.
func verdictText(r *question.Answer) string {
	text := strings.ToUpper(string(r.Verdict))
	if r.Expected == "" {
		return text
	}
	text += ", expected " + string(r.Expected)
	if r.Assumed() {
		return text + ": rules that were not read are taken to be as the cluster's objects ask"
	}
	return text + ": not every step is certain"
}

func likely(v, expected datapath.Verdict) string {
	if expected == "" {
		return string(v)
	}
	return fmt.Sprintf("%s, expected %s", v, expected)
}

func end(a netip.Addr, port uint16) string {
	switch {
	case !a.IsValid():
		return "?"
	case port == 0:
		return a.String()
	}
	return netip.AddrPortFrom(a, port).String()
}

func packetText(p datapath.Packet) string {
	text := end(p.Src, p.Sport) + " > " + end(p.Dst, p.Dport)
	if p.Mark != 0 {
		text += " mark 0x" + strconv.FormatUint(uint64(p.Mark), 16)
	}
	if p.Inner != nil {
		text += fmt.Sprintf(" %s vni %d { %s }", p.Proto, p.VNI, packetText(*p.Inner))
	}
	return text
}
