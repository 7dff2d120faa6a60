package netconf

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// mask stands where a secret stood.
const mask = "********"

// secretWords make a key's value a secret wherever they stand in its name, secretNames as the whole name (keys.private
// and keys.shared of netplan's tunnels), "key" at its end (KEY1 of ifcfg is a WEP key) but for publicKeys.
var (
	secretWords = []string{
		"password", "passwd", "passphrase", "psk", "secret", "token", "privatekey", "keydata", "authorization", "credential",
	}
	secretNames = []string{"private", "shared", "pin"}
	publicKeys  = []string{"publickey", "topologykey", "defaultkey", "monkey"}
	// notSecret are endings of names that are about a secret, or say where it is, and are not it.
	notSecret = []string{"flags", "type", "mgmt", "file", "path", "dir", "ttl", "mode", "expiration", "idx"}
)

var nameJoints = strings.NewReplacer("-", "", "_", "", " ", "")

// secretKey says whether the value of a setting is to be masked: any part of its dotted name is a secret's.
func secretKey(key string) bool {
	return slices.ContainsFunc(strings.Split(key, "."), secretName)
}

func secretName(name string) bool {
	name = strings.ToLower(nameJoints.Replace(name))
	name = strings.TrimRight(name, "0123456789")
	if slices.ContainsFunc(notSecret, func(end string) bool { return strings.HasSuffix(name, end) }) {
		return false
	}
	return slices.Contains(secretNames, name) ||
		strings.HasSuffix(name, "key") && !slices.ContainsFunc(publicKeys, func(end string) bool { return strings.HasSuffix(name, end) }) ||
		slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
}

// MaskSecrets masks the secrets in a configuration file's text, comments included, whatever its format: values of keys
// that look secret, and what [MaskTokens] knows. The number of lines stays the same. Where in doubt it masks too much.
func MaskSecrets(data []byte) []byte {
	m := textMasker{in: data}
	return MaskTokens(m.run())
}

// IsSecret says whether what a setting of that name has for a value is masked by [MaskSecrets].
func IsSecret(name string) bool {
	setting := []byte(name + "=x")
	return !bytes.Equal(MaskSecrets(setting), setting)
}

// maskLines masks each line that is not blank.
func maskLines(text []byte) []byte {
	lines := bytes.Split(text, []byte("\n"))
	for i, line := range lines {
		if trimmed := bytes.TrimLeft(line, " \t"); len(bytes.TrimSpace(trimmed)) > 0 {
			lines[i] = append(bytes.Clone(line[:len(line)-len(trimmed)]), mask...)
		}
	}
	return bytes.Join(lines, []byte("\n"))
}

// textMasker goes through a text once, looking for names and what follows them.
type textMasker struct {
	in  []byte
	out bytes.Buffer
	// done is how much of in is in out.
	done int
	// at is how far the text was gone through, the others what is on the line before it: where it starts, whether there
	// is anything but blanks and #, an opening bracket, a #.
	at, lineStart          int
	word, bracket, comment bool
}

func (m *textMasker) run() []byte {
	for i := 0; i < len(m.in); {
		if !nameByte(m.in[i]) {
			i++
			continue
		}
		end := i
		for end < len(m.in) && nameByte(m.in[end]) {
			end++
		}
		if secretKey(string(m.in[i:end])) {
			m.advance(i)
			end = max(end, m.value(i, end))
		}
		i = end
	}
	m.out.Write(m.in[m.done:])
	return m.out.Bytes()
}

// advance goes on to at.
func (m *textMasker) advance(at int) {
	for ; m.at < at; m.at++ {
		switch m.in[m.at] {
		case '\n':
			m.lineStart, m.word, m.bracket, m.comment = m.at+1, false, false, false
		case '#':
			m.comment = true
		case '{', '[':
			m.word, m.bracket = true, true
		case ' ', '\t':
		default:
			m.word = true
		}
	}
}

