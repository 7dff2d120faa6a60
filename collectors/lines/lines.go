// Package lines is what the parsers of commands' outputs share: a text's lines with their numbers, and a record of those
// that a parser did not understand, so that none is dropped in silence.
package lines

import (
	"bytes"
	"fmt"
	"iter"
	"unicode/utf8"
)

const (
	// kept is how many lines a record keeps; the others are counted.
	kept = 20
	// longest is how much of a line a record keeps, in bytes.
	longest = 200
)

// Line is one line of a text.
type Line struct {
	Number int // from 1
	Text   string
}

// Unparsed are lines that a parser did not understand.
type Unparsed struct {
	// Count is how many there are.
	Count int
	// First are the first of them, each cut to 200 bytes.
	First []Line
}

// Add takes a line into the record.
func (u *Unparsed) Add(number int, text string) {
	u.Count++
	if len(u.First) == kept {
		return
	}
	if len(text) > longest {
		cut := longest
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	u.First = append(u.First, Line{number, text})
}

// String says how many lines there are and where the first is: "2 lines were not understood, line 7 first". Empty where
// there is none.
func (u *Unparsed) String() string {
	switch u.Count {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("line %d was not understood", u.First[0].Number)
	}
	return fmt.Sprintf("%d lines were not understood, line %d first", u.Count, u.First[0].Number)
}

// All are a text's lines by number, from 1, without their ends.
func All(text []byte) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		for number := 1; len(text) > 0; number++ {
			line, rest, _ := bytes.Cut(text, []byte("\n"))
			text = rest
			if !yield(number, string(bytes.TrimSuffix(line, []byte("\r")))) {
				return
			}
		}
	}
}
