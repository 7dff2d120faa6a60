package bundle

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/netcause/netcause/collectors/netconf"
	"github.com/netcause/netcause/engine/facts"
)

// fatal are the words of a log that name why a program ended, each with what has to follow in the line. Only what a rule
// reads is among them: a log is no place to look for symptoms.
var fatal = [][2]string{
	{"plugin/loop: Loop (", ") detected"}, // plugin/loop of CoreDNS, which then ends
}

const (
	// maxLogLine is how much of a line is kept, in bytes.
	maxLogLine = 300
	// maxPodLogs is how many lines are kept of one Pod, maxLogLines of all.
	maxPodLogs  = 5
	maxLogLines = 500
)

// podLog is a line of a log that says why a program ended.
type podLog struct {
	// namespace and pod are those that the log names itself; where it does not, place is its path, which has the Pod's name.
	namespace, pod string
	place          string
	line           facts.LogLine
	used           *File
}

// isPodLog says whether a file is, by its name, the log of a Pod of the cluster's DNS: NS/POD/logs.txt of a cluster-info dump,
// pods/logs/NS/POD/CONTAINER.log of troubleshoot.sh, pods/POD/CONTAINER/CONTAINER/logs/current.log of must-gather,
// podlogs/NS-POD and NS_POD_UID/CONTAINER/0.log of Rancher's collector. Other logs, of which a bundle has the most, are not
// looked at.
func isPodLog(name string) bool {
	lower := strings.ToLower(name)
	if !strings.Contains(lower, "dns") {
		return false
	}
	base := path.Base(lower)
	return base == "logs.txt" || strings.HasSuffix(base, ".log") || strings.Contains("/"+lower, "/podlogs/")
}

// scanLog reads a log through, and keeps of it the lines that say why a program ended.
func (in *intake) scanLog(bundle, name string, r io.Reader) error {
	used := in.note(bundle, name)
	used.PassedOver = "a log: no line of it says why a program ended"
	s := logScanner{in: in, log: podLog{place: name, used: used}, file: name, number: 1}
	buffer := make([]byte, 64<<10)
	kept := 0 // of buffer: the beginning of a line
	for {
		n, err := r.Read(buffer[kept:])
		text := buffer[:kept+n]
		end := bytes.LastIndexByte(text, '\n') + 1
		if err != nil || end == 0 && len(text) == len(buffer) {
			end = len(text) // a line longer than the buffer is cut
		}
		s.scan(text[:end])
		kept = copy(buffer, text[end:])
		switch {
		case errors.Is(err, io.EOF):
			s.done()
			return nil
		case err != nil:
			s.done()
			return err
		}
	}
}

// logScanner finds the lines of one log.
type logScanner struct {
	in     *intake
	log    podLog
	file   string
	number int // of the next line
	found  []podLog
}

func (s *logScanner) scan(text []byte) {
	told := bytes.Contains(text, logsStart)
	for _, words := range fatal {
		told = told || bytes.Contains(text, []byte(words[0]))
	}
	if !told {
		s.number += bytes.Count(text, []byte("\n"))
		return
	}
	for len(text) > 0 {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		s.line(bytes.TrimRight(line, "\r"))
		if whole {
			s.number++
		}
		text = rest
	}
}

func (s *logScanner) line(line []byte) {
	if bytes.HasPrefix(line, logsStart) {
		s.log.namespace, s.log.pod = podOfLogs(string(line))
		return
	}
	for _, words := range fatal {
		if i := bytes.Index(line, []byte(words[0])); i >= 0 && bytes.Contains(line[i:], []byte(words[1])) {
			l := s.log
			text := netconf.MaskTokens(bytes.TrimSpace(line))
			text = bytes.ToValidUTF8(text[:min(len(text), maxLogLine)], nil)
			l.line = facts.LogLine{Text: string(text), Source: facts.FileLine(s.file, s.number)}
			s.found = append(s.found, l)
			if len(s.found) > maxPodLogs {
				s.found = s.found[1:]
			}
			return
		}
	}
}

func (s *logScanner) done() {
	s.in.objects.logs = append(s.in.objects.logs, s.found[:min(len(s.found), max(maxLogLines-len(s.in.objects.logs), 0))]...)
}

// podOfLogs is the Pod of "==== START logs for container coredns of pod kube-system/coredns-1 ====".
func podOfLogs(line string) (namespace, pod string) {
	_, name, _ := strings.Cut(line, " of pod ")
	namespace, pod, _ = strings.Cut(strings.TrimSpace(strings.TrimRight(name, " =")), "/")
	return namespace, pod
}

// isOf says whether a line is of a Pod's log.
func (l *podLog) isOf(m *facts.ObjectMeta) bool {
	if l.pod != "" {
		return l.pod == m.Name && l.namespace == m.Namespace
	}
	segments := strings.Split(l.place, "/")
	for i, segment := range segments {
		segment = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(segment, ".log"), "-previous"), ".txt")
		switch {
		case segment == m.Namespace+"-"+m.Name,
			strings.HasPrefix(segment, m.Namespace+"_"+m.Name+"_"), strings.HasPrefix(segment, m.Name+"_"+m.Namespace+"_"): // /var/log/pods, /var/log/containers
			return true
		case segment == m.Name:
			// namespaces/NS/pods/POD, NS/POD; a collector's own folder may stand before the Pod's.
			return i == 0 || segments[i-1] == m.Namespace || i > 1 && segments[i-2] == m.Namespace || !slices.Contains(segments[:i], "namespaces") && !slices.Contains(segments[:i], "logs")
		}
	}
	return false
}

// attachLogs gives Pods what their logs say. A line that two Pods may be meant by is nobody's.
func (o *objects) attachLogs(pods []facts.Pod) {
	for i := range o.logs {
		l := &o.logs[i]
		var owner *facts.Pod
		count := 0
		for k := range pods {
			if strings.Contains(l.pod+l.place, pods[k].Metadata.Name) && pods[k].Metadata.Name != "" && l.isOf(&pods[k].Metadata) {
				owner = &pods[k]
				count++
			}
		}
		if count != 1 {
			l.used.PassedOver = fmt.Sprintf("it says %s, and no list of Pods has the Pod", printable(l.line.Text))
			continue
		}
		owner.Logs = append(owner.Logs, l.line)
		if len(owner.Logs) > maxPodLogs {
			owner.Logs = owner.Logs[1:]
		}
		l.used.PassedOver = ""
		l.used.facts("cluster.pods")
	}
}
