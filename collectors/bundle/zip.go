package bundle

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// maxZip bounds a zip archive that is in another archive: its table of contents is at its end, so it has to be held whole.
const maxZip = 256 << 20

// readZip takes the wanted files of a zip archive. buffered has all of it, r is what that reads from: of a file on disk
// any part can be read.
func (a *archive) readZip(ctx context.Context, r io.Reader, buffered io.Reader) (*tree, error) {
	at, ok := r.(io.ReaderAt)
	if !ok {
		if a.size > maxZip {
			return nil, &LimitError{a.path, "", LimitFileSize, maxZip, fmt.Sprintf("%d bytes are too many for a zip archive in another archive", a.size)}
		}
		if err := a.meter.keep(a.path, "", a.size); err != nil {
			return nil, err
		}
		data, err := io.ReadAll(io.LimitReader(buffered, a.size))
		if err != nil {
			return nil, a.failed(unexpected(err), "", int64(len(data)))
		}
		at = bytes.NewReader(data)
	}
	z, err := zip.NewReader(at, a.size)
	if err != nil {
		return nil, &FormatError{Path: a.path, Offset: -1, Err: err, Problem: fmt.Sprintf("truncated or corrupt: %v", err)}
	}
	t := &tree{path: a.path, files: map[string]*treeFile{}, meter: a.meter}
	for _, file := range z.File {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		if err := a.zipEntry(ctx, t, file); err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			t.problems = append(t.problems, err)
			if limit, ok := errors.AsType[*LimitError](err); ok && limit.Limit == LimitFiles {
				break
			}
		}
	}
	return t, nil
}

func (a *archive) zipEntry(ctx context.Context, t *tree, file *zip.File) error {
	header := &tar.Header{Typeflag: tar.TypeReg, Name: file.Name, Size: int64(file.UncompressedSize64), ModTime: file.Modified}
	switch mode := file.Mode(); {
	case mode.IsDir() || strings.HasSuffix(file.Name, "/"):
		header.Typeflag = tar.TypeDir
	case mode&fs.ModeType != 0:
		return special(a.path, file.Name, kindOfMode(mode))
	}
	if header.Size < 0 {
		return &FormatError{Path: a.path, Entry: file.Name, Offset: -1, Problem: "corrupt: a size below zero"}
	}
	if file.Flags&1 != 0 { // APPNOTE.TXT, 4.4.4
		const why = "it is encrypted: unpack the archive with its password, and give the folder"
		a.in.note(a.path, file.Name).PassedOver = why
		if a.encrypted++; a.encrypted > 1 {
			return nil // said once
		}
		return &FormatError{Path: a.path, Entry: file.Name, Offset: -1, Problem: why}
	}
	r, err := file.Open()
	if errors.Is(err, zip.ErrAlgorithm) {
		return &FormatError{Path: a.path, Entry: file.Name, Offset: -1, Err: err, Problem: "it is packed by a method that is not read: unpack the archive, and give the folder"}
	}
	if err != nil {
		return &FormatError{Path: a.path, Entry: file.Name, Offset: -1, Err: err, Problem: fmt.Sprintf("corrupt: %v", err)}
	}
	defer r.Close()
	err = a.entry(ctx, t, header, r)
	if format, ok := errors.AsType[*FormatError](err); ok {
		format.Offset = -1 // the others can be read all the same
	} else if _, limited := errors.AsType[*LimitError](err); err != nil && !limited && ctx.Err() == nil {
		return &FormatError{Path: a.path, Entry: file.Name, Offset: -1, Err: err, Problem: fmt.Sprintf("corrupt: %v", err)}
	}
	return err
}
