package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

func writeConfig(t *testing.T, name, server string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	text := `apiVersion: v1
kind: Config
clusters: [{name: ` + name + `, cluster: {server: "https://` + server + `"}}]
contexts: [{name: ` + name + `, context: {cluster: ` + name + `}}]
current-context: ` + name + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// noCluster takes away whatever of a cluster the machine of the tests has.
func noCluster(t *testing.T) {
	t.Helper()
	t.Setenv("KUBECONFIG", "")
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	t.Setenv("KUBERNETES_SERVICE_PORT", "")
	home := clientcmd.RecommendedHomeFile
	clientcmd.RecommendedHomeFile = filepath.Join(t.TempDir(), "none")
	t.Cleanup(func() { clientcmd.RecommendedHomeFile = home })
}

func TestConfigOrder(t *testing.T) {
	noCluster(t)
	if _, err := Config(Options{}); !errors.Is(err, ErrNoConfig) {
		t.Fatalf("without any: %v, not ErrNoConfig", err)
	}

	host := func(opts Options) string {
		t.Helper()
		cfg, err := Config(opts)
		if err != nil {
			t.Fatal(err)
		}
		return cfg.Host
	}
	clientcmd.RecommendedHomeFile = writeConfig(t, "home", "home:6443")
	if got := host(Options{}); got != "https://home:6443" {
		t.Errorf("the default path gives %s", got)
	}
	first, second := writeConfig(t, "first", "first:6443"), writeConfig(t, "second", "second:6443")
	t.Setenv("KUBECONFIG", strings.Join([]string{"/nonexistent/config", first, second}, string(filepath.ListSeparator)))
	if got := host(Options{}); got != "https://first:6443" {
		t.Errorf("KUBECONFIG gives %s", got)
	}
	if got := host(Options{Context: "second"}); got != "https://second:6443" {
		t.Errorf("the context of KUBECONFIG's second file gives %s", got)
	}
	if got := host(Options{Kubeconfig: writeConfig(t, "explicit", "explicit:6443")}); got != "https://explicit:6443" {
		t.Errorf("the explicit file gives %s", got)
	}
}

func TestConfigErrors(t *testing.T) {
	noCluster(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, test := range map[string]struct {
		opts Options
		want string
	}{
		"no such file":       {Options{Kubeconfig: "/nonexistent/config"}, "read kubeconfig /nonexistent/config: no such file"},
		"not YAML":           {Options{Kubeconfig: write("bad", "{")}, "read kubeconfig: error loading config file"},
		"empty":              {Options{Kubeconfig: write("empty", "")}, "there is no cluster in it"},
		"no such context":    {Options{Kubeconfig: writeConfig(t, "a", "a:6443"), Context: "b"}, `context "b" does not exist`},
		"no current context": {Options{Kubeconfig: write("nocurrent", "apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: \"https://a\"}}]\n")}, "no current-context"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Config(test.opts)
			if err == nil || errors.Is(err, ErrNoConfig) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, not %q", err, test.want)
			}
		})
	}
}
