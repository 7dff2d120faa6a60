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
	"time"
)

// tree are the files of one archive or folder that are kept.
type tree struct {
	// path is the archive or folder.
	path string
	// files are by clean, relative, slash-separated path.
	files map[string]*treeFile
	// folder is where they are; nil for an archive, whose files are all read.
	folder *os.Root
	// problems are why entries were not taken, or why reading ended before the archive did, in order.
	problems []error
	// single is the folder of a file that is the tree's only one, named by itself.
	single string
	// used is how many archives in it were read.
	used  int
	meter *meter
}

// treeFile is a file of a tree, or a link in it.
type treeFile struct {
	data []byte // of a folder nil until it is read
	size int64
	at   time.Time
	link string
}

// names are the files' paths, sorted.
func (t *tree) names() []string { return slices.Sorted(maps.Keys(t.files)) }

// has says whether there is such a file.
func (t *tree) has(name string) bool {
	_, ok := t.files[name]
	return ok
}

// hasFolder says whether there are files in a folder, which is named with its slash.
func (t *tree) hasFolder(folder string) bool {
	for name := range t.files {
		if strings.HasPrefix(name, folder) {
			return true
		}
	}
	return false
}

// data is a file's content. An unknown name is an error that is [fs.ErrNotExist].
func (t *tree) data(name string) ([]byte, error) {
	file, ok := t.files[name]
	if !ok || file.link != "" {
		return nil, fmt.Errorf("%s: %w", place(t.path, name), fs.ErrNotExist)
	}
	if file.data != nil || t.folder == nil {
		return file.data, nil
	}
	data, err := t.readFile(name)
	if err != nil {
		return nil, err
	}
	file.data = data
	return data, nil
}

// at is when a file was written.
func (t *tree) at(name string) time.Time {
	if file := t.files[name]; file != nil {
		return file.at
	}
	return time.Time{}
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
	if err := t.meter.keep(t.path, name, info.Size()); err != nil {
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

// folder reads an unpacked bundle, or a folder of bundles. Links are not followed.
func (in *intake) folder(ctx context.Context, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("read bundle: %w", err)
	}
	defer root.Close()
	m := in.meter
	t := &tree{path: dir, files: map[string]*treeFile{}, folder: root, meter: m}
	var archives []string
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
			return nil
		case entry.Type()&fs.ModeSymlink != 0:
			link, err := root.Readlink(filepath.FromSlash(name))
			if err == nil {
				t.files[name] = &treeFile{link: filepath.ToSlash(link)}
			}
			return nil
		case !entry.Type().IsRegular():
			t.refuse(name, kindOfMode(entry.Type()))
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return fmt.Errorf("read %s: %w", place(dir, name), bare(err))
		}
		file := &treeFile{size: info.Size(), at: info.ModTime()}
		if wanted(name) {
			t.files[name] = file
			return nil
		}
		head, err := t.head(name)
		switch {
		case err != nil:
			return err
		case packed(head) != unknown:
			archives = append(archives, name)
		case recognised(name, head):
			t.files[name] = file
		case isPodLog(name):
			if err := t.scanLog(in, name); err != nil {
				t.problems = append(t.problems, err)
			}
		default:
			in.leave(dir, name, passedOver(name, head), sealed(head) != "")
		}
		return nil
	})
	if err != nil {
		return err
	}
	before := in.used
	var first error
	for _, name := range archives {
		if err := in.archiveOf(ctx, t, name); err != nil {
			if ctx.Err() != nil {
				return err
			}
			in.problem(filepath.Join(dir, filepath.FromSlash(name)), unnamed(err, filepath.Join(dir, name)))
			if first == nil || errors.Is(first, ErrNotBundle) {
				first = err
			}
		}
	}
	t.used = in.used - before
	if err := in.tree(ctx, t); err != nil {
		if errors.Is(err, ErrNotBundle) && first != nil && !errors.Is(first, ErrNotBundle) {
			return first
		}
		return err
	}
	return nil
}

// unnamed is an error's text without the path that its input has as well.
func unnamed(err error, path string) string {
	if errors.Is(err, ErrNotBundle) {
		return "not read: it is no bundle of a known format"
	}
	return strings.TrimPrefix(err.Error(), path+": ")
}

// archiveOf reads an archive that lies in a folder.
func (in *intake) archiveOf(ctx context.Context, t *tree, name string) error {
	file, err := t.folder.Open(filepath.FromSlash(name))
	if err != nil {
		return fmt.Errorf("read %s: %w", place(t.path, name), bare(err))
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("read %s: %w", place(t.path, name), bare(err))
	}
	return in.file(ctx, filepath.Join(t.path, filepath.FromSlash(name)), file, info.Size(), info.ModTime(), 1)
}

// scanLog reads a log of the folder through.
func (t *tree) scanLog(in *intake, name string) error {
	file, err := t.folder.Open(filepath.FromSlash(name))
	if err != nil {
		return fmt.Errorf("read %s: %w", place(t.path, name), bare(err))
	}
	defer file.Close()
	if err := in.scanLog(t.path, name, file); err != nil {
		return fmt.Errorf("read %s: %w", place(t.path, name), bare(err))
	}
	return nil
}

// head is the beginning of a file.
func (t *tree) head(name string) ([]byte, error) {
	file, err := t.folder.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", place(t.path, name), bare(err))
	}
	defer file.Close()
	head := make([]byte, headSize)
	n, err := io.ReadFull(file, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("read %s: %w", place(t.path, name), bare(err))
	}
	return head[:n], nil
}

// refuse keeps that an entry is neither file nor folder. Only a format can say whether that matters.
func (t *tree) refuse(name, kind string) {
	t.problems = append(t.problems, special(t.path, name, kind))
}

func special(path, name, kind string) *FormatError {
	return &FormatError{Path: path, Entry: name, Offset: -1, Problem: "it is a " + kind + ": a bundle has only files"}
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
