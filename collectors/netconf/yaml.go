package netconf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// maxDocuments and maxDepth bound what is followed of a YAML file; aliases make a small file a deep or an endless one.
const (
	maxDocuments = 64
	maxDepth     = 64
)

// decodeYAML reads the documents of a YAML file. With an error come those before it.
func decodeYAML(data []byte) (documents []*yaml.Node, err error) {
	// The input is not trusted, and the decoder keeps some of its checks as panics.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("yaml: %v", p)
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for len(documents) < maxDocuments {
		var node yaml.Node
		switch err := decoder.Decode(&node); {
		case errors.Is(err, io.EOF):
			return documents, nil
		case err != nil:
			return documents, err
		}
		if node.Kind == yaml.DocumentNode && len(node.Content) == 1 {
			documents = append(documents, node.Content[0])
		}
	}
	return documents, nil
}

var yamlErrorLine = regexp.MustCompile(`\bline (\d+)`)

// yamlLine is the line that an error of the decoder names, 1 if it names none.
func yamlLine(err error) int {
	if m := yamlErrorLine.FindStringSubmatch(err.Error()); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil && n > 0 {
			return n
		}
	}
	return 1
}

// resolved is the node that an alias stands for, or the node itself.
func resolved(node *yaml.Node) *yaml.Node {
	for range maxDepth {
		if node == nil || node.Kind != yaml.AliasNode {
			return node
		}
		node = node.Alias
	}
	return nil
}

// field is the value of a mapping's key, the last of several; nil where there is none.
func field(node *yaml.Node, keys ...string) *yaml.Node {
	node = resolved(node)
	for _, key := range keys {
		if node == nil || node.Kind != yaml.MappingNode {
			return nil
		}
		var value *yaml.Node
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == key {
				value = node.Content[i+1]
			}
		}
		node = resolved(value)
	}
	return node
}

// scalar is the text of a scalar field, "" where there is none or it is null.
func scalar(node *yaml.Node, keys ...string) string {
	node = field(node, keys...)
	if node == nil || node.Kind != yaml.ScalarNode || isNull(node) {
		return ""
	}
	return node.Value
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }
