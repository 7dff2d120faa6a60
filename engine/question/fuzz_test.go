package question_test

import (
	"testing"

	"github.com/netcause/netcause/engine/datapath"
	"github.com/netcause/netcause/engine/question"
)

// Whatever is asked, there is an answer or an error, and what is found has an address and a protocol.
func FuzzAsk(f *testing.F) {
	for _, to := range []string{"svc/default/web:http", "pod/default/b:8080", "node/n1:30080", "ip/[2001:db8::1]:443", "ip/2001:db8::1", "db-0.db:15432", "web.", ":", "svc//:", "ip/[]:1"} {
		f.Add("pod/default/a", to, "", "")
		f.Add("ip/203.0.113.7", to, "n1", "udp")
	}
	s := snapshot()
	m := datapath.New(s)
	f.Fuzz(func(t *testing.T, from, to, via, protocol string) {
		asked, err := question.Ask(s, m, question.Question{From: from, To: to, Via: via, Protocol: protocol})
		if err != nil {
			return
		}
		for _, p := range asked.Packets {
			if !p.Dst.IsValid() || p.Proto == "" || asked.Sender.Node == "" {
				t.Errorf("from %q to %q: %+v", from, to, asked)
			}
		}
		asked.Answer(m, true)
	})
}
