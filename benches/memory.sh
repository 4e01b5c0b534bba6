# shellcheck shell=bash disable=SC2034,SC2154 # variables of run.sh
# The cases about memory: idle connections, and a large table. Sourced, never run.

# case_idle: what an idle connection takes of each proxy's memory, by kind.
case_idle() {
  local kind proxy row cost
  printf '\nidle: KiB of resident memory for each of %d connections that have had one request\n' "$idle"
  printf '%-8s %10s %10s %10s\n' proxy plain tls websocket
  for proxy in "${peers[@]}" paifang; do
    row=""
    for kind in plain tls websocket; do
      cost_of_idle "$proxy" "$kind"
      printf -v row '%s %10s' "$row" "$cost"
      [[ $proxy != paifang ]] || echo "idle - $kind-KiB $cost" >>"$figures"
    done
    printf '%-8s%s\n' "$proxy" "$row"
  done
}

# cost_of_idle PROXY KIND: sets `cost`, of a fresh process.
cost_of_idle() {
  local before path client option=""
  set_case idle
  case "$2" in
    tls) tls=yes option="$certificate" ;;
    websocket) answers=websocket option=websocket ;;
  esac
  start_backend
  start_proxy "$1"
  before="$(memory "$1")"
  path_of 0
  start idle "${on_second[@]}" "$bin/bench-peers" idle "${port_of[$1]}" "$path/item" "$idle" ${option:+"$option"}
  client="$pid"
  until [[ -s $work/idle.log ]] || ! kill -0 "$client" 2>/dev/null; do sleep 0.1; done
  [[ "$(cat "$work/idle.log")" == open ]] || die "no $idle idle connections of kind $2 to $1: $(last_log idle)"
  cost="$(awk -v kib=$(($(memory "$1") - before)) -v count="$idle" 'BEGIN { printf "%.1f", kib / count }')"
  stop_all
  rm "$work/idle.log"
}

# case_table: what 5 000 routes to 1 000 Services with 10 endpoints each take.
case_table() {
  local folder="$work/table" services=1000 http https admin resident most access_log=""
  mkdir -p "$folder"
  awk -v services="$services" -f "$root/benches/large.awk" >"$folder/large.yaml"
  { read -r http; read -r https; read -r admin; } < <(free_ports 3)
  gateway_command "$folder" "$http" "$https" "$admin"
  start paifang "${on_first[@]}" "${command[@]}"
  pid_of[paifang]="$pid"
  until_answer "$admin" /readyz paifang
  resident="$(in_mebibytes "$(memory paifang)")" most="$(in_mebibytes "$(memory paifang VmHWM)")"
  printf '\ntable: 5000 routes and 10000 endpoints: %s MiB resident, %s MiB at most while it was read\n' "$resident" "$most"
  echo "table - resident-MiB $resident" >>"$figures"
  stop_all
}

in_mebibytes() { awk -v kib="$1" 'BEGIN { printf "%.1f", kib / 1024 }'; }
