package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing/fstest"

	"github.com/klauspost/compress/gzip"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/rules"
	"github.com/netcause/netcause/rules/registry"
)

// maxRuleBundle bounds a bundle of rules and what it unpacks to, in bytes.
const maxRuleBundle = 64 << 20

// ruleSources is where rules come from: the built-in ones, the user's folder, the configuration file and --rules.
type ruleSources struct {
	paths  []string
	config string
	key    string
}

func (s *ruleSources) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&s.paths, "rules", nil, "`PATH` of rules of your own: a folder, a .rego file, an OPA bundle (.tar.gz) or oci://registry/repository:tag; repeatable")
	f.StringVar(&s.config, "config", "", "`FILE` that disables rules and changes severities; default: ~/.config/netcause/config.yaml")
	f.StringVar(&s.key, "rules-key", "", "`FILE` with the public key (PEM) that bundles of rules must be signed with")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	_ = cmd.MarkFlagFilename("rules-key", "pem")
}

// configuration is the file of a site: which rules there are, which are left out, which are how bad.
type configuration struct {
	// Rules are paths and references as of --rules, paths from the file's folder on.
	Rules    []string                   `yaml:"rules"`
	Disable  []string                   `yaml:"disable"`
	Severity map[string]engine.Severity `yaml:"severity"`
}

// configFolder is where the user's rules and configuration are: $XDG_CONFIG_HOME/netcause. Without a home there is none.
func configFolder() string {
	folder, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(folder, "netcause")
}

// load reads all rules. One that is not in order is an error: a diagnosis without it would pass for whole.
func (s *ruleSources) load(ctx context.Context) (*engine.Library, error) {
	library, err := engine.Load(rules.FS)
	if err != nil {
		return nil, err
	}
	if folder := configFolder(); folder != "" {
		own := filepath.Join(folder, "rules")
		if info, err := os.Stat(own); err == nil && info.IsDir() && hasRules(own) {
			if err := s.add(ctx, library, own); err != nil {
				return nil, err
			}
		}
	}
	config, name, err := s.readConfig()
	if err != nil {
		return nil, err
	}
	for _, path := range config.Rules {
		if !filepath.IsAbs(path) && !strings.HasPrefix(path, registry.Scheme) {
			path = filepath.Join(filepath.Dir(name), path)
		}
		if err := s.add(ctx, library, path); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, path := range s.paths {
		if err := s.add(ctx, library, path); err != nil {
			return nil, err
		}
	}
	for _, id := range config.Disable {
		if err := library.Disable(id); err != nil {
			return nil, fmt.Errorf("%s: disable: %w", name, err)
		}
	}
	for id, severity := range config.Severity {
		if err := library.SetSeverity(id, severity); err != nil {
			return nil, fmt.Errorf("%s: severity: %w", name, err)
		}
	}
	return library, nil
}

// hasRules says whether a folder has any rule: the user's own may be there and empty.
func hasRules(folder string) bool {
	found := false
	_ = filepath.WalkDir(folder, func(name string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(name) == ".rego" {
			found = true
			return filepath.SkipAll
		}
		return nil
	})
	return found
}

func (s *ruleSources) readConfig() (configuration, string, error) {
	var config configuration
	name := s.config
	if name == "" {
		folder := configFolder()
		if folder == "" {
			return config, "", nil
		}
		name = filepath.Join(folder, "config.yaml")
	}
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && s.config == "" {
		return config, name, nil
	}
	if err != nil {
		return config, name, fmt.Errorf("read the configuration: %w", err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&config); err != nil && !errors.Is(err, io.EOF) {
		var fields *yaml.TypeError
		if errors.As(err, &fields) && len(fields.Errors) > 0 {
			problem, _, _ := strings.Cut(fields.Errors[0], " not found in type ")
			return config, name, fmt.Errorf("read the configuration %s: %s: it has rules, disable and severity", name, problem)
		}
		return config, name, fmt.Errorf("read the configuration %s: %w", name, err)
	}
	return config, name, nil
}

func (s *ruleSources) add(ctx context.Context, library *engine.Library, name string) error {
	if strings.HasPrefix(name, registry.Scheme) {
		files, err := s.pull(ctx, name)
		if err != nil {
			return fmt.Errorf("--rules %w", err)
		}
		return library.AddCustom(files, strings.TrimPrefix(name, registry.Scheme))
	}
	info, err := os.Stat(name)
	if err != nil {
		return fmt.Errorf("--rules: %w", err)
	}
	switch {
	case info.IsDir():
		return library.AddCustom(os.DirFS(name), filepath.Clean(name))
	case strings.HasSuffix(name, "_test.rego"):
		return fmt.Errorf("--rules %s: it is a test; netcause rules test runs it", name)
	case filepath.Ext(name) == ".rego":
		text, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("--rules: %w", err)
		}
		return library.AddCustom(fstest.MapFS{filepath.Base(name): {Data: text}}, filepath.Dir(name))
	case strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz"):
		text, err := readFile(name, maxRuleBundle)
		if err != nil {
			return fmt.Errorf("--rules: %w", err)
		}
		files, err := s.unpack(text)
		if err != nil {
			return fmt.Errorf("--rules %s: %w", name, err)
		}
		return library.AddCustom(files, name)
	}
	return fmt.Errorf("--rules %s: it is no folder, no .rego file, no bundle (.tar.gz) and no reference (%s…)", name, registry.Scheme)
}

// pull fetches rules from a registry. A bundle in it is signed as one of a file is; a single rule cannot be.
func (s *ruleSources) pull(ctx context.Context, reference string) (fs.FS, error) {
	artifact, err := registry.Pull(ctx, reference)
	if err != nil {
		return nil, err
	}
	if s.key != "" && len(artifact.Rules) > 0 {
		return nil, fmt.Errorf("%s: --rules-key: its rules are single files, which have no signature: push a bundle that opa sign signed", reference)
	}
	files := fstest.MapFS{}
	for name, text := range artifact.Rules {
		files[name] = &fstest.MapFile{Data: text}
	}
	for _, packed := range artifact.Bundles {
		unpacked, err := s.unpack(packed)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", reference, err)
		}
		for name, file := range unpacked {
			if files[name] != nil {
				return nil, fmt.Errorf("%s: %s is in two of its layers", reference, name)
			}
			files[name] = file
		}
	}
	return files, nil
}

