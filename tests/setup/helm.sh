#!/usr/bin/env bash
# Finds or builds Helm, which renders, checks and installs the chart.
set -euo pipefail
# shellcheck source=tests/setup/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

version=4.3.1

build() {
  local go
  go="$("$root/tests/setup/go.sh")" || return 1
  CGO_ENABLED=0 GOTOOLCHAIN=local GOBIN="$1" "$go" install -trimpath -ldflags "-s -w" \
    "helm.sh/helm/v4/cmd/helm@v$version"
}

find_tool --any PAIFANG_HELM helm "$cache/helm-$version" build
