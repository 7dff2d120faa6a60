package ask

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/engine/question"
)

// maxHopAnswers bounds the hops that an answer tells.
const maxHopAnswers = 24

type traceAnswer struct {
	Verdict datapath.Verdict `json:"verdict"`
	// Expected is of an unknown verdict what it most likely comes to; empty where that is open too.
	Expected datapath.Verdict `json:"expected"`
	// Error is why the question could not be asked ("there is no Pod …"); the verdict is then unknown.
	Error string `json:"error"`
	// EndsAt is the hop that decides; of what arrives the last. It is left out where there is none.
	EndsAt  *hopAnswer `json:"ends_at,omitempty"`
	OnReply bool       `json:"on_reply"`
	Missing string     `json:"missing"`
	// Hops are those of the way that decides, at most 24, without those at which nothing happens.
	Hops []hopAnswer `json:"hops"`
}

type hopAnswer struct {
	Node      string         `json:"node"`
	Namespace string         `json:"namespace"`
	Stage     datapath.Stage `json:"stage"`
	// Device is the one that the hop is about, empty where it is about none.
	Device  string           `json:"device"`
	Text    string           `json:"text"`
	Source  facts.Source     `json:"source"`
	Verdict datapath.Verdict `json:"verdict"`
	Service string           `json:"service"`
	// Packet is "10.244.1.5:50000 > 10.244.2.5:8080", as it leaves the hop.
	Packet string `json:"packet"`
}

// askTrace follows one packet. What cannot be asked is an answer and no failure: a rule asks about what it finds.
func askTrace(in *Incident, args []any) (any, error) {
	from, _ := args[0].(string)
	to, _ := args[1].(string)
	protocol, _ := args[2].(string)
	asked, err := question.Ask(in.Snapshot, in.Model(), question.Question{From: from, To: to, Protocol: protocol})
	if err != nil {
		return traceAnswer{Verdict: datapath.Unknown, Error: err.Error(), Hops: []hopAnswer{}}, nil
	}
	a := asked.Answer(in.Model(), false)
	answer := traceAnswer{Verdict: a.Verdict, Expected: a.Expected, OnReply: a.OnReply, Hops: []hopAnswer{}}
	if a.EndsAt != nil {
		hop := hopOf(a.EndsAt)
		answer.EndsAt = &hop
		if a.EndsAt.Missing != nil {
			answer.Missing = a.EndsAt.Missing.String()
		}
	}
	before := ""
	for i := range a.Hops {
		hop := hopOf(&a.Hops[i])
		idle := hop.Packet == before && hop.Source == "" && hop.Verdict == datapath.Pass
		if before = hop.Packet; !idle && len(answer.Hops) < maxHopAnswers {
			answer.Hops = append(answer.Hops, hop)
		}
	}
	return answer, nil
}

func hopOf(s *datapath.Step) hopAnswer {
	return hopAnswer{
		Node: s.Node, Namespace: s.Namespace, Stage: s.Stage, Device: deviceOf(s), Text: s.Text, Source: s.Source, Verdict: s.Verdict,
		Service: s.Service, Packet: packetLine(s.Packet),
	}
}

// namedDevice is a device where the source or the text of a hop names one: "ip neighbour show dev eth0", "… dev eth0, table".
var namedDevice = regexp.MustCompile(`\bdev ([^ ,;]+)`)

func deviceOf(s *datapath.Step) string {
	if s.TooBig != nil {
		return s.TooBig.Dev
	}
	for _, text := range []string{string(s.Source), s.Text} {
		if m := namedDevice.FindStringSubmatch(text); m != nil {
			return m[1]
		}
	}
	return ""
}

func packetLine(p datapath.Packet) string {
	end := func(a netip.Addr, port uint16) string {
		switch {
		case !a.IsValid():
			return "?"
		case port == 0:
			return a.String()
		}
		return netip.AddrPortFrom(a, port).String()
	}
	text := fmt.Sprintf("%s > %s", end(p.Src, p.Sport), end(p.Dst, p.Dport))
	if p.Inner != nil {
		text += " { " + packetLine(*p.Inner) + " }"
	}
	return strings.TrimSpace(text)
}
