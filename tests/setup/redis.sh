#!/usr/bin/env bash
# Finds or unpacks a Redis server, the store that replicas share. Valkey will do as well:
# PAIFANG_REDIS_SERVER=/usr/bin/valkey-server.
set -euo pipefail
# shellcheck source=tests/setup/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Debian's package is unpacked, not installed: its service would start at once. It comes with the
# libraries that a machine without it may lack.
unpack_package() {
  cd "$1" || return 1
  command -v apt-get || return 1
  ((EUID != 0)) || apt-get update
  apt-get download redis-server redis-tools libjemalloc2 liblzf1 || return 1
  local package
  for package in *.deb; do
    dpkg -x "$package" . || return 1
  done
  local libraries
  libraries="$(dirname "$(find "$1/usr/lib" -name 'liblzf.so.1' -print -quit)")"
  # The folder is moved once it is whole, so the program looks for its own place.
  cat >redis-server <<SCRIPT
#!/bin/sh
here="\$(dirname "\$(readlink -f "\$0")")"
export LD_LIBRARY_PATH="\$here${libraries#"$1"}"
exec "\$here/usr/bin/redis-server" "\$@"
SCRIPT
  chmod +x redis-server && ./redis-server --version
}

find_tool --any PAIFANG_REDIS_SERVER redis-server "$cache/redis-1" unpack_package
