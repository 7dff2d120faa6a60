package bundle

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// headSize is how much of a file is looked at to tell what it is.
const headSize = 4096

// packing is how a file is packed.
type packing int

const (
	unknown packing = iota
	plainTar
	gzipped
	xzipped
	zstandard
	bzipped
	zipped
)

// packed says how a file is packed that begins with head, at least 512 bytes where it has them.
func packed(head []byte) packing {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}): // RFC 1952, 2.3.1
		return gzipped
	case bytes.HasPrefix(head, []byte{0xfd, '7', 'z', 'X', 'Z', 0}): // the .xz file format, 2.1.1.1
		return xzipped
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}): // RFC 8878, 3.1.1
		return zstandard
	case len(head) > 10 && bytes.HasPrefix(head, []byte("BZh")) && bytes.HasPrefix(head[4:], []byte{0x31, 0x41, 0x59, 0x26, 0x53, 0x59}):
		return bzipped
	case bytes.HasPrefix(head, []byte("PK\x03\x04")): // APPNOTE.TXT, 4.3.7
		return zipped
	case len(head) >= 262 && string(head[257:262]) == "ustar": // pax(1), ustar interchange format
		return plainTar
	default:
		return unknown
	}
}

// file reads a file of size bytes: an archive, or one that its content tells. level is 1 for one that is in no other.
func (in *intake) file(ctx context.Context, path string, r io.Reader, size int64, at time.Time, level int) error {
	buffered := bufio.NewReaderSize(r, headSize)
	head, err := buffered.Peek(int(min(size, headSize)))
	if err != nil && err != io.EOF {
		return fmt.Errorf("read bundle %s: %w", path, bare(err))
	}
	packing := packed(head)
	if packing == unknown {
		return in.single(ctx, path, head, buffered, size, at)
	}
	a := &archive{path: path, size: size, packing: packing, level: level, meter: in.meter, in: in, at: at}
	if packing == zipped {
		t, err := a.readZip(ctx, r, buffered)
		if err != nil {
			return err
		}
		return in.tree(ctx, t)
	}
	a.unpacked = unpack(ctx, a, buffered)
	t, err := a.read(ctx)
	a.unpacked.close()
	if err != nil {
		return err
	}
	return in.tree(ctx, t)
}

