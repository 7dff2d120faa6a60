package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"

	"github.com/netcause/netcause/engine/facts"
)

// incomplete is the error of something that was read, but not whole.
type incomplete struct{ reason string }

func (e *incomplete) Error() string { return e.reason }

// absent is the error of something that nothing at hand shows.
type absent struct{ reason string }

func (e *absent) Error() string { return e.reason }

func denied(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)
}

// group makes a group of what a reader returned. need is the permission that the reader takes.
func group[T any](value T, err error, need string, sources ...facts.Source) facts.Group[T] {
	var part *incomplete
	var none *absent
	switch {
	case err == nil:
		return facts.ReadGroup(value, sources...)
	case errors.As(err, &part):
		g := facts.ReadGroup(value, sources...)
		g.Reason = err.Error()
		return g
	case errors.As(err, &none):
		return facts.Unread[T](facts.Absent, err.Error(), sources...)
	case denied(err):
		return facts.Unread[T](facts.Denied, needs(need, err), sources...)
	}
	return facts.Fail[T](err, sources...)
}

func needs(need string, err error) string {
	if need == "" {
		return err.Error()
	}
	return fmt.Sprintf("needs %s: %v", need, err)
}

// setAll gives every group of the list that nobody has filled the same status.
func setAll(groups []facts.NamedGroup, status facts.Status, reason string) {
	for _, g := range groups {
		if meta := g.Group.GetMeta(); meta.Status == facts.NotAsked {
			meta.Status, meta.Reason = status, reason
		}
	}
}

// statusOf is the status that goes with an error.
func statusOf(err error) facts.Status {
	var none *absent
	switch {
	case errors.As(err, &none):
		return facts.Absent
	case denied(err):
		return facts.Denied
	}
	return facts.Failed
}

// stopped says whether the context has ended, as a reader's error.
func stopped(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("stopped: %w", context.Cause(ctx))
	}
	return nil
}
