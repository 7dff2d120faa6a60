package registry

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

// explained says what to do about an error of a registry.
func explained(err error, ref registry.Reference) error {
	var answer *errcode.ErrorResponse
	var unreached *url.Error
	var authority x509.UnknownAuthorityError
	switch {
	case errors.Is(err, errdef.ErrNotFound):
		return fmt.Errorf("the registry %s has no such repository, tag or digest: oras repo tags %s/%s lists the tags", ref.Registry, ref.Registry, ref.Repository)
	case errors.Is(err, content.ErrMismatchedDigest), errors.Is(err, content.ErrTrailingData):
		return fmt.Errorf("what the registry %s gave is not what its digest says, and was not used: %w", ref.Registry, err)
	case errors.Is(err, auth.ErrBasicCredentialNotFound), errors.As(err, &answer) && answer.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("the registry %s wants a login, or does not accept that of docker's configuration: docker login %s, or oras login %s", ref.Registry, ref.Registry, ref.Registry)
	case errors.As(err, &answer) && answer.StatusCode == http.StatusForbidden:
		return fmt.Errorf("the registry %s does not let this login read it: log in as somebody who may (docker login %s)", ref.Registry, ref.Registry)
	case errors.As(err, &answer):
		return fmt.Errorf("the registry %s answers %d %s", ref.Registry, answer.StatusCode, http.StatusText(answer.StatusCode))
	case errors.As(err, &authority):
		return fmt.Errorf("the certificate of the registry %s is of an authority that this machine does not know: name its certificate in SSL_CERT_FILE, or add it to the system's: %w", ref.Registry, authority)
	case errors.As(err, &unreached) && strings.Contains(unreached.Error(), "server gave HTTP response to HTTPS client"):
		return fmt.Errorf("the registry %s speaks plain HTTP, which is used with one on this machine alone: give it a certificate, or forward one of its ports to localhost", ref.Registry)
	case errors.As(err, &unreached):
		return fmt.Errorf("the registry %s is not reached: %w; where it is out of reach, oras pull elsewhere and --rules with the .tar.gz do as well", ref.Registry, unreached.Err)
	}
	return err
}
