package bundle

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// entry is a file, folder or link of [nodeFiles].
type nodeEntry struct {
	name string
	file *nodeFile // nil: a folder
}

func (f nodeFiles) entry(op, name string) (nodeEntry, error) {
	if !fs.ValidPath(name) {
		return nodeEntry{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if file := f[name]; file != nil {
		return nodeEntry{name, file}, nil
	}
	if name == "." {
		return nodeEntry{name: name}, nil
	}
	for other := range f {
		if strings.HasPrefix(other, name+"/") {
			return nodeEntry{name: name}, nil
		}
	}
	return nodeEntry{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

// Open implements [fs.FS]. A link is not followed: whoever reads follows links by ReadLink.
func (f nodeFiles) Open(name string) (fs.File, error) {
	e, err := f.entry("open", name)
	if err != nil {
		return nil, err
	}
	open := &openFile{nodeEntry: e, files: f}
	if e.file != nil {
		open.Reader = bytes.NewReader(e.file.data)
	}
	return open, nil
}

// Stat implements [fs.StatFS].
func (f nodeFiles) Stat(name string) (fs.FileInfo, error) { return f.Lstat(name) }

// Lstat implements [fs.ReadLinkFS].
func (f nodeFiles) Lstat(name string) (fs.FileInfo, error) {
	e, err := f.entry("lstat", name)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// ReadLink implements [fs.ReadLinkFS].
func (f nodeFiles) ReadLink(name string) (string, error) {
	e, err := f.entry("readlink", name)
	if err != nil {
		return "", err
	}
	if e.file == nil || e.file.link == "" {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return e.file.link, nil
}

// ReadDir implements [fs.ReadDirFS].
func (f nodeFiles) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := f.entry("readdir", name)
	if err != nil {
		return nil, err
	}
	if e.file != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	prefix := ""
	if name != "." {
		prefix = name + "/"
	}
	seen := map[string]bool{}
	var list []fs.DirEntry
	for _, other := range f.under(prefix) {
		child, _, below := strings.Cut(strings.TrimPrefix(other, prefix), "/")
		if seen[child] {
			continue
		}
		seen[child] = true
		entry := nodeEntry{name: path.Join(prefix, child)}
		if !below {
			entry.file = f[other]
		}
		list = append(list, fs.FileInfoToDirEntry(entry))
	}
	slices.SortFunc(list, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return list, nil
}

// Name implements [fs.FileInfo], as do the following.
func (e nodeEntry) Name() string { return path.Base(e.name) }

func (e nodeEntry) Size() int64 {
	if e.file == nil {
		return 0
	}
	return int64(len(e.file.data))
}

func (e nodeEntry) Mode() fs.FileMode {
	switch {
	case e.file == nil:
		return fs.ModeDir | 0o500
	case e.file.link != "":
		return fs.ModeSymlink | 0o400
	}
	return 0o400
}

func (e nodeEntry) ModTime() time.Time { return time.Time{} }
func (e nodeEntry) IsDir() bool        { return e.file == nil }
func (e nodeEntry) Sys() any           { return nil }

// openFile implements [fs.ReadDirFile].
type openFile struct {
	nodeEntry
	*bytes.Reader
	files nodeFiles
	read  bool
}

func (o *openFile) Stat() (fs.FileInfo, error) { return o.nodeEntry, nil }
func (o *openFile) Close() error               { return nil }

// Size is the entry's: the reader has one too.
func (o *openFile) Size() int64 { return o.nodeEntry.Size() }

func (o *openFile) Read(p []byte) (int, error) {
	if o.Reader == nil {
		return 0, &fs.PathError{Op: "read", Path: o.name, Err: fs.ErrInvalid}
	}
	return o.Reader.Read(p)
}

// ReadDir gives the whole folder at once whatever n is, then the end.
func (o *openFile) ReadDir(n int) ([]fs.DirEntry, error) {
	if o.read {
		if n > 0 {
			return nil, io.EOF
		}
		return nil, nil
	}
	o.read = true
	return o.files.ReadDir(o.name)
}
