package netconf

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/netcause/netcause/engine/facts"
)

const (
	maxFile    = 1 << 20 // bytes read of one file
	maxEntries = 4096    // names read of one directory
	maxLinks   = 40      // symbolic links followed, as the kernel's MAXSYMLINKS
)

var (
	errTooLarge   = errors.New("larger than 1 MiB")
	errNotRegular = errors.New("not a regular file")
	errManyLinks  = errors.New("too many levels of symbolic links")
)

// tree is a node's file system. Paths are the node's own, absolute. Symbolic links are followed as the node would follow
// them: an absolute one (/etc/resolv.conf often is) starts again at the tree's root, which os.Root alone refuses.
type tree struct {
	fsys fs.FS
}

// resolve is the path with its symbolic links followed, as fs.FS takes it. The last component need not be there.
func (t tree) resolve(name string) (string, error) {
	links, ok := t.fsys.(fs.ReadLinkFS)
	rest := strings.Split(strings.Trim(path.Clean("/"+name), "/"), "/")
	if !ok {
		return cmp.Or(strings.Join(rest, "/"), "."), nil
	}
	done := "."
	for followed := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			done = path.Dir(done)
			continue
		}
		next := path.Join(done, part)
		info, err := links.Lstat(next)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			done = next
			continue
		}
		if followed++; followed > maxLinks {
			return "", &fs.PathError{Op: "open", Path: name, Err: errManyLinks}
		}
		target, err := links.ReadLink(next)
		if err != nil {
			return "", err
		}
		if path.IsAbs(target) {
			done = "."
		}
		rest = slices.Concat(strings.Split(target, "/"), rest)
	}
	return done, nil
}

// read reads a regular file of up to 1 MiB.
func (t tree) read(name string) ([]byte, error) {
	resolved, err := t.resolve(name)
	if err != nil {
		return nil, err
	}
	// Before opening: opening a FIFO waits for somebody to write.
	info, err := fs.Stat(t.fsys, resolved)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	f, err := t.fsys.Open(resolved)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		return nil, errTooLarge
	}
	return data, err
}

// list is the names in a directory, sorted.
func (t tree) list(dir string) ([]string, error) {
	resolved, err := t.resolve(dir)
	if err != nil {
		return nil, err
	}
	f, err := t.fsys.Open(resolved)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	d, ok := f.(fs.ReadDirFile)
	if !ok {
		return nil, syscall.ENOTDIR
	}
	entries, err := d.ReadDir(maxEntries)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	slices.Sort(names)
	return names, nil
}

// notThere says whether an error means that there is no such file.
func notThere(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// reading is the reading of one group of facts: what was read, and what could not be.
type reading struct {
	tree
	ctx context.Context
	raw []facts.Raw
	// read are the files read, looked the places where some may be; seen says that one of those was there.
	read, looked []facts.Source
	seen         bool
	denied       []string
	failed       []string
	absent       []string
	// notes are what of a group that was read is missing.
	notes []string
}

// get reads a file and says whether it is there and was read; keep adds it to what the group came from.
func (r *reading) get(name string) (data []byte, ok bool) {
	if err := r.ctx.Err(); err != nil {
		r.problem(name, err)
		return nil, false
	}
	data, err := r.tree.read(name)
	if err != nil {
		r.problem(name, err)
		return nil, false
	}
	return data, true
}

func (r *reading) keep(name string, masked []byte) {
	r.seen = true
	r.read = append(r.read, facts.Source(name))
	r.raw = append(r.raw, facts.Raw{Name: strings.TrimPrefix(name, "/"), Data: masked})
}

// file reads a file that is kept whatever it says.
func (r *reading) file(name string) (data []byte, ok bool) {
	if data, ok = r.get(name); ok {
		r.keep(name, MaskSecrets(data))
	}
	return data, ok
}

// dir is the names in a directory that take accepts; none where it is not there.
func (r *reading) dir(name string, take func(string) bool) []string {
	r.look(name)
	if err := r.ctx.Err(); err != nil {
		r.problem(name, err)
		return nil
	}
	names, err := r.list(name)
	if err != nil {
		r.problem(name, err)
		return nil
	}
	r.seen = true
	if len(names) == maxEntries {
		r.notes = append(r.notes, fmt.Sprintf("%s: more than %d entries, the others were not read", name, maxEntries))
	}
	return slices.DeleteFunc(names, func(name string) bool { return !take(name) })
}

func (r *reading) look(name string) {
	if !slices.Contains(r.looked, facts.Source(name)) {
		r.looked = append(r.looked, facts.Source(name))
	}
}

func (r *reading) problem(name string, err error) {
	var place *fs.PathError
	if errors.As(err, &place) {
		err = place.Err
	}
	reason := fmt.Sprintf("read %s: %v", name, err)
	switch {
	case notThere(err), errors.Is(err, errNotRegular): // a link to /dev/null is systemd's way to leave a file out
	case errors.Is(err, fs.ErrPermission):
		r.denied = append(r.denied, reason)
	default:
		r.failed = append(r.failed, reason)
	}
}

// outcome is the group of what was read. A group of which a part could not be read is not Read: what it does not show may
// be in that part. Its value is set all the same. partial: the tree may lack files that the node has.
func outcome[T any](r *reading, partial bool, value T) facts.Group[T] {
	g := facts.ReadGroup(value, r.read...)
	g.Raw = r.raw
	if len(r.read) == 0 {
		g.Sources = r.looked
	}
	switch {
	case len(r.failed) > 0:
		g.Status, g.Reason = facts.Failed, strings.Join(slices.Concat(r.failed, r.denied), "; ")
	case len(r.denied) > 0:
		g.Status, g.Reason = facts.Denied, strings.Join(r.denied, "; ")
	case len(r.absent) > 0:
		g.Status, g.Reason = facts.Absent, strings.Join(r.absent, "; ")
	case partial && !r.seen:
		g.Status, g.Reason = facts.Absent, fmt.Sprintf("no %s", joinSources(r.looked))
	default:
		g.Reason = strings.Join(r.notes, "; ")
	}
	return g
}

func joinSources(sources []facts.Source) string {
	texts := make([]string, len(sources))
	for i, source := range sources {
		texts[i] = string(source)
	}
	return strings.Join(texts, ", ")
}
