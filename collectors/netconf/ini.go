package netconf

import "strings"

// iniLine is a key = value of a file with [sections].
type iniLine struct {
	section, key, value string
	line                int
	// number counts the sections: two [Address] sections have different ones.
	number int
}

// iniFile is a file with [sections]: a GLib key file (NetworkManager) or a systemd unit file.
type iniFile struct {
	lines []iniLine
	// sections are the headers with the lines that they stand in, by number (from 1).
	sections []iniLine
	// other are the lines that are neither header, setting nor comment.
	other []int
}

// iniSyntax is where the two differ: systemd has comments with ; and continues lines with \ (systemd.syntax(7)),
// GLib has neither.
type iniSyntax struct {
	comments  string
	continues bool
}

var (
	keyfileSyntax = iniSyntax{comments: "#"}
	systemdSyntax = iniSyntax{comments: "#;", continues: true}
)

func parseINI(data []byte, syntax iniSyntax) iniFile {
	var file iniFile
	var section string
	lines := strings.Split(string(data), "\n")
	for i := 0; i < len(lines); i++ {
		number := i + 1
		text := strings.TrimSpace(lines[i])
		if text == "" || strings.ContainsRune(syntax.comments, rune(text[0])) {
			continue
		}
		if syntax.continues && strings.HasSuffix(text, `\`) {
			if text, i = joinContinued(lines, i, syntax.comments); text == "" {
				continue
			}
		}
		if text[0] == '[' {
			end := strings.IndexByte(text, ']')
			if end < 0 {
				file.other = append(file.other, number)
				continue
			}
			section = text[1:end]
			file.sections = append(file.sections, iniLine{section: section, line: number, number: len(file.sections) + 1})
			continue
		}
		key, value, found := strings.Cut(text, "=")
		key = strings.TrimSpace(key)
		if !found || key == "" || section == "" {
			file.other = append(file.other, number)
			continue
		}
		file.lines = append(file.lines, iniLine{
			section: section, key: key, value: strings.TrimSpace(value), line: number, number: len(file.sections),
		})
	}
	return file
}

// joinContinued joins line i with those that its backslash carries it on to, and returns the last one's index. Comments
// in between are skipped.
func joinContinued(lines []string, i int, comments string) (string, int) {
	var b strings.Builder
	for {
		text := strings.TrimSpace(lines[i])
		part, more := strings.CutSuffix(text, `\`)
		comment := b.Len() > 0 && text != "" && strings.ContainsRune(comments, rune(text[0]))
		if !comment {
			b.WriteString(part)
		}
		if !more && !comment || i+1 >= len(lines) {
			return strings.TrimSpace(b.String()), i
		}
		if !comment {
			b.WriteByte(' ')
		}
		i++
	}
}
