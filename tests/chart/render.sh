#!/usr/bin/env bash
# Writes what is derived from the chart: README.md and the schema's descriptions, the chart's copy
# of the CRDs, and manifests/install.yaml. `make manifests` calls it.
set -euo pipefail

# shellcheck source=tests/chart/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
if ! helm=$(find_helm); then
  echo "render.sh: no Helm. Set PAIFANG_HELM to a helm 3.18+ or 4 binary, or put helm on PATH." >&2
  exit 2
fi

python3 "$here/docs.py"

mkdir -p "$chart/files/crds" "$root/manifests"
rm -f "$chart/files/crds/"*.yaml
if compgen -G "$root/crds/*.yaml" >/dev/null; then
  cp "$root/crds/"*.yaml "$chart/files/crds/"
fi

new=$(mktemp)
trap 'rm -f "$new"' EXIT
render_install >"$new"
cp "$new" "$root/manifests/install.yaml"
chmod 644 "$root/manifests/install.yaml"
