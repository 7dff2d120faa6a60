package bundle

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/netcause/netcause/collectors/cluster"
	"github.com/netcause/netcause/engine/facts"
)

// objects are the cluster's objects that bundles hold, from any number of files.
type objects struct {
	meter *meter
	kinds map[string]*kindObjects // by the group's name
	// endpoints stand in for EndpointSlices that are not there.
	endpoints []endpoints
	version   facts.Group[facts.Version]
	// logs are lines of Pods' logs.
	logs     []podLog
	files    int
	problems []string
	where    []string // bundles that they came from
	// nodes are the UIDs of the Nodes that each bundle has.
	nodes map[string]map[string]bool
}

// one says whether all objects are of one cluster: bundles that have lists of Nodes have some in common.
func (o *objects) one() error {
	bundles := slices.Sorted(maps.Keys(o.nodes))
	for i, bundle := range bundles {
		for _, other := range bundles[:i] {
			common := false
			for uid := range o.nodes[bundle] {
				common = common || o.nodes[other][uid]
			}
			if !common {
				return fmt.Errorf("there are two clusters, one in %s and one in %s, without a Node in common: give one", other, bundle)
			}
		}
	}
	return nil
}

// kindObjects are those of one kind.
type kindObjects struct {
	resource kubernetesResource
	byKey    map[string]int // index of values by namespace/name
	values   []any
	sources  []facts.Source
	// asked: at least one list of the kind is there, though it be empty. whole: a list of more than one namespace.
	asked, whole bool
	// namespaces are those that lists were of.
	namespaces map[string]bool
	// some are the names of those, without a namespace, that are known to be a part of the cluster's.
	some   map[string]bool
	denied string
	single bool // objects that were not in a list
}

// kubernetesResource is a kind that facts have.
type kubernetesResource struct {
	group, kind, plural string
	namespaced          bool
	decode              func(data []byte, source facts.Source) (any, facts.ObjectMeta, error)
}

// isOf says whether objects of an apiVersion are of Kubernetes' own kind: others have Services (Knative), NetworkPolicies
// (Calico) and Nodes (Longhorn) of theirs. What does not say is taken for it.
func (r *kubernetesResource) isOf(apiVersion string) bool {
	if r.kind == otherPolicy {
		return true
	}
	group, _, ok := strings.Cut(apiVersion, "/")
	if apiVersion == "" || !ok {
		return true
	}
	return slices.Contains([]string{"apps", "extensions", "discovery.k8s.io", "events.k8s.io", "networking.k8s.io", "scheduling.k8s.io"}, group)
}

func decoder[T any](meta func(*T, facts.Source) facts.ObjectMeta) func([]byte, facts.Source) (any, facts.ObjectMeta, error) {
	return func(data []byte, source facts.Source) (any, facts.ObjectMeta, error) {
		var v T
		if err := json.Unmarshal(data, &v); err != nil {
			return nil, facts.ObjectMeta{}, err
		}
		return v, meta(&v, source), nil
	}
}

func resources() []kubernetesResource {
	return []kubernetesResource{
		{"nodes", "Node", "nodes", false, decoder(func(v *facts.NodeObject, s facts.Source) facts.ObjectMeta { v.Source = s; return v.Metadata })},
		{"pods", "Pod", "pods", true, decoder(func(v *facts.Pod, s facts.Source) facts.ObjectMeta { v.Source = s; return v.Metadata })},
		{"services", "Service", "services", true, decoder(func(v *facts.Service, s facts.Source) facts.ObjectMeta { v.Source = s; return v.Metadata })},
		{"endpointslices", "EndpointSlice", "endpointslices", true, decodeEndpointSlice},
		{"networkpolicies", "NetworkPolicy", "networkpolicies", true, decoder(func(v *facts.NetworkPolicy, s facts.Source) facts.ObjectMeta { v.Source = s; return v.Metadata })},
		{"otherpolicies", otherPolicy, "otherpolicies", false, decodePolicy},
		{"daemonsets", "DaemonSet", "daemonsets", true, decoder(func(v *facts.DaemonSet, s facts.Source) facts.ObjectMeta { v.Source = s; return v.Metadata })},
		{"deployments", "Deployment", "deployments", true, decoder(func(v *facts.Deployment, s facts.Source) facts.ObjectMeta { v.Source = s; return v.Metadata })},
		{"statefulsets", "StatefulSet", "statefulsets", true, decoder(func(v *facts.StatefulSet, s facts.Source) facts.ObjectMeta { v.Source = s; return v.Metadata })},
		{"priorityclasses", "PriorityClass", "priorityclasses", false, decoder(func(v *facts.PriorityClass, s facts.Source) facts.ObjectMeta { v.Source = s; return v.Metadata })},
		{"configmaps", "ConfigMap", "configmaps", true, decoder(func(v *facts.ConfigMap, s facts.Source) facts.ObjectMeta { v.Source = s; return v.Metadata })},
		{"events", "Event", "events", true, decoder(func(v *facts.Event, s facts.Source) facts.ObjectMeta { v.Source = s; return v.Metadata })},
		{"namespaces", "Namespace", "namespaces", false, decoder(func(v *facts.NamespaceObject, s facts.Source) facts.ObjectMeta { v.Source = s; return v.Metadata })},
	}
}

