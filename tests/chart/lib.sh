# shellcheck shell=bash disable=SC2034,SC2154
# Shared by run.sh and render.sh: where things are, which Helm is used, one render.
# Who sources it sets `helm` and reads `root`, `chart` and `here`.

# The checks must leave no files in the work tree.
export PYTHONDONTWRITEBYTECODE=1

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
chart=$root/charts/paifang
here=$root/tests/chart

# The Helm to use: what the environment names, what is on PATH, what `make setup` built. Fails where
# there is none.
find_helm() {
  local tools=${XDG_CACHE_HOME:-$HOME/.cache}/paifang/tests-env built=
  if [[ -n ${PAIFANG_HELM:-} ]]; then
    echo "$PAIFANG_HELM"
  elif ! command -v helm; then
    [[ -f $tools ]] && built=$(sed -n 's/^PAIFANG_HELM=//p' "$tools")
    [[ -x $built ]] && echo "$built"
  fi
}

# Renders the chart as a release `paifang` in namespace `paifang-system`; flags of `helm template` follow.
render() {
  "$helm" template paifang "$chart" --namespace paifang-system --kube-version 1.36.0 "$@"
}

# The raw manifest: the chart's defaults in a namespace of its own, without what speaks of Helm.
render_install() {
  cat <<'YAML'
# Paifang with the chart's defaults. Written by tests/chart/render.sh; do not edit.
# kubectl apply --server-side -f install.yaml
---
apiVersion: v1
kind: Namespace
metadata:
  name: paifang-system
  labels:
    pod-security.kubernetes.io/enforce: restricted
YAML
  render --skip-tests --set crds.keep=false | sed -E '/^ +(helm\.sh\/chart|app\.kubernetes\.io\/managed-by): /d'
}
