package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

// Read reads bundles into one snapshot: netcause's own, and those of other tools. Each path is an archive (tar, compressed
// with gzip, xz, zstd or bzip2 or not: its content decides, not its name), a file of a command's output or of Kubernetes
// objects, or a folder of any of these, at any depth. Archives in archives are read to two levels.
//
// Of netcause's own bundles [Merge] says what becomes of several; what others hold of one node or of the cluster is put
// together. The snapshot's inputs are, for each bundle, one of kind "bundle", whose Problem says what of it was not used,
// and then the inputs that were recorded in it. An archive of another tool's that is cut or damaged gives what stands
// before the damage, and its input says so; a file that goes beyond a limit is left out, and named.
//
// On any error there is no snapshot: one is that nothing of a path could be used. Errors are [*FormatError],
// [*VersionError], [*LimitError], [ErrNotBundle], the context's, or say which path could not be read.
func Read(ctx context.Context, paths []string, limits Limits) (*facts.Snapshot, error) {
	snapshot, _, err := ReadFiles(ctx, paths, limits)
	return snapshot, err
}

// ReadFiles is [Read], and says of each file which facts it gave, or why it was passed over.
func ReadFiles(ctx context.Context, paths []string, limits Limits) (*facts.Snapshot, []File, error) {
	if len(paths) == 0 {
		return nil, nil, errors.New("read bundles: none is named")
	}
	in := newIntake(&meter{Limits: limits.withDefaults()})
	for _, path := range paths {
		if isChecksum(path, paths) {
			in.note(path, filepath.Base(path)).PassedOver = "a checksum of the file beside it"
			continue
		}
		if err := in.path(ctx, path); err != nil {
			return nil, nil, err
		}
	}
	snapshot, err := in.snapshot(ctx)
	if err != nil {
		return nil, nil, err
	}
	return snapshot, in.fileList(), nil
}

// isChecksum says whether a path is the checksum of another that is read: sos writes one beside its report, and a pattern
// of the shell that names the report names it, too.
func isChecksum(path string, paths []string) bool {
	ext := filepath.Ext(path)
	return slices.Contains([]string{".md5", ".sha1", ".sha256", ".sha512"}, ext) && slices.Contains(paths, strings.TrimSuffix(path, ext))
}

// format is one kind of bundle. It sees the files of one archive or folder as a [tree].
type format interface {
	// String names the format to a person.
	String() string
	// wants says whether the format may have a use for a file of that name, which may have any folders before it; what no
	// format wants is kept only if its content is recognised.
	wants(name string) bool
	// roots are the folders, each with its slash and "" for the tree itself, that are of this format, by what is in them.
	roots(t *tree) ([]string, error)
	// read takes what the files below a root hold: names are theirs, from the root.
	read(ctx context.Context, in *intake, t *tree, root string, names []string) error
}

func formats() []format {
	return []format{netcause{}, sosreport{}, troubleshoot{}, rancher{}, mustGather{}, calicoctl{}, bugtool{}}
}

// knownFormats names them to a person.
func knownFormats() string {
	var names []string
	for _, f := range formats() {
		names = append(names, f.String())
	}
	return strings.Join(append(names, "kubectl's objects and cluster-info dumps", "outputs of ip, bridge, ss, sysctl, nft and iptables-save"), ", ")
}

// intake is what one [Read] has taken in so far.
type intake struct {
	meter *meter
	// snapshots are those of bundles that are whole ones.
	snapshots []*facts.Snapshot
	machines  []*machine
	objects   *objects
	inputs    []facts.Input
	files     []*File
	// singles are the files of one folder that were named one by one.
	singles map[string]*looseFiles
	// padding is how many empty lines were put before sections of files.
	padding int
	// podRows are the Pods of kubectl's tables, podTables the files.
	podRows   []podRow
	podTables []*File
	// sealed is how many archives that cannot be opened are named among the inputs' problems.
	sealed int
	// used counts what was made use of.
	used int
}

func newIntake(m *meter) *intake {
	return &intake{meter: m, objects: newObjects(m), singles: map[string]*looseFiles{}}
}

// maxNested is how many archives may be in each other.
const maxNested = 2

