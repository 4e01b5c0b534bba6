#!/usr/bin/env bash
# Finds or builds kube-apiserver, kube-controller-manager and kubectl.
set -euo pipefail
# shellcheck source=tests/setup/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

version="$(module_version kubernetes k8s.io/kubernetes)"

build() {
  local program="$1" out="$2" stamp=k8s.io/component-base/version minor
  minor="$(cut -d. -f2 <<<"$version")"
  cd "$modules/kubernetes" &&
    go_build "$out/$program" \
      -ldflags "-s -w -X $stamp.gitVersion=v$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=$minor" \
      "k8s.io/kubernetes/cmd/$program"
}

# A folder per program: whoever brings an API server along builds only the rest. The servers are
# pinned, kubectl is not.
for program in kube-apiserver kube-controller-manager; do
  key="PAIFANG_${program//-/_}"
  find_tool "${key^^}" "$program" "$cache/$program-$version" build "$program"
done
find_tool --any PAIFANG_KUBECTL kubectl "$cache/kubectl-$version" build kubectl
