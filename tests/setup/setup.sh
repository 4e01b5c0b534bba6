#!/usr/bin/env bash
# Brings everything that the tests need into the cache folder, once. It writes two files there:
# tests-env (KEY=path of each tool) and tests-missing (each tool that cannot be had, and why).
# It exits 0 when a tool is missing: tests/run.sh decides what that means.
set -euo pipefail
# shellcheck source=tests/setup/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if ! command -v cargo >/dev/null; then
  say "cargo is not on PATH: install a Rust toolchain first (version: rust-version in Cargo.toml)"
  exit 1
fi

# Two runs must not build the same tool at once; the builds hold the lock too.
exec 9>"$cache/lock"
if ! flock --nonblock 9; then
  say "another set-up is at work in $cache, waiting for it"
  flock 9
fi

export PAIFANG_SETUP_ENV="$cache/tests-env.part" PAIFANG_SETUP_MISSING="$cache/tests-missing.part"
: >"$PAIFANG_SETUP_ENV"
: >"$PAIFANG_SETUP_MISSING"
rm -f "$PAIFANG_SETUP_ENV.no-go"
# The longest builds come last, so that a mistake in the environment shows early.
for family in shellcheck etcd redis helm grpc grpc-web kubernetes cargo-deny; do
  "$root/tests/setup/$family.sh"
done
mv "$PAIFANG_SETUP_ENV" "$cache/tests-env"
mv "$PAIFANG_SETUP_MISSING" "$cache/tests-missing"
rm -f "$PAIFANG_SETUP_ENV.no-go"
