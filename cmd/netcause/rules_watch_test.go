package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// lines gives what is written to a channel.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// --watch runs the tests again when a file changes, says what is wrong with it, and ends with its context.
func TestWatch(t *testing.T) {
	folder := t.TempDir()
	n := newRule{ID: "site-x", Scope: "node", Category: "cni", Severity: "info", Symptom: "dns-failure", Title: "t", Dir: folder}
	if err := n.write(t.Context(), make(lines, 10)); err != nil {
		t.Fatal(err)
	}
	rule := filepath.Join(folder, "site-x", "site-x.rego")
	text, err := os.ReadFile(rule)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	printed, done := make(lines, 100), make(chan error, 1)
	tests := ruleTests{folders: []string{folder}, output: "text", watch: true}
	go func() { done <- tests.execute(ctx, printed, printed) }()

	wait := func(want string) {
		t.Helper()
		timeout := time.After(time.Minute)
		for {
			select {
			case line := <-printed:
				if strings.Contains(line, want) {
					return
				}
			case err := <-done:
				t.Fatalf("it ended: %v", err)
			case <-timeout:
				t.Fatalf("%q was not printed", want)
			}
		}
	}
	change := func(from, to string, at time.Time) {
		t.Helper()
		if err := os.WriteFile(rule, []byte(strings.Replace(string(text), from, to, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(rule, at, at); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	wait("3 tests passed.")
	change("NO-CARRIER", "NO-CARIER", now.Add(time.Second))
	wait("2 of 3 tests passed, 1 failed.")
	change("link.flags", "link.flagz", now.Add(2*time.Second))
	wait(`Link has no field "flagz", did you mean "flags"?`)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
