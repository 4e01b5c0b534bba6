# shellcheck shell=bash
# What the measurements share: the builds, the folder of routes, and programs that end with the
# script. Sourced, never run.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
bin="${CARGO_TARGET_DIR:-$root/target}/release"
work="$(mktemp -d)"
started=()

say() { printf 'bench: %s\n' "$*" >&2; }

die() {
  say "$@"
  exit 1
}

# Ends every program that was started.
stop_all() {
  ((${#started[@]} == 0)) || kill "${started[@]}" 2>/dev/null || true
  wait
  started=()
}

finish() {
  stop_all
  rm -rf "$work"
}
trap finish EXIT

# The shipped profile; the peers are built with the same versions of everything.
build() {
  say "building the shipped profile"
  (cd "$root" && cargo build --locked --release --features bench --bins)
}

# start NAME COMMAND...: runs a program until the script ends. Its process id is in `pid`; its
# standard output goes to `sink`, where that names something.
start() {
  local log="$work/$1.log"
  shift
  "$@" >>"${sink:-$log}" 2>>"$log" &
  pid=$!
  started+=("$pid")
}

# last_log NAME: the last words of a program.
last_log() { tail -n 3 "$work/$1.log"; }

# until_open PORT NAME: waits until a program listens.
until_open() {
  local try
  for ((try = 0; try < 600; try++)); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
      return
    fi
    sleep 0.1
  done
  die "$2 does not listen on port $1: $(last_log "$2")"
}

# until_answer PORT PATH NAME [CERTIFICATE]: waits until a proxy gives the backend's answer.
until_answer() {
  local try port="$1" path="$2" name="$3"
  shift 3
  until_open "$port" "$name"
  for ((try = 0; try < 600; try++)); do
    "$bin/bench-peers" ask "$port" "$path" 1 "$@" 2>/dev/null && return
    sleep 0.1
  done
  die "$name does not pass $path on to the backend: $(last_log "$name")"
}

# path_of NUMBER: sets `path`, which a route takes. Ten thousand routes leave no time for subshells.
path_of() { printf -v path '/shop/area-%05d' "$1"; }

# write_routes FOLDER COUNT BACKEND-PORT: so many routes, each to the three endpoints of one Service.
# `route_spec` and `rule_spec` hold one more line for each, `service_port` more fields of the
# Service's port.
write_routes() {
  local folder="$1" count="$2" port="$3" i path
  mkdir -p "$folder"
  cat >"$folder/service.yaml" <<YAML
apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  ports:
  - {name: http, port: 80${service_port:-}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: shop
  labels: {kubernetes.io/service-name: shop}
addressType: IPv4
ports:
- {name: http, port: $port}
endpoints:
- {addresses: [127.0.0.1]}
- {addresses: [127.0.0.2]}
- {addresses: [127.0.0.3]}
YAML
  for ((i = 0; i < count; i++)); do
    path_of "$i"
    printf '%s\n' "---" "apiVersion: paifang.dev/v1alpha1" "kind: GatewayRoute" "metadata: {name: area-$i}" \
      "spec:" ${route_spec:+"$route_spec"} "  rules:" "  - matches: [{path: {value: $path}}]" \
      "    backends: [{service: shop, port: http}]" ${rule_spec:+"$rule_spec"}
  done >"$folder/routes.yaml"
}

# gateway_command FOLDER HTTP-PORT HTTPS-PORT ADMIN-PORT [FLAG...]: the command of a gateway with one
# core. `access_log` says whether it has an access log.
gateway_command() {
  local folder="$1" http="$2" https="$3" admin="$4"
  shift 4
  # shellcheck disable=SC2034 # the callers run it
  command=("$bin/paifang" standalone "$folder" --http "127.0.0.1:$http" --https "127.0.0.1:$https"
    --admin "127.0.0.1:$admin" --threads 1 --access-log "${access_log:-off}" --log-level warn --drain-delay 0s "$@")
}
