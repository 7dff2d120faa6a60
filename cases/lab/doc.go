// Package lab is the real Kubernetes that tests run against. Its module names kube-apiserver and kube-proxy as tools, and
// is a module of its own so that the product's go.mod does not carry Kubernetes.
package lab
