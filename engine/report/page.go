package report

import (
	"bytes"
	"strings"

	"github.com/clipperhouse/displaywidth"

	"github.com/netcause/netcause/engine"
)

// page is text of a bounded width. Whatever is written to it is cleaned first.
type page struct {
	buf   bytes.Buffer
	width int
	color bool
}

func (p *page) blank() { p.buf.WriteByte('\n') }

// line writes one line as it is, however long: for commands and for what is known to fit.
func (p *page) line(prefix, s string) {
	p.buf.WriteString(strings.TrimRight(clean(prefix)+clean(s), " "))
	p.buf.WriteByte('\n')
}

// hang writes words behind a short prefix and goes on below the first of them.
func (p *page) hang(prefix, s string) { p.words(prefix, words(s)) }

// prose is hang for text in which `…` marks a command, which is kept on one line.
func (p *page) prose(prefix, s string) { p.words(prefix, wordsKeepingCommands(s)) }

func (p *page) words(prefix string, words []string) {
	indent := displaywidth.String(prefix)
	for i, line := range fill(words, p.width-indent) {
		if i > 0 {
			prefix = strings.Repeat(" ", indent)
		}
		p.line(prefix, line)
	}
}

// command writes what a reader copies: never wrapped, each of its lines on a line.
func (p *page) command(indent int, command string) {
	prefix := strings.Repeat(" ", indent)
	for line := range strings.Lines(command) {
		if strings.TrimSpace(line) != "" {
			p.line(prefix, line)
		}
	}
	if hidesSomething(command) {
		p.hang(prefix, "(characters that do not show were taken out of this command: check it before you run it)")
	}
}

// heading writes a section's name and what is to be said about it, wrapped.
func (p *page) heading(title, s string) {
	if s == "" {
		p.line("", title)
		return
	}
	p.hang(title+"  ", s)
}

// banner writes the line that a finding starts with. The severity carries the only colour of a report.
func (p *page) banner(title, subject string, severity engine.Severity, rule string) {
	p.buf.WriteString(title)
	column := displaywidth.String(title)
	for i, part := range []string{subject, string(severity), rule} {
		for j, line := range fill(words(part), p.width-2) {
			w := displaywidth.String(line)
			if j > 0 || column+2+w > p.width {
				p.blank()
				column = 0
			}
			if i == 1 {
				line = p.paint(severity, line)
			}
			p.buf.WriteString("  " + line)
			column += 2 + w
		}
	}
	p.blank()
}

func (p *page) paint(severity engine.Severity, s string) string {
	if !p.color {
		return s
	}
	const reset = "\x1b[0m"
	switch severity {
	case engine.Critical:
		return "\x1b[1;31m" + s + reset
	case engine.Warning:
		return "\x1b[33m" + s + reset
	case engine.Info:
		return "\x1b[36m" + s + reset
	}
	return s
}

func words(s string) []string { return strings.Fields(clean(s)) }

// flat is s on one line, with single blanks.
func flat(s string) string { return strings.Join(words(s), " ") }

// wordsKeepingCommands are the words of s, what stands between backquotes being one word.
func wordsKeepingCommands(s string) []string {
	var out []string
	open := false
	for _, word := range words(s) {
		if open {
			out[len(out)-1] += " " + word
		} else {
			out = append(out, word)
		}
		if strings.Count(word, "`")%2 == 1 {
			open = !open
		}
	}
	if open { // The last backquote has no partner.
		return words(s)
	}
	return out
}

// fill sets words into lines. A word that is wider than the width has a line of its own.
func fill(words []string, width int) []string {
	var lines []string
	var b strings.Builder
	column := 0
	for _, word := range words {
		w := displaywidth.String(word)
		if b.Len() > 0 && column+1+w > width {
			lines = append(lines, b.String())
			b.Reset()
			column = 0
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += w
	}
	if b.Len() > 0 {
		lines = append(lines, b.String())
	}
	return lines
}
