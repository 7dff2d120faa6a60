package report

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/question"
)

// path writes the way of the packet that was asked about in short: the hops that change or end it, and what explains the
// end.
func (t *text) path() {
	a := t.d.Trace
	if a == nil {
		return
	}
	t.blank()
	t.hang("PATH  ", fmt.Sprintf("%s -> %s (%s): %s", a.From, a.To, a.Packet.Proto, verdictText(a)))
	if a.Resolved != "" {
		t.hang("  ", fmt.Sprintf("to %s of %s", end(a.Packet.Dst, a.Packet.Dport), a.Resolved))
	}
	t.hops(a.Packet, a.Hops, a.EndsAt)
	if a.OnReply {
		for _, reply := range a.Reply {
			if cmp.Or(reply.Expected, reply.Verdict) == cmp.Or(a.Expected, a.Verdict) {
				t.line("  ", "the answer")
				t.hops(datapath.Packet{}, reply.Hops, a.EndsAt)
				break
			}
		}
	}
	t.ends(a)
}

// hops are those that matter: where the packet changes, where it is routed from one device to another, where something is
// not certain, and the end, which is told apart. Sent is the packet before the first of them, without a source where the
// sender's kernel chooses it.
func (t *text) hops(sent datapath.Packet, steps []datapath.Step, last *datapath.Step) {
	if len(steps) == 0 {
		return
	}
	if !sent.Src.IsValid() {
		sent = steps[0].Packet
	}
	at, shown := placeOf(steps[0]), packetText(sent)
	t.hang("  ", at+": "+shown)
	for i := range steps {
		s := &steps[i]
		now := packetText(s.Packet)
		changed := now != shown
		shown = now
		if !changed && !matters(s) || last != nil && i == len(steps)-1 && s.Text == last.Text && s.Verdict != datapath.Delivered {
			continue
		}
		if here := placeOf(*s); here != at {
			at = here
			t.line("  ", here)
		}
		t.hang(fmt.Sprintf("    %-12s ", s.Stage), stepText(s))
	}
}

func matters(s *datapath.Step) bool {
	switch s.Stage {
	case datapath.StageEncap, datapath.StageDecap, datapath.StagePolicy, datapath.StageSocket:
		return true
	case datapath.StageRoute:
		return s.Namespace == ""
	}
	return s.Verdict != datapath.Pass
}

func stepText(s *datapath.Step) string {
	text := s.Text
	if s.Verdict != datapath.Pass {
		text = strings.ToUpper(string(s.Verdict)) + ": " + text
	}
	if s.Source != "" {
		text += " [" + string(s.Source) + "]"
	}
	return text
}

// ends is the hop that decides, and what explains it.
func (t *text) ends(a *question.Answer) {
	s := a.EndsAt
	switch {
	case a.Verdict == datapath.Delivered:
		t.hang("  ", "By the facts it arrives, and so does its answer: what does not show here is not on its way, or comes and goes.")
		return
	case s == nil:
		return
	}
	what := "It ends"
	switch {
	case a.Fails() && a.OnReply:
		what = "The answer ends"
	case a.OnReply:
		what = "Of the answer it is not certain what happens"
	case !a.Fails():
		what = "It is not certain what happens"
	}
	t.hang("  ", fmt.Sprintf("%s on %s, %s: %s", what, placeOf(*s), s.Stage, strings.TrimPrefix(stepText(s), "UNKNOWN: ")))
	for _, line := range s.Circle {
		t.hang("    ", line)
	}
	if s.Missing != nil && s.Missing.Collect != "" {
		t.hang("    ", "to know more: "+s.Missing.Collect)
	}
	var explained []string
	for _, group := range t.causes {
		if group[0].Bearing == engine.Explains {
			explained = append(explained, group[0].ID)
		}
	}
	switch {
	case len(explained) > 0:
		t.hang("  ", "Explained by "+enumerate(explained, 4)+".")
	case a.Fails():
		t.hang("  ", "No rule explains this hop: the hop itself is the answer. What is quoted decides it, and how to put it right is left to you.")
	}
}
