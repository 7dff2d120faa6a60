package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"math/rand"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/quick"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"
	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

const attack = "a\x1b[31mred\x1b]0;title\x07 \u009b2J b\r\nrm -rf /\t\u202egnp\u2066x\u2069\u200b\u00ad\U000e0041\x00\x7f\xff\ue000 e\u0301 日本"

var texts = []struct {
	name    string
	d       *engine.Diagnosis
	options report.TextOptions
}{
	{"static-and-dhcp", staticAndDHCP(), report.TextOptions{Rules: rules, Elapsed: 400 * time.Millisecond}},
	{"static-and-dhcp-no-rules", staticAndDHCP(), report.TextOptions{}},
	{"static-and-dhcp-all-ruled-out", staticAndDHCP(), report.TextOptions{Rules: rules, RuledOut: true}},
	{"static-and-dhcp-narrow", staticAndDHCP(), report.TextOptions{Rules: rules, Width: 60}},
	{"static-and-dhcp-color", staticAndDHCP(), report.TextOptions{Rules: rules, Color: true}},
	{"kube-proxy-evicted", kubeProxyEvicted(), report.TextOptions{Rules: rules, Elapsed: 72 * time.Second}},
	{"kube-proxy-evicted-all-ruled-out", kubeProxyEvicted(), report.TextOptions{Rules: rules, RuledOut: true}},
	{"kube-proxy-evicted-narrow", kubeProxyEvicted(), report.TextOptions{Rules: rules, Width: 60}},
	{"forwarding-off", forwardingOff(), report.TextOptions{Rules: rules}},
	{"two-causes", twoCauses(), report.TextOptions{Rules: rules}},
	{"nothing-found", nothingFound(), report.TextOptions{Rules: rules}},
	{"all-examined", allExamined(), report.TextOptions{Rules: rules}},
	{"nothing-examined", nothingExamined(), report.TextOptions{Rules: rules}},
	{"no-rules", &engine.Diagnosis{}, report.TextOptions{}},
	{"only-failed-rules", onlyFailedRules(), report.TextOptions{Rules: rules}},
	{"unexplained-symptom", unexplainedSymptom(), report.TextOptions{Rules: rules}},
	{"unexplained-all-examined", unexplainedAllExamined(), report.TextOptions{Rules: rules}},
	{"node-without-cluster", nodeWithoutCluster(), report.TextOptions{Rules: rules}},
	{"hostile", hostile(attack), report.TextOptions{}},
}

func render(t testing.TB, d *engine.Diagnosis, o report.TextOptions) string {
	t.Helper()
	var b strings.Builder
	if err := report.Text(&b, d, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("not as in %s (-want +got):\n%s", file, diff)
	}
}

func TestText(t *testing.T) {
	for _, c := range texts {
		t.Run(c.name, func(t *testing.T) {
			golden(t, c.name, render(t, c.d, c.options))
		})
	}
}

// Only commands, and words that are wider than the room they have, go beyond the width.
func TestTextKeepsWidth(t *testing.T) {
	for _, c := range texts {
		if c.options.Color {
			continue
		}
		commands := map[string]bool{}
		for _, f := range c.d.Findings {
			for _, s := range allSteps(f.Fix) {
				commands[s.Run], commands[s.Patch] = true, true
			}
		}
		for _, n := range c.d.NotExamined {
			for _, m := range n.Missing {
				commands[m.Collect] = true
			}
		}
		for width := 40; width <= 140; width++ {
			c.options.Width = width
			for _, line := range strings.Split(render(t, c.d, c.options), "\n") {
				text := strings.TrimSpace(line)
				if displaywidth.String(line) <= width || commands[text] || commandOfProse.MatchString(text) {
					continue
				}
				// What is left has one word behind its indentation or label.
				label, last, _ := cutLast(line)
				if displaywidth.String(label) > 22 {
					t.Errorf("%s at %d: %d columns: %q (last word %q)", c.name, width, displaywidth.String(line), line, last)
				}
			}
		}
	}
}

func allSteps(fix engine.Fix) []engine.Step {
	steps := slices.Clone(fix.Steps)
	for _, alternative := range fix.Alternatives {
		steps = append(steps, allSteps(alternative)...)
	}
	return steps
}

// commandOfProse is a line with nothing but a command that stands in prose.
var commandOfProse = regexp.MustCompile("^(Check  )?`[^`]*`[.,;]?$")

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, ' ')
	return s[:i+1], s[i+1:], i >= 0
}

func TestCommandsAreWhole(t *testing.T) {
	for _, width := range []int{40, 60, 100} {
		for _, c := range texts {
			if c.name == "hostile" {
				continue
			}
			c.options.Width = width
			lines := map[string]bool{}
			for _, line := range strings.Split(render(t, c.d, c.options), "\n") {
				lines[strings.TrimSpace(line)] = true
			}
			for _, f := range c.d.RootCauses {
				for _, s := range allSteps(f.Fix) {
					for _, command := range []string{s.Run, s.Patch} {
						if command != "" && !lines[command] {
							t.Errorf("%s at %d: no line is %q", c.name, width, command)
						}
					}
				}
			}
		}
	}
}

