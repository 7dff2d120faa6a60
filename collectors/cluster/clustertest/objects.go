package clustertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// Create makes the objects of a YAML or JSON stream, in its order, as the administrator. A status that an object has is
// written as well, where the resource has the status subresource. It gives the objects' API paths, for [Server.Delete].
func (s *Server) Create(tb testing.TB, manifests string) (paths []string) {
	tb.Helper()
	decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(manifests), 4096)
	for {
		var object map[string]any
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			return paths
		} else if err != nil {
			tb.Fatalf("decode manifest: %v", err)
		}
		if len(object) == 0 {
			continue
		}
		path, err := s.create(tb.Context(), object)
		if err != nil {
			tb.Fatal(err)
		}
		paths = append(paths, path)
	}
}

func (s *Server) create(ctx context.Context, object map[string]any) (path string, err error) {
	apiVersion, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	metadata, _ := object["metadata"].(map[string]any)
	namespace, _ := metadata["namespace"].(string)
	name, _ := metadata["name"].(string)
	resource, hasStatus, err := s.resource(ctx, apiVersion, kind)
	if err != nil {
		return "", err
	}
	path = apiRoot(apiVersion)
	if resource.Namespaced {
		if namespace == "" {
			namespace = "default"
		}
		path += "/namespaces/" + namespace
	}
	path += "/" + resource.Name
	created, err := s.Do(ctx, http.MethodPost, path, "application/json", object)
	if err != nil {
		return "", err
	}
	path += "/" + name
	if status, ok := object["status"]; ok && hasStatus {
		created["status"] = status
		if _, err := s.Do(ctx, http.MethodPut, path+"/status", "application/json", created); err != nil {
			return "", err
		}
	}
	return path, nil
}

// Delete deletes what is at an API path at once, without the time that a kubelet would take; what is not there is
// nothing to delete.
func (s *Server) Delete(tb testing.TB, path string) {
	tb.Helper()
	// Cleanups delete too, and a test's own context has ended by then.
	ctx := context.WithoutCancel(tb.Context())
	if _, err := s.Do(ctx, http.MethodDelete, path+"?gracePeriodSeconds=0", "", nil); err != nil && !isNotFound(err) {
		tb.Error(err)
	}
}

// Do sends one request as the administrator: body (any JSON) of that content type to an API path ("/api/v1/nodes").
// The answer is the object that the server gives back; the error is its message where that is no success.
func (s *Server) Do(ctx context.Context, method, path, contentType string, body any) (map[string]any, error) {
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, &text)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := s.admin.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, &statusError{resp.StatusCode, fmt.Sprintf("%s %s: %s: %s", method, path, resp.Status, answer)}
	}
	var object map[string]any
	if err := json.Unmarshal(answer, &object); err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return object, nil
}

type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return e.text }

func isNotFound(err error) bool {
	var status *statusError
	return errors.As(err, &status) && status.code == http.StatusNotFound
}

func apiRoot(apiVersion string) string {
	if strings.Contains(apiVersion, "/") {
		return "/apis/" + apiVersion
	}
	return "/api/" + apiVersion
}

// resource is the one of that kind, by the server's own discovery, and whether it has the status subresource.
func (s *Server) resource(ctx context.Context, apiVersion, kind string) (metav1.APIResource, bool, error) {
	resources, err := s.discover(ctx, apiVersion)
	if err != nil {
		return metav1.APIResource{}, false, err
	}
	var found *metav1.APIResource
	hasStatus := map[string]bool{}
	for i, r := range resources {
		name, sub, isSub := strings.Cut(r.Name, "/")
		if isSub {
			hasStatus[name] = hasStatus[name] || sub == "status"
		} else if r.Kind == kind {
			found = &resources[i]
		}
	}
	if found == nil {
		return metav1.APIResource{}, false, fmt.Errorf("the server has no %s of %s", kind, apiVersion)
	}
	return *found, hasStatus[found.Name], nil
}

// discover are the resources of an API version. Its answer is kept: the built-in ones do not change.
func (s *Server) discover(ctx context.Context, apiVersion string) ([]metav1.APIResource, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.resources[apiVersion]; ok {
		return known, nil
	}
	answer, err := s.Do(ctx, http.MethodGet, apiRoot(apiVersion), "", nil)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	var list metav1.APIResourceList
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("resources of %s: %w", apiVersion, err)
	}
	s.resources[apiVersion] = list.APIResources
	return list.APIResources, nil
}
