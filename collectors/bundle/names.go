package bundle

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"path"
	"strings"

	"github.com/netcause/netcause/engine/facts"
)

const (
	longestComponent = 100
	longestName      = 400
)

// safeComponent makes one component of a path out of any text: bytes that mean something to a file system or a shell
// become %XX.
func safeComponent(text string) string {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("_+=@,", c) >= 0,
			i > 0 && strings.IndexByte("-.", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	switch safe := b.String(); {
	case safe == "":
		return "_"
	case len(safe) > longestComponent:
		return shortened(safe, text)
	default:
		return safe
	}
}

// safePath is safeComponent for each component of a path.
func safePath(text string) string {
	var components []string
	for component := range strings.SplitSeq(text, "/") {
		if component != "" {
			components = append(components, safeComponent(component))
		}
	}
	switch safe := strings.Join(components, "/"); {
	case safe == "":
		return "_"
	case len(safe) > longestName:
		return shortened(strings.ReplaceAll(safe, "/", "_"), text)
	default:
		return safe
	}
}

func shortened(safe, text string) string {
	return fmt.Sprintf("%s~%x", safe[:longestComponent-17], sha256.Sum256([]byte(text)))[:longestComponent]
}

// taken are the paths of one folder that are in use. Case does not tell two apart: it does not on every file system.
type taken map[string]bool // true: a file, false: a folder

// take claims name, or the next free one that looks like it.
func (t taken) take(name string) string {
	if t.belowFile(name) {
		flat := strings.ReplaceAll(name, "/", "_")
		if len(flat) > longestComponent {
			flat = shortened(flat, name)
		}
		name = flat
	}
	free := name
	for n := 2; t.has(free); n++ {
		free = fmt.Sprintf("%s~%d", name, n)
	}
	key := strings.ToLower(free)
	t[key] = true
	for dir := path.Dir(key); dir != "."; dir = path.Dir(dir) {
		t[dir] = false
	}
	return free
}

func (t taken) has(name string) bool {
	_, ok := t[strings.ToLower(name)]
	return ok
}

// belowFile says whether a file is where name needs a folder.
func (t taken) belowFile(name string) bool {
	for dir := path.Dir(strings.ToLower(name)); dir != "."; dir = path.Dir(dir) {
		if t[dir] {
			return true
		}
	}
	return false
}

// rawTexts places the raw texts of one folder. A text that several groups share is kept once.
type rawTexts struct {
	taken  taken
	files  []file
	byName map[string][]int // indexes of files
}

func (r *rawTexts) place(raw facts.Raw) rawFile {
	for _, i := range r.byName[raw.Name] {
		if bytes.Equal(r.files[i].data, raw.Data) {
			return rawFile{Name: raw.Name, File: r.files[i].name}
		}
	}
	name := "raw/" + r.taken.take(safePath(raw.Name))
	r.byName[raw.Name] = append(r.byName[raw.Name], len(r.files))
	r.files = append(r.files, file{name, raw.Data})
	return rawFile{Name: raw.Name, File: name}
}
