//go:build tools

// Package tools pins the Kubernetes programs that the cluster tests run.
// They are built from source, so the tests need Go alone and no root.
package tools

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kubectl"
)
