package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestTutorial runs the commands of docs/rules.md as they are printed there, in order, writes the files that it shows
// where it says that they are, and compares what is printed with what it shows.
func TestTutorial(t *testing.T) {
	text, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	files := map[string]string{}
	commands := 0
	for _, block := range regexp.MustCompile("(?s)([^\n]*\n[^\n]*)\n\n```(console|rego)\n(.*?)```").FindAllSubmatch(text, -1) {
		if string(block[2]) == "rego" {
			name := regexp.MustCompile(`in (\S+\.rego)`).FindSubmatch(block[1])
			if name == nil {
				t.Fatalf("no file name before: %s", block[3])
			}
			files[fmt.Sprintf("shown%d", commands)] = string(block[3])
			fmt.Fprintf(&script, "cp shown%d %s\n", commands, name[1])
			commands++
			continue
		}
		for _, part := range strings.Split("\n"+string(block[3]), "\n$ ")[1:] {
			command, output, _ := strings.Cut(part, "\n")
			files[fmt.Sprintf("shown%d", commands)], files[fmt.Sprintf("command%d", commands)] = output, command+"\n"
			fmt.Fprintf(&script, "shows shown%d command%d\n", commands, commands)
			commands++
		}
	}
	if commands < 10 {
		t.Fatalf("only %d commands and files were found", commands)
	}
	for name, content := range files {
		fmt.Fprintf(&script, "-- %s --\n%s\n", name, strings.TrimSuffix(content, "\n"))
	}
	file := filepath.Join(t.TempDir(), "tutorial.txtar")
	if err := os.WriteFile(file, []byte(script.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Files: []string{file},
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CONFIG_HOME", "")
			cases, err := filepath.Abs("../../cases")
			if err != nil {
				return err
			}
			return os.Symlink(cases, filepath.Join(env.WorkDir, "cases"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"shows": shows},
	})
}

// shows SHOWN COMMAND: the shell command in a file prints what the other file has.
func shows(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: shows SHOWN COMMAND")
	}
	err := ts.Exec("sh", args[1])
	got := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	want := ts.ReadFile(args[0])
	if fails := strings.HasPrefix(want, "netcause: "); fails != (err != nil) {
		ts.Fatalf("%s ended with %v", ts.ReadFile(args[1]), err)
	}
	if diff := cmp.Diff(strings.TrimRight(want, "\n"), strings.TrimRight(got, "\n")); diff != "" {
		ts.Fatalf("%s ended with %v and printed (-shown +printed):\n%s", ts.ReadFile(args[1]), err, diff)
	}
}
