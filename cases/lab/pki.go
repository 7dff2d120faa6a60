package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Where kubeadm puts them.
const (
	pkiDir            = "/etc/kubernetes/pki"
	adminKubeconfig   = "/etc/kubernetes/admin.conf"
	kubeletKubeconfig = "/etc/kubernetes/kubelet.conf"
)

// writePKI makes the cluster's CA, the API server's certificate and the key of service accounts on the machine of the
// control plane, and the administrator's kubeconfig, which is returned. It is the only user: the stand-in of the kubelet
// and the controllers use it, too.
func writePKI(control *Machine) ([]byte, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca := certificate("kubernetes", nil)
	ca.IsCA, ca.BasicConstraintsValid = true, true
	ca.KeyUsage |= x509.KeyUsageCertSign
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return nil, err
	}
	caPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})

	issue := func(template *x509.Certificate) (cert, key []byte, err error) {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, nil, err
		}
		der, err := x509.CreateCertificate(rand.Reader, template, ca, private.Public(), caKey)
		if err != nil {
			return nil, nil, err
		}
		keyDER, err := x509.MarshalECPrivateKey(private)
		if err != nil {
			return nil, nil, err
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
			pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), nil
	}

	server := certificate("kube-apiserver", nil)
	server.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	server.IPAddresses = []net.IP{net.ParseIP(controlAddress), net.ParseIP(apiServiceAddress), net.IPv4(127, 0, 0, 1)}
	server.DNSNames = []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"}
	serverCert, serverKey, err := issue(server)
	if err != nil {
		return nil, err
	}
	admin := certificate("kubernetes-admin", []string{"system:masters"})
	admin.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	adminCert, adminKey, err := issue(admin)
	if err != nil {
		return nil, err
	}
	// Service accounts need a key alone: the certificate is not used.
	_, accountKey, err := issue(certificate("service-accounts", nil))
	if err != nil {
		return nil, err
	}

	config := clientcmdapi.NewConfig()
	config.Clusters["lab"] = &clientcmdapi.Cluster{Server: apiURL, CertificateAuthorityData: caPEM}
	config.AuthInfos["kubernetes-admin"] = &clientcmdapi.AuthInfo{ClientCertificateData: adminCert, ClientKeyData: adminKey}
	config.Contexts["lab"] = &clientcmdapi.Context{Cluster: "lab", AuthInfo: "kubernetes-admin"}
	config.CurrentContext = "lab"
	kubeconfig, err := clientcmd.Write(*config)
	if err != nil {
		return nil, err
	}
	for name, content := range map[string][]byte{
		filepath.Join(pkiDir, "ca.crt"):        caPEM,
		filepath.Join(pkiDir, "apiserver.crt"): serverCert,
		filepath.Join(pkiDir, "apiserver.key"): serverKey,
		filepath.Join(pkiDir, "sa.key"):        accountKey,
		adminKubeconfig:                        kubeconfig,
	} {
		if err := control.WriteFile(name, string(content)); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
	}
	return kubeconfig, nil
}

func certificate(name string, groups []string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62)) // crypto/rand's reader gives no error
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name, Organization: groups},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(7 * 24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}
