package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/netcause/netcause/engine/facts"
)

// UnreachableError: the API server as a whole gave nothing, so that there is no cluster to speak of.
type UnreachableError struct {
	// Server is the server's URL.
	Server string
	// Reason is what came instead of an answer, in one line: "connection refused", "401 unauthorized: …".
	Reason string
	// Err is the error underneath.
	Err error
}

func (e *UnreachableError) Error() string { return "API server " + e.Server + ": " + e.Reason }

// Unwrap gives the error underneath.
func (e *UnreachableError) Unwrap() error { return e.Err }

// errNotVersion: /version answered, but not with a version.
var errNotVersion = errors.New("no version in the answer")

// authError says that the server does not know who asks.
type authError struct{ err error }

func (e *authError) Error() string { return e.err.Error() }
func (e *authError) Unwrap() error { return e.err }

// note remembers the first answer that says that the server does not know who asks: 401, or a refusal of the user that
// requests without credentials are taken for.
func (c *client) note(err error) {
	if apierrors.IsUnauthorized(err) || isAnonymous(err) {
		c.unauthenticated.CompareAndSwap(nil, &authError{err})
	}
}

func isAnonymous(err error) bool {
	return apierrors.IsForbidden(err) && strings.Contains(err.Error(), `"system:anonymous"`)
}

// answered: an API server (or what stands before it) gave an HTTP answer that does not end everything.
func answered(err error) bool {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status().Code != http.StatusUnauthorized
	}
	return errors.Is(err, errNotVersion)
}

// failure is how a group ends whose request ended with err.
func failure(err error) (facts.Status, string) {
	switch {
	case apierrors.IsForbidden(err):
		return facts.Denied, oneLine(err.Error())
	case apierrors.IsNotFound(err):
		return facts.Absent, "the API server has no such resource"
	}
	return facts.Failed, cause(err)
}

func unreachable(server string, err error) *UnreachableError {
	return &UnreachableError{Server: server, Reason: cause(err), Err: err}
}

// cause is an error of a request in one line, without the URL that it was sent to.
func cause(err error) string {
	var (
		dns      *net.DNSError
		verify   *tls.CertificateVerificationError
		record   tls.RecordHeaderError
		alert    tls.AlertError
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		timeout  net.Error
	)
	switch {
	case apierrors.IsUnauthorized(err):
		return "401 unauthorized: it does not accept the credentials of the kubeconfig"
	case isAnonymous(err):
		return "403 forbidden: the kubeconfig has no credentials, and nothing is allowed without"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.EHOSTUNREACH):
		return "no route to host"
	case errors.Is(err, syscall.ENETUNREACH):
		return "network is unreachable"
	case errors.As(err, &dns):
		return fmt.Sprintf("the name %s does not resolve: %s", dns.Name, oneLine(dns.Err))
	case errors.As(err, &verify):
		return "TLS: " + oneLine(verify.Err.Error())
	case errors.As(err, &unknown), errors.As(err, &hostname), errors.As(err, &record), errors.As(err, &alert):
		return "TLS: " + oneLine(innermost(err).Error())
	case strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "TLS: it speaks plain HTTP, not HTTPS"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout: no answer in time"
	}
	return oneLine(err.Error())
}

func innermost(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// oneLine is a text of the server's or a credential plugin's, bounded and without line breaks.
func oneLine(s string) string {
	const most = 512
	return truncate(strings.Join(strings.Fields(s), " "), most)
}
