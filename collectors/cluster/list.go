package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"

	"github.com/netcause/netcause/engine/facts"
)

const (
	// pageSize is that of kubectl's --chunk-size.
	pageSize = 500
	// maxPages ends a list whose server always has another page.
	maxPages = 4000
)

// objectList is a pointer to one of the API's list types.
type objectList[L any] interface {
	*L
	apiruntime.Object
	metav1.ListInterface
}

// list reads a resource in the namespaces of s. convert appends what a page has, cut down: no more than one page of
// the API's own, larger objects is held at a time.
func list[F, L any, P objectList[L]](ctx context.Context, c *client, r resource, s scope, convert func([]F, P) []F) facts.Group[[]F] {
	s = s.of(r)
	all := []F{}
	errs := make([]error, len(s))
	for i, namespace := range s {
		before := len(all)
		reset := func() { all = all[:before] }
		errs[i] = pages(ctx, c, r, namespace, reset, func(page P) { all = convert(all, page) })
	}
	return facts.Group[[]F]{Meta: s.meta(r, errs), Value: all}
}

// meta says how reading a resource went, namespace by namespace.
func (s scope) meta(r resource, errs []error) facts.Meta {
	meta := facts.Meta{Status: facts.Read}
	var reasons []string
	if limits := s.limits(); limits != "" {
		reasons = append(reasons, limits)
	}
	for i, namespace := range s {
		meta.Sources = append(meta.Sources, r.source(namespace))
		if errs[i] == nil {
			continue
		}
		status, reason := failure(errs[i])
		where := ""
		if namespace != "" {
			where = " in namespace " + namespace
		}
		if status == facts.Denied {
			reason = r.forbidden("list", where)
		} else {
			reason = fmt.Sprintf("list %s%s: %s", r.plural, where, reason)
		}
		if s.vital(namespace) && meta.Status == facts.Read {
			meta.Status = status
			reasons = nil
		}
		if s.vital(namespace) || meta.Status == facts.Read {
			reasons = append(reasons, reason)
		}
	}
	meta.Reason = strings.Join(reasons, "; ")
	return meta
}

// pages calls each with every page of a list, in pages of one consistent state as kubectl reads them. Where that ends
// half-way, or the API server cannot ask its storage (etcd without quorum answers no consistent read), it calls reset and
// begins again with what the server has in its cache.
//
// The cache is not what is asked first, although it is cheap: for resourceVersion=0 the server ignores the limit and
// gives the whole list in one piece, which neither side may have the memory for
// (https://kubernetes.io/docs/reference/using-api/api-concepts/#semantics-for-get-and-list).
func pages[L any, P objectList[L]](ctx context.Context, c *client, r resource, namespace string, reset func(), each func(P)) error {
	err := pagesFrom(ctx, c, r, namespace, "", each)
	if err != nil && staleHelps(ctx, err) {
		reset()
		if pagesFrom(ctx, c, r, namespace, "0", each) == nil {
			return nil
		}
	}
	if err != nil {
		reset()
		c.note(err)
	}
	return err
}

func pagesFrom[L any, P objectList[L]](ctx context.Context, c *client, r resource, namespace, resourceVersion string, each func(P)) error {
	next := ""
	for range maxPages {
		page := P(new(L))
		req := c.rest.Get().AbsPath(r.path(namespace)).Param("limit", strconv.Itoa(pageSize))
		switch {
		case next != "":
			req = req.Param("continue", next) // which names its resourceVersion itself
		case resourceVersion != "":
			req = req.Param("resourceVersion", resourceVersion)
		}
		pageCtx, cancel := context.WithTimeout(ctx, c.pageTimeout)
		err := req.Do(pageCtx).Into(page)
		cancel()
		if err != nil {
			return err
		}
		each(page)
		if next = page.GetContinue(); next == "" {
			return nil
		}
	}
	return fmt.Errorf("more than %d pages of %d", maxPages, pageSize)
}

// staleHelps: the server's cache can answer what its storage did not. A continue token expires when the state that it
// is of was compacted away (410).
func staleHelps(ctx context.Context, err error) bool {
	return ctx.Err() == nil && (apierrors.IsResourceExpired(err) || apierrors.IsGone(err) ||
		apierrors.IsInternalError(err) || apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) ||
		apierrors.IsServiceUnavailable(err) || errors.Is(err, context.DeadlineExceeded))
}
