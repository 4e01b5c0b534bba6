#!/usr/bin/env bash
# run.sh: CPU time per request, requests per second, latency and memory of Paifang, side by side with
# a raw byte relay, nginx, HAProxy and Envoy. The proxy has one core to itself; load and backend share
# another. Within a case the proxies take turns, so that what the machine does meanwhile hits all
# alike: read the ratios.
#
#   BENCH_CASES        some of the cases, default all: see benches/cases.sh
#   BENCH_ROUNDS       rounds of each case, default 7
#   BENCH_SECONDS      seconds for each measurement, default 2
#   BENCH_CONNECTIONS  keep-alive connections, default "64 512"; most cases take the first number
#   BENCH_IDLE         idle connections, default 2000
#   BENCH_PEERS        some of the peers, default "nginx haproxy envoy"
set -euo pipefail
here="$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=benches/programs.sh
source "$here/programs.sh"
# shellcheck source=benches/lib.sh
source "$here/lib.sh"
# shellcheck source=benches/cases.sh
source "$here/cases.sh"
# shellcheck source=benches/proxies.sh
source "$here/proxies.sh"
# shellcheck source=benches/load.sh
source "$here/load.sh"
# shellcheck source=benches/calls.sh
source "$here/calls.sh"
# shellcheck source=benches/memory.sh
source "$here/memory.sh"
# shellcheck source=benches/micro.sh
source "$here/micro.sh"

rounds="${BENCH_ROUNDS:-7}"
seconds="${BENCH_SECONDS:-2}"
connections="${BENCH_CONNECTIONS:-64 512}"
idle="${BENCH_IDLE:-2000}"
files="$(ulimit -H -n)"
[[ $files != unlimited ]] && ((files < 65536)) || files=65536
ticks="$(getconf CLK_TCK)"
results="$work/results"
figures="$work/figures"
peers=()

# find_peers: those that can be had.
find_peers() {
  local peer
  for peer in ${BENCH_PEERS-nginx haproxy envoy}; do
    if need "$peer"; then
      peers+=("$peer")
    else
      say "$peer is missing, its rows are left out: $(last_words "$cache/bench-$peer-1")"
    fi
  done
}

# can_run CASE: whether its tools can be had.
can_run() {
  local tool
  for tool in $(tools_of "$1"); do
    need "$tool" || {
      say "$tool is missing, the case $1 is left out: $(last_words "$cache/bench-$tool-1")"
      return 1
    }
  done
}

# measure ROUND PROXY CONNECTIONS: appends one line to the results.
measure() {
  local before after line
  [[ -z $ways ]] || prepare_call "$2"
  before="$(cpu_ticks "$2")"
  line="$(load "${port_of[$2]}" "$seconds" "$3")"
  after="$(cpu_ticks "$2")"
  printf '%s %s %s %s\n' "$2" "$1" "$(((after - before) * 1000000 / ticks))" "$line" >>"$results"
}

# rounds_with CASE CONNECTIONS PROXY...: measures and reports.
rounds_with() {
  local label="$1" count="$2" round proxy table=report
  [[ -z $ways ]] || table=calls
  shift 2
  : >"$results"
  for ((round = 1; round <= rounds; round++)); do
    say "$label, $count connections: round $round of $rounds"
    for proxy in "$@"; do measure "$round" "$proxy" "$count"; done
  done
  awk -v label="$label" -v words="$(describe "$label")" -v connections="$count" -v rounds="$rounds" \
    -v figures="$figures" -f "$root/benches/median.awk" -f "$root/benches/$table.awk" "$results"
}

run_case() {
  local proxy count proxies
  set_case "$1"
  proxies=(${floor:+"$floor"} "${peers[@]}" paifang)
  # shellcheck disable=SC2206 # a list of names
  [[ -z $ways ]] || proxies=($ways)
  prepare_load
  start_backend
  for proxy in "${proxies[@]}"; do
    start_proxy "$proxy"
    load "${port_of[$proxy]}" 1 "${connections%% *}" >/dev/null
  done
  for count in $connections; do
    rounds_with "$1" "$count" "${proxies[@]}"
    [[ -n $every_count ]] || break
  done
  stop_all
  forget_calls
}

main() {
  local name cases="${BENCH_CASES:-$all_cases}"
  for name in $cases; do set_case "$name"; done
  find_peers
  (($(nproc) > 1)) || say "one core: the proxy shares it with the load, so only the CPU times mean anything"
  ulimit -n "$files"
  build
  : >"$figures"
  printf '%d rounds of %d s, one core; medians over the rounds, ratios are smallest, median, largest of the rounds\n' \
    "$rounds" "$seconds"
  printf 'CPU: user and system time of the proxy for a request\n'
  for name in $cases; do
    can_run "$name" || continue
    ! command -v openssl >/dev/null || make_certificate
    case "$name" in
      idle | table | micro) "case_$name" ;;
      *) run_case "$name" ;;
    esac
  done
  printf '\ntargets:\n'
  awk -v targets="$root/benches/targets.txt" -f "$root/benches/targets.awk" "$root/benches/targets.txt" "$figures"
}

main
