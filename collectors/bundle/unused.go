package bundle

import (
	"bytes"
	"regexp"
	"strings"
)

// unused is why what an output tells is no fact: nothing reads it.
var unused = map[subject]string{
	driverSettings:     "recognised: ethtool. No rule reads offloads, drivers and their counters",
	protocolStatistics: "recognised: netstat -s. No rule reads the counters of IP, TCP and UDP",
}

var (
	ethtoolHead  = regexp.MustCompile(`(?m)^(Settings for \S+:|Features for \S+:|NIC statistics:|Ring parameters for \S+:|Coalesce parameters for \S+:|driver: \S+\nversion:)`)
	netstatHead  = regexp.MustCompile(`\A(Ip|IpExt|Icmp|Tcp):\n( {4}|\t)`)
	describeHead = regexp.MustCompile(`\AName: {2,}\S+\n(Namespace: {2,}\S+\n|Roles: |Labels: )`)
)

// passedOver is why a file of no format, whose content is not read, is left: what it is, where that is known, and what to
// give in its stead.
func passedOver(name string, head []byte) string {
	head = unixLines(head)
	if why := sealed(head); why != "" {
		return why
	}
	if i := strings.Index("/"+name, "/"+sosCommands); i >= 0 {
		_, file, _ := strings.Cut(name[i+len(sosCommands):], "/")
		if why := unused[sosCommand(file).subject]; why != "" {
			return why
		}
	}
	text := bytes.TrimLeft(head, " \t\r\n")
	switch {
	case hopeless(name):
	case ethtoolHead.Match(text):
		return unused[driverSettings]
	case netstatHead.Match(text):
		return unused[protocolStatistics]
	case describeHead.Match(text):
		return "recognised: kubectl describe, which is for people: kubectl get -o json has all of it"
	}
	if kind, ok := tableOfObjects(head); ok {
		return tableUnused(kind)
	}
	return notRecognised
}

// sealed is why an archive cannot be opened, by what it begins with; empty for one that can, and for what is none.
func sealed(head []byte) string {
	const instead = "unpack it, and give the folder"
	switch {
	case bytes.HasPrefix(head, []byte("7z\xbc\xaf\x27\x1c")): // 7zFormat.txt of the LZMA SDK
		return "a 7z archive is not read: " + instead
	case bytes.HasPrefix(head, []byte("Rar!\x1a\x07")): // technote.txt of RAR 5.0
		return "a RAR archive is not read: " + instead
	case bytes.HasPrefix(head, []byte("MSCF\x00\x00\x00\x00")): // [MS-CAB] 2.1
		return "a cabinet archive is not read: " + instead
	case bytes.HasPrefix(head, []byte("\x04\x22\x4d\x18")), bytes.HasPrefix(head, []byte("LZIP\x01")), bytes.HasPrefix(head, []byte("\x89LZO\x00\r\n\x1a\n")):
		return "an archive packed with lz4, lzip or lzop is not read: unpack it, and give the folder or the tar archive"
	case bytes.HasPrefix(head, []byte("Salted__")), bytes.HasPrefix(head, []byte("-----BEGIN PGP MESSAGE-----")), bytes.HasPrefix(head, []byte("age-encryption.org/v1\n")),
		len(head) > 3 && (head[0] == 0x85 && head[1] <= 4 && head[3] == 3 || head[0] == 0x84 && head[2] == 3), // a key that is encrypted (RFC 4880, 5.1)
		bytes.HasPrefix(head, []byte{0x8c, 0x0d, 4}):                                                          // or made of a password (5.3)
		return "it is encrypted: decrypt it, and give what comes out"
	}
	return ""
}
