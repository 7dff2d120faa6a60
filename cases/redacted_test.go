package cases_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/netcause/netcause/collectors/bundle"
	"github.com/netcause/netcause/collectors/redact"
	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/engine/facts"
	"github.com/netcause/netcause/rules"
)

// TestRedacted redacts the snapshot of each case, and compares what is found: the same causes, findings and rules that are
// ruled out, of the same subjects once their names are put back. No name and no address may be left in any file.
func TestRedacted(t *testing.T) {
	library, err := engine.Load(rules.FS)
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := library.Compile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for id := range expected {
		t.Run(id, func(t *testing.T) {
			snapshot := readBundles(t, recordedBundles(t, id)...)
			mapping := &redact.Mapping{}
			options := redact.Options{Names: true, Addresses: true, Mapping: mapping}
			path := filepath.Join(t.TempDir(), "incident.tar.gz")
			start := time.Now()
			writeRedacted(t, path, snapshot, options)
			t.Logf("redacted in %v", time.Since(start))

			want := outcome(t, compiled, snapshot)
			text := string(outcome(t, compiled, readBundles(t, path)))
			got := mapping.Restore(text)
			if diff := cmp.Diff(sortedLines(string(want)), sortedLines(got)); diff != "" {
				t.Errorf("what is found (-original +redacted, names put back):\n%s", diff)
			}
			leaks(t, path, mapping)
		})
	}
}

// TestRedactedTwice is that a second time nothing is replaced: what stands for a name is none.
func TestRedactedTwice(t *testing.T) {
	for _, id := range []string{"healthy", "node-static-and-dhcp-address"} {
		t.Run(id, func(t *testing.T) {
			first, second := filepath.Join(t.TempDir(), "incident.tar.gz"), filepath.Join(t.TempDir(), "incident.tar.gz")
			options := redact.Options{Names: true, Addresses: true}
			writeRedacted(t, first, readBundles(t, recordedBundles(t, id)...), options)
			writeRedacted(t, second, readBundles(t, first), options)
			if diff := cmp.Diff(groupFiles(t, first), groupFiles(t, second)); diff != "" {
				t.Errorf("redacted a second time (-first +second):\n%s", diff)
			}
		})
	}
}

func recordedBundles(t *testing.T, id string) []string {
	t.Helper()
	bundles, err := filepath.Glob(filepath.Join(id, "snapshot", "*.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	return bundles
}

func readBundles(t *testing.T, paths ...string) *facts.Snapshot {
	t.Helper()
	snapshot, err := bundle.Read(t.Context(), paths, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return snapshot
}

func writeRedacted(t *testing.T, path string, snapshot *facts.Snapshot, options redact.Options) {
	t.Helper()
	redacted, report, err := redact.Apply(t.Context(), snapshot, options)
	if err != nil {
		t.Fatal(err)
	}
	if err := bundle.Write(t.Context(), path, redacted, bundle.Options{Redaction: report}); err != nil {
		t.Fatal(err)
	}
}

// outcome is what a diagnosis says of whom, a line each.
func outcome(t *testing.T, compiled *engine.Engine, snapshot *facts.Snapshot) []byte {
	t.Helper()
	d, err := compiled.Diagnose(t.Context(), snapshot)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	line := func(list string, of ...any) {
		b.WriteString(list + " ")
		if err := encoder.Encode(of); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		RootCauses, Findings, RuledOut, NotExamined []map[string]any
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, list := range []struct {
		name string
		of   []map[string]any
	}{{"cause", all.RootCauses}, {"finding", all.Findings}, {"ruled out", all.RuledOut}, {"not examined", all.NotExamined}} {
		for _, f := range list.of {
			line(list.name, f["id"], f["subject"], f["chain"], f["reason"], f["subjects"], f["message"])
		}
	}
	return b.Bytes()
}

func sortedLines(text string) []string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return lines
}

// leaks fails for each name and address of before that is in a file of the bundle, or in a file's name.
func leaks(t *testing.T, path string, mapping *redact.Mapping) {
	t.Helper()
	var marks []string
	for name := range mapping.Names {
		if slices.Contains(mapping.Ordinary, name) {
			continue
		}
		marks = append(marks, regexp.QuoteMeta(name))
	}
	for address := range mapping.Addresses {
		marks = append(marks, regexp.QuoteMeta(address.String()))
	}
	slices.SortFunc(marks, func(a, b string) int { return len(b) - len(a) })
	word := regexp.MustCompile(`(?i)(?:^|[^0-9a-z.:])(` + strings.Join(marks, "|") + `)(?:$|[^0-9a-z:.]|\.[^0-9])`)
	for name, data := range unpacked(t, path) {
		for _, text := range []string{name, data} {
			for _, m := range word.FindAllStringSubmatchIndex(text, 20) {
				t.Errorf("%s has %s: …%s…", name, text[m[2]:m[3]], text[max(0, m[0]-60):min(len(text), m[1]+60)])
			}
		}
	}
}

// groupFiles are the files of a bundle that hold facts.
func groupFiles(t *testing.T, path string) map[string]string {
	t.Helper()
	files := unpacked(t, path)
	maps.DeleteFunc(files, func(name, _ string) bool {
		return strings.HasSuffix(name, "/manifest.json") || strings.HasSuffix(name, "/redaction.json")
	})
	return files
}

// unpacked are the files of an archive.
func unpacked(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	archive := tar.NewReader(plain)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(data)
	}
}
