package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/netcause/netcause/engine"
	"github.com/netcause/netcause/rules"
)

func newRulesCapabilitiesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "capabilities DIR",
		Short: "Write what the stock opa command and Rego editors need to know of netcause",
		Long: `Write into a folder: capabilities.json (what rules may call), schema/ (what input is, for METADATA
schemas) and lib/ (the packages data.netcause.lib…). With them stock OPA checks and tests rules:

  opa check --strict --capabilities DIR/capabilities.json --schema DIR/schema DIR/lib RULES
  opa test --capabilities DIR/capabilities.json DIR/lib RULES`,
		Args: between(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := writeCapabilities(args[0]); err != nil {
				return fmt.Errorf("write the capabilities: %w", err)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "Wrote %s, %s, %s\n",
				filepath.Join(args[0], "capabilities.json"), filepath.Join(args[0], "schema"), filepath.Join(args[0], "lib"))
			return err
		},
	}
}

func writeCapabilities(folder string) error {
	text, err := json.MarshalIndent(engine.TestCapabilities(), "", "  ")
	if err != nil {
		return err
	}
	schemas, err := engine.Schemas()
	if err != nil {
		return err
	}
	files := map[string][]byte{"capabilities.json": text}
	for scope, schema := range schemas {
		files[path.Join("schema", string(scope)+".json")] = schema
	}
	err = fs.WalkDir(rules.FS, "lib", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(name, "_test.rego") {
			return err
		}
		files[name], err = fs.ReadFile(rules.FS, name)
		return err
	})
	if err != nil {
		return err
	}
	for name, text := range files {
		name = filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
