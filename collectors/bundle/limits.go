package bundle

import (
	"cmp"
	"fmt"
	"reflect"

	"github.com/netcause/netcause/engine/facts"
)

// Limits bound what the bundles of one [Read] may make netcause hold. A field that is not above zero takes
// its default.
type Limits struct {
	// FileSize is the size of one file in bytes: 512 MiB.
	FileSize int64
	// TotalSize is the size of every file that is kept, over all bundles, in bytes: 2 GiB. What the JSON files among them
	// take in memory once decoded is bounded by as much again. What nobody wants is passed by as it is unpacked, and bounded
	// by Ratio alone.
	TotalSize int64
	// Files is how many entries all bundles may have: 200,000.
	Files int
	// Ratio is how much larger than itself an archive may unpack, beyond its first 64 MiB: 200. Real listings of
	// netfilter compress 6:1 to 30:1, zeros 1000:1.
	Ratio int64
}

// Limit is one of [Limits], by the name that its flag has.
type Limit string

// The limits.
const (
	LimitFileSize  Limit = "file-size"
	LimitTotalSize Limit = "total-size"
	LimitFiles     Limit = "files"
	LimitRatio     Limit = "ratio"
)

// Flag is the command-line flag that raises the limit: "--max-file-size".
func (l Limit) Flag() string { return "--max-" + string(l) }

// LimitError is a bundle that goes beyond a limit.
type LimitError struct {
	// Path is the bundle, Entry the file in it that was being read; empty where it was between two.
	Path, Entry string
	Limit       Limit
	// Max is the limit's value: bytes, files, or the ratio.
	Max int64
	// Problem is what goes beyond it.
	Problem string
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%s: %s: the limit is %d, %s raises it", place(e.Path, e.Entry), e.Problem, e.Max, e.Limit.Flag())
}

func (l Limits) withDefaults() Limits {
	return Limits{
		FileSize:  cmp.Or(max(l.FileSize, 0), 512<<20),
		TotalSize: cmp.Or(max(l.TotalSize, 0), 2<<30),
		Files:     cmp.Or(max(l.Files, 0), 200_000),
		Ratio:     cmp.Or(max(l.Ratio, 0), 200),
	}
}

const (
	// unpackedFreely is what an archive may unpack to before its ratio is looked at.
	unpackedFreely = 64 << 20
	// deflateRatio is the most that DEFLATE can expand: 258 bytes out of 2 bits (RFC 1951, 3.2.5).
	deflateRatio = 1032
)

// meter counts what one [Read] has used of its limits.
type meter struct {
	Limits
	files   int
	kept    int64
	texts   int64 // JSON
	decoded int64 // what they take in memory
}

func (m *meter) countFile(path, entry string) error {
	if m.files++; m.files > m.Files {
		return &LimitError{path, entry, LimitFiles, int64(m.Files), "too many files"}
	}
	return nil
}

func (m *meter) checkFile(path, entry string, size int64) error {
	if size > m.FileSize {
		return &LimitError{path, entry, LimitFileSize, m.FileSize, fmt.Sprintf("%d bytes are too many for one file", size)}
	}
	return nil
}

// keep counts size more bytes that are kept.
func (m *meter) keep(path, entry string, size int64) error {
	if m.kept+size > m.TotalSize {
		return &LimitError{path, entry, LimitTotalSize, m.TotalSize, "it unpacks to too many bytes"}
	}
	m.kept += size
	return nil
}

// checkRatio says whether packed bytes may unpack to n.
func (m *meter) checkRatio(path, entry string, n, packed int64) error {
	if n > unpackedFreely && n/m.Ratio > packed {
		return &LimitError{path, entry, LimitRatio, m.Ratio, "it unpacks to too many times its size"}
	}
	return nil
}

// countDecoded estimates what a JSON text takes once it is decoded, before it is: `[null,null,…]` makes a large struct
// out of five bytes.
func (m *meter) countDecoded(path, entry string, text []byte, counted jsonCount, sizes elementSizes) error {
	const (
		member = 64 // a slot of a map
		usual  = 8  // a text of facts does not become as many times larger as an archive
	)
	m.texts += int64(len(text))
	m.decoded += counted.outer*sizes.outer + counted.inner*sizes.inner + counted.members*member
	const problem = "its facts take too many bytes of memory"
	if m.decoded > m.TotalSize {
		return &LimitError{path, entry, LimitTotalSize, m.TotalSize, problem}
	}
	if m.decoded > unpackedFreely && m.decoded/m.Ratio > m.texts/usual {
		return &LimitError{path, entry, LimitRatio, m.Ratio, problem + " for their size"}
	}
	return nil
}

// jsonCount counts what a JSON text has.
type jsonCount struct {
	outer   int64 // elements of the arrays that are members of the text's object: of a group's value
	inner   int64 // elements of other arrays
	members int64 // members of all objects
}

// countJSON counts a JSON text. Of a text that is not valid the counts mean nothing.
func countJSON(text []byte) jsonCount {
	const deepest = 10_000 // encoding/json refuses more
	var count jsonCount
	var open []byte // the arrays and objects that stand open
	filled := false // the innermost has something since the last comma
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch c {
		case ' ', '\t', '\r', '\n':
			continue
		case ']', '}':
			open = open[:max(len(open)-1, 0)]
			filled = true
			continue
		case ',':
			filled = false
			continue
		}
		if !filled && len(open) > 0 {
			switch {
			case open[len(open)-1] == '{':
				count.members++
			case len(open) == 2:
				count.outer++
			default:
				count.inner++
			}
			filled = true
		}
		switch c {
		case '[', '{':
			if open = append(open, c); len(open) > deepest {
				return count
			}
			filled = false
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		}
	}
	return count
}

// elementSizes are the sizes in bytes of what the elements of a JSON text's arrays are decoded to.
type elementSizes struct{ outer, inner int64 }

// sizesOf are those for a text whose object has members that are decoded to values of type t.
func sizesOf(t reflect.Type) elementSizes {
	// The elements that files of every type have.
	sizes := elementSizes{outer: int64(reflect.TypeFor[rawFile]().Size() + reflect.TypeFor[facts.Raw]().Size()), inner: 16}
	if t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		sizes.outer = max(sizes.outer, int64(t.Elem().Size()))
		t = t.Elem()
	}
	seen := map[reflect.Type]bool{}
	var visit func(reflect.Type)
	visit = func(t reflect.Type) {
		if seen[t] {
			return
		}
		seen[t] = true
		switch t.Kind() {
		case reflect.Slice, reflect.Array, reflect.Map:
			sizes.inner = max(sizes.inner, int64(t.Elem().Size()))
			visit(t.Elem())
		case reflect.Pointer:
			visit(t.Elem())
		case reflect.Struct:
			for i := range t.NumField() {
				visit(t.Field(i).Type)
			}
		}
	}
	visit(t)
	// A struct's own slices stand where the group's does.
	sizes.outer = max(sizes.outer, sizes.inner)
	return sizes
}
