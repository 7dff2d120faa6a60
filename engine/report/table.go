package report

import (
	"slices"
	"strings"

	"github.com/clipperhouse/displaywidth"
)

// row is one piece of evidence.
type row struct{ value, what, source string }

const gap = 2

// table writes evidence in three columns where they fit side by side. Where they do not, the values are one column and
// beside them stands what they are, then [where that was read]: paths and commands are longer than the rest and are
// best left whole. With no room for that either, all stand below each other.
func (p *page) table(indent int, rows []row) {
	for i, r := range rows {
		rows[i] = row{flat(r.value), flat(r.what), flat(r.source)}
	}
	var value, what, source int
	for _, r := range rows {
		value = max(value, displaywidth.String(r.value))
		what = max(what, displaywidth.String(r.what))
		source = max(source, displaywidth.String(r.source))
	}
	margin := strings.Repeat(" ", indent)
	room := p.width - indent
	if value+gap+what+gap+source <= room {
		for _, r := range rows {
			p.line(margin, pad(r.value, value+gap)+pad(r.what, what+gap)+r.source)
		}
		return
	}

	// A long value stands on a line of its own and does not widen the column of the others.
	value = 0
	for _, r := range rows {
		if w := displaywidth.String(r.value); w <= room*2/5 {
			value = max(value, w)
		}
	}
	column := value + gap
	wide := func(r row) bool {
		n := longest(r.what)
		return n > room-column && n <= room-gap
	}
	if room-column < 30 || value == 0 || slices.ContainsFunc(rows, wide) {
		column = gap
	}
	for _, r := range rows {
		beside := margin + pad(r.value, column)
		below := strings.Repeat(" ", indent+column)
		if displaywidth.String(r.value)+gap > column {
			p.hang(margin, r.value)
			beside = below
		}
		source := r.source
		if source != "" {
			source = "[" + source + "]"
		}
		both := strings.TrimSpace(r.what + "  " + source)
		if displaywidth.String(both) <= room-column {
			p.line(beside, both)
			continue
		}
		if r.what != "" {
			p.hang(beside, r.what)
			beside = below
		}
		if beside == below && longest(source) > room-column {
			beside = margin + strings.Repeat(" ", gap)
		}
		p.hang(beside, source)
	}
}

// longest is the width of the longest word.
func longest(s string) int {
	n := 0
	for word := range strings.FieldsSeq(s) {
		n = max(n, displaywidth.String(word))
	}
	return n
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-displaywidth.String(s)))
}
