package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The diagnosis that the README shows is the one that its command prints, but for how long it took.
func TestREADMEShowsWhatIsPrinted(t *testing.T) {
	t.Chdir("../..")
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```\n\\$ netcause (analyze [^\n]*)\n(.*?)```").FindSubmatch(text)
	if block == nil {
		t.Fatal("README.md has no block that begins with: $ netcause analyze")
	}
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), strings.Fields(string(block[1])), &stdout, &stderr); status != exitRootCause {
		t.Fatalf("exit status %d: %s", status, stderr.String())
	}
	elapsed := regexp.MustCompile(` in [0-9.]+ m?s\.`)
	want, got := elapsed.ReplaceAllString(string(block[2]), "."), elapsed.ReplaceAllString(stdout.String(), ".")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("README.md (-README +printed):\n%s", diff)
	}
}