// The same diagnosis gives the same bytes, and is left as it was.
func TestSameBytes(t *testing.T) {
	for _, c := range texts {
		before, err := json.Marshal(c.d)
		if err != nil {
			t.Fatal(err)
		}
		first := render(t, c.d, c.options)
		for range 5 {
			if again := render(t, c.d, c.options); again != first {
				t.Fatalf("%s: two texts of one diagnosis differ:\n%s", c.name, cmp.Diff(first, again))
			}
		}
		after, err := json.Marshal(c.d)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(before), string(after)); diff != "" {
			t.Errorf("%s: rendering changed the diagnosis:\n%s", c.name, diff)
		}
	}
}

func TestColorIsOfSeverityOnly(t *testing.T) {
	plain := render(t, staticAndDHCP(), report.TextOptions{})
	colored := render(t, staticAndDHCP(), report.TextOptions{Color: true})
	if strings.ContainsRune(plain, '\x1b') {
		t.Error("there is an escape sequence without Color")
	}
	if n := strings.Count(colored, "\x1b[1;31mcritical\x1b[0m"); n != 1 {
		t.Errorf("the severity is coloured %d times, want 1", n)
	}
	stripped := strings.NewReplacer("\x1b[1;31m", "", "\x1b[0m", "").Replace(colored)
	if diff := cmp.Diff(plain, stripped); diff != "" {
		t.Errorf("colour changes more than the severity (-plain +coloured):\n%s", diff)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, os.ErrClosed }

func TestErrors(t *testing.T) {
	if err := report.Text(brokenPipe{}, staticAndDHCP(), report.TextOptions{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Text: got %v, want %v", err, os.ErrClosed)
	}
	if err := report.JSON(brokenPipe{}, staticAndDHCP()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("JSON: got %v, want %v", err, os.ErrClosed)
	}
	if err := report.Text(&bytes.Buffer{}, nil, report.TextOptions{}); err == nil {
		t.Error("Text of no diagnosis gave no error")
	}
	if err := report.JSON(&bytes.Buffer{}, nil); err == nil {
		t.Error("JSON of no diagnosis gave no error")
	}
}

func TestJSON(t *testing.T) {
	var b strings.Builder
	if err := report.JSON(&b, staticAndDHCP()); err != nil {
		t.Fatal(err)
	}
	golden(t, "static-and-dhcp.json", b.String())

	var again engine.Diagnosis
	if err := json.Unmarshal([]byte(b.String()), &again); err != nil {
		t.Fatal(err)
	}
	var second strings.Builder
	if err := report.JSON(&second, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), second.String()); diff != "" {
		t.Errorf("read and written again it differs:\n%s", diff)
	}
}

// Every list of every type, whatever is added to a Diagnosis later, is [] where it is empty.
func TestJSONHasNoNull(t *testing.T) {
	var deep engine.Diagnosis
	oneOfEach(reflect.ValueOf(&deep).Elem())
	for _, d := range []*engine.Diagnosis{{}, &deep} {
		var b strings.Builder
		if err := report.JSON(&b, d); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "null") {
			t.Errorf("there is a null in\n%s", b.String())
		}
	}
	if deep.RootCauses[0].Evidence != nil {
		t.Error("JSON changed the diagnosis that it was given")
	}
}

// oneOfEach gives each list of structs one element, whose own lists stay nil.
func oneOfEach(v reflect.Value) {
	for _, field := range v.Fields() {
		if field.Kind() == reflect.Slice && field.Type().Elem().Kind() == reflect.Struct {
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
		}
	}
}

func TestJSONHidesNothing(t *testing.T) {
	var b bytes.Buffer
	if err := report.JSON(&b, hostile(attack)); err != nil {
		t.Fatal(err)
	}
	for _, r := range b.String() {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("%U is in the JSON as it is", r)
		}
	}
	var got engine.Diagnosis
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if want := strings.ToValidUTF8(attack, "\ufffd"); got.RootCauses[0].Message != want {
		t.Errorf("the message came back as %q, want %q", got.RootCauses[0].Message, want)
	}
}

// Whatever comes in, what goes out is printable text and valid JSON.
func TestAnyStringPrintsSafely(t *testing.T) {
	safe := func(s string, width uint8) bool {
		for _, all := range []bool{false, true} {
			got := render(t, hostile(s), report.TextOptions{Width: int(width), RuledOut: all})
			if !utf8.ValidString(got) {
				t.Errorf("not UTF-8: %q", got)
				return false
			}
			for _, r := range got {
				if r != '\n' && (!unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r)) {
					t.Errorf("%U came out of %q:\n%q", r, s, got)
					return false
				}
			}
		}
		var b bytes.Buffer
		if err := report.JSON(&b, hostile(s)); err != nil {
			t.Error(err)
			return false
		}
		return json.Valid(b.Bytes())
	}
	for _, s := range []string{
		attack, "", "`a b", "n1 n10 n1.example.com", strings.Repeat("x", 300),
		"\u0301\u115f\ufe0f👩‍👩‍👧 🇩🇪", "\xff\xfe", "\x00\x1b]0;title\x07",
	} {
		for _, width := range []uint8{0, 41, 60, 100} {
			safe(s, width)
		}
	}
	if err := quick.Check(safe, &quick.Config{MaxCount: 300, Rand: rand.New(rand.NewSource(1))}); err != nil {
		t.Error(err)
	}
}
