package main

import (
	"bytes"
	"fmt"
	htmltemplate "html/template"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/spf13/cobra"

	"github.com/netcause/netcause/engine"
)

const markdownPage = `# {{.Title}}

` + "`{{.ID}}`" + ` · {{.Category}} · {{.Severity}} · {{if eq .Scope "node"}}evaluated for each node{{else}}evaluated for the cluster{{end}}

{{.Description}}
{{if .Needs}}
Needs: {{join .Needs ", "}}.
{{end}}{{range .NeedsAny}}
Or needs: {{join . ", "}}.
{{end}}{{if .Optional}}
Reads also, where they are there: {{join .Optional ", "}}.
{{end}}{{if .Explains}}
Explains: {{join .Explains ", "}}.
{{end}}{{if .Causes}}
Brings about: {{range $i, $id := .Causes}}{{if $i}}, {{end}}[{{$id}}]({{$id}}.md){{end}}.
{{end}}{{if .Sources}}
Sources:

{{range .Sources}}- <{{.}}>
{{end}}{{end}}`

const htmlPage = `<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{{.ID}}</title></head>
<body>
<h1>{{.Title}}</h1>
<p><code>{{.ID}}</code> · {{.Category}} · {{.Severity}} · {{if eq .Scope "node"}}evaluated for each node{{else}}evaluated for the cluster{{end}}</p>
<p>{{.Description}}</p>
{{if .Needs}}<p>Needs: {{join .Needs ", "}}.</p>{{end}}
{{range .NeedsAny}}<p>Or needs: {{join . ", "}}.</p>{{end}}
{{if .Optional}}<p>Reads also, where they are there: {{join .Optional ", "}}.</p>{{end}}
{{if .Explains}}<p>Explains: {{join .Explains ", "}}.</p>{{end}}
{{if .Causes}}<p>Brings about: {{range $i, $id := .Causes}}{{if $i}}, {{end}}<a href="{{$id}}.html">{{$id}}</a>{{end}}.</p>{{end}}
{{if .Sources}}<p>Sources:</p>
<ul>
{{range .Sources}}<li><a href="{{.}}">{{.}}</a></li>
{{end}}</ul>{{end}}
</body>
</html>
`

func newRulesDocsCommand() *cobra.Command {
	var (
		sources ruleSources
		format  string
	)
	cmd := &cobra.Command{
		Use:   "docs DIR",
		Short: "Write a page for each rule, from its METADATA",
		Long: `Write into a folder a page for each rule and an index, in Markdown or HTML: what it finds and why that
breaks traffic, the facts that it needs, what it explains and brings about, and its sources.`,
		Args: between(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			library, err := sources.load(cmd.Context())
			if err != nil {
				return err
			}
			if err := writeDocs(args[0], format, library.Rules()); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "Wrote %d pages and the index into %s\n", len(library.Rules()), args[0])
			return err
		},
	}
	sources.flags(cmd)
	cmd.Flags().StringVar(&format, "format", "markdown", "`FORMAT`: markdown or html")
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"markdown", "html"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// page is what both kinds of template have.
type page interface {
	Execute(w io.Writer, data any) error
}

func writeDocs(folder, format string, list []*engine.Rule) error {
	join := map[string]any{"join": strings.Join}
	var (
		each, index page
		extension   string
		err         error
	)
	switch format {
	case "markdown":
		extension = ".md"
		each, err = template.New("page").Funcs(join).Parse(markdownPage)
		if err == nil {
			index, err = template.New("index").Parse("# Rules\n\n| rule | what it finds |\n| --- | --- |\n{{range .}}| [{{.ID}}]({{.ID}}.md) | {{.Title}} |\n{{end}}")
		}
	case "html":
		extension = ".html"
		each, err = htmltemplate.New("page").Funcs(join).Parse(htmlPage)
		if err == nil {
			index, err = htmltemplate.New("index").Parse("<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Rules</title></head>\n<body>\n<h1>Rules</h1>\n<ul>\n{{range .}}<li><a href=\"{{.ID}}.html\">{{.ID}}</a>: {{.Title}}</li>\n{{end}}</ul>\n</body>\n</html>\n")
		}
	default:
		return fmt.Errorf("--format %s: it is markdown or html", format)
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	write := func(name string, p page, data any) error {
		var text bytes.Buffer
		if err := p.Execute(&text, data); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
		return os.WriteFile(filepath.Join(folder, name+extension), text.Bytes(), 0o644)
	}
	for _, rule := range list {
		if err := write(rule.ID, each, rule); err != nil {
			return err
		}
	}
	return write("index", index, list)
}
