# shellcheck shell=bash disable=SC2034,SC2154 # variables of run.sh
# The load of a case: wrk for HTTP/1.1, h2load for HTTP/2 and gRPC. Each answers with one line:
# requests, seconds, failures, and the latencies p50, p99 and p99.9 in microseconds. Sourced, never run.

spread=1000 # requests take so many of the routes in turn
streams=8   # of each HTTP/2 connection

# spread_paths: the paths that are asked for, one a line.
spread_paths() {
  local i path step=$((routes > spread ? routes / spread : 1))
  for ((i = 0; i < routes; i += step)); do
    path_of "$i"
    printf '%s/item\n' "$path"
  done
}

# prepare_load: what the tools read, made once for a case.
prepare_load() {
  content_type=application/grpc
  # A gRPC message of 65 bytes, behind a byte for its compression and four for its length.
  printf '\0\0\0\0\101%s' '{"id":"0123456789","name":"a small answer of sixty-five bytes.."}' >"$work/message"
  PATHS="$(spread_paths | tr '\n' ' ')"
  export PATHS
  spread_paths | sed 's#^#https://bench.example#' >"$work/uris"
}

# load PORT SECONDS CONNECTIONS
load() {
  if [[ $speaks == http1 ]]; then load_http1 "$@"; else load_http2 "$@"; fi
}

load_http1() {
  "${on_second[@]}" wrk --threads 1 --connections "$3" --duration "${2}s" --timeout 10s \
    --script "$root/benches/percentiles.lua" "http${tls:+s}://localhost:$1/" | sed -n 's/^RESULT //p'
}

# h2load knows no percentiles, but writes down how long each request took.
load_http2() {
  rm -f "$work/times"
  h2load_to "$1" --duration "$2" --clients "$3" --max-concurrent-streams "$streams" --log-file "$work/times" \
    >"$work/h2load.log"
  { cut -f 3 "$work/times" | sort -n; echo; cat "$work/h2load.log"; } |
    awk -v seconds="$2" -v message="$message" -f "$root/benches/h2load.awk"
}

# h2load_to PORT ARGUMENT...
h2load_to() {
  local port="$1" grpc=()
  shift
  [[ $speaks != grpc ]] || grpc=(--data "$work/message" --header "content-type: $content_type" --header "te: trailers")
  "${on_second[@]}" h2load --threads 1 --input-file "$work/uris" --connect-to "127.0.0.1:$port" "${grpc[@]}" "$@"
}

# until_served NAME PORT PATH: waits until a proxy gives the backend's answer.
until_served() {
  local try
  [[ -z $ways ]] || prepare_call "$1"
  if [[ $speaks != grpc && -z $ways ]]; then
    until_answer "$2" "$3" "$1" ${tls:+"$certificate"}
    return
  fi
  until_open "$2" "$1"
  if [[ $speaks != grpc ]]; then
    until_called "$1" "$2"
    return
  fi
  for ((try = 0; try < 600; try++)); do
    # An error of gRPC has the status 200 too, but no message.
    h2load_to "$2" --requests 1 | grep -qF "($message) data" && return
    sleep 0.1
  done
  die "$1 does not pass calls on to the backend: $(last_log "$1")"
}
