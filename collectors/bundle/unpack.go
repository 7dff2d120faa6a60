package bundle

import (
	"bufio"
	"compress/bzip2"
	"context"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/therootcompany/xz"
)

const (
	pieceSize = 256 << 10
	pieces    = 4
)

// unpacked is the stream of bytes of an archive without its compression. Another goroutine reads and decompresses some
// pieces ahead, so that decompression does not wait for whoever reads them.
type unpacked struct {
	offset int64 // what was read of it
	whole  bool  // it was read to its end, and nothing was wrong with it

	full chan []byte // pieces to read; it holds all that there are
	free chan []byte // pieces to fill
	stop chan struct{}
	err  error // what ended it, io.EOF at its end; set when full is closed

	piece []byte // being read, whole
	rest  []byte // of piece
}

// unpack starts to unpack r, of the archive a.
func unpack(ctx context.Context, a *archive, r io.Reader) *unpacked {
	u := &unpacked{full: make(chan []byte, pieces), free: make(chan []byte, pieces), stop: make(chan struct{})}
	for range pieces {
		u.free <- nil
	}
	go func() {
		defer close(u.full)
		f := &filler{ctx: ctx, to: u, archive: a, source: counter{r: r}}
		err := f.fill()
		if len(f.piece) > 0 {
			u.full <- f.piece
		}
		u.err = err
		if err == nil {
			u.err = io.EOF
		}
	}()
	return u
}

// Read implements [io.Reader].
func (u *unpacked) Read(p []byte) (int, error) {
	for len(u.rest) == 0 {
		if u.piece != nil {
			u.free <- u.piece[:0]
			u.piece = nil
		}
		piece, ok := <-u.full
		if !ok {
			u.whole = u.err == io.EOF
			return 0, u.err
		}
		u.piece, u.rest = piece, piece
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	u.offset += int64(n)
	return n, nil
}

// close ends the other goroutine and waits for it.
func (u *unpacked) close() {
	close(u.stop)
	for range u.full {
	}
}

var errStopped = errors.New("nobody reads on")

// filler unpacks into the pieces.
type filler struct {
	ctx     context.Context
	to      *unpacked
	archive *archive
	source  counter
	packed  *bufio.Reader // of source
	piece   []byte
	written int64
}

func (f *filler) fill() error {
	if f.archive.packing == plainTar {
		_, err := io.CopyBuffer(f, &f.source, make([]byte, pieceSize))
		return err
	}
	f.packed = bufio.NewReaderSize(&f.source, 64<<10)
	switch f.archive.packing {
	case xzipped:
		r, err := xz.NewReader(f.packed, maxWindow)
		if err != nil {
			return err
		}
		_, err = io.CopyBuffer(f, r, make([]byte, pieceSize))
		return err
	case zstandard:
		r, err := zstd.NewReader(f.packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = r.WriteTo(f)
		return err
	case bzipped:
		_, err := io.CopyBuffer(f, bzip2.NewReader(f.packed), make([]byte, pieceSize))
		return err
	}
	r, err := gzip.NewReader(f.packed)
	if err != nil {
		return err
	}
	_, err = r.WriteTo(f)
	return err
}

// maxWindow bounds what an archive may make the decoder hold: `zstd --ultra -22` asks for 128 MiB, `xz -9` for half of it.
const maxWindow = 128 << 20

// Write takes what was unpacked.
func (f *filler) Write(p []byte) (int, error) {
	a := f.archive
	f.written += int64(len(p))
	if f.packed != nil {
		if err := a.meter.checkRatio(a.path, "", f.written, f.source.n-int64(f.packed.Buffered())); err != nil {
			return 0, err
		}
	}
	for rest := p; len(rest) > 0; {
		if f.piece == nil {
			if err := f.next(); err != nil {
				return 0, err
			}
		}
		n := min(len(rest), cap(f.piece)-len(f.piece))
		f.piece = append(f.piece, rest[:n]...)
		rest = rest[n:]
		if len(f.piece) == cap(f.piece) {
			f.to.full <- f.piece
			f.piece = nil
		}
	}
	return len(p), nil
}

// next waits for a piece to fill.
func (f *filler) next() error {
	select {
	case <-f.ctx.Done():
		return context.Cause(f.ctx)
	case <-f.to.stop:
		return errStopped
	case f.piece = <-f.to.free:
	}
	if f.piece == nil {
		f.piece = make([]byte, 0, min(pieceSize, 16*f.archive.size))
	}
	return context.Cause(f.ctx) // select picks any of those that are ready
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