// otherPolicy stands for the kinds of policies that are not Kubernetes' own.
const otherPolicy = "policy of another API"

func decodePolicy(data []byte, source facts.Source) (any, facts.ObjectMeta, error) {
	var is struct {
		kindOf
		Metadata facts.ObjectMeta `json:"metadata"`
	}
	if err := json.Unmarshal(data, &is); err != nil {
		return nil, facts.ObjectMeta{}, err
	}
	group, _, _ := strings.Cut(is.APIVersion, "/")
	m := facts.ObjectMeta{Namespace: is.Metadata.Namespace, Name: is.Metadata.Name}
	key := m
	key.Name = group + "/" + is.Kind + "/" + m.Name // several kinds may have one of a name
	return facts.PolicyReference{Source: source, APIGroup: group, Kind: is.Kind, Metadata: m}, key, nil
}

func newObjects(m *meter) *objects {
	o := &objects{meter: m, kinds: map[string]*kindObjects{}, nodes: map[string]map[string]bool{}}
	for _, r := range resources() {
		o.kinds[r.group] = &kindObjects{resource: r, byKey: map[string]int{}, namespaces: map[string]bool{}, some: map[string]bool{}}
	}
	return o
}

func (o *objects) ofAPI(apiVersion, kind string) *kindObjects {
	if cluster.IsOtherPolicy(apiVersion, kind) {
		return o.kinds["otherpolicies"]
	}
	return o.ofKind(kind)
}

func (o *objects) ofKind(kind string) *kindObjects {
	for _, k := range o.kinds {
		if k.resource.kind == kind {
			return k
		}
	}
	return nil
}

// resourceOf finds a resource by the name that a file has: "pods", "network-policy", "kubectl_get_-o_json_nodes".
func (o *objects) resourceOf(name string) *kindObjects {
	base := strings.ToLower(path.Base(name))
	base = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(base, ".json"), ".yaml"), ".yml"), ".txt")
	option := false
	for _, word := range strings.FieldsFunc(base, func(r rune) bool { return r == '_' || r == ' ' || r == '.' }) {
		if value := option; value || strings.HasPrefix(word, "-") {
			option = !value && slices.Contains([]string{"--namespace", "-n", "-o", "--kubeconfig"}, word)
			continue // of a command: --namespace default
		}
		word = strings.ReplaceAll(word, "-", "")
		for group, k := range o.kinds {
			singular := strings.ToLower(k.resource.kind)
			if word == k.resource.plural || word == singular || word == group || word == singular+"s" {
				return k
			}
		}
		if k := o.kinds[shortNames[word]]; k != nil {
			return k
		}
	}
	return nil
}

func (o *objects) resourceAt(d document) *kindObjects {
	if d.kind != "" {
		return o.resourceOf(d.kind)
	}
	return o.resourceOf(d.name)
}

var shortNames = map[string]string{
	"po": "pods", "svc": "services", "no": "nodes", "ds": "daemonsets", "deploy": "deployments", "sts": "statefulsets", "netpol": "networkpolicies", "cm": "configmaps",
	"ns": "namespaces", "pc": "priorityclasses", "ev": "events", "eps": "endpointslices",
}

