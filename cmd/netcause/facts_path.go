package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/netcause/netcause/engine/report"
)

// pathStep is one step of a path: a field, an index, or each member.
type pathStep struct {
	field string
	index int
	each  bool
}

// located is a value with the way to it.
type located struct {
	way   string
	value any
}

var pathPattern = regexp.MustCompile(`^(?:\.([A-Za-z_][\w-]*)|\["([^"]*)"\]|\[(\d*)\])`)

// parsePath reads ".nodes[0].links[].mtu"; a field that is no word stands as ["net.ipv4.ip_forward"].
func parsePath(text string) ([]pathStep, error) {
	var steps []pathStep
	rest := strings.TrimPrefix(text, ".input")
	for rest != "" && rest != "." {
		match := pathPattern.FindStringSubmatch(rest)
		if match == nil {
			return nil, fmt.Errorf(`path %s: at %s: write .field, ["field"], [0] or []`, text, rest)
		}
		step := pathStep{field: match[1] + match[2], index: -1}
		if step.field == "" {
			step.each = match[3] == ""
			if !step.each {
				index, err := strconv.Atoi(match[3])
				if err != nil {
					return nil, fmt.Errorf("path %s: %w", text, err)
				}
				step.index = index
			}
		}
		steps = append(steps, step)
		rest = rest[len(match[0]):]
	}
	return steps, nil
}

// wordsOf are the fields of a path, as the schema is asked.
func wordsOf(steps []pathStep) string {
	var words []string
	for _, step := range steps {
		if step.field != "" {
			words = append(words, step.field)
		}
	}
	return strings.Join(words, ".")
}

func walkPath(from []located, steps []pathStep) []located {
	for _, step := range steps {
		var next []located
		for _, l := range from {
			next = append(next, l.step(step)...)
		}
		from = next
	}
	return from
}

func (l located) step(step pathStep) []located {
	switch value := l.value.(type) {
	case map[string]any:
		if step.each {
			var all []located
			for _, name := range slices.Sorted(maps.Keys(value)) {
				all = append(all, located{l.way + fieldStep(name), value[name]})
			}
			return all
		}
		if member, ok := value[step.field]; ok && step.field != "" {
			return []located{{l.way + fieldStep(step.field), member}}
		}
	case []any:
		if step.each {
			var all []located
			for i, member := range value {
				all = append(all, located{fmt.Sprintf("%s[%d]", l.way, i), member})
			}
			return all
		}
		if step.index >= 0 && step.index < len(value) {
			return []located{{fmt.Sprintf("%s[%d]", l.way, step.index), value[step.index]}}
		}
	}
	return nil
}

var word = regexp.MustCompile(`^[A-Za-z_][\w-]*$`)

// fieldStep is a field as a path has it.
func fieldStep(name string) string {
	if word.MatchString(name) {
		return "." + name
	}
	return `["` + name + `"]`
}

// writeLocated prints a value below the way to it.
func writeLocated(w io.Writer, l located) error {
	if text, ok := scalar(l.value); ok {
		_, err := fmt.Fprintf(w, "%s  %s\n", l.way, text)
		return err
	}
	if _, err := fmt.Fprintln(w, l.way+sourceOf(l.value)); err != nil {
		return err
	}
	return tree(w, l.value, 1)
}

// writeTree prints a value.
func writeTree(w io.Writer, value any) error {
	if text, ok := scalar(value); ok {
		_, err := fmt.Fprintln(w, text)
		return err
	}
	return tree(w, value, 0)
}

// tree prints the members of a value in lines, each source behind what was read there.
func tree(w io.Writer, value any, depth int) error {
	indent := strings.Repeat("  ", depth)
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if name == "source" && depth > 0 {
				continue
			}
			if text, ok := scalar(v[name]); ok {
				fmt.Fprintf(w, "%s%s  %s\n", indent, name, text)
				continue
			}
			fmt.Fprintf(w, "%s%s%s\n", indent, name, sourceOf(v[name]))
			if err := tree(w, v[name], depth+1); err != nil {
				return err
			}
		}
	case []any:
		for i, member := range v {
			if text, ok := scalar(member); ok {
				fmt.Fprintf(w, "%s- %s\n", indent, text)
				continue
			}
			fmt.Fprintf(w, "%s[%d]%s\n", indent, i, sourceOf(member))
			if err := tree(w, member, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// scalar is a value that takes no lines of its own.
func scalar(value any) (string, bool) {
	switch v := value.(type) {
	case map[string]any:
		return "{}", len(v) == 0
	case []any:
		var words []string
		for _, member := range v {
			text, ok := member.(string)
			if !ok || len(v) > 8 {
				return "[]", len(v) == 0
			}
			words = append(words, text)
		}
		return "[" + report.Plain(strings.Join(words, ", ")) + "]", true
	case string:
		return report.Plain(v), true
	case json.Number:
		return v.String(), true
	}
	return report.Plain(fmt.Sprint(value)), true
}

func sourceOf(value any) string {
	if object, ok := value.(map[string]any); ok {
		if source, ok := object["source"].(string); ok {
			return "    " + report.Plain(source)
		}
	}
	return ""
}
