package netconf

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine/facts"
)

var compareAddr = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

func TestParseResolvConf(t *testing.T) {
	const file = "/etc/resolv.conf"
	server := func(addr string, line int) facts.Nameserver {
		return facts.Nameserver{Address: netip.MustParseAddr(addr), Source: facts.FileLine(file, line)}
	}
	tests := []struct {
		name, in string
		want     facts.ResolvConf
		unparsed []facts.Source
	}{
		{
			"systemd-resolved", "# This is /run/systemd/resolve/stub-resolv.conf\n\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch example.com\n",
			facts.ResolvConf{Nameservers: []facts.Nameserver{server("127.0.0.53", 3)}, Search: []string{"example.com"}, Options: []string{"edns0", "trust-ad"}},
			nil,
		},
		{
			"more than three, last search wins", "; x\ndomain a.example\nsearch b.example c.example\nnameserver 10.0.0.1\nnameserver 10.0.0.2 # second\nnameserver fd00::1\nnameserver fe80::1%eth0\noptions ndots:5\noptions timeout:1 single-request-reopen\r\n",
			facts.ResolvConf{
				Nameservers: []facts.Nameserver{server("10.0.0.1", 4), server("10.0.0.2", 5), server("fd00::1", 6), server("fe80::1%eth0", 7)},
				Search:      []string{"b.example", "c.example"}, Options: []string{"ndots:5", "timeout:1", "single-request-reopen"},
			},
			nil,
		},
		{
			"not understood", "nameserver\nnameserver example.com\nnonsense 1\nsortlist 10.0.0.0\n",
			facts.ResolvConf{Nameservers: []facts.Nameserver{}},
			[]facts.Source{file + ":1", file + ":2", file + ":3"},
		},
		{"empty", "", facts.ResolvConf{Nameservers: []facts.Nameserver{}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.File, tt.want.Source = file, file
			got, unparsed := ParseResolvConf(file, []byte(tt.in))
			if diff := cmp.Diff(tt.want, got, compareAddr); diff != "" {
				t.Errorf("ParseResolvConf (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.unparsed, unparsed); diff != "" {
				t.Errorf("unparsed (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParseResolvConf(f *testing.F) {
	f.Add([]byte("nameserver 10.0.0.1\nsearch a b\noptions ndots:5\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, _ := ParseResolvConf("/etc/resolv.conf", data)
		for _, n := range got.Nameservers {
			if !n.Address.IsValid() {
				t.Errorf("%+v", n)
			}
		}
	})
}
