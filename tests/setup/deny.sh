#!/usr/bin/env bash
# Checks the dependency tree: licences, bans, sources and known vulnerabilities. It never fetches
# an advisory database: it takes the snapshot that PAIFANG_ADVISORY_DB names, or the folder
# ../shared/advisory-db beside the checkout. Without one the advisories are skipped, exit code 75.
set -euo pipefail
# shellcheck source=tests/setup/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

deny="${PAIFANG_CARGO_DENY:-cargo-deny}"
database="${PAIFANG_ADVISORY_DB:-$root/../shared/advisory-db}"
# cargo-deny looks below its db-path for the name that it makes from the default db-urls.
PAIFANG_ADVISORY_DBS="$(mktemp -d)"
export PAIFANG_ADVISORY_DBS
trap 'rm -rf "$PAIFANG_ADVISORY_DBS"' EXIT
copy="$PAIFANG_ADVISORY_DBS/advisory-db-3157b0e258782691"

cd "$root"

# The date of the last commit of a clone, or the date in the README of a plain snapshot.
database_date() {
  [[ -e $database/.git ]] && git -C "$database" log -1 --format=%cs ||
    grep -ohE -m 1 '[0-9]{4}-[0-9]{2}-[0-9]{2}' "$database/README.md" || echo unknown
}

# cargo-deny reads a git repository alone, so the snapshot becomes one, anew in every run.
copy_database() {
  mkdir -p "$copy"
  cp -r --no-preserve=mode,ownership "$database/crates" "$copy/"
  git -C "$copy" init --quiet
  git -C "$copy" add --all
  git -C "$copy" -c user.name=paifang -c user.email=paifang@localhost -c commit.gpgsign=false \
    commit --quiet --message "snapshot"
}

# --offline below needs the sources of every target's dependencies.
cargo fetch --locked
if [[ ! -d $database/crates ]]; then
  "$deny" --offline --locked check bans licenses sources
  echo "deny: advisories skipped, there is no database at $database (PAIFANG_ADVISORY_DB names another)"
  exit 75
fi
copy_database
echo "deny: advisory database of $(database_date)"
"$deny" --offline --locked check advisories bans licenses sources
