package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/netcause/netcause/rules/registry/registrytest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"netcause": main})
}

// TestScript runs the command as people do: testdata/script/*.txtar.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("KUBECONFIG", "")
			cases, err := filepath.Abs("../../cases")
			env.Setenv("CASES", cases)
			if err != nil {
				return err
			}
			return os.Symlink(cases, filepath.Join(env.WorkDir, "cases"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"bomb":     bomb,
			"registry": serveRegistry,
			"push":     push,
		},
	})
}

// exits STATUS COMMAND...: the command ends with exactly that status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// bomb FILE: writes a small archive whose one file claims and holds 10 GB of zeros.
func bomb(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: bomb FILE")
	}
	file, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(errors.Join(writeBomb(file), file.Close()))
}

// registry: an OCI registry runs until the script ends, at $REGISTRY.
func serveRegistry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: registry")
	}
	server, host := registrytest.Serve(registrytest.Handler())
	ts.Defer(server.Close)
	ts.Setenv("REGISTRY", host)
}

// push REPOSITORY:TAG FILE:TYPE...: pushes files to $REGISTRY as oras push does. The digest is $DIGEST.
func push(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: push REPOSITORY:TAG FILE:TYPE...")
	}
	var layers []registrytest.Layer
	for _, arg := range args[1:] {
		file, mediaType, _ := strings.Cut(arg, ":")
		layers = append(layers, registrytest.Layer{Name: file, MediaType: mediaType, Content: []byte(ts.ReadFile(file))})
	}
	digest, err := registrytest.Push(context.Background(), ts.Getenv("REGISTRY")+"/"+args[0], layers...)
	ts.Check(err)
	ts.Setenv("DIGEST", digest)
}