// path reads what a person named: that nothing of it can be used is an error.
func (in *intake) path(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("read bundle: %w", err)
	}
	switch {
	case info.IsDir():
		return in.folder(ctx, path)
	case !info.Mode().IsRegular(): // a FIFO would block
		return fmt.Errorf("%s: %w: it is no file or folder", path, ErrNotBundle)
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read bundle: %w", err)
	}
	defer file.Close()
	return in.file(ctx, path, file, info.Size(), info.ModTime(), 1)
}

// tree takes what a tree holds: each of its files by the format of the innermost folder that is of one, and the others by
// their content.
func (in *intake) tree(ctx context.Context, t *tree) error {
	type root struct {
		folder string
		of     format
	}
	var roots []root
	for _, f := range formats() {
		folders, err := f.roots(t)
		if err != nil {
			return err
		}
		for _, folder := range folders {
			roots = append(roots, root{folder, f})
		}
	}
	names := map[int][]string{}
	var loose []string
	for _, name := range t.names() {
		of := -1
		for i, r := range roots {
			if strings.HasPrefix(name, r.folder) && (of < 0 || len(r.folder) > len(roots[of].folder)) {
				of = i
			}
		}
		if of < 0 {
			loose = append(loose, name)
			continue
		}
		names[of] = append(names[of], strings.TrimPrefix(name, roots[of].folder))
	}
	before := in.used
	for i, r := range roots {
		if err := r.of.read(ctx, in, t, r.folder, names[i]); err != nil {
			return err
		}
	}
	if err := in.loose(ctx, t, loose); err != nil {
		return err
	}
	if in.used > before {
		in.damaged(t)
		return nil
	}
	if len(t.problems) > 0 {
		return t.problems[0]
	}
	if t.used > 0 {
		return nil
	}
	return fmt.Errorf("%s: %w: read are %s", t.path, ErrNotBundle, knownFormats())
}

// damaged says in an input what of a tree could not be read.
func (in *intake) damaged(t *tree) {
	for i, err := range t.problems {
		if i == 5 {
			in.problem(t.path, fmt.Sprintf("and %d files more were not read", len(t.problems)-i))
			return
		}
		in.problem(t.path, strings.TrimPrefix(err.Error(), t.path+": "))
	}
}

// problem adds what could not be used to the input of a bundle, and makes the input where there is none.
func (in *intake) problem(bundle, problem string) {
	for i := range in.inputs {
		if in.inputs[i].Name == bundle {
			in.inputs[i].Problem = joined(in.inputs[i].Problem, problem)
			return
		}
	}
	in.inputs = append(in.inputs, facts.Input{Kind: "bundle", Name: bundle, Problem: problem})
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

// note keeps a file for the account of what was used.
func (in *intake) note(bundle, name string) *File {
	f := &File{Bundle: bundle, Name: name}
	in.files = append(in.files, f)
	return f
}

// maxSealed is how many archives that cannot be opened are named among a bundle's problems; the account has all.
const maxSealed = 5

// leave keeps why a file of a bundle is not read. Of an archive, which may hold what is missed, the bundle's input says so too.
func (in *intake) leave(bundle, name, why string, archive bool) {
	in.note(bundle, name).PassedOver = why
	// A node has archives of its own: rotated logs, an initramfs.
	if archive && !hopeless(name) && in.sealed < maxSealed {
		in.sealed++
		in.problem(bundle, printable(name)+": "+why)
	}
}

// load is a file's content, for the account too. Where it cannot be read, that is a problem of the tree, and not ok.
func (in *intake) load(t *tree, name string) (data []byte, used *File, ok bool) {
	used = in.note(t.path, name)
	data, err := t.data(name)
	if err != nil {
		t.problems = append(t.problems, err)
		used.PassedOver = err.Error()
		return nil, used, false
	}
	return data, used, true
}

func (in *intake) fileList() []File {
	list := make([]File, len(in.files))
	for i, f := range in.files {
		list[i] = *f
		if len(f.Facts) == 0 && f.PassedOver == "" {
			list[i].PassedOver = "nothing of it is a fact that rules read"
		}
	}
	return list
}
