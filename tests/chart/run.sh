#!/usr/bin/env bash
# Tests of the chart. Needs Helm (see lib.sh) and python3; no cluster.
#   UPDATE_GOLDEN=1       rewrites tests/chart/golden/ instead of comparing
#   PAIFANG_REQUIRE_ALL=1 turns a skip into a failure
set -euo pipefail

# shellcheck source=tests/chart/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
if ! helm=$(find_helm); then
  echo "chart: skipped, no Helm. Set PAIFANG_HELM, or put helm 3.18+ or 4 on PATH."
  [[ ${PAIFANG_REQUIRE_ALL:-0} == 1 ]] && exit 1
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

# Runs one check and counts its failure; its output is shown only then. The subshell stands alone,
# because Bash ignores `set -e` inside a condition.
check() {
  local name=$1 code=0
  shift
  set +e
  (set -e; "$@") >"$work/output" 2>&1
  code=$?
  set -e
  if ((code != 0)); then
    echo "FAIL $name" >&2
    sed 's/^/     /' "$work/output" >&2
    failures=$((failures + 1))
  fi
}

lint() {
  "$helm" lint "$chart" --strict --quiet
}

# Rendered YAML on the way to JSON, by Helm's own parser.
to_json() {
  "$helm" template tojson "$here/tojson" --set-file "text=$1" | sed -n 's/^documents: //p'
}

# One value set: renders, equals its golden file, and passes the policy. CRDs are left out here:
# they are checked apart, and their text would drown the rest. The golden file is the whole text,
# or only how it differs from that of the defaults: then it shows what the values are for.
golden() {
  local name=$1 file=$here/golden/$1.yaml out=$work/$1.yaml told=$work/$1.yaml
  render --values "$here/values/$name.yaml" --set crds.install=false >"$out"
  if [[ $name != default && ! -f $file ]]; then
    file=$here/golden/$name.diff told=$work/$name.diff
    from_default "$out" >"$told"
  fi
  to_json "$out" | python3 "$here/policy.py" "$name"
  if grep -n ' $' "$out"; then
    echo "trailing blanks"
    return 1
  fi
  if [[ ${UPDATE_GOLDEN:-0} == 1 ]]; then
    cp "$told" "$file"
    chmod 644 "$file"
  else
    diff -u "$file" "$told"
  fi
}

# What a text has other than the one of the defaults, without the numbers of lines, which change
# with every line that the defaults gain.
from_default() {
  diff -u "$work/default.yaml" "$1" | sed -e '1,2d' -e 's/^@@.*/@@/' || true
}

# A golden file without its value set is a test that never runs.
no_orphans() {
  local file
  for file in "$here"/golden/*; do
    file=${file##*/}
    [[ -f $here/values/${file%.*}.yaml ]] || { echo "$file has no value set"; return 1; }
  done
}

# A wrong value set is refused, with the message that its first line promises.
refused() {
  local file=$here/invalid/$1.yaml message
  message=$(sed -n '1s/^# expect: //p' "$file")
  if render --values "$file" >/dev/null 2>"$work/refusal"; then
    echo "accepted"
    return 1
  fi
  grep -qF -- "$message" "$work/refusal" || { echo "expected: $message"; cat "$work/refusal"; return 1; }
}

# Each CRD is rendered once, kept on uninstall unless told otherwise, and absent when switched off.
crds() {
  local count
  count=$(find "$chart/files/crds" -name '*.yaml' | wc -l)
  definitions() { render "$@" | grep -c '^kind: CustomResourceDefinition$' || true; }
  kept() { render "$@" | grep -c '^    helm.sh/resource-policy: keep$' || true; }
  [[ $(definitions) == "$count" && $(kept) == "$count" ]] || { echo "not every CRD is rendered and kept"; return 1; }
  [[ $(kept --set crds.keep=false) == 0 ]] || { echo "crds.keep=false still keeps"; return 1; }
  [[ $(definitions --set crds.install=false) == 0 ]] || { echo "crds.install=false still installs"; return 1; }
}

# Definitions of two shapes: the text survives, annotations that are there stay.
crd_text_survives() {
  local copy=$work/chart
  cp -r "$chart" "$copy"
  rm -f "$copy/files/crds/"*.yaml
  cp "$here/crd-fixtures/"*.yaml "$copy/files/crds/"
  "$helm" template paifang "$copy" --show-only templates/crds.yaml >"$work/crds.yaml"
  to_json "$work/crds.yaml" | python3 -c '
import json, sys
plain, annotated = sorted(json.load(sys.stdin), key=lambda crd: crd["metadata"]["name"], reverse=True)
assert plain["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}, plain["metadata"]
assert annotated["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep", "example.com/a": "b"}, annotated["metadata"]
'
  grep -vxF -f "$work/crds.yaml" "$here/crd-fixtures/plain.yaml" >"$work/lost" || return 0
  echo "lost lines:"
  cat "$work/lost"
  return 1
}

install_is_current() {
  render_install >"$work/install.yaml"
  diff -u "$root/manifests/install.yaml" "$work/install.yaml" || { echo "run make manifests"; return 1; }
  to_json "$work/install.yaml" | python3 "$here/policy.py" install
}

# What NOTES.txt says: the class and the address command always, warnings only where one is due.
notes() {
  local phrase
  say() { "$helm" install paifang "$chart" --dry-run=client --namespace paifang-system "$@" | sed -n '/^NOTES:/,$p'; }
  say >"$work/notes"
  for phrase in 'className: paifang' 'ADDRESS=' 'helm test paifang'; do
    grep -qF "$phrase" "$work/notes" || { echo "no \"$phrase\" in:"; cat "$work/notes"; return 1; }
  done
  if grep -q 'Warnings:' "$work/notes"; then
    echo "the defaults warn:"
    cat "$work/notes"
    return 1
  fi
  say --set replicaCount=1,tls.clusterWide=true,drain.delay=0,service.type=NodePort,className=edge >"$work/notes"
  for phrase in 'One replica' 'every Secret of the cluster' 'drain.delay=0' 'className: edge' 'get nodes'; do
    grep -qF "$phrase" "$work/notes" || { echo "no \"$phrase\" in:"; cat "$work/notes"; return 1; }
  done
}

check "helm lint" lint
check "docs are current" python3 "$here/docs.py" --check
check "files agree" python3 "$here/consistency.py"
check "golden default" golden default
for file in "$here"/values/*.yaml; do
  name=$(basename "$file" .yaml)
  [[ $name == default ]] || check "golden $name" golden "$name"
done
check "no golden file without values" no_orphans
for file in "$here"/invalid/*.yaml; do
  name=$(basename "$file" .yaml)
  check "refuses $name" refused "$name"
done
check "CRDs" crds
check "CRD text survives" crd_text_survives
check "manifests/install.yaml" install_is_current
check "NOTES.txt" notes

if ((failures > 0)); then
  echo "chart: $failures failed" >&2
  exit 1
fi
sets=$(find "$here/values" -name '*.yaml' | wc -l)
wrong=$(find "$here/invalid" -name '*.yaml' | wc -l)
echo "chart: ok, $sets value sets, $wrong refusals, $("$helm" version --short 2>/dev/null || "$helm" version)"
