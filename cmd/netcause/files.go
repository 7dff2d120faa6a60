package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/netcause/netcause/collectors/bundle"
)

// printFiles writes which facts each file gave, and what was passed over and why.
func printFiles(w io.Writer, files []bundle.File) error {
	b := bufio.NewWriter(w)
	section := func(title string, of func(bundle.File) bool, says func(bundle.File) string) {
		table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
		last := ""
		for _, f := range files {
			if !of(f) {
				continue
			}
			if title != "" {
				fmt.Fprintf(table, "\n%s\n", title)
				title = ""
			}
			if f.Bundle != last {
				fmt.Fprintf(table, "  %s\n", harmless(f.Bundle))
				last = f.Bundle
			}
			fmt.Fprintf(table, "    %s\t%s\n", harmless(f.Name), harmless(says(f)))
		}
		table.Flush()
	}
	used := func(f bundle.File) bool { return len(f.Facts) > 0 }
	section("FILES USED", used, func(f bundle.File) string {
		says := strings.Join(f.Facts, ", ")
		if f.Unparsed > 0 {
			says += fmt.Sprintf("; %d lines not understood, first %s", f.Unparsed, f.FirstUnparsed)
		}
		return says
	})
	section("FILES PASSED OVER", func(f bundle.File) bool { return !used(f) }, func(f bundle.File) string {
		if f.FirstUnparsed != "" {
			return f.PassedOver + "; " + f.FirstUnparsed
		}
		return f.PassedOver
	})
	if err := b.Flush(); err != nil {
		return fmt.Errorf("print the files: %w", err)
	}
	return nil
}

// harmless drops what a terminal would take for a command.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// readFile reads a file of at most so many bytes.
func readFile(name string, most int64) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readAll(file, name, most)
}

func readAll(r io.Reader, name string, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if int64(len(text)) > most {
		return nil, fmt.Errorf("read %s: it has more than %d MiB", name, most>>20)
	}
	return text, nil
}
