package cluster

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/netcause/netcause/collectors/netconf"
)

// masked stands for a secret, as in configuration files.
const masked = "********"

// maskText masks the secrets in a text of whatever form: a file in a ConfigMap, an argument.
func maskText(text string) string { return string(netconf.MaskSecrets([]byte(text))) }

// maskMessage masks the secrets in a sentence, and leaves the rest of it: rules read messages.
func maskMessage(text string) string { return string(netconf.MaskTokens([]byte(text))) }

// maskSetting masks the value of a named setting, which may itself be a whole file.
func maskSetting(name, v string) string {
	if v != "" && netconf.IsSecret(name) {
		return masked
	}
	// k3s keeps its command line in an annotation, as a JSON list.
	var args []string
	if strings.HasPrefix(v, "[") && json.Unmarshal([]byte(v), &args) == nil {
		if out := maskArguments(args); !slices.Equal(out, args) {
			return string(*rawJSON(out))
		}
	}
	return maskText(v)
}

// maskArguments masks the secrets of a command line.
func maskArguments(args []string) []string {
	if len(args) == 0 {
		return args
	}
	out := make([]string, len(args))
	for i, arg := range args {
		out[i] = maskText(arg)
		if i > 0 && strings.HasPrefix(args[i-1], "-") && !strings.Contains(args[i-1], "=") &&
			!strings.HasPrefix(arg, "-") && netconf.IsSecret(args[i-1]) {
			out[i] = masked
		}
	}
	return out
}