// document is a file of Kubernetes objects.
type document struct {
	// name is the file in its bundle, for sources and, where the content does not say, for what it lists.
	name string
	// bundle is where it is.
	bundle string
	// namespace is the one that the file is of by its place, empty where the place does not say.
	namespace string
	// part: its lists are those of one namespace, whether or not it is known.
	part bool
	// whole: by its place the file's lists are of the whole cluster.
	whole bool
	// kind is the plural of what it lists, where its place says more than its name.
	kind string
	// list: by its place the file is one of several that make a list, such as must-gather's nodes.
	list bool
	text []byte
	used *File
}

// looksLikeObjects says whether a text's beginning is that of Kubernetes objects in JSON or YAML.
func looksLikeObjects(head []byte) bool {
	head = bytes.TrimLeft(head, " \t\r\n")
	head = bytes.TrimPrefix(head, []byte("---\n"))
	if bytes.HasPrefix(head, []byte("{")) {
		has := func(key string) bool { return bytes.Contains(head, []byte(`"`+key+`"`)) }
		return has("apiVersion") && (has("kind") || has("items")) || has("serverVersion") && has("gitVersion")
	}
	return bytes.HasPrefix(head, []byte("clientVersion:\n")) || // kubectl version -o yaml
		bytes.HasPrefix(head, []byte("apiVersion: ")) || bytes.HasPrefix(head, []byte("kind: ")) || bytes.HasPrefix(head, []byte("items:")) ||
		bytes.HasPrefix(head, []byte("Error from server (Forbidden)"))
}

// add takes the objects of a file, and says whether there are any that facts have.
func (o *objects) add(d document) bool {
	if k := o.resourceAt(d); bytes.HasPrefix(bytes.TrimSpace(d.text), []byte("Error from server (Forbidden)")) {
		if k != nil {
			k.denied = printable(firstLine(d.text))
			d.used.facts("cluster." + k.resource.group)
		}
		return k != nil
	}
	before := o.files
	var list []parsedDocument
	var err error
	if trimmed := bytes.TrimLeft(d.text, " \t\r\n"); bytes.HasPrefix(trimmed, []byte("{")) {
		list, err = jsonDocuments(trimmed)
	} else {
		list, err = yamlDocuments(bytes.TrimPrefix(d.text, []byte("---\n")))
	}
	if failed := o.documents(d, list); err == nil {
		err = failed
	}
	if err != nil {
		o.problems = append(o.problems, fmt.Sprintf("%s: %v", d.name, err))
		d.used.FirstUnparsed = err.Error()
		d.used.Unparsed++
	}
	if o.files == before && d.used.PassedOver == "" && len(d.used.Facts) == 0 {
		d.used.PassedOver = "its objects are of kinds that no rule reads"
	}
	return o.files > before
}

// parsedDocument is one JSON document of a file, or, where it is nil, that logs of a Pod of a namespace stand there.
type parsedDocument struct {
	raw       json.RawMessage
	namespace string
	logs      []byte // with the line that begins them
}

// jsonDocuments are a file's JSON documents; between them may stand the logs of `kubectl cluster-info dump`. On an error
// there are those before it.
func jsonDocuments(text []byte) ([]parsedDocument, error) {
	var list []parsedDocument
	for {
		text = bytes.TrimLeft(text, " \t\r\n")
		switch {
		case len(text) == 0:
			return list, nil
		case bytes.HasPrefix(text, logsStart):
			var logs parsedDocument
			logs, text = podLogs(text)
			list = append(list, logs)
			continue
		case text[0] != '{':
			return list, fmt.Errorf("not the JSON it should be: %s", printable(firstLine(text)))
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return list, errors.New("it ends within an object: it was cut")
			}
			return list, fmt.Errorf("not the JSON it should be: %w", err)
		}
		list = append(list, parsedDocument{raw: raw})
		text = text[decoder.InputOffset():]
	}
}

