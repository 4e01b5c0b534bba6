# shellcheck shell=bash disable=SC2034,SC2154 # variables of run.sh
# HAProxy: one thread, and a map from paths to backends, which it finds by a tree. Sourced, never run.

# start_haproxy NAME: see benches/proxies.sh.
start_haproxy() {
  local i path
  for ((i = 0; i < routes; i++)); do
    path_of "$i"
    printf '%s shop\n' "$path"
  done >"$work/$1.map"
  [[ -z $tls ]] || cat "$certificate" "$key" >"$work/$1.pem"
  write_haproxy "$work/$1" >"$work/$1.conf"
  start "$1" "${on_first[@]}" haproxy -db -f "$work/$1.conf"
}

write_haproxy() {
  local number server=""
  [[ $answers != grpc ]] || server=" proto h2"
  [[ -z $limits ]] || server+=" check inter 10s observe layer7 error-limit 5 on-error mark-down"
  cat <<CONF
global
  nbthread 1
  maxconn $((files / 2 - 100))
  log stdout format raw local0
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
  http-reuse always
  option forwardfor
  unique-id-format %[uuid()]
  unique-id-header X-Request-ID
frontend web
  bind 127.0.0.1:$port${tls:+ ssl crt $1.pem alpn h2,http/1.1 ssl-min-ver TLSv1.3}
  $(haproxy_log)
  ${limits:+stick-table type ip size 100k expire 1m store http_req_rate(1s)}
  ${limits:+http-request track-sc0 src}
  ${limits:+http-request deny deny_status 429 if { sc_http_req_rate(0) gt 1000000 \}}
  use_backend %[path,map_beg($1.map,none)]
backend none
  http-request deny deny_status 404
backend shop
  balance roundrobin
CONF
  for number in 1 2 3; do printf '  server s%s 127.0.0.%s:%s%s\n' "$number" "$number" "$backend" "$server"; done
}

haproxy_log() {
  [[ -n $access_log ]] || return 0
  cat <<'CONF'
log global
  capture request header User-Agent len 64
  log-format '{"time":"%Tl","client":"%ci","method":"%HM","host":"bench.example","path":"%HPO","protocol":"%HV","status":%ST,"bytes_in":%U,"bytes_out":%B,"duration_ms":%Ta,"route":"%b","endpoint":"%si:%sp","request_id":"%ID","user_agent":"%[capture.req.hdr(0),json]"}'
CONF
}
