package bundle

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"

	"github.com/netcause/netcause/engine/facts"
)

// readArchive reads a bundle that is a tar archive of size bytes, compressed or not.
func (m *meter) readArchive(ctx context.Context, path string, r io.ReaderAt, size int64) (*facts.Snapshot, error) {
	head := make([]byte, min(size, 512))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, fmt.Errorf("read bundle %s: %w", path, bare(err))
	}
	packing := packed(head)
	if packing == unknown {
		return nil, fmt.Errorf("%s: %w: it is no tar archive, and not one in gzip", path, ErrNotBundle)
	}
	a := &archive{path: path, size: size, packing: packing, before: m.unpacked, meter: m}
	a.unpacked = unpack(ctx, a, io.NewSectionReader(r, 0, size))
	t, err := a.read()
	a.unpacked.close()
	if err != nil {
		return nil, err
	}
	return t.snapshot(ctx)
}

// archive is a tar archive that is being read.
type archive struct {
	path     string
	size     int64 // as it is, in bytes
	packing  packing
	unpacked *unpacked
	entries  int
	// before is what the meter had counted when it was opened: the other goroutine counts on.
	before int64
	meter  *meter
}

func (a *archive) read() (*tree, error) {
	t := &tree{path: a.path, files: map[string][]byte{}, meter: a.meter}
	r := tar.NewReader(a.unpacked)
	for {
		header, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			if a.entries == 0 && a.packing == gzipped && (errors.Is(err, tar.ErrHeader) || a.unpacked.whole) {
				return nil, a.noTar()
			}
			return nil, a.failed(err, "", a.unpacked.offset)
		}
		a.entries++
		if err := a.entry(t, header, r); err != nil {
			return nil, err
		}
	}
	// The checksum comes behind the end of the tar archive.
	if _, err := io.Copy(io.Discard, a.unpacked); err != nil {
		return nil, a.failed(err, "", a.unpacked.offset)
	}
	return t, nil
}

// noTar is the error of a gzip file with something else in it, or of one that is damaged at its beginning.
func (a *archive) noTar() error {
	if _, err := io.Copy(io.Discard, a.unpacked); err != nil {
		if damage, ok := errors.AsType[*FormatError](a.failed(err, "", a.unpacked.offset)); ok {
			return damage
		}
	}
	return fmt.Errorf("%s: %w: there is no tar archive in the gzip", a.path, ErrNotBundle)
}

// entry takes one entry into the tree, if it is wanted.
func (a *archive) entry(t *tree, header *tar.Header, r io.Reader) error {
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
	if err := a.meter.checkFile(a.path, name, header.Size); err != nil {
		return err
	}
	switch kind := kindOfHeader(header); {
	case header.Typeflag == tar.TypeDir:
		return nil
	case kind != "":
		t.refuse(name, kind)
		return nil
	case !wanted(name):
		return nil
	case t.has(name):
		return &FormatError{Path: a.path, Entry: name, Offset: -1, Problem: "it is in the archive twice"}
	}
	if err := a.holds(name, header.Size); err != nil {
		return err
	}
	data := make([]byte, header.Size)
	if n, err := io.ReadFull(r, data); err != nil {
		return a.failed(err, name, int64(n))
	}
	t.files[name] = data
	return nil
}

// holds says whether the archive can hold size more bytes, and may, before memory is spent on a header's word.
func (a *archive) holds(name string, size int64) error {
	if err := a.meter.checkTotal(a.path, name, a.before+a.unpacked.offset+size); err != nil {
		return err
	}
	most := a.size
	if a.packing == gzipped {
		if err := a.meter.checkRatio(a.path, name, a.unpacked.offset+size, a.size); err != nil {
			return err
		}
		most *= deflateRatio
	}
	if size > most {
		return &FormatError{
			Path: a.path, Entry: name, Offset: -1,
			Problem: fmt.Sprintf("truncated: it should have %d bytes, more than the archive has", size),
		}
	}
	return nil
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
