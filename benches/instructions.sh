#!/usr/bin/env bash
# instructions.sh: user instructions per request of Paifang and of a bare hyper forwarder, counted
# by callgrind while N requests come over one connection, one after the other.
# Paifang has one route, ten thousand, or one with limits and a breaker. Fails when it needs over 5 %
# more than benches/baseline.json says.
#
#   UPDATE=1          writes the baseline
#   BENCH_REQUESTS    N, default 5000
#   BENCH_PROFILE=1   says by source file where the gateway's instructions go
set -euo pipefail
# shellcheck source=benches/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

baseline="$root/benches/baseline.json"
requests="${BENCH_REQUESTS:-5000}"
allowed=5 # percent

# ask PORT COUNT: so many requests, one after the other.
ask() { "$bin/bench-peers" ask "$1" "$path/item" "$2"; }

# per_request PORT NAME COMMAND...: sets `cost`, for a proxy that listens on this port. Its start is not counted.
per_request() {
  local port="$1" name="$2" try total
  shift 2
  start "$name" valgrind --tool=callgrind --instr-atstart=no --callgrind-out-file="$work/$name.out" "$@"
  # Ten thousand routes take a while to be read under valgrind.
  for ((try = 0; try < 6000; try++)); do
    ask "$port" 1 2>/dev/null && break
    sleep 0.1
  done
  ask "$port" 100 || die "$name does not answer: $(tail -n 3 "$work/$name.log")"
  callgrind_control --instr=on "$pid" &>/dev/null
  ask "$port" "$requests" || die "$name does not answer"
  callgrind_control --dump "$pid" &>/dev/null
  kill -TERM "$pid"
  wait "$pid" || true
  total="$(sed -n 's/^totals: //p' "$work/$name.out.1")"
  cost=$((total / requests))
}

# gateway NAME ROUTES: sets `cost`, for a gateway with so many routes.
gateway() {
  local name="$1" folder="$work/$1"
  write_routes "$folder" "$2" "$backend"
  # The end of the file is the end of a route's spec.
  if [[ $name == limited ]]; then
    printf '%s\n' "  limiter: {endpoint: {rate: 100000, peak: 100000}, requests: [{key: {type: ClientAddress}, rate: 100000}]}" \
      "  breaker: {maxFailures: 5}" >>"$folder/routes.yaml"
  fi
  gateway_command "$folder" "${ports[@]:2:3}"
  per_request "${ports[2]}" "$name" "${command[@]}"
}

# The value of a key of the baseline, which is flat.
baseline_of() { sed -nE "s/^ *\"$1\": \"?([^\",]*)\"?,?\$/\\1/p" "$baseline"; }

# compare NAME COUNT: with the baseline.
compare() {
  local before
  before="$(baseline_of "$1")"
  (($2 * 100 <= before * (100 + allowed))) ||
    die "$1: the hot path grew from $before to $2 instructions, more than $allowed %: mend it, or UPDATE=1"
}

command -v valgrind >/dev/null || die "valgrind is missing: install the package valgrind"
rustc="$(rustc --version | cut -d ' ' -f 1-2)"
build
path_of 0
mapfile -t ports < <("$bin/bench-peers" ports 5)
backend="${ports[0]}"
start backend "$bin/bench-peers" backend "$backend"
until_open "$backend" backend

per_request "${ports[1]}" bare "$bin/bench-peers" forward "${ports[1]}" "$backend"
bare="$cost"

gateway paifang 1
paifang="$cost"
gateway routes 10000
routes="$cost"
gateway limited 1
limited="$cost"

printf 'instructions per request: bare %d, paifang %d, added %d\n' "$bare" "$paifang" $((paifang - bare))
printf '10000 routes %+d (wanted: 500 at most), limits and breaker %+d (wanted: 2500 at most)\n' \
  $((routes - paifang)) $((limited - paifang))
if [[ -n ${BENCH_PROFILE:-} ]]; then
  awk -v requests="$requests" -v root="$root" -f "$root/benches/profile.awk" "$work/paifang.out.1"
fi
if [[ -n ${UPDATE:-} ]]; then
  printf '{\n  "rustc": "%s",\n  "bare": %d,\n  "paifang": %d,\n  "routes": %d,\n  "limited": %d\n}\n' \
    "$rustc" "$bare" "$paifang" "$routes" "$limited" >"$baseline"
fi
[[ -e $baseline ]] || die "there is no benches/baseline.json: UPDATE=1 writes it"
if [[ "$(baseline_of rustc)" != "$rustc" ]]; then
  say "the baseline is of $(baseline_of rustc) and this is $rustc: not compared"
else
  compare paifang "$paifang"
  compare routes "$routes"
  compare limited "$limited"
fi
