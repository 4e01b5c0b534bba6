#!/usr/bin/env bash
# Finds or builds etcd, the store behind the API server.
set -euo pipefail
# shellcheck source=tests/setup/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

version="$(module_version etcd go.etcd.io/etcd/server/v3)"

build() { cd "$modules/etcd" && go_build "$1/etcd" -ldflags "-s -w" .; }

# Debian's package is unpacked, not installed: its service would start at once.
unpack_package() {
  cd "$1" || return 1
  ((EUID != 0)) || apt-get update
  apt-get download etcd-server && dpkg -x etcd-server_*.deb . && mv usr/bin/etcd etcd
}

build_or_unpack() { build "$1" || { command -v apt-get && unpack_package "$1"; }; }

find_tool --any PAIFANG_ETCD etcd "$cache/etcd-$version" build_or_unpack