// logsStart and logsEnd are how `kubectl cluster-info dump` frames a container's logs (pkg/cmd/clusterinfo): what comes
// before logsEnd need not end with a line.
var (
	logsStart = []byte("==== START logs for container ")
	logsEnd   = []byte("==== END logs for container ")
)

// podLogs is the namespace of a Pod whose logs a text begins with, and what follows them.
func podLogs(text []byte) (parsedDocument, []byte) {
	var d parsedDocument
	if _, pod, ok := strings.Cut(firstLine(text), " of pod "); ok {
		d.namespace, _, _ = strings.Cut(pod, "/")
	}
	end := bytes.Index(text, logsEnd)
	if end < 0 {
		d.logs = text
		return d, nil
	}
	d.logs = text[:end]
	_, rest, _ := bytes.Cut(text[end:], []byte("\n"))
	return d, rest
}

// yamlDocuments are a file's YAML documents. A cluster-info dump does not separate its lists: each begins with its
// apiVersion.
func yamlDocuments(text []byte) ([]parsedDocument, error) {
	var list []parsedDocument
	for len(text) > 0 {
		if bytes.HasPrefix(text, logsStart) {
			var logs parsedDocument
			logs, text = podLogs(text)
			list = append(list, logs)
			continue
		}
		part, rest := yamlDocument(text)
		text = rest
		if len(bytes.TrimSpace(part)) == 0 {
			continue
		}
		if len(part) > maxYAML {
			return list, fmt.Errorf("%d bytes of YAML are too many: give JSON", len(part))
		}
		raw, err := yaml.YAMLToJSON(part)
		if err != nil {
			return list, fmt.Errorf("not the YAML it should be: %w", err)
		}
		if len(raw) > 0 && raw[0] == '{' {
			list = append(list, parsedDocument{raw: raw})
		}
	}
	return list, nil
}

// yamlDocument cuts a text behind its first document.
func yamlDocument(text []byte) (part, rest []byte) {
	apiVersion := []byte("apiVersion: ")
	first := bytes.HasPrefix(text, apiVersion)
	for at := 0; at < len(text); {
		end := bytes.IndexByte(text[at:], '\n') + 1
		if end == 0 {
			break
		}
		at += end
		next := text[at:]
		line := next[:min(len(next), len("---\r\n"))]
		switch {
		case bytes.HasPrefix(line, []byte("---\n")):
			return text[:at], next[len("---\n"):]
		case bytes.HasPrefix(line, []byte("---\r\n")):
			return text[:at], next[len("---\r\n"):]
		case bytes.HasPrefix(next, logsStart), first && bytes.HasPrefix(next, apiVersion):
			return text[:at], next
		}
	}
	return text, nil
}

// maxYAML bounds one YAML document: it takes some fifty times its size while it is read.
const maxYAML = 16 << 20

// documents takes a file's documents. A stream of a cluster-info dump has the lists of one namespace after another, and an
// empty one does not say whose it is: those of one namespace begin with its events.
func (o *objects) documents(d document, list []parsedDocument) error {
	kinds := make([]string, len(list))
	events := 0
	for i, part := range list {
		var is struct {
			Kind string `json:"kind"`
		}
		if part.raw != nil && json.Unmarshal(part.raw, &is) == nil {
			kinds[i] = is.Kind
		}
		if kinds[i] == "EventList" {
			events++
		}
	}
	for start := 0; start < len(list); {
		end := start + 1
		for end < len(list) && kinds[end] != "EventList" {
			end++
		}
		of := d
		if events > 0 && d.namespace == "" && kinds[start] == "EventList" {
			of.namespace = namespaceIn(list[start:end])
			of.part = true
		}
		for _, part := range list[start:end] {
			if part.raw == nil {
				o.podLogs(d, part.logs)
				continue
			}
			if err := o.object(of, part.raw); err != nil {
				return err
			}
		}
		start = end
	}
	return nil
}

// podLogs keeps what the logs of a Pod of the cluster's DNS say in a dump's stream.
func (o *objects) podLogs(d document, logs []byte) {
	head := firstLine(logs)
	if _, pod := podOfLogs(head); !strings.Contains(pod, "dns") {
		return
	}
	s := logScanner{log: podLog{used: d.used}, file: d.name}
	s.scan(logs)
	for _, l := range s.found {
		l.line.Source = facts.Source(fmt.Sprintf("%s: logs of Pod %s/%s", d.name, l.namespace, l.pod))
		if len(o.logs) < maxLogLines {
			o.logs = append(o.logs, l)
		}
	}
}

