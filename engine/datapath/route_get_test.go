package datapath_test

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/netcause/netcause/engine/datapath"
)

var failedCommand = regexp.MustCompile(`(?m)^(?:RTNETLINK answers: |Error: )(.*)\nCommand failed -:(\d+)$`)

// routeGet asks the kernel all queries at once.
func (ns *kernelNS) routeGet(queries []query) []string {
	ns.t.Helper()
	var batch, stdout, stderr strings.Builder
	for _, q := range queries {
		fmt.Fprintln(&batch, q.command())
	}
	cmd := exec.Command("ip", "-force", "-batch", "-")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(batch.String()), &stdout, &stderr
	ns.do(func() { _ = cmd.Run() }) // it fails where one query does
	answers := make([]string, len(queries))
	for _, m := range failedCommand.FindAllStringSubmatch(stderr.String(), -1) {
		n, _ := strconv.Atoi(m[2])
		answers[n-1] = "error " + m[1]
	}
	i := 0
	for line := range strings.Lines(stdout.String()) {
		if strings.HasPrefix(line, " ") || strings.TrimSpace(line) == "" {
			continue
		}
		for i < len(answers) && answers[i] != "" {
			i++
		}
		if i == len(answers) {
			ns.t.Fatalf("more answers than queries: %s\n%s", stdout.String(), stderr.String())
		}
		answers[i] = routeAnswer(queries[i], strings.Fields(line))
		i++
	}
	if slices.Contains(answers, "") {
		ns.t.Fatalf("a query without answer: %s\n%s", stdout.String(), stderr.String())
	}
	return answers
}

// routeAnswer is a line of `ip route get` in the model's words.
func routeAnswer(q query, words []string) string {
	word := func(name string) string {
		if i := slices.Index(words, name); i >= 0 && i+1 < len(words) {
			return words[i+1]
		}
		return ""
	}
	src := ""
	if q.flow.Iif == "lo" && !q.flow.Src.IsValid() {
		src = " src " + word("src")
	}
	switch words[0] {
	case "local", "broadcast", "anycast":
		return "local" + src
	case "multicast", "unreachable", "blackhole", "prohibit":
		return words[0]
	}
	return strings.TrimSpace(fmt.Sprintf("forward %s dev %s%s", word("via"), word("dev"), src))
}

// model is the same from the model, ways separated by "|".
func (q query) model(n *datapath.Namespace) string {
	var list []string
	add := func(d datapath.Decision, src string) {
		text := d.Action + src
		switch d.Action {
		case "forward":
			via := ""
			if d.Way.Via.IsValid() {
				via = d.Way.Via.String()
			}
			text = fmt.Sprintf("forward %s dev %s%s", via, d.Way.Dev, src)
		case "drop", "reject", "unknown":
			text = strings.TrimSpace(d.Action + " " + d.ICMP + " " + d.Text)
		}
		list = append(list, text)
	}
	if q.flow.Iif != "lo" {
		for _, d := range n.RouteInput(q.flow) {
			add(d, "")
		}
		return strings.Join(list, "|")
	}
	decisions, sources := n.RouteOutput(q.flow)
	for i, d := range decisions {
		src := ""
		if !q.flow.Src.IsValid() {
			src = " src " + sources[i].String()
		}
		add(d, src)
	}
	return strings.Join(list, "|")
}

// agrees is whether the kernel's answer is one of the model's.
func agrees(kernel, model string) bool {
	for way := range strings.SplitSeq(model, "|") {
		switch {
		case way == kernel:
			return true
		case strings.HasPrefix(way, "drop"):
			if slices.Contains([]string{"error Invalid argument", "error No route to host", "error Invalid cross-device link"}, kernel) {
				return true
			}
		case strings.HasPrefix(way, "reject icmp-net-unreachable"):
			if kernel == "error Network is unreachable" {
				return true
			}
		case strings.HasPrefix(way, "reject icmp-host-unreachable"):
			if kernel == "error No route to host" {
				return true
			}
		case strings.HasPrefix(way, "reject icmp-admin-prohibited"):
			if kernel == "error Permission denied" {
				return true
			}
		}
	}
	return false
}
