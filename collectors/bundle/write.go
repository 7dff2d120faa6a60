package bundle

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/netcause/netcause/engine/facts"
)

// Options are what a bundle says of itself, and how it is put in place.
type Options struct {
	// Tool is the version of netcause.
	Tool string
	// CollectedAt is when the facts were read; zero: the latest time of the snapshot's inputs.
	CollectedAt time.Time
	// Overwrite replaces a file that is there.
	Overwrite bool
	// Redaction is the report of what was taken out of the snapshot, written beside the manifest; nil: it was not redacted.
	Redaction *facts.Redaction
}

// Write writes a snapshot as a bundle to path, a .tar.gz that only its owner can read. The file appears whole or not at
// all. A file that is there already is an error that is [fs.ErrExist], unless options say otherwise. The same snapshot,
// options and base name of path give the same bytes.
func Write(ctx context.Context, path string, snapshot *facts.Snapshot, options Options) error {
	if err := write(ctx, path, snapshot, options); err != nil {
		return fmt.Errorf("write bundle %s: %w", path, err)
	}
	return nil
}

func write(ctx context.Context, path string, snapshot *facts.Snapshot, options Options) error {
	if err := replaceable(path, options.Overwrite); err != nil {
		return err
	}
	files, err := layOut(snapshot, options)
	if err != nil {
		return err
	}
	// The folder's own file system, so that the rename is one step.
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+topFolder(path)+".*.part") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name()) // fails once it was renamed
	top := topFolder(path)
	if options.Redaction != nil {
		top = "redacted" // the file's name may be a node's, and files are given others
	}
	err = errors.Join(pack(ctx, temporary, top, files, collectedAt(snapshot, options)), temporary.Sync())
	if err := errors.Join(err, temporary.Close()); err != nil {
		return err
	}
	if err := publish(temporary.Name(), path, options.Overwrite); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// topFolder is the name of the archive's top folder.
func topFolder(path string) string {
	name := strings.TrimSuffix(filepath.Base(path), ".tar.gz")
	return safeComponent(strings.TrimLeft(name, "."))
}

func replaceable(path string, overwrite bool) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("what is there is not a regular file: %w", fs.ErrExist)
	case !overwrite:
		return fs.ErrExist
	}
	return nil
}

// publish gives the finished file its name.
func publish(temporary, path string, overwrite bool) error {
	if !overwrite {
		// A link, unlike a rename, never replaces what has come to be there meanwhile.
		err := os.Link(temporary, path)
		if err == nil || errors.Is(err, fs.ErrExist) {
			return err
		}
		// This file system has no links.
		if err := replaceable(path, overwrite); err != nil {
			return err
		}
	}
	return os.Rename(temporary, path)
}

// syncFolder makes the file's name durable.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	defer folder.Close()
	// Some file systems cannot; the file itself is safe.
	if err := folder.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return nil
}

// file is one file of a bundle, by its path from the top folder.
type file struct {
	name string
	data []byte
}

// layOut makes a snapshot's files, the manifest first.
func layOut(snapshot *facts.Snapshot, options Options) ([]file, error) {
	if snapshot == nil {
		return nil, errors.New("there is no snapshot")
	}
	about := manifest{
		Format: formatName, Version: formatVersion,
		Tool: options.Tool, CollectedAt: collectedAt(snapshot, options),
		Symptoms: snapshot.Symptoms, Inputs: snapshot.Inputs,
		Cluster: snapshot.Cluster != nil,
	}
	var files []file
	if redaction := options.Redaction; redaction != nil {
		about.Redacted = redaction.What()
		text, err := json.MarshalIndent(redaction, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", redactionName, err)
		}
		files = append(files, file{redactionName, append(text, '\n')})
	}
	of, err := layOutNodes(snapshot.Nodes)
	if err != nil {
		return nil, err
	}
	files = append(files, of...)
	for _, node := range snapshot.Nodes {
		about.Nodes = append(about.Nodes, node.Name)
	}
	if cluster := snapshot.Cluster; cluster != nil {
		of, err := layOutGroups("cluster/", "cluster.json", cluster, cluster.Groups())
		if err != nil {
			return nil, err
		}
		files = append(files, of...)
	}
	entries := make([]manifestEntry, 0, len(files))
	for _, f := range files {
		entries = append(entries, manifestEntry{f.name, int64(len(f.data))})
	}
	lines, err := encodeLines(reflect.ValueOf(entries))
	if err != nil {
		return nil, err
	}
	text, err := encodeWith(about, "entries", lines)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	return append([]file{{manifestName, text}}, files...), nil
}

