package netfilter

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	diffPackets       = 600
	diffPacketsPerSet = 20
	diffMinPerSet     = 15
	// diffSeed makes a run repeat itself: a new one is for whoever looks for what the model does not know yet.
	diffSeed = 4004
)

// TestAgainstKernel sends random packets through random rule sets in a network namespace, and holds the model to what
// the kernel did. NETCAUSE_SEED repeats a run, NETCAUSE_DIFF_PACKETS says how many packets it sends.
func TestAgainstKernel(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to make a network namespace")
	}
	for _, tool := range []string{"ip", "nft", "ipset", "iptables-nft-restore", "iptables-legacy-restore"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs tool %s: %v", tool, err)
		}
	}
	seed := uint64(diffSeed)
	if s := os.Getenv("NETCAUSE_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("NETCAUSE_SEED: %v", err)
		}
	}
	packets := diffPackets
	if s := os.Getenv("NETCAUSE_DIFF_PACKETS"); s != "" {
		var err error
		if packets, err = strconv.Atoi(s); err != nil {
			t.Fatalf("NETCAUSE_DIFF_PACKETS: %v", err)
		}
	}
	t.Logf("NETCAUSE_SEED=%d", seed)
	d := &difference{t: t, fates: map[string]int{}}
	perSet := diffMinPerSet
	if packets > 5000 {
		perSet = diffPacketsPerSet
	}
	for i := uint64(0); d.sent < packets && !t.Failed(); i++ {
		s := (&grammar{Rand: rand.New(rand.NewPCG(seed, i))}).ruleSet()
		report, err := d.try(s, seed, i, perSet)
		if err != nil && d.sets == 0 {
			t.Skipf("needs root to make TUN devices in a network namespace: %v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if d.refused > 20 && d.refused > d.sets {
			t.Skipf("needs root on a kernel with ipset and both backends of iptables: %d of %d rule sets did not load", d.refused, d.refused+d.sets)
		}
		if report == "" {
			continue
		}
		t.Errorf("rule set %d of seed %d: %s\n%s", i, seed, report, d.shrink(s, seed, i, perSet))
	}
	t.Logf("%d packets over %d rule sets (%d did not load): %v", d.sent, d.sets, d.refused, d.fates)
	for view, n := range d.asked {
		t.Logf("view %q: %d unknown, %d open, of %d packets", view, d.unknown[view], d.open[view], n)
		if view != viewNFTAlone {
			t.Logf("last unknown: %s; last open: %s", d.whyUnknown, d.whyOpen)
		}
		if view != viewNFTAlone && float64(d.unknown[view]) > 0.02*float64(n) {
			t.Errorf("view %q: %d of %d packets have an unknown outcome: %s", view, d.unknown[view], n, d.whyUnknown)
		}
	}
}

// The views of one rule set: with iptables' own listings, with nft's listing alone, and with that in JSON.
const (
	viewAll      = "all listings"
	viewNFTAlone = "nft list ruleset alone"
	viewJSON     = "all listings, nft in JSON"
	viewList     = "iptables -nvL"
	viewRules    = "iptables -S"
)

// difference is a run of the test.
type difference struct {
	t                   *testing.T
	sent, sets, refused int
	fates               map[string]int
	asked               map[string]int
	unknown, open       map[string]int
	whyUnknown, whyOpen string
	quiet               bool // while shrinking
}

// try loads a rule set in a namespace of its own, sends packets, and gives the first disagreement.
func (d *difference) try(s *ruleSource, seed, i uint64, packets int) (report string, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		var r *router
		if r, err = newRouter(); r != nil {
			defer r.close()
		}
		if err != nil {
			return
		}
		report = d.inRouter(r, s, seed, i, packets)
		runtime.KeepAlive(r)
	}()
	<-done
	return report, err
}

