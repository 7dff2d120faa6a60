package main

import (
	"archive/tar"
	"bytes"
	"io"

	"github.com/klauspost/compress/gzip"
)

const bombSize = 10 << 30

// writeBomb writes a bundle with a file of 10 GB of zeros. One gzip member of zeros is repeated, since packing that much
// anew takes too long.
func writeBomb(w io.Writer) error {
	member := func(write func(io.Writer) error) ([]byte, error) {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		if err := write(z); err != nil {
			return nil, err
		}
		err := z.Close()
		return packed.Bytes(), err
	}
	header, err := member(func(z io.Writer) error {
		archive := tar.NewWriter(z)
		manifest := []byte(`{"format": "netcause-bundle", "version": 1, "entries": [{"name": "nodes/n1/raw/zeros", "size": 10737418240}]}`)
		if err := archive.WriteHeader(&tar.Header{Name: "b/manifest.json", Size: int64(len(manifest)), Mode: 0o600, Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		if _, err := archive.Write(manifest); err != nil {
			return err
		}
		return archive.WriteHeader(&tar.Header{Name: "b/nodes/n1/raw/zeros", Size: bombSize, Mode: 0o600, Typeflag: tar.TypeReg})
	})
	if err != nil {
		return err
	}
	const block = 64 << 20
	zeros, err := member(func(z io.Writer) error {
		_, err := z.Write(make([]byte, block))
		return err
	})
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for range bombSize / block {
		if _, err := w.Write(zeros); err != nil {
			return err
		}
	}
	return nil
}
