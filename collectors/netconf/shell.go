package netconf

import (
	"bytes"
	"regexp"
	"strings"
)

// assignment is a NAME=value of a shell file.
type assignment struct {
	name, value string
	line        int // where it starts, from 1
	// expands: the value has a variable or a command in it, which is not carried out.
	expands bool
}

// shellFile is what a file of shell assignments says: ifcfg, os-release, subnet.env. The shell's own grammar is deeper
// than such files need, and reading it recursively is no good for input that is not trusted; this reads words.
type shellFile struct {
	assignments []assignment
	// other are the lines with something else on them: commands, arrays, quotes that nothing closes.
	other []int
}

func parseShell(data []byte) shellFile {
	r := shellReader{in: data, line: 1}
	var file shellFile
	for r.at < len(r.in) {
		start, found, ok := r.line, len(file.assignments), true
		var words int
		for {
			r.blanks()
			if r.at >= len(r.in) || r.separator() {
				break
			}
			line := r.line
			word, expands, good := r.word()
			if !good {
				ok = false
				break
			}
			words++
			if word == "export" && words == 1 {
				continue
			}
			name := assignmentName.FindString(word)
			if name == "" {
				ok = false
				continue
			}
			file.assignments = append(file.assignments, assignment{
				name: name[:len(name)-1], value: word[len(name):], line: line, expands: expands,
			})
		}
		if !ok {
			// An assignment before a command is the command's alone.
			file.assignments = file.assignments[:found]
			if n := len(file.other); n == 0 || file.other[n-1] != start {
				file.other = append(file.other, start)
			}
		}
	}
	return file
}

// last is the value of the last assignment of name.
func (f shellFile) last(name string) (value string, line int, ok bool) {
	for i := len(f.assignments) - 1; i >= 0; i-- {
		if a := f.assignments[i]; a.name == name {
			return a.value, a.line, true
		}
	}
	return "", 0, false
}

var assignmentName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

type shellReader struct {
	in   []byte
	at   int
	line int
}

// blanks skips blanks, comments and continued line ends.
func (r *shellReader) blanks() {
	for r.at < len(r.in) {
		switch c := r.in[r.at]; {
		case c == ' ' || c == '\t' || c == '\r':
			r.at++
		case c == '\\' && r.at+1 < len(r.in) && r.in[r.at+1] == '\n':
			r.at += 2
			r.line++
		case c == '#':
			r.skipLine()
			return
		default:
			return
		}
	}
}

// skipLine goes to the end of the line.
func (r *shellReader) skipLine() {
	if n := bytes.IndexByte(r.in[r.at:], '\n'); n >= 0 {
		r.at += n
	} else {
		r.at = len(r.in)
	}
}

// separator takes the end of a command.
func (r *shellReader) separator() bool {
	switch r.in[r.at] {
	case '\n':
		r.at++
		r.line++
		return true
	case ';':
		r.at++
		return true
	}
	return false
}

// word reads one word with its quotes taken off. On !ok the reader is at the end of the line that was not understood.
func (r *shellReader) word() (word string, expands, ok bool) {
	var b strings.Builder
	for r.at < len(r.in) {
		switch c := r.in[r.at]; c {
		case ' ', '\t', '\r', '\n', ';':
			return b.String(), expands, true
		case '|', '&', '(', ')', '<', '>':
			r.skipLine()
			return "", false, false
		case '\\':
			r.escape(&b)
		case '\'', '"':
			quoteExpands, closed := r.quoted(&b, c)
			if !closed {
				r.skipLine()
				return "", false, false
			}
			expands = expands || quoteExpands
		case '$':
			if r.at+1 < len(r.in) && (r.in[r.at+1] == '\'' || r.in[r.at+1] == '"') {
				r.at++ // $"…" and $'…': localized and C-like quotes
				continue
			}
			expands = true
			b.WriteByte(c)
			r.at++
		default:
			expands = expands || c == '`'
			b.WriteByte(c)
			r.at++
		}
	}
	return b.String(), expands, true
}

// escape reads a backslash outside quotes and what follows it.
func (r *shellReader) escape(b *strings.Builder) {
	r.at++
	if r.at >= len(r.in) {
		return
	}
	if r.in[r.at] == '\n' {
		r.line++
	} else {
		b.WriteByte(r.in[r.at])
	}
	r.at++
}

// quoted reads from one quote to the next. If nothing closes it, it is left where it opened.
func (r *shellReader) quoted(b *strings.Builder, quote byte) (expands, closed bool) {
	start, line, length := r.at, r.line, b.Len()
	for r.at++; r.at < len(r.in); r.at++ {
		c := r.in[r.at]
		switch {
		case c == quote:
			r.at++
			return expands, true
		case c == '\\' && quote == '"' && r.at+1 < len(r.in) && strings.IndexByte("$`\"\\\n", r.in[r.at+1]) >= 0:
			r.at++
			if r.in[r.at] == '\n' {
				r.line++
				continue
			}
			b.WriteByte(r.in[r.at])
			continue
		case c == '\n':
			r.line++
		case quote == '"' && (c == '$' || c == '`'):
			expands = true
		}
		b.WriteByte(c)
	}
	r.at, r.line = start, line
	text := b.String()[:length]
	b.Reset()
	b.WriteString(text)
	return false, false
}
