// Command netcause says why a Kubernetes network path fails and what puts it right.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// The exit statuses.
const (
	exitNothingFound = 0
	exitRootCause    = 1 // at least one root cause at or above --fail-level
	exitNotDone      = 2 // the work could not be done
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// statusError ends the command with an exit status; its error, where it has one, is printed.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

// run is the command as a function: what it prints, and its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitNothingFound
	}
	status := exitNotDone
	var ended *statusError
	if errors.As(err, &ended) {
		status = ended.status
		err = ended.err
	}
	if err != nil {
		fmt.Fprintf(stderr, "netcause: %v\n", err)
	}
	return status
}