// namespaceIn is the namespace that objects of some lists are in, empty where there are none or several.
func namespaceIn(list []parsedDocument) string {
	namespace := ""
	for _, part := range list {
		found := []string{part.namespace}
		var is struct {
			Items []struct {
				Metadata struct {
					Namespace string `json:"namespace"`
				} `json:"metadata"`
			} `json:"items"`
		}
		if part.raw != nil && json.Unmarshal(part.raw, &is) == nil {
			for _, item := range is.Items {
				found = append(found, item.Metadata.Namespace)
			}
		}
		for _, ns := range found {
			if ns != "" && namespace != "" && ns != namespace {
				return ""
			}
			namespace = cmp.Or(namespace, ns)
		}
	}
	return namespace
}

// kindOf is what tells an object's kind.
type kindOf struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Items      []json.RawMessage `json:"items"`
	ServerInfo *facts.Version    `json:"serverVersion"`
	Info       *facts.Version    `json:"info"`
	// Reason and Message are those of a Status.
	Status  json.RawMessage `json:"status"`
	Reason  string          `json:"reason"`
	Message string          `json:"message"`
}

// object takes one document: a list, or one object.
func (o *objects) object(d document, raw json.RawMessage) error {
	counted := countJSON(raw)
	if err := o.meter.countDecoded(d.name, "", raw, counted, elementSizes{outer: 512, inner: 64}); err != nil {
		return err
	}
	var is kindOf
	if err := json.Unmarshal(raw, &is); err != nil {
		return fmt.Errorf("not the objects they should be: %w", err)
	}
	for _, v := range []*facts.Version{is.ServerInfo, is.Info} {
		if v != nil && v.GitVersion != "" {
			o.version = facts.ReadGroup(*v, facts.Source(d.name))
			d.used.facts("cluster.version")
			o.files++
			return nil
		}
	}
	if is.Kind == "Status" && is.Reason == "Forbidden" {
		if k := o.resourceAt(d); k != nil {
			k.denied = printable(is.Message)
			d.used.facts("cluster." + k.resource.group)
		}
		return nil
	}
	if is.Items == nil && !strings.HasSuffix(is.Kind, "List") {
		return o.item(d, raw, is.Kind, is.APIVersion, nil)
	}
	return o.list(d, is)
}

func (o *objects) list(d document, is kindOf) error {
	var of *kindObjects
	if kind, ok := strings.CutSuffix(is.Kind, "List"); ok && kind != "" {
		of = o.ofAPI(is.APIVersion, kind)
		if of == nil && kind != "Endpoints" || of != nil && !of.resource.isOf(is.APIVersion) {
			return nil
		}
	}
	if of == nil {
		// A List of nothing tells what it is of by its file's name alone.
		of = o.resourceAt(d)
	}
	namespaces := map[string]bool{}
	seen := map[*kindObjects]bool{}
	for i, raw := range is.Items {
		var item kindOf
		if err := json.Unmarshal(raw, &item); err != nil {
			return fmt.Errorf("object %d of the list: %w", i+1, err)
		}
		kind := item.Kind
		if kind == "" {
			kind = strings.TrimSuffix(is.Kind, "List")
		}
		if kind == "" && of != nil {
			kind = of.resource.kind
		} else if kind == "" && d.kind == "endpoints" {
			kind = "Endpoints"
		}
		if k := o.ofAPI(item.APIVersion, kind); k != nil && k.resource.isOf(item.APIVersion) {
			seen[k] = true
		}
		if err := o.item(d, raw, kind, item.APIVersion, namespaces); err != nil {
			return fmt.Errorf("object %d of the list: %w", i+1, err)
		}
	}
	if len(is.Items) == 0 && of != nil {
		seen[of] = true
	}
	if k := o.kinds["namespaces"]; seen[k] {
		k.whole = true // kubectl get namespaces lists all
	}
	namespace, part := d.namespace, d.part
	switch {
	case len(namespaces) > 0 && !namespaces[namespace]:
		namespace = "" // the folder is not named by a namespace
	case namespace == ".":
		namespace, part = "", is.Kind != "List" // kubectl get prints a List; a dump's lists are of a kind, and of a namespace each
	}
	for k := range seen {
		k.asked = true
		o.files++
		k.whole = k.whole || d.whole || namespace == "" && !part && (len(namespaces) > 1 || len(is.Items) == 0)
		if namespace != "" {
			k.namespaces[namespace] = true
		}
		maps.Copy(k.namespaces, namespaces)
		k.source(d)
	}
	return nil
}

