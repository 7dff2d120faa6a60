package bundle

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrNotBundle is the error of a file or folder whose content is not that of any bundle that can be read.
var ErrNotBundle = errors.New("no bundle of a known format")

// FormatError is a bundle that is damaged, cut short, or not made as its format says.
type FormatError struct {
	// Path is the bundle.
	Path string
	// Entry is the file in it, empty where the bundle as a whole is meant.
	Entry string
	// Line, from 1, is where in Entry; 0 where it is not known or not a text.
	Line int
	// Offset is the byte in Entry, or in the unpacked archive where Entry is empty; -1 where it is not known.
	Offset int64
	// Problem is what is wrong.
	Problem string
	// Err is the error below, if there is one.
	Err error
}

func (e *FormatError) Error() string {
	var b strings.Builder
	b.WriteString(place(e.Path, e.Entry))
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	b.WriteString(": " + e.Problem)
	if e.Offset >= 0 {
		fmt.Fprintf(&b, " (byte %d)", e.Offset)
	}
	return b.String()
}

func (e *FormatError) Unwrap() error { return e.Err }

// VersionError is a netcause bundle of a version that is not read here.
type VersionError struct {
	Path string
	// Version is the bundle's, Supported the newest that is read.
	Version, Supported int
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s: bundle version %d is newer than this netcause reads (%d): upgrade netcause",
		e.Path, e.Version, e.Supported)
}

// place names a file in a bundle. Names in a bundle are a stranger's: what a terminal would not print is quoted.
func place(path, entry string) string {
	if entry == "" {
		return path
	}
	return path + ": " + printable(entry)
}

func printable(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}
