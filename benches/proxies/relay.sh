# shellcheck shell=bash disable=SC2034,SC2154 # variables of run.sh
# The floor: a raw byte relay. It knows neither TLS nor HTTP. Sourced, never run.

# start_relay NAME: see benches/proxies.sh.
start_relay() {
  start "$1" "${on_first[@]}" "$bin/bench-peers" relay "$port" "$backend" "$answers"
}
