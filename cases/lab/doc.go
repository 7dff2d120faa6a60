// Package lab is the real Kubernetes control plane that tests run against. Its module names kube-apiserver as a tool,
// and is a module of its own so that the product's go.mod does not carry Kubernetes.
package lab
