#!/usr/bin/env bash
# run.sh [TIER...]: every tier of the tests in order, or only the named ones, and a table at the
# end. A tier that cannot run here is skipped and named there; with PAIFANG_REQUIRE_ALL=1 that is
# a failure.
# shellcheck disable=SC2317,SC2329 # tiers are functions that are called by name
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cache="${PAIFANG_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/paifang}"
skip=75 # the exit code that says "cannot run here"; `reason` then says why
reason=""
tools_ready=""

tier_format() { cargo fmt --check; }

# The Kubernetes tier is left out of a plain `cargo test`, so clippy has to be told about it.
tier_clippy() {
  cargo clippy --locked --all-targets --features bench -- -D warnings &&
    cargo clippy --locked --test kubernetes -- -D warnings
}

tier_test() { cargo test --locked; }

# So many calls that one lost in ten thousand would show; a plain `cargo test` makes a few thousand.
tier_calls() { cargo test --locked --test gateway -- --ignored --show-output calling::endurance::; }

# Brings the tools; a tier that is run alone does it first.
tier_setup() {
  [[ -z $tools_ready ]] || return 0
  tests/setup/setup.sh || return
  set -a
  # shellcheck disable=SC1091
  source "$cache/tests-env"
  set +a
  tools_ready=yes
}

# The tests that need a store which replicas share; a plain `cargo test` leaves them out and names them.
tier_redis() {
  need PAIFANG_REDIS_SERVER || return
  cargo test --locked --test gateway -- --ignored --test-threads=1 sharing::
}

# A service of grpc-go behind the gateway, and clients that are not ours.
tier_grpc() {
  need PAIFANG_GRPC_PEER PAIFANG_GRPCURL PAIFANG_GRPC_WEB_CLIENT || return
  cargo test --locked --test gateway -- --ignored grpc_go::
}

# Two gateways on one port, in a network of their own in which the kernel hands connections over.
tier_handover() {
  if ! reason="$(handing_over true 2>&1)"; then
    return "$skip"
  fi
  cargo test --locked --test gateway --no-run &&
    CARGO_NET_OFFLINE=true handing_over cargo test --locked --test gateway -- --ignored --test-threads=1 \
      --show-output handover::
}

handing_over() {
  # shellcheck disable=SC2016 # the inner shell expands it
  tests/setup/in-namespace.sh sh -c 'echo 1 >/proc/sys/net/ipv4/tcp_migrate_req && exec "$@"' sh "$@"
}

tier_chart() {
  [[ -e tests/chart/run.sh ]] || return 0
  need PAIFANG_HELM && tests/chart/run.sh
}

tier_scripts() {
  need PAIFANG_SHELLCHECK || return
  git ls-files -z '*.sh' .ci/run | xargs -0 "$PAIFANG_SHELLCHECK" --external-sources
}

tier_supply_chain() {
  need PAIFANG_CARGO_DENY || return
  tests/setup/deny.sh || {
    local code=$?
    reason="no advisory database, licences and bans passed (PAIFANG_ADVISORY_DB names one)"
    return "$code"
  }
}

tier_kubernetes() {
  need PAIFANG_KUBE_APISERVER PAIFANG_ETCD PAIFANG_KUBE_CONTROLLER_MANAGER PAIFANG_KUBECTL PAIFANG_HELM || return
  if ! reason="$(tests/setup/in-namespace.sh true)"; then
    return "$skip"
  fi
  # The namespace has no network, so everything is built before it is entered. Most tests wait for
  # more than they work, so more of them run than there are cores; those that measure come last.
  cargo test --locked --test kubernetes --no-run &&
    in_cluster --test-threads=6 --show-output --skip latency:: &&
    in_cluster --test-threads=1 --show-output latency::
}

in_cluster() {
  CARGO_NET_OFFLINE=true tests/setup/in-namespace.sh cargo test --locked --test kubernetes -- "$@"
}

# need KEY...: whether set-up found these tools.
need() {
  local key
  tier_setup || return
  for key in "$@"; do
    [[ -n ${!key:-} ]] || reason+="${reason:+, }$key"
  done
  [[ -z $reason ]] && return
  reason="without $reason"$'\n'"$(sed 's/^/  /' "$cache/tests-missing")"
  return "$skip"
}

# tests_of TIER: how many tests are skipped with it, where that can be counted without building.
tests_of() {
  local -A places=([kubernetes]=tests/kubernetes [redis]=tests/gateway/sharing.rs [grpc]=tests/gateway/grpc_go.rs [handover]=tests/gateway/handover.rs)
  [[ -n ${places[$1]:-} ]] || return 0
  printf ' (%d tests)' "$(grep -rhE '^#\[(tokio::)?test' "${places[$1]}" | wc -l)"
}

rows=()
notes=()
failed=0

run_tier() {
  local name="$1" start=$SECONDS code=0 result=passed
  reason=""
  printf '\n=== %s\n' "$name"
  "tier_${name//-/_}" || code=$?
  if ((code == skip)) || [[ $code == 0 && -n $reason ]]; then
    result=skipped
    notes+=("skipped: $name$(tests_of "$name"): $reason")
  fi
  if ((code != 0 && code != skip)) || [[ $result == skipped && ${PAIFANG_REQUIRE_ALL:-} == 1 ]]; then
    result=failed
    failed=1
  fi
  rows+=("$(printf '%-14s %-8s %5d s' "$name" "$result" $((SECONDS - start)))")
  printf '=== %s: %s\n' "$name" "$result"
}

tiers=("$@")
if ((${#tiers[@]} == 0)); then
  tiers=(format clippy test calls handover setup redis grpc chart scripts supply-chain kubernetes)
fi
for tier in "${tiers[@]}"; do
  run_tier "$tier"
done
printf '\n'
printf '%s\n' "${rows[@]}" "${notes[@]}"
exit "$failed"
