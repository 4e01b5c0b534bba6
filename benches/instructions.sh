#!/usr/bin/env bash
# instructions.sh: user instructions per request of Paifang and of a bare hyper forwarder, counted
# by callgrind. N and 2N requests over one connection: the difference leaves out start and end.
# Fails when Paifang needs over 5 % more than benches/baseline.json says.
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

# run REQUESTS PORT NAME COMMAND...: sets `total`, the instructions of a whole run of a proxy.
run() {
  local count="$1" port="$2" name="$3"
  shift 3
  start "$name" valgrind --tool=callgrind --callgrind-out-file="$work/$name.out" "$@"
  until_answer "$port" "$path/item" "$name"
  "$bin/bench-peers" ask "$port" "$path/item" "$count" || die "$name does not answer"
  kill -TERM "$pid"
  wait "$pid" || true
  total="$(sed -n 's/^totals: //p' "$work/$name.out")"
}

# per_request PORT NAME COMMAND...: sets `cost`, for a proxy that listens on this port.
per_request() {
  local port="$1" name="$2" once
  shift 2
  run "$requests" "$port" "$name-once" "$@"
  once="$total"
  run $((2 * requests)) "$port" "$name-twice" "$@"
  cost=$(((total - once) / requests))
}

# The value of a key of the baseline, which is flat.
baseline_of() { sed -nE "s/^ *\"$1\": \"?([^\",]*)\"?,?\$/\\1/p" "$baseline"; }

compare() {
  local before
  [[ -e $baseline ]] || die "there is no benches/baseline.json: UPDATE=1 writes it"
  before="$(baseline_of paifang)"
  if [[ "$(baseline_of rustc)" != "$rustc" ]]; then
    say "the baseline is of $(baseline_of rustc) and this is $rustc: not compared"
  elif ((paifang * 100 > before * (100 + allowed))); then
    die "the hot path grew from $before to $paifang instructions, more than $allowed %: mend it, or UPDATE=1"
  else
    say "the baseline is $before, $allowed % more is allowed"
  fi
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

write_routes "$work/routes" 1 "$backend"
gateway_command "$work/routes" "${ports[@]:2:3}"
per_request "${ports[2]}" paifang "${command[@]}"
paifang="$cost"

printf 'instructions per request: bare %d, paifang %d, added %d\n' "$bare" "$paifang" $((paifang - bare))
if [[ -n ${BENCH_PROFILE:-} ]]; then
  awk -v requests="$requests" -v root="$root" -f "$root/benches/profile.awk" "$work"/paifang-{once,twice}.out
fi
if [[ -n ${UPDATE:-} ]]; then
  printf '{\n  "rustc": "%s",\n  "bare": %d,\n  "paifang": %d\n}\n' "$rustc" "$bare" "$paifang" >"$baseline"
else
  compare
fi
