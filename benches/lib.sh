# shellcheck shell=bash
# What both measurements share: the builds, the folder of routes, and programs that end with the
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

finish() {
  ((${#started[@]} == 0)) || kill "${started[@]}" 2>/dev/null || true
  wait
  rm -rf "$work"
}
trap finish EXIT

# The shipped profile; the peers are built with the same versions of everything.
build() {
  say "building the shipped profile"
  (cd "$root" && cargo build --locked --release --features bench --bins)
}

# start NAME COMMAND...: runs a program until the script ends. Its process id is in `pid`.
start() {
  local name="$1"
  shift
  "$@" >"$work/$name.log" 2>&1 &
  pid=$!
  started+=("$pid")
}

# until_open PORT NAME: waits until a program listens.
until_open() {
  local try
  for ((try = 0; try < 600; try++)); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
      return
    fi
    sleep 0.1
  done
  die "$2 does not listen on port $1: $(tail -n 3 "$work/$2.log")"
}

# until_answer PORT PATH NAME: waits until a proxy gives the backend's answer.
until_answer() {
  local try
  until_open "$1" "$3"
  for ((try = 0; try < 600; try++)); do
    "$bin/bench-peers" ask "$1" "$2" 1 2>/dev/null && return
    sleep 0.1
  done
  die "$3 does not pass $2 on to the backend: $(tail -n 3 "$work/$3.log")"
}

# path_of NUMBER: sets `path`, which a route takes. Ten thousand routes leave no time for subshells.
path_of() { printf -v path '/shop/area-%05d' "$1"; }

# write_routes FOLDER COUNT BACKEND-PORT: so many routes, each to the three endpoints of one Service.
write_routes() {
  local folder="$1" count="$2" port="$3" i path
  mkdir -p "$folder"
  cat >"$folder/service.yaml" <<YAML
apiVersion: v1
kind: Service
metadata: {name: shop}
spec:
  ports:
  - {name: http, port: 80}
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
      "spec:" "  rules:" "  - matches: [{path: {value: $path}}]" "    backends: [{service: shop, port: http}]"
  done >"$folder/routes.yaml"
}

# gateway_command FOLDER HTTP-PORT HTTPS-PORT ADMIN-PORT: the command of a gateway with one core.
gateway_command() {
  # shellcheck disable=SC2034 # the callers run it
  command=("$bin/paifang" standalone "$1" --http "127.0.0.1:$2" --https "127.0.0.1:$3"
    --admin "127.0.0.1:$4" --threads 1 --access-log off --log-level warn --drain-delay 0s)
}
