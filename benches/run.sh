#!/usr/bin/env bash
# run.sh: CPU time per request, requests per second and latency of Paifang, nginx and a raw byte
# relay, side by side. The proxy has one core to itself; load and backend share another. The
# rounds take turns, so that what the machine does meanwhile hits all alike: read the ratios.
#
#   BENCH_CASES    numbers of routes, default "1 1000 10000"
#   BENCH_ROUNDS   rounds, default 5
#   BENCH_SECONDS  seconds for each measurement, default 4
#   BENCH_CONNECTIONS  keep-alive connections, default 64
set -euo pipefail
# shellcheck source=tests/setup/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/setup/lib.sh"
# shellcheck source=benches/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

cases="${BENCH_CASES:-1 1000 10000}"
rounds="${BENCH_ROUNDS:-5}"
seconds="${BENCH_SECONDS:-4}"
connections="${BENCH_CONNECTIONS:-64}"
spread=1000 # requests take so many of the routes in turn
ticks="$(getconf CLK_TCK)"
results="$work/results"

# unpack FOLDER: Debian's packages, unpacked and not installed: nginx would start a server at once.
unpack() {
  cd "$1" || return 1
  ((EUID != 0)) || apt-get update
  apt-get download nginx wrk libluajit-5.1-2 libluajit-5.1-common || return 1
  local package
  for package in *.deb; do dpkg -x "$package" . || return 1; done
}

# Finds wrk and nginx, on the path or from Debian's packages in the cache.
find_programs() {
  local folder="$cache/bench-debian"
  PATH="$PATH:/usr/sbin"
  if command -v wrk && command -v nginx; then return; fi >/dev/null
  if command -v apt-get >/dev/null && build_once "$folder" unpack; then
    PATH="$PATH:$folder/usr/bin:$folder/usr/sbin"
    LD_LIBRARY_PATH="$(printf '%s:' "$folder"/usr/lib/*-linux-gnu*)${LD_LIBRARY_PATH:-}"
    export LD_LIBRARY_PATH
  fi
}

# Where there are two cores the proxy has one; else it shares the only one with the load.
on_first=() on_second=()
if (($(nproc) > 1)); then
  on_first=(taskset --cpu-list 0)
  on_second=(taskset --cpu-list 1)
fi

# spread_paths COUNT: the paths that are asked for.
spread_paths() {
  local i path step=$(($1 > spread ? $1 / spread : 1))
  for ((i = 0; i < $1; i += step)); do
    path_of "$i"
    printf '%s/item ' "$path"
  done
}

# write_nginx FILE COUNT PORT BACKEND-PORT: the duties that the gateway has as well.
write_nginx() {
  local i path
  {
    cat <<CONF
worker_processes 1;
pid $1.pid;
error_log stderr error;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path $work/body;
  proxy_temp_path $work/proxy;
  fastcgi_temp_path $work/fastcgi;
  uwsgi_temp_path $work/uwsgi;
  scgi_temp_path $work/scgi;
  upstream shop {
    server 127.0.0.1:$4;
    server 127.0.0.2:$4;
    server 127.0.0.3:$4;
    keepalive $((connections * 2));
    keepalive_requests 1000000000;
  }
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host \$host;
  proxy_set_header X-Request-ID \$request_id;
  proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
  server {
    listen 127.0.0.1:$3;
CONF
    for ((i = 0; i < $2; i++)); do
      path_of "$i"
      printf '    location %s { proxy_pass http://shop; }\n' "$path"
    done
    printf '  }\n}\n'
  } >"$1"
}

declare -A port_of pid_of

# The functions below take a port and a number of routes; the gateway finds its other `ports`.
start_relay() {
  start relay "${on_first[@]}" "$bin/bench-peers" relay "$1" "$backend"
}

start_nginx() {
  write_nginx "$work/nginx-$2.conf" "$2" "$1" "$backend"
  start "nginx-$2" "${on_first[@]}" nginx -e stderr -c "$work/nginx-$2.conf" -g "daemon off;"
}

start_paifang() {
  write_routes "$work/routes-$2" "$2" "$backend"
  gateway_command "$work/routes-$2" "${ports[@]}"
  start "paifang-$2" "${on_first[@]}" "${command[@]}"
}

free_ports() { "$bin/bench-peers" ports "$1"; }

# start_proxy NAME ROUTES: starts it, and waits until the last route works.
start_proxy() {
  local ports port path
  path_of $(($2 - 1))
  mapfile -t ports < <(free_ports 3)
  port="${ports[0]}"
  "start_$1" "$port" "$2"
  port_of[$1-$2]="$port"
  pid_of[$1-$2]="$pid"
  until_answer "$port" "$path/item" "$(log_of "$1" "$2")"
}

log_of() { if [[ $1 == relay ]]; then echo relay; else echo "$1-$2"; fi; }

# cpu_ticks PID: user and system time of a process and its children, in clock ticks.
cpu_ticks() {
  local id total=0 stat
  for id in "$1" $(cat "/proc/$1/task/$1/children"); do
    stat="$(cat "/proc/$id/stat")"
    # shellcheck disable=SC2086 # the fields after the name, which is in parentheses
    set -- ${stat##*) }
    total=$((total + ${12} + ${13}))
  done
  echo "$total"
}

# load PORT ROUTES SECONDS: wrk's result line.
load() {
  PATHS="$(spread_paths "$2")" "${on_second[@]}" wrk --threads 1 --connections "$connections" --duration "${3}s" \
    --timeout 10s --script "$root/benches/percentiles.lua" "http://127.0.0.1:$1/" | sed -n 's/^RESULT //p'
}

# measure ROUND PROXY ROUTES: appends one line to the results.
measure() {
  local key="$2-$3" before after line
  before="$(cpu_ticks "${pid_of[$key]}")"
  line="$(load "${port_of[$key]}" "$3" "$seconds")"
  after="$(cpu_ticks "${pid_of[$key]}")"
  printf '%s %s %s %s %s\n' "$3" "$2" "$1" "$(((after - before) * 1000000 / ticks))" "$line" >>"$results"
}

main() {
  local routes round proxy proxies=(relay paifang)
  find_programs
  command -v wrk >/dev/null || die "wrk is missing, and nothing can be measured without it: install the package wrk"
  if command -v nginx >/dev/null; then
    proxies=(relay nginx paifang)
  else
    say "nginx is missing, its rows are left out: install the package nginx"
  fi
  (($(nproc) > 1)) || say "one core: the proxy shares it with the load, so only the CPU times mean anything"
  build
  backend="$(free_ports 1)"
  start backend "${on_second[@]}" "$bin/bench-peers" backend "$backend"
  until_open "$backend" backend
  for routes in $cases; do
    for proxy in "${proxies[@]}"; do
      start_proxy "$proxy" "$routes"
      load "${port_of[$proxy-$routes]}" "$routes" 1 >/dev/null
    done
  done
  for ((round = 1; round <= rounds; round++)); do
    say "round $round of $rounds"
    for routes in $cases; do
      for proxy in "${proxies[@]}"; do measure "$round" "$proxy" "$routes"; done
    done
  done
  awk -v connections="$connections" -v rounds="$rounds" -v seconds="$seconds" -f "$root/benches/report.awk" "$results"
}

main
