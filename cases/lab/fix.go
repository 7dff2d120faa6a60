package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// applyFix runs the steps of root causes' fixes as they are printed, each once, where they say. It gives how many it ran,
// and how many were done by hand.
func (l *Lab) applyFix(ctx context.Context, roots []finding, c Case) (ran, hand int, err error) {
	done := map[step]bool{}
	for _, root := range roots {
		for _, s := range root.Fix.Steps {
			if done[s] {
				continue
			}
			done[s] = true
			if by, there := findByHand(s, c.ByHand); there {
				l.say("    by hand  %s", s.text())
				hand++
				if by.Do != nil {
					if err := by.Do(ctx, l); err != nil {
						return ran, hand, fmt.Errorf("by hand: %s: %w", s.text(), err)
					}
				}
				continue
			}
			where := s.Node
			if s.Cluster {
				where = "cluster"
			}
			l.say("    on %-8s%s", where, strings.ReplaceAll(s.text(), "\n", "\n               "))
			if err := l.runStep(ctx, s); err != nil {
				return ran, hand, fmt.Errorf("the fix of %s: %w", root.ID, err)
			}
			ran++
		}
	}
	return ran, hand, nil
}

func findByHand(s step, byHand []ByHand) (ByHand, bool) {
	for _, by := range byHand {
		if by.Step.MatchString(s.text()) {
			return by, true
		}
	}
	return ByHand{}, false
}

func (l *Lab) runStep(ctx context.Context, s step) error {
	switch {
	case s.Edit != "" && s.Node != "":
		m := l.machines[s.Node]
		if m == nil {
			return fmt.Errorf("there is no machine %q", s.Node)
		}
		return m.follow(s.Edit)
	case s.Edit != "":
		command, there := strings.CutPrefix(s.Edit, "on every node: ")
		if !there {
			return fmt.Errorf("not a step for a machine: %s", s.Edit)
		}
		for _, n := range l.Nodes() {
			if err := n.Run(ctx, command); err != nil {
				return err
			}
		}
		return nil
	case s.Cluster:
		// As the administrator, somewhere with kubectl.
		_, err := output(l.Control().command(ctx, "env", "PATH="+l.tools+":/usr/sbin:/usr/bin:/sbin:/bin", "KUBECONFIG="+adminKubeconfig,
			"sh", "-ec", s.Run+s.Patch))
		if err != nil {
			return fmt.Errorf("%s: %w", s.Run+s.Patch, err)
		}
		return nil
	}
	m := l.machines[s.Node]
	if m == nil {
		return fmt.Errorf("there is no machine %q", s.Node)
	}
	return m.Run(ctx, s.Run)
}

// setting is an edit whose words say which line of which file it is, what that has, and what it becomes.
var setting = regexp.MustCompile(`^at (/[^ :]+):(\d+) \((.*)\) set (\S.*)$`)

// follow does an edit of a file that is printed in words, where it understands them.
func (m *Machine) follow(words string) error {
	match := setting.FindStringSubmatch(words)
	if match == nil {
		return fmt.Errorf("the lab does not understand the edit: %s", words)
	}
	file, has, becomes := match[1], match[3], match[4]
	number, err := strconv.Atoi(match[2])
	if err != nil {
		return err
	}
	text, err := m.ReadFile(file)
	if err != nil {
		return err
	}
	lines := strings.Split(text, "\n")
	if number < 1 || number > len(lines) || strings.TrimSpace(lines[number-1]) != has {
		return fmt.Errorf("%s on %s does not have %q in line %d", file, m.Name, has, number)
	}
	indent := lines[number-1][:len(lines[number-1])-len(strings.TrimLeft(lines[number-1], " \t"))]
	lines[number-1] = indent + becomes
	return m.WriteFile(file, strings.Join(lines, "\n"))
}
