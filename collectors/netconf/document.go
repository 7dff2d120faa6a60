package netconf

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/netcause/netcause/engine/facts"
)

// File is one configuration file: its path on the node and what it says.
type File struct {
	Path string
	Data []byte
}

const (
	// maxText bounds the text of a setting, maxSettings the settings of one stanza: the input is not trusted, and one
	// long line with many settings would be repeated for each.
	maxText     = 256
	maxSettings = 4096
)

// document is a file's text by lines, secrets masked, from which settings are made.
type document struct {
	path  string
	lines []string
}

func newDocument(path string, data []byte) document {
	text := strings.ToValidUTF8(string(MaskSecrets(data)), "\uFFFD")
	return document{path: path, lines: strings.Split(text, "\n")}
}

// setting is what line (from 1) says of key.
func (d document) setting(key, value string, line int) facts.Setting {
	var text string
	if line >= 1 && line <= len(d.lines) {
		text = strings.TrimRight(d.lines[line-1], "\r")
	}
	if secretKey(key) && value != "" {
		// MaskSecrets should have masked it; this is for what it did not see.
		if len(text) > maxText {
			text = mask
		}
		text = strings.ReplaceAll(text, value, mask)
		value = mask
	}
	value = maskString(strings.ToValidUTF8(value, "\uFFFD"))
	return facts.Setting{
		Key: key, Value: value, Line: line, Text: bounded(text), Source: facts.FileLine(d.path, line),
	}
}

func bounded(text string) string {
	if len(text) <= maxText {
		return text
	}
	end := maxText
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// stanza collects one [facts.InterfaceConfig].
type stanza struct{ facts.InterfaceConfig }

func newStanza(path, format, device string) *stanza {
	return &stanza{facts.InterfaceConfig{
		File: path, Format: format, Device: device, OnBoot: true, NMControlled: true, Settings: []facts.Setting{},
	}}
}

func (s *stanza) add(setting facts.Setting) {
	if len(s.Settings) >= maxSettings {
		return
	}
	s.Settings = append(s.Settings, setting)
	if len(s.Settings) == maxSettings { // where reading stopped
		s.unparsed(setting)
	}
}

func (s *stanza) unparsed(setting facts.Setting) {
	if len(s.Unparsed) < maxSettings {
		setting.Value = bounded(setting.Value)
		s.Unparsed = append(s.Unparsed, setting)
	}
}

// address adds a static address, "10.0.0.1/24" or "10.0.0.1" (then bits is its prefix length, 0: not said). What is no
// address is a line not understood.
func (s *stanza) address(value string, bits int, setting facts.Setting) {
	host, length, found := strings.Cut(value, "/")
	local, err := netip.ParseAddr(strings.TrimSpace(host))
	if err == nil && found {
		bits, err = strconv.Atoi(strings.TrimSpace(length))
	}
	if err != nil || bits < 0 || bits > local.BitLen() {
		s.unparsed(setting)
		return
	}
	if len(s.Addresses) < maxSettings {
		setting.Value = bounded(setting.Value) // one long list is repeated for each of its addresses
		s.Addresses = append(s.Addresses, facts.ConfigAddress{Local: local.WithZone(""), Prefixlen: bits, Setting: setting})
	}
}

// gateway takes the setting as the default gateway; one of IPv4 goes before one of IPv6, later before earlier.
func (s *stanza) gateway(setting facts.Setting) {
	addr, err := netip.ParseAddr(setting.Value)
	if err != nil {
		return
	}
	if s.Gateway != nil && addr.Is6() {
		if old, err := netip.ParseAddr(s.Gateway.Value); err == nil && old.Is4() {
			return
		}
	}
	s.Gateway = &setting
}

// maskBits is the prefix length of a netmask: "255.255.255.0", or the length itself; 0 for what is neither.
func maskBits(text string) int {
	if bits, err := strconv.Atoi(text); err == nil {
		if bits < 0 || bits > 128 {
			return 0
		}
		return bits
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return 0
	}
	bits, ended := 0, false
	for _, b := range addr.AsSlice() {
		for i := 7; i >= 0; i-- {
			one := b>>i&1 == 1
			if one && ended {
				return 0
			}
			if one {
				bits++
			} else {
				ended = true
			}
		}
	}
	return bits
}

// truth reads a boolean in any of the spellings that the formats share; ok is false for anything else.
func truth(text string) (value, ok bool) {
	text = strings.ToLower(text)
	switch {
	case slices.Contains([]string{"yes", "y", "true", "t", "on", "1"}, text):
		return true, true
	case slices.Contains([]string{"no", "n", "false", "f", "off", "0"}, text):
		return false, true
	}
	return false, false
}
