package report

import (
	"strings"
	"unicode"
)

// clean makes a string from outside safe for a terminal and for the reader's eyes: white space of any kind becomes a
// blank; control characters (ESC, C1), bidirectional overrides and whatever else has no shape of its own are dropped.
func clean(s string) string {
	if !dirty(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			b.WriteByte(' ')
		case invisible(r):
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteRune(unicode.ReplacementChar)
		}
	}
	return b.String()
}

func dirty(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return true
		}
	}
	return false
}

func invisible(r rune) bool {
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// hidesSomething says whether s has characters that a reader would not see, line ends and tabs apart.
func hidesSomething(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return r != '\n' && r != '\t' && (invisible(r) || !unicode.IsPrint(r))
	})
}