func (d *difference) inRouter(r *router, s *ruleSource, seed, i uint64, packets int) string {
	if err := s.load(r); err != nil {
		if !d.quiet {
			d.refused++
			d.t.Logf("rule set %d: %v", i, err)
		}
		return ""
	}
	views, err := s.views(r)
	if err != nil {
		return err.Error()
	}
	if d.asked == nil {
		d.asked, d.unknown, d.open = map[string]int{}, map[string]int{}, map[string]int{}
	}
	if !d.quiet {
		d.sets++
	}
	g := &grammar{Rand: rand.New(rand.NewPCG(seed, i^1<<40))}
	for range packets {
		p := g.probe()
		got, err := r.send(p)
		if err != nil {
			return err.Error()
		}
		if !d.quiet {
			d.sent++
			d.fates[got.kind]++
		}
		for _, view := range []string{viewAll, viewNFTAlone, viewJSON, viewList, viewRules} {
			if views[view] == nil {
				continue
			}
			if report := d.compare(view, views[view], s, p, got); report != "" {
				return report
			}
			if view == viewList || view == viewRules {
				if diff := cmp.Diff(fates(expect(views[viewAll], p)), fates(expect(views[view], p))); diff != "" {
					return fmt.Sprintf("%s: iptables-save and %s (+) differ: %s", p, view, diff)
				}
			}
		}
	}
	return ""
}

func (d *difference) compare(view string, rules *Ruleset, s *ruleSource, p probe, got fate) string {
	want := expect(rules, p)
	sum, unknown, open := 0.0, false, false
	for _, w := range want {
		sum += w.share
		unknown = unknown || w.unknown != ""
		for _, c := range w.when {
			if !strings.Contains(c, "is the first of those at priority") {
				open, d.whyOpen = true, c
			}
		}
		if w.unknown != "" && view != viewNFTAlone && !d.quiet {
			d.whyUnknown = w.unknown
		}
	}
	if !d.quiet {
		d.asked[view]++
		if unknown {
			d.unknown[view]++
		}
		if open {
			d.open[view]++
		}
	}
	if sum < 0.999 || sum > 1.001 {
		return fmt.Sprintf("view %q: probabilities of %s sum to %v", view, p, sum)
	}
	for _, w := range want {
		if w.unknown != "" || w.allows(got, p) {
			return ""
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "view %q: %s\nkernel: %s\n", view, p, got)
	for _, w := range want {
		fmt.Fprintf(&b, "model: %s with %.3g%s\n", w.fate, w.share, w.told())
	}
	return b.String()
}

// shrink drops rules while the model still disagrees, and gives what is left.
func (d *difference) shrink(s *ruleSource, seed, i uint64, packets int) string {
	d.quiet = true
	defer func() { d.quiet = false }()
	last := ""
	for changed := true; changed; {
		changed = false
		for _, t := range s.tables {
			for k := len(t.rules) - 1; k >= 0; k-- {
				whole := t.rules
				t.rules = slices.Delete(slices.Clone(whole), k, k+1)
				if report, err := d.try(s, seed, i, packets); err != nil || report == "" {
					t.rules = whole
				} else {
					last, changed = report, true
				}
			}
		}
		tables := s.tables
		s.tables = slices.DeleteFunc(slices.Clone(tables), func(t *tableSource) bool {
			return len(t.rules) == 0 && !strings.Contains(strings.Join(t.head, ""), "DROP")
		})
		if report, err := d.try(s, seed, i, packets); err != nil || report == "" {
			s.tables = tables
		}
	}
	return last + "smallest rule set that shows it:\n" + s.text(IPTablesNFT) + "# legacy\n" + s.text(IPTablesLegacy) + s.text(NFTables)
}

// fates tells what is expected, in a fixed order.
func fates(list []expected) []string {
	var out []string
	for _, e := range list {
		out = append(out, fmt.Sprintf("%s with %.6f, %d conditions, unknown %v", e.fate, e.share, len(e.when), e.unknown != ""))
	}
	slices.Sort(out)
	return out
}