// single reads a file that is no archive.
func (in *intake) single(ctx context.Context, path string, head []byte, r io.Reader, size int64, at time.Time) error {
	name := path[strings.LastIndexAny(path, `/\`)+1:]
	if !recognised(name, head) {
		if why := sealed(head); why != "" {
			return fmt.Errorf("%s: %w: %s", path, ErrNotBundle, why)
		}
		return fmt.Errorf("%s: %w: it is no tar archive, compressed or not, and no output that is known", path, ErrNotBundle)
	}
	if err := in.meter.countFile(path, ""); err != nil {
		return err
	}
	if err := in.meter.checkFile(path, "", size); err != nil {
		return err
	}
	if err := in.meter.keep(path, "", size); err != nil {
		return err
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return fmt.Errorf("read bundle %s: %w", path, bare(err))
	}
	t := &tree{path: path, files: map[string]*treeFile{name: {data: data, size: size, at: at}}, single: filepath.Dir(path), meter: in.meter}
	return in.tree(ctx, t)
}

// archive is a tar archive that is being read.
type archive struct {
	path     string
	size     int64 // as it is, in bytes
	packing  packing
	level    int
	unpacked *unpacked
	entries  int
	zipped   int64 // bytes taken out of a zip archive
	// encrypted is how many entries of a zip archive are.
	encrypted int
	meter     *meter
	in        *intake
	at        time.Time
}

// read takes the wanted files of an archive. What goes wrong with one file, or ends the archive early, is among the tree's
// problems; an error is that there is no archive, or that nobody waits for it any more.
func (a *archive) read(ctx context.Context) (*tree, error) {
	t := &tree{path: a.path, files: map[string]*treeFile{}, meter: a.meter}
	r := tar.NewReader(a.unpacked)
	for {
		header, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if a.entries == 0 && a.packing != plainTar && (errors.Is(err, tar.ErrHeader) || a.unpacked.whole) {
				return nil, a.noTar()
			}
			t.problems = append(t.problems, a.failed(err, "", a.unpacked.offset))
			return t, nil
		}
		a.entries++
		if err := a.entry(ctx, t, header, r); err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			t.problems = append(t.problems, err)
			if ends(err) {
				return t, nil
			}
		}
	}
	// The checksum comes behind the end of the tar archive.
	if _, err := io.Copy(io.Discard, a.unpacked); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		t.problems = append(t.problems, a.failed(err, "", a.unpacked.offset))
	}
	return t, nil
}

// ends says whether an error is one of the archive rather than of one entry.
func ends(err error) bool {
	if limit, ok := errors.AsType[*LimitError](err); ok {
		return limit.Limit == LimitFiles
	}
	format, ok := errors.AsType[*FormatError](err)
	return !ok || format.Offset >= 0
}

// noTar is the error of a compressed file with something else in it, or of one that is damaged at its beginning.
func (a *archive) noTar() error {
	if _, err := io.Copy(io.Discard, a.unpacked); err != nil {
		if damage, ok := errors.AsType[*FormatError](a.failed(err, "", a.unpacked.offset)); ok {
			return damage
		}
	}
	return fmt.Errorf("%s: %w: there is no tar archive in the compressed file", a.path, ErrNotBundle)
}

// entry takes one entry into the tree, if it is wanted.
func (a *archive) entry(ctx context.Context, t *tree, header *tar.Header, r io.Reader) error {
	if header.Typeflag == tar.TypeXGlobalHeader {
		return a.meter.countFile(a.path, "")
	}
	name, err := cleanName(header.Name)
	if err != nil {
		return &FormatError{Path: a.path, Entry: name, Offset: -1, Problem: err.Error(), Err: err}
	}
	if err := a.meter.countFile(a.path, name); err != nil {
		return err
	}
	switch kind := kindOfHeader(header); {
	case header.Typeflag == tar.TypeDir:
		return nil
	case header.Typeflag == tar.TypeSymlink:
		if !t.has(name) {
			t.files[name] = &treeFile{link: header.Linkname}
		}
		return nil
	case kind != "":
		return special(a.path, name, kind)
	}
	buffered := bufio.NewReaderSize(r, headSize)
	if !wanted(name) {
		head, err := buffered.Peek(int(min(header.Size, headSize)))
		if err != nil {
			return a.failed(unexpected(err), name, int64(len(head)))
		}
		switch {
		case packed(head) != unknown:
			return a.nested(ctx, t, name, buffered, header)
		case !recognised(name, head) && isPodLog(name):
			if err := a.in.scanLog(a.path, name, buffered); err != nil {
				return a.failed(unexpected(err), name, 0)
			}
			return nil
		case !recognised(name, head):
			a.in.leave(a.path, name, passedOver(name, head), sealed(head) != "")
			return nil
		}
	}
	if t.has(name) {
		return &FormatError{Path: a.path, Entry: name, Offset: -1, Problem: "it is in the archive twice"}
	}
	if err := a.meter.checkFile(a.path, name, header.Size); err != nil {
		return err
	}
	if err := a.holds(name, header.Size); err != nil {
		return err
	}
	data := make([]byte, header.Size)
	if n, err := io.ReadFull(buffered, data); err != nil {
		return a.failed(unexpected(err), name, int64(n))
	}
	t.files[name] = &treeFile{data: data, size: header.Size, at: header.ModTime}
	return nil
}

// unexpected is io.ErrUnexpectedEOF for an end that comes within an entry.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// archiveName is what files are called that have others in them. A log that is packed by itself (dmesg.txt.gz) is none.
var archiveName = regexp.MustCompile(`\.(tar(\.\w+)?|tgz|tbz2?|txz|tzst|zip)$`)

// nested reads an archive in the archive.
func (a *archive) nested(ctx context.Context, t *tree, name string, r io.Reader, header *tar.Header) error {
	path := a.path + ": " + printable(name)
	if a.level >= maxNested {
		a.in.leave(a.path, name, fmt.Sprintf("an archive in %d others: unpack one of these, and give the folder", maxNested), archiveName.MatchString(name))
		return nil
	}
	before := a.in.used
	err := a.in.file(ctx, path, r, header.Size, header.ModTime, a.level+1)
	t.used += a.in.used - before
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return err
	case errors.Is(err, ErrNotBundle):
		a.in.note(a.path, name).PassedOver = "an archive of no known format"
	default:
		a.in.problem(path, unnamed(err, path))
		t.used++
	}
	return nil
}

// holds says whether the archive can hold size more bytes, and may, before memory is spent on a header's word.
func (a *archive) holds(name string, size int64) error {
	most := a.size
	if a.packing == zipped {
		most *= deflateRatio
		if err := a.meter.checkRatio(a.path, name, a.zipped+size, a.size); err != nil {
			return err
		}
		a.zipped += size
	} else if a.packing != plainTar {
		if err := a.meter.checkRatio(a.path, name, a.unpacked.offset+size, a.size); err != nil {
			return err
		}
		most *= deflateRatio
		if a.packing != gzipped {
			most = max(most, a.meter.Ratio*a.size)
		}
	}
	if size > most {
		return &FormatError{
			Path: a.path, Entry: name, Offset: -1,
			Problem: fmt.Sprintf("truncated: it should have %d bytes, more than the archive has", size),
		}
	}
	return a.meter.keep(a.path, name, size)
}

// failed makes a named error out of one that came up at a byte of an entry, or of the archive.
func (a *archive) failed(err error, entry string, offset int64) error {
	if limit, ok := errors.AsType[*LimitError](err); ok {
		limit.Entry = entry
		return limit
	}
	problem := &FormatError{Path: a.path, Entry: entry, Offset: offset, Err: err}
	_, badDeflate := errors.AsType[flate.CorruptInputError](err)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		problem.Problem = "truncated: the archive ends here"
	case errors.Is(err, gzip.ErrChecksum):
		problem.Problem = "corrupt: the checksum is not that of the content"
	case errors.Is(err, gzip.ErrHeader):
		problem.Problem = "corrupt: what follows is not gzip"
	case badDeflate:
		problem.Problem = "corrupt: not what gzip would have written"
	case errors.Is(err, tar.ErrHeader):
		problem.Problem = "corrupt: not a tar header"
	case a.packing == xzipped || a.packing == zstandard || a.packing == bzipped:
		problem.Problem = fmt.Sprintf("corrupt: %v", err)
	default:
		return fmt.Errorf("read bundle %s: %w", place(a.path, entry), bare(err))
	}
	return problem
}

// kindOfHeader names what is neither a plain file nor a folder.
func kindOfHeader(header *tar.Header) string {
	switch header.Typeflag {
	case tar.TypeReg, tar.TypeDir:
		// A sparse file unpacks to any size out of nothing.
		for record := range header.PAXRecords {
			if strings.HasPrefix(record, "GNU.sparse.") {
				return "sparse file"
			}
		}
		return ""
	case tar.TypeSymlink:
		return "symbolic link"
	case tar.TypeLink:
		return "hard link"
	case tar.TypeChar, tar.TypeBlock:
		return "device"
	case tar.TypeFifo:
		return "FIFO"
	case tar.TypeGNUSparse:
		return "sparse file"
	default:
		return fmt.Sprintf("tar entry of type %q", header.Typeflag)
	}
}
