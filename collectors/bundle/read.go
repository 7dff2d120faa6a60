package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// Read reads bundles into one snapshot. Each path is a file (a tar archive, gzip-compressed or not: its content
// decides, not its name), the folder that one was unpacked to, or a folder of several. [Merge] says what becomes of them.
//
// The snapshot's inputs are, for each path, one of kind "bundle", whose Problem says what of it was not used, and then
// the inputs that were recorded in it. On any error there is no snapshot. Errors are [*FormatError], [*VersionError],
// [*LimitError], [ErrNotBundle], the context's, or say which path could not be read.
func Read(ctx context.Context, paths []string, limits Limits) (*facts.Snapshot, error) {
	if len(paths) == 0 {
		return nil, errors.New("read bundles: none is named")
	}
	m := &meter{Limits: limits.withDefaults()}
	snapshots := make([]*facts.Snapshot, 0, len(paths))
	for _, path := range paths {
		read, err := m.readEach(ctx, path)
		if err != nil {
			return nil, err
		}
		snapshots = append(snapshots, read...)
	}
	return Merge(snapshots...)
}

// readEach reads the bundle at path or, where path is a folder that is none itself, those that lie in it. What else lies
// there is named in an input of its own.
func (m *meter) readEach(ctx context.Context, path string) ([]*facts.Snapshot, error) {
	snapshot, err := m.read(ctx, path)
	if err == nil {
		return []*facts.Snapshot{snapshot}, nil
	}
	if info, statErr := os.Stat(path); !errors.Is(err, ErrNotBundle) || statErr != nil || !info.IsDir() {
		return nil, err
	}
	entries, readErr := os.ReadDir(path)
	if readErr != nil {
		return nil, fmt.Errorf("read bundles: %w", readErr)
	}
	var snapshots []*facts.Snapshot
	var others facts.Snapshot
	for _, entry := range entries {
		each := filepath.Join(path, entry.Name())
		snapshot, readErr := m.read(ctx, each)
		switch {
		case readErr == nil:
			snapshots = append(snapshots, snapshot)
		case errors.Is(readErr, ErrNotBundle):
			others.Inputs = append(others.Inputs, facts.Input{Kind: "bundle", Name: each, Problem: "not read: it is no bundle of a known format"})
		default:
			return nil, readErr
		}
	}
	if len(snapshots) == 0 {
		return nil, err
	}
	return append(snapshots, &others), nil
}

// format is one kind of bundle. It sees the files of one archive or folder as a [tree].
type format interface {
	// String names the format to a person.
	String() string
	// wants says whether the format may have a use for a file of that name; others are not kept.
	wants(name string) bool
	// detect says whether the files are of this format, by what is in them.
	detect(t *tree) (bool, error)
	// snapshot makes facts of the files.
	snapshot(ctx context.Context, t *tree) (*facts.Snapshot, error)
}

func formats() []format { return []format{netcause{}} }

// read reads one bundle.
func (m *meter) read(ctx context.Context, path string) (*facts.Snapshot, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	switch {
	case info.IsDir():
		return m.readFolder(ctx, path)
	case !info.Mode().IsRegular(): // a FIFO would block
		return nil, fmt.Errorf("%s: %w: it is no file or folder", path, ErrNotBundle)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	defer file.Close()
	return m.readArchive(ctx, path, file, info.Size())
}

// snapshot reads the files with the reader of their format.
func (t *tree) snapshot(ctx context.Context) (*facts.Snapshot, error) {
	var known []string
	for _, f := range formats() {
		is, err := f.detect(t)
		if err != nil {
			return nil, err
		}
		if is {
			return f.snapshot(ctx, t)
		}
		known = append(known, f.String())
	}
	return nil, fmt.Errorf("%s: %w: read are %s", t.path, ErrNotBundle, strings.Join(known, ", "))
}

// wanted says whether any format wants a file.
func wanted(name string) bool {
	for _, f := range formats() {
		if f.wants(name) {
			return true
		}
	}
	return false
}

// packing is how a file is packed.
type packing int

const (
	unknown packing = iota
	plainTar
	gzipped
)

// packed says how a file is packed that begins with head, at least 512 bytes where it has them.
func packed(head []byte) packing {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}): // RFC 1952, 2.3.1
		return gzipped
	case len(head) >= 262 && string(head[257:262]) == "ustar": // pax(1), ustar interchange format
		return plainTar
	default:
		return unknown
	}
}
