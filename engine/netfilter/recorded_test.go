package netfilter

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	recordedServices = 10_000
	recordedSave     = "testdata/kube-proxy-iptables-10000-services.save.gz"
	recordedNFT      = "testdata/kube-proxy-nftables-10000-services.nft.gz"
)

func unzip(tb testing.TB, name string) string {
	tb.Helper()
	f, err := os.Open(name)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// recorded holds the recorded listings and the ClusterIP and NodePort of each Service, by the comments.
type recorded struct {
	save, nft string
	clusterIP [recordedServices]netip.Addr
	nodePort  map[int]uint16
}

var loadRecorded = sync.OnceValue(func() *recorded {
	var tb testing.B
	r := &recorded{save: unzip(&tb, recordedSave), nft: unzip(&tb, recordedNFT), nodePort: map[int]uint16{}}
	re := regexp.MustCompile(`-A KUBE-SERVICES -d ([0-9.]+)/32 .*default/svc-([0-9]{5}):http (cluster IP|has no endpoints)"`)
	for _, m := range re.FindAllStringSubmatch(r.save, -1) {
		i, _ := strconv.Atoi(m[2])
		r.clusterIP[i] = netip.MustParseAddr(m[1])
	}
	re = regexp.MustCompile(`-A KUBE-(?:NODEPORTS|EXTERNAL-SERVICES) -p tcp .*default/svc-([0-9]{5}):http.* --dport ([0-9]+)`)
	for _, m := range re.FindAllStringSubmatch(r.save, -1) {
		i, _ := strconv.Atoi(m[1])
		port, _ := strconv.Atoi(m[2])
		r.nodePort[i] = uint16(port)
	}
	return r
})

func wantEndpoints(i int) []netip.AddrPort {
	var out []netip.AddrPort
	for x := 3 * i; x < 3*i+3; x++ {
		out = append(out, netip.MustParseAddrPort(fmt.Sprintf("10.%d.%d.%d:8080", 234+x/65536, x/256%256, x%256)))
	}
	return out
}

func parseSave(tb testing.TB, text string) *Listing {
	tb.Helper()
	l, err := ParseIPTablesSave(text, IPTablesLegacy, "ip")
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

func parseNFT(tb testing.TB, text string) *Listing {
	tb.Helper()
	l, err := ParseNFT(text)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// checkServices asks for every recorded Service and NodePort.
func checkServices(t *testing.T, r *Ruleset, rec *recorded) {
	t.Helper()
	node := netip.MustParseAddr("10.153.204.20")
	for i := range recordedServices {
		check := func(what string, p Path) {
			if i%50 == 0 {
				if p.Status != StatusRejected {
					t.Errorf("svc-%05d %s: %s %s, want rejected", i, what, p.Status, p.Reason)
				}
				return
			}
			if p.Status != StatusTranslated {
				t.Errorf("svc-%05d %s: %s %s, want translated", i, what, p.Status, p.Reason)
				return
			}
			var got []netip.AddrPort
			for _, e := range p.Endpoints {
				got = append(got, e.Addr)
				if e.Probability < 0.3333 || e.Probability > 0.3334 || len(e.When) != 0 {
					t.Errorf("svc-%05d %s: endpoint %v probability %v when %q", i, what, e.Addr, e.Probability, e.When)
				}
			}
			slices.SortFunc(got, netip.AddrPort.Compare)
			if want := wantEndpoints(i); !slices.Equal(got, want) {
				t.Errorf("svc-%05d %s: endpoints %v, want %v", i, what, got, want)
			}
		}
		check("ClusterIP", r.ServicePath(rec.clusterIP[i], "tcp", 80))
		if !r.HasService(rec.clusterIP[i], "tcp", 80) || r.HasService(rec.clusterIP[i], "udp", 80) || r.HasService(rec.clusterIP[i], "tcp", 81) {
			t.Errorf("svc-%05d: it is there for tcp port 80 alone", i)
		}
		if port, ok := rec.nodePort[i]; ok != (i%20 == 0) {
			t.Errorf("svc-%05d: NodePort %v", i, ok)
		} else if ok {
			check("NodePort", r.ServicePath(node, "tcp", port))
		}
		if t.Failed() && i > 200 {
			t.FailNow()
		}
	}
}

func TestRecordedIPTables(t *testing.T) {
	rec := loadRecorded()
	l := parseSave(t, rec.save)
	if p, n := l.Problems(); n != 0 {
		t.Errorf("%d problems, first %v", n, p[0])
	}
	if _, n := l.NotModelled(1); n != 0 {
		t.Errorf("%d rules not modelled", n)
	}
	if got := l.Rules(); got != 109728 {
		t.Errorf("%d rules", got)
	}
	r := &Ruleset{IPTablesLegacy: l, LocalAddrs: []netip.Addr{netip.MustParseAddr("10.153.204.20")}}
	checkServices(t, r, rec)
}

func TestRecordedNFT(t *testing.T) {
	rec := loadRecorded()
	l := parseNFT(t, rec.nft)
	if p, n := l.Problems(); n != 0 {
		t.Errorf("%d problems, first %v", n, p[0])
	}
	if rules, n := l.NotModelled(5); n != 0 {
		t.Errorf("%d rules not modelled: %v", n, rules)
	}
	checkServices(t, &Ruleset{NFT: l}, rec)
}

func TestRecordedNFTJSON(t *testing.T) {
	l := parseNFT(t, unzip(t, "testdata/kube-proxy-nftables-10000-services.json.gz"))
	if p, n := l.Problems(); n != 0 {
		t.Errorf("%d problems, first %v", n, p[0])
	}
	if rules, n := l.NotModelled(5); n != 0 {
		t.Errorf("%d rules not modelled: %v", n, rules)
	}
	checkServices(t, &Ruleset{NFT: l}, loadRecorded())
}

// TestRecordedLines holds hops to the lines that grep -n gives.
func TestRecordedLines(t *testing.T) {
	rec := loadRecorded()
	p := (&Ruleset{IPTablesLegacy: parseSave(t, rec.save)}).ServicePath(rec.clusterIP[20], "tcp", 80)
	want := "translated PREROUTING:39953 KUBE-SERVICES:108539 " +
		"[10.234.0.60:8080 0.333 KUBE-SVC-P43QLYZE6AFBP3N2:136407 KUBE-SEP-M3EHVEP5I6HXILZB:%d] " +
		"[10.234.0.61:8080 0.333 KUBE-SVC-P43QLYZE6AFBP3N2:136408 KUBE-SEP-MCCWB6SUUAAMDFIR:%d] " +
		"[10.234.0.62:8080 0.333 KUBE-SVC-P43QLYZE6AFBP3N2:136409 KUBE-SEP-WNGTHJCS5SSKKHCW:%d]"
	var dnat []any
	for _, sep := range []string{"M3EHVEP5I6HXILZB", "MCCWB6SUUAAMDFIR", "WNGTHJCS5SSKKHCW"} {
		at := strings.Index(rec.save, "-A KUBE-SEP-"+sep+" -p tcp")
		dnat = append(dnat, strings.Count(rec.save[:at], "\n")+1)
	}
	if diff := cmp.Diff(fmt.Sprintf(want, dnat...), brief(p)); diff != "" {
		t.Error(diff)
	}
	p = (&Ruleset{NFT: parseNFT(t, rec.nft)}).ServicePath(rec.clusterIP[20], "tcp", 80)
	if diff := cmp.Diff("translated nat-prerouting:30376 services:30403 map service-ips:27820 "+
		"service-X7PH45MU-default/svc-00020/tcp/http:33315 [10.234.0.60:8080 0.333] [10.234.0.61:8080 0.333] [10.234.0.62:8080 0.333]",
		brief(p)); diff != "" {
		t.Error(diff)
	}
}