func layOutNodes(nodes []*facts.Node) ([]file, error) {
	var files []file
	names, folders := map[string]bool{}, taken{}
	for _, node := range nodes {
		if node == nil || node.Name == "" {
			return nil, errors.New("a node of the snapshot has no name")
		}
		if names[node.Name] {
			return nil, fmt.Errorf("node %q is in the snapshot twice", node.Name)
		}
		names[node.Name] = true
		folder := "nodes/" + folders.take(safeComponent(node.Name)) + "/"
		of, err := layOutGroups(folder, "node.json", node, append(node.Groups(), node.NetNS.Groups()...))
		if err != nil {
			return nil, err
		}
		files = append(files, of...)
		ids, folders := map[string]bool{}, taken{}
		for _, namespace := range node.Namespaces {
			if namespace == nil || namespace.ID == "" {
				return nil, fmt.Errorf("a network namespace of node %q has no id", node.Name)
			}
			if ids[namespace.ID] {
				return nil, fmt.Errorf("network namespace %q of node %q is in the snapshot twice", namespace.ID, node.Name)
			}
			ids[namespace.ID] = true
			folder := folder + "netns/" + folders.take(safeComponent(namespace.ID)) + "/"
			of, err := layOutGroups(folder, "namespace.json", namespace, namespace.Groups())
			if err != nil {
				return nil, err
			}
			files = append(files, of...)
		}
	}
	return files, nil
}

// layOutGroups makes one folder: the file that says whose groups they are, the groups, their texts.
func layOutGroups(folder, name string, whose any, groups []facts.NamedGroup) ([]file, error) {
	text, err := encodeJSON(whose)
	if err != nil {
		return nil, fmt.Errorf("%s%s: %w", folder, name, err)
	}
	files := []file{{folder + name, append(text, '\n')}}
	texts := rawTexts{taken: taken{}, byName: map[string][]int{}}
	for _, group := range groups {
		about := group.Group.GetMeta()
		if about.Status == facts.NotAsked {
			continue
		}
		var raw []rawFile
		for _, text := range about.Raw {
			raw = append(raw, texts.place(text))
		}
		name := folder + group.Name + ".json"
		text, err := encodeGroup(group.Group, raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files = append(files, file{name, text})
	}
	for _, text := range texts.files {
		files = append(files, file{folder + text.name, text.data})
	}
	return files, nil
}

func collectedAt(snapshot *facts.Snapshot, options Options) time.Time {
	if !options.CollectedAt.IsZero() {
		return options.CollectedAt
	}
	var latest time.Time
	for _, input := range snapshot.Inputs {
		if input.CollectedAt.After(latest) {
			latest = input.CollectedAt
		}
	}
	return latest
}

// pack writes the files as a compressed archive. Nothing but the manifest's time is in it as a time.
func pack(ctx context.Context, w io.Writer, top string, files []file, at time.Time) error {
	buffered := bufio.NewWriterSize(w, 256<<10)
	compressed := gzip.NewWriter(buffered)
	archive := tar.NewWriter(compressed)
	if at.Unix() < 0 {
		at = time.Unix(0, 0)
	}
	for _, f := range files {
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: top + "/" + f.name, Size: int64(len(f.data)), Mode: 0o600, ModTime: at.Truncate(time.Second),
		}
		if err := archive.WriteHeader(header); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if _, err := io.Copy(archive, contextReader{ctx, bytes.NewReader(f.data)}); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return errors.Join(archive.Close(), compressed.Close(), buffered.Flush())
}

// contextReader reads until its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
