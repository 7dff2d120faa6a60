package netconf

import (
	"bytes"
	"encoding/base64"
	"regexp"
	"slices"
)

// token is one kind of secret that is known by its own form, whatever it is called.
type token struct {
	// marks are texts of which one is in every match, so that most texts need no regular expression.
	marks []string
	form  *regexp.Regexp
	// keep is what of a match stays, with ${1} for its first group; the mask follows.
	keep string
	// after is what stays behind the mask.
	after string
}

// tokens are the forms that secrets have by themselves. Sources: RFC 3986 section 3.2.1 (user information), RFC 7519 (JWT),
// RFC 6750 and 7617 (authorization headers), and what the issuers say of their keys' prefixes.
var tokens = []token{
	{marks: []string{"://"}, form: regexp.MustCompile(`(://[^/\s:@"'<>]*:)[^/\s"']+@`), keep: "${1}", after: "@"},
	// A user of this length is a key: https://TOKEN@git.example.
	{marks: []string{"://"}, form: regexp.MustCompile(`(://)[A-Za-z0-9_+=-]{20,}@`), keep: "${1}", after: "@"},
	{marks: []string{"eyJ"}, form: regexp.MustCompile(`\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*`)},
	{
		// "basic authentication" is none.
		marks: []string{"earer", "EARER", "asic", "ASIC"},
		form:  regexp.MustCompile(`(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{8,}|\b(basic\s+)(?:[A-Za-z0-9+/]{16,}=*|[A-Za-z0-9+/]{8,}=+)`), keep: "${1}${2}",
	},
	{marks: []string{"AKIA", "ASIA"}, form: regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`)},
	{marks: []string{"AIza"}, form: regexp.MustCompile(`\bAIza[\w-]{35}`)},
	{marks: []string{"gho_", "ghp_", "ghs_", "ghu_", "ghr_", "github_pat_"}, form: regexp.MustCompile(`\b(?:gh[opsur]_[A-Za-z0-9]{30,}|github_pat_\w{22,})`)},
	{marks: []string{"glpat-"}, form: regexp.MustCompile(`\bglpat-[\w-]{20,}`)},
	{marks: []string{"xox"}, form: regexp.MustCompile(`\bxox[abeoprs]-[\w-]{10,}`)},
	{marks: []string{"k_live_", "k_test_"}, form: regexp.MustCompile(`\b[prs]k_(?:live|test)_[0-9A-Za-z]{16,}`)},
	{marks: []string{"sha256~"}, form: regexp.MustCompile(`\bsha256~[\w-]{40,}`)}, // OpenShift's OAuth
	{marks: []string{"hvs.", "hvb."}, form: regexp.MustCompile(`\bhv[bs]\.[\w-]{24,}`)},
	{marks: []string{"K10"}, form: regexp.MustCompile(`\bK10[0-9a-f]{40,}::[\w:-]+`)}, // k3s' join token
	{marks: []string{"npm_"}, form: regexp.MustCompile(`\bnpm_[A-Za-z0-9]{36}`)},
	{marks: []string{"AGE-SECRET-KEY-"}, form: regexp.MustCompile(`\bAGE-SECRET-KEY-1[0-9A-Z]{50,}`)},
	{
		// A pair of a query, of a connection string, of a command line in a sentence. The rest of the text stays.
		marks: []string{
			"assw", "ASSW", "assphrase", "ASSPHRASE", "wd=", "WD=", "sk=", "SK=", "ecret", "ECRET", "oken", "OKEN", "ig=", "IG=", "ignature", "IGNATURE",
			"ey=", "EY=",
		},
		form: regexp.MustCompile(`(?i)((?:^|[?&;,\s"'\[({-])(?:[a-z]+[_-])*(?:passw(?:or)?d|passphrase|pwd|psk|secret|token|sig|signature|` +
			`api[_-]?key|access[_-]?key|account[_-]?key|shared[_-]?access[_-]?key|client[_-]?secret)=)(?:"[^"\n]+"|'[^'\n]+'|[^\s&;,"'\])}]+)`),
		keep: "${1}",
	},
	{
		// JSON in a sentence has its quotes escaped.
		marks: []string{"assw", "ASSW", "assphrase", "ASSPHRASE"},
		form:  regexp.MustCompile(`(?i)((?:passw(?:or)?d|passphrase)\\?["']?\s*:[ \t]*\\?["']?)[^\s"'\\,}\]*|>]+`), keep: "${1}",
	},
}

var (
	pemKey = regexp.MustCompile(`(?s)(-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----)(.*?)(-----END|$)`)
	// encodedPEM is base64 of "-----BEGIN": a key in a kubeconfig, in a Secret's data.
	encodedPEM = regexp.MustCompile(`LS0tLS1CRUdJTi[A-Za-z0-9+/=]+`)
)

// MaskTokens masks what is a secret by its own form, whatever it is called: passwords in URLs and connection strings,
// private keys in PEM, JSON web tokens, authorization headers, keys of cloud providers. Lines stay lines. Unlike
// [MaskSecrets] it leaves the rest of a sentence, so that it is right for messages.
func MaskTokens(data []byte) []byte {
	for _, t := range tokens {
		if !slices.ContainsFunc(t.marks, func(mark string) bool { return bytes.Contains(data, []byte(mark)) }) {
			continue
		}
		data = t.form.ReplaceAll(data, []byte(t.keep+mask+t.after))
	}
	if bytes.Contains(data, []byte("LS0tLS1CRUdJTi")) {
		data = encodedPEM.ReplaceAllFunc(data, func(text []byte) []byte {
			// A certificate is public. What is cut has no whole number of groups: all before its end is decoded.
			digits := bytes.TrimRight(text, "=")
			plain := make([]byte, base64.RawStdEncoding.DecodedLen(len(digits)))
			n, _ := base64.RawStdEncoding.Decode(plain, digits)
			if bytes.Contains(plain[:n], []byte("PRIVATE KEY")) {
				return []byte(mask)
			}
			return text
		})
	}
	if bytes.Contains(data, []byte("PRIVATE KEY")) {
		data = pemKey.ReplaceAllFunc(data, func(block []byte) []byte {
			part := pemKey.FindSubmatch(block)
			return slices.Concat(part[1], maskLines(part[2]), part[3])
		})
	}
	return data
}
