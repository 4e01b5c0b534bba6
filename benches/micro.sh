# shellcheck shell=bash disable=SC2154 # variables of run.sh
# The case `micro`: decisions about one request, alone. Sourced, never run.

# case_micro: what divan measures, and from it nanoseconds for one.
case_micro() {
  local lines="$work/micro"
  say "building the micro benchmarks"
  (cd "$root" && cargo bench --locked --quiet --features bench --bench table --bench permits) >"$lines"
  printf '\nmicro: nanoseconds for one, medians of divan; the least and the most as well, and allocations\n'
  awk -v figures="$figures" -f "$root/benches/micro.awk" "$lines"
}
