package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/netcause/netcause/engine"
)

// JSON writes the diagnosis indented, as [engine.SchemaVersion] has it. Lists are never null. Characters that do not
// show (escape sequences, bidirectional overrides) are written as \u escapes: the value is the same for a program, and
// harmless on a terminal.
func JSON(w io.Writer, d *engine.Diagnosis) error {
	if d == nil {
		return errors.New("write a diagnosis as JSON: there is none")
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false) // Evidence and commands are full of > and &.
	if err := enc.Encode(withoutNulls(*d)); err != nil {
		return fmt.Errorf("write a diagnosis as JSON: %w", err)
	}
	if _, err := w.Write(escapeInvisible(buf.Bytes())); err != nil {
		return fmt.Errorf("write a diagnosis as JSON: %w", err)
	}
	return nil
}

func fixWithoutNulls(f engine.Fix) engine.Fix {
	f.Steps = list(f.Steps)
	if len(f.Alternatives) > 0 {
		f.Alternatives = each(f.Alternatives, fixWithoutNulls)
	}
	return f
}

// withoutNulls is a copy of d whose lists are all there.
func withoutNulls(d engine.Diagnosis) engine.Diagnosis {
	if d.SchemaVersion == "" {
		d.SchemaVersion = engine.SchemaVersion
	}
	finding := func(f engine.Finding) engine.Finding {
		f.Affects = list(f.Affects)
		f.Evidence = list(f.Evidence)
		f.Chain = list(f.Chain)
		f.Fix = fixWithoutNulls(f.Fix)
		f.Explains = list(f.Explains)
		return f
	}
	d.RootCauses = each(d.RootCauses, finding)
	d.Findings = each(d.Findings, finding)
	d.RuledOut = each(d.RuledOut, func(r engine.RuledOut) engine.RuledOut {
		r.Evidence = list(r.Evidence)
		return r
	})
	d.NotExamined = each(d.NotExamined, func(n engine.NotExamined) engine.NotExamined {
		n.Missing = list(n.Missing)
		return n
	})
	d.FailedRules = list(d.FailedRules)
	d.Symptoms = each(d.Symptoms, func(s engine.Symptom) engine.Symptom {
		s.ExplainedBy = list(s.ExplainedBy)
		return s
	})
	d.Sources = list(d.Sources)
	d.Summary.NodesNotCollected = list(d.Summary.NodesNotCollected)
	return d
}

func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func each[T any](s []T, f func(T) T) []T {
	out := make([]T, 0, len(s))
	for _, v := range s {
		out = append(out, f(v))
	}
	return out
}

// escapeInvisible works on JSON as a whole: outside strings it is ASCII.
func escapeInvisible(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		switch {
		case r < 0x7f, unicode.IsPrint(r) && !invisible(r):
			out = append(out, text[:n]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		text = text[n:]
	}
	return out
}