func (k *kindObjects) source(d document) {
	if s := facts.Source(d.name); !slices.Contains(k.sources, s) {
		k.sources = append(k.sources, s)
	}
	d.used.facts("cluster." + k.resource.group)
}

// item takes one object. namespaces, where it is not nil, are told its namespace: it is one of a list.
func (o *objects) item(d document, raw json.RawMessage, kind, apiVersion string, namespaces map[string]bool) error {
	if kind == "Endpoints" {
		var e endpoints
		if err := json.Unmarshal(raw, &e); err != nil {
			return err
		}
		e.source = facts.Source(d.name)
		e.used = d.used
		o.endpoints = append(o.endpoints, e)
		o.files++
		return nil
	}
	k := o.ofAPI(apiVersion, kind)
	if k == nil || !k.resource.isOf(apiVersion) {
		return nil
	}
	v, meta, err := k.resource.decode(raw, facts.Source(d.name))
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	if meta.Name == "" {
		return nil
	}
	if kind == "Node" && meta.UID != "" {
		if o.nodes[d.bundle] == nil {
			o.nodes[d.bundle] = map[string]bool{}
		}
		o.nodes[d.bundle][meta.UID] = true
	}
	if namespaces != nil && meta.Namespace != "" {
		namespaces[meta.Namespace] = true
	}
	key := meta.Namespace + "/" + meta.Name
	if i, twice := k.byKey[key]; twice {
		k.values[i] = v // of what was read twice the later is taken
	} else {
		k.byKey[key] = len(k.values)
		k.values = append(k.values, v)
	}
	if namespaces == nil {
		k.single = true
		if d.list {
			k.asked, k.whole = true, k.whole || d.whole
			if !d.whole && !k.resource.namespaced {
				k.some[meta.Name] = true
			}
			if meta.Namespace != "" {
				k.namespaces[meta.Namespace] = true
			}
		}
		k.source(d)
		o.files++
	}
	return nil
}

