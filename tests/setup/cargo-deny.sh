#!/usr/bin/env bash
# Finds or builds cargo-deny, which checks licences, bans and advisories.
set -euo pipefail
# shellcheck source=tests/setup/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

version=0.20.2

# A target folder of its own keeps the build of the gateway alone. A compiler cache that cargo
# leaves running must not keep the lock of setup.sh.
build() {
  CARGO_TARGET_DIR="$1/target" cargo install --locked --version "$version" --root "$1" cargo-deny 9>&- &&
    mv "$1/bin/cargo-deny" "$1/cargo-deny" && rm -rf "$1/target"
}

find_tool --any PAIFANG_CARGO_DENY cargo-deny "$cache/cargo-deny-$version" build