func nameByte(c byte) bool {
	return c == '_' || c == '-' || c == '.' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// value masks what the name at in[start:end] is set to, if anything, and returns where to go on.
func (m *textMasker) value(start, end int) int {
	quoted := start > m.lineStart && end < len(m.in) && (m.in[end] == '"' || m.in[end] == '\'') && m.in[start-1] == m.in[end]
	at := end
	if quoted {
		at++
	}
	at, blanks := m.blanks(at)
	if at >= len(m.in) {
		return end
	}
	switch c := m.in[at]; {
	case c == '=':
		at, _ = m.blanks(at + 1)
		return m.maskTo(at, m.shellEnd(at))
	case c == ':' && (quoted || at+1 == len(m.in) || strings.IndexByte(" \t\r\n", m.in[at+1]) >= 0):
		at, _ = m.blanks(at + 1)
		return m.yamlValue(at, start-m.lineStart, quoted || m.bracket)
	case blanks && (m.in[start] == '-' || !m.word):
		// "wpa-psk value" of /etc/network/interfaces, "--token value" of a command line.
		return m.maskTo(at, m.shellEnd(at))
	}
	return end
}

func (m *textMasker) blanks(at int) (next int, any bool) {
	for at < len(m.in) && (m.in[at] == ' ' || m.in[at] == '\t') {
		at, any = at+1, true
	}
	return at, any
}

func (m *textMasker) lineEnd(at int) int {
	if n := bytes.IndexByte(m.in[at:], '\n'); n >= 0 {
		return at + n
	}
	return len(m.in)
}

// shellEnd is where a value ends that goes to the end of its line, further where a quote or a backslash carries it on.
func (m *textMasker) shellEnd(at int) int {
	if at < len(m.in) && (m.in[at] == '"' || m.in[at] == '\'') {
		at = m.quoteEnd(at)
	}
	for {
		end := m.lineEnd(at)
		text := bytes.TrimRight(m.in[at:end], "\r")
		if !bytes.HasSuffix(text, []byte(`\`)) || end == len(m.in) {
			return end
		}
		at = end + 1
	}
}

// quoteEnd is where the quoted text ends that starts at at; the end of its line if nothing closes it.
func (m *textMasker) quoteEnd(at int) int {
	quote := m.in[at]
	for i := at + 1; i < len(m.in); i++ {
		switch {
		case m.in[i] == '\\' && quote == '"':
			i++
		case m.in[i] == quote && quote == '\'' && i+1 < len(m.in) && m.in[i+1] == '\'':
			i++
		case m.in[i] == quote:
			return i + 1
		}
	}
	return m.lineEnd(at)
}

// yamlValue masks a value of YAML or JSON. The key stands in column column; flow: in a {} or [] of one line.
func (m *textMasker) yamlValue(at, column int, flow bool) int {
	if at >= len(m.in) {
		return at
	}
	var end int
	switch c := m.in[at]; {
	case c == '"' || c == '\'':
		end = m.quoteEnd(at)
		m.maskQuoted(at, end)
		return end
	case c == '{':
		return at
	case c == '[':
		if n := bytes.IndexByte(m.in[at:], ']'); n >= 0 {
			return m.maskTo(at+1, at+n)
		}
		return m.maskTo(at+1, len(m.in))
	case flow:
		end = at
		for end < len(m.in) && strings.IndexByte(",}]\n", m.in[end]) < 0 {
			end++
		}
		return m.maskTo(at, end)
	}
	end = m.lineEnd(at)
	header := bytes.TrimSpace(m.in[at:end])
	if len(header) > 0 && header[0] != '|' && header[0] != '>' {
		m.maskTo(at, end)
	}
	if m.comment {
		return end
	}
	// Lines indented deeper than the key belong to its value.
	next := end
	for next < len(m.in) {
		line := m.in[next+1 : m.lineEnd(next+1)]
		trimmed := bytes.TrimLeft(line, " ")
		if len(bytes.TrimSpace(trimmed)) > 0 && len(line)-len(trimmed) <= column {
			break
		}
		next += 1 + len(line)
	}
	if next == end {
		return end
	}
	return m.maskTo(end, next)
}

// maskTo masks in[from:to] and returns to.
func (m *textMasker) maskTo(from, to int) int {
	if from = max(from, m.done); from >= to {
		return to
	}
	m.out.Write(m.in[m.done:from])
	m.out.Write(maskLines(m.in[from:to]))
	m.done = to
	return to
}

// maskQuoted masks what is inside a pair of quotes, and leaves them.
func (m *textMasker) maskQuoted(from, to int) {
	if to-from >= 2 && m.in[to-1] == m.in[from] {
		m.maskTo(from+1, to-1)
		return
	}
	m.maskTo(from, to)
}

// maskJSON masks the secrets of a JSON value at any depth. It returns the value itself where there are none.
func maskJSON(value json.RawMessage) json.RawMessage {
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return value
	}
	if !maskValues(v) {
		if s, ok := v.(string); !ok || maskString(s) == s {
			return value
		}
		v = maskString(v.(string))
	}
	masked, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage(`"` + mask + `"`)
	}
	return masked
}

// maskValues masks inside a decoded value, and says whether there was anything to mask.
func maskValues(v any) (found bool) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if text, ok := value.(string); ok && maskString(text) != text {
				v[key], found = maskString(text), true
			}
			if secretName(key) {
				v[key], found = mask, true
			} else if maskValues(value) {
				found = true
			}
		}
	case []any:
		for i, value := range v {
			if text, ok := value.(string); ok && maskString(text) != text {
				v[i], found = maskString(text), true
			} else if maskValues(value) {
				found = true
			}
		}
	}
	return found
}

// maskString masks what makes a string secret whatever its key.
func maskString(s string) string { return string(MaskTokens([]byte(s))) }
