#!/usr/bin/env bash
# Installs what the client of gRPC-Web in tests/peers/grpc-web needs, beside a copy of it.
set -euo pipefail
# shellcheck source=tests/setup/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

peer="$root/tests/peers/grpc-web"
sources="$(cat "$peer"/*.json "$peer"/*.mjs | sha256sum | cut -c1-12)"

install_client() {
  local program
  for program in node npm; do
    command -v "$program" >/dev/null || {
      echo "no $program on PATH: install Node.js 20 or later"
      return 1
    }
  done
  cp "$peer"/*.json "$peer"/*.mjs "$1" && cd "$1" && npm ci --ignore-scripts --no-audit --no-fund
}

find_tool PAIFANG_GRPC_WEB_CLIENT client.mjs "$cache/grpc-web-$sources" install_client
