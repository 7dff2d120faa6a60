// Package lint says what a rule lacks that compiles: its own rules are Rego, over what the engine reads of a rule's text.
package lint

import (
	"bytes"
	"context"
	_ "embed" // lint.rego
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/netcause/netcause/engine"
)

//go:embed lint.rego
var module string

// Remark is one thing that a rule lacks.
type Remark struct {
	File    string `json:"file"` // empty: it is of all files together
	Row     int    `json:"row"`
	ID      string `json:"id"` // of the lint rule: "needs"
	Message string `json:"message"`
}

func (r Remark) String() string {
	if r.File == "" {
		return fmt.Sprintf("%s (%s)", r.Message, r.ID)
	}
	return fmt.Sprintf("%s:%d: %s (%s)", r.File, r.Row, r.Message, r.ID)
}

// Rules judges the rules of reviews; ids are those of all rules that there are, tests the names of the tests by the
// package that they are for.
func Rules(ctx context.Context, reviews []engine.Review, ids []string, tests map[string][]string) ([]Remark, error) {
	query, err := rego.New(rego.Query("remarks := [x | some x in data.netcause.lint.remark]"), rego.Module("lint.rego", module)).PrepareForEval(ctx)
	if err != nil {
		return nil, fmt.Errorf("compile the lint rules: %w", err)
	}
	var remarks []Remark
	for _, review := range reviews {
		found, err := judge(ctx, query, review, ids, tests[review.Package])
		if err != nil {
			return nil, fmt.Errorf("lint %s: %w", review.File, err)
		}
		remarks = append(remarks, found...)
	}
	slices.SortFunc(remarks, func(a, b Remark) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		if a.Row != b.Row {
			return a.Row - b.Row
		}
		return strings.Compare(a.Message, b.Message)
	})
	return remarks, nil
}

func judge(ctx context.Context, query rego.PreparedEvalQuery, review engine.Review, ids, tests []string) ([]Remark, error) {
	text, err := json.Marshal(map[string]any{"rule": review, "ids": ids, "tests": append([]string{}, tests...)})
	if err != nil {
		return nil, err
	}
	input, err := ast.ValueFromReader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	results, err := query.Eval(ctx, rego.EvalParsedInput(input))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Remarks []Remark `json:"remarks"`
	}
	if text, err = json.Marshal(results[0].Bindings); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, err
	}
	for i := range answer.Remarks {
		answer.Remarks[i].File = review.File
	}
	return answer.Remarks, nil
}