// cluster makes the facts. It is nil where there are no objects at all.
func (o *objects) cluster() *facts.Cluster {
	denied := slices.ContainsFunc(slices.Collect(maps.Values(o.kinds)), func(k *kindObjects) bool { return k.denied != "" })
	if o.files == 0 && !denied {
		return nil
	}
	c := &facts.Cluster{Version: o.version}
	if c.Version.Status == facts.NotAsked {
		c.Version = facts.Unread[facts.Version](facts.Absent, "no bundle has the output of kubectl version -o json")
	}
	o.group(&c.Nodes.Meta, "nodes", func(v any) { c.Nodes.Value = append(c.Nodes.Value, v.(facts.NodeObject)) })
	o.group(&c.Pods.Meta, "pods", func(v any) { c.Pods.Value = append(c.Pods.Value, v.(facts.Pod)) })
	o.group(&c.Services.Meta, "services", func(v any) { c.Services.Value = append(c.Services.Value, v.(facts.Service)) })
	o.group(&c.EndpointSlices.Meta, "endpointslices", func(v any) { c.EndpointSlices.Value = append(c.EndpointSlices.Value, v.(facts.EndpointSlice)) })
	o.group(&c.NetworkPolicies.Meta, "networkpolicies", func(v any) { c.NetworkPolicies.Value = append(c.NetworkPolicies.Value, v.(facts.NetworkPolicy)) })
	o.group(&c.OtherPolicies.Meta, "otherpolicies", func(v any) { c.OtherPolicies.Value = append(c.OtherPolicies.Value, v.(facts.PolicyReference)) })
	o.group(&c.DaemonSets.Meta, "daemonsets", func(v any) { c.DaemonSets.Value = append(c.DaemonSets.Value, v.(facts.DaemonSet)) })
	o.group(&c.Deployments.Meta, "deployments", func(v any) { c.Deployments.Value = append(c.Deployments.Value, v.(facts.Deployment)) })
	o.group(&c.StatefulSets.Meta, "statefulsets", func(v any) { c.StatefulSets.Value = append(c.StatefulSets.Value, v.(facts.StatefulSet)) })
	o.group(&c.PriorityClasses.Meta, "priorityclasses", func(v any) { c.PriorityClasses.Value = append(c.PriorityClasses.Value, v.(facts.PriorityClass)) })
	o.group(&c.ConfigMaps.Meta, "configmaps", func(v any) { c.ConfigMaps.Value = append(c.ConfigMaps.Value, v.(facts.ConfigMap)) })
	o.group(&c.Events.Meta, "events", func(v any) { c.Events.Value = append(c.Events.Value, v.(facts.Event)) })
	o.group(&c.Namespaces.Meta, "namespaces", func(v any) { c.Namespaces.Value = append(c.Namespaces.Value, v.(facts.NamespaceObject)) })
	if c.EndpointSlices.Status != facts.Read && len(o.endpoints) > 0 {
		o.slicesOfEndpoints(&c.EndpointSlices)
	} else {
		for _, e := range o.endpoints {
			if len(e.used.Facts) == 0 {
				e.used.PassedOver = "there are EndpointSlices"
			}
		}
	}
	o.attachLogs(c.Pods.Value)
	cluster.Prune(c)
	return c
}

// group sets a group's status and hands its objects over. What was read of some namespaces alone is not the group, unless it
// is at least what a default dump has: kube-system and the user's own.
func (o *objects) group(meta *facts.Meta, group string, each func(any)) {
	k := o.kinds[group]
	meta.Sources = k.sources
	for _, v := range k.values {
		each(v)
	}
	known := o.namespacesSeen()
	missing := slices.DeleteFunc(slices.Clone(known), func(ns string) bool { return k.namespaces[ns] })
	have := slices.Sorted(maps.Keys(k.namespaces))
	switch {
	case k.denied != "" && !k.asked:
		meta.Status, meta.Reason = facts.Denied, k.denied
	case !k.asked && k.single:
		meta.Status, meta.Reason = facts.Absent, fmt.Sprintf("single objects alone, and no list of %s", k.resource.plural)
	case !k.asked:
		meta.Status, meta.Reason = facts.Absent, "no bundle has a list of "+k.resource.plural
	case group == "namespaces" && len(k.some) > 0 && !k.whole:
		meta.Status, meta.Reason = facts.Read, "limited to namespaces "+strings.Join(slices.Sorted(maps.Keys(k.some)), ", ")
	case !k.resource.namespaced, k.whole, len(missing) == 0:
		meta.Status = facts.Read
	case k.namespaces["kube-system"], group == "networkpolicies", group == "events", group == "configmaps":
		meta.Status, meta.Reason = facts.Read, "limited to namespaces "+strings.Join(have, ", ") // as [facts.Meta.Unread] reads it
	case len(have) == 0:
		meta.Status, meta.Reason = facts.Absent, fmt.Sprintf("an empty list of %s, of one namespace alone", k.resource.plural)
	default:
		meta.Status = facts.Absent
		meta.Reason = fmt.Sprintf("those of %s alone: of %s and others there is no list", strings.Join(have, ", "), missing[0])
	}
	if k.denied != "" && meta.Status == facts.Read {
		meta.Reason = joined(meta.Reason, k.denied)
	}
}

// namespacesSeen are the namespaces that anything tells of, sorted.
func (o *objects) namespacesSeen() []string {
	all := map[string]bool{"kube-system": true}
	for _, k := range o.kinds {
		maps.Copy(all, k.namespaces)
	}
	for key := range o.kinds["namespaces"].byKey {
		all[strings.TrimPrefix(key, "/")] = true
	}
	return slices.Sorted(maps.Keys(all))
}