// unpack reads an OPA bundle (https://www.openpolicyagent.org/docs/management-bundles) in memory.
func (s *ruleSources) unpack(text []byte) (fstest.MapFS, error) {
	unpacked, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("it is no bundle (.tar.gz): %w", err)
	}
	n, err := io.Copy(io.Discard, io.LimitReader(unpacked, maxRuleBundle+1))
	if err != nil {
		return nil, err
	}
	if n > maxRuleBundle {
		return nil, fmt.Errorf("it unpacks to more than %d MiB", maxRuleBundle>>20)
	}
	reader := bundle.NewReader(bytes.NewReader(text)).WithProcessAnnotations(true).WithRegoVersion(ast.RegoV1).
		WithCapabilities(engine.Capabilities()).WithSkipBundleVerification(s.key == "")
	if s.key != "" {
		key, err := os.ReadFile(s.key)
		if err != nil {
			return nil, fmt.Errorf("--rules-key: %w", err)
		}
		config := &bundle.KeyConfig{Key: string(key), Algorithm: "RS256"}
		reader = reader.WithBundleVerificationConfig(bundle.NewVerificationConfig(map[string]*bundle.KeyConfig{"key": config}, "key", "", nil))
	}
	read, err := reader.Read()
	if err != nil {
		return nil, err
	}
	if len(read.Data) > 0 {
		return nil, errors.New("it has data beside rules, and rules see the facts alone: write what they know into the rules")
	}
	files := fstest.MapFS{}
	for _, module := range read.Modules {
		files[strings.TrimPrefix(path.Clean(module.Path), "/")] = &fstest.MapFile{Data: module.Raw}
	}
	return files, nil
}
