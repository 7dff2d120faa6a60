package bundle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// tree are the files of one archive or folder that a format wants.
type tree struct {
	// path is the archive or folder.
	path string
	// files are the wanted files by clean, relative, slash-separated path. Of a folder they are nil until they are read.
	files map[string][]byte
	// folder is where they are; nil for an archive, whose files are all read.
	folder *os.Root
	// special is the first entry that is neither file nor folder.
	special *FormatError
	meter   *meter
}

// names are the files' paths, sorted.
func (t *tree) names() []string { return slices.Sorted(maps.Keys(t.files)) }

// has says whether there is such a file.
func (t *tree) has(name string) bool {
	_, ok := t.files[name]
	return ok
}

// data is a file's content. An unknown name is an error that is [fs.ErrNotExist].
func (t *tree) data(name string) ([]byte, error) {
	data, ok := t.files[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", place(t.path, name), fs.ErrNotExist)
	}
	if data != nil || t.folder == nil {
		return data, nil
	}
	data, err := t.readFile(name)
	if err != nil {
		return nil, err
	}
	t.files[name] = data
	return data, nil
}

func (t *tree) readFile(name string) ([]byte, error) {
	file, err := t.folder.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", place(t.path, name), bare(err))
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", place(t.path, name), bare(err))
	}
	if err := t.meter.checkFile(t.path, name, info.Size()); err != nil {
		return nil, err
	}
	t.meter.unpacked += info.Size()
	if err := t.meter.checkTotal(t.path, name, t.meter.unpacked); err != nil {
		return nil, err
	}
	data := make([]byte, info.Size())
	if n, err := io.ReadFull(file, data); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, &FormatError{Path: t.path, Entry: name, Offset: int64(n), Problem: "the file became shorter while it was read", Err: err}
		}
		return nil, fmt.Errorf("read %s: %w", place(t.path, name), bare(err))
	}
	return data, nil
}

// bare is an error without the path that os puts in it.
func bare(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return pathError.Err
	}
	return err
}

// readFolder reads an unpacked bundle. Links are not followed.
func (m *meter) readFolder(ctx context.Context, dir string) (*facts.Snapshot, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("read bundle: %w", err)
	}
	defer root.Close()
	t := &tree{path: dir, files: map[string][]byte{}, folder: root, meter: m}
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read %s: %w", place(dir, name), bare(err))
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := m.countFile(dir, name); err != nil {
			return err
		}
		switch {
		case entry.IsDir():
		case !entry.Type().IsRegular():
			t.refuse(name, kindOfMode(entry.Type()))
		case wanted(name):
			t.files[name] = nil
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return t.snapshot(ctx)
}

// refuse keeps the first entry that is neither file nor folder. Only a format can say whether that matters.
func (t *tree) refuse(name, kind string) {
	if t.special == nil {
		t.special = &FormatError{Path: t.path, Entry: name, Offset: -1, Problem: "it is a " + kind + ": a bundle has only files"}
	}
}

func kindOfMode(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "symbolic link"
	case mode&fs.ModeDevice != 0:
		return "device"
	case mode&fs.ModeNamedPipe != 0:
		return "FIFO"
	default:
		return "special file"
	}
}

var errOutside = errors.New("path outside the archive")

// cleanName is the clean form of a name in an archive, "." for its top. Nothing is ever written to it; a name that
// points elsewhere tells that the archive was made to do harm.
func cleanName(name string) (string, error) {
	const longest = 4096 // PATH_MAX
	if len(name) > longest {
		return name[:longest], fmt.Errorf("path of %d bytes", len(name))
	}
	if strings.HasPrefix(name, "/") || strings.HasPrefix(name, `\`) {
		return name, errOutside
	}
	for component := range strings.FieldsFuncSeq(name, func(r rune) bool { return r == '/' || r == '\\' }) {
		if component == ".." {
			return name, errOutside
		}
	}
	return path.Clean(name), nil
}
