# shellcheck shell=bash disable=SC2034,SC2154 # variables of run.sh
# What each case is. Sourced, never run.

# Without BENCH_CASES, all of them.
all_cases="routes-1 routes-1000 routes-10000 limits access-log tls h2 body-64k grpc json-grpc rpc-mucp idle table micro"

# set_case NAME: says what the proxies, the load and the backend have to do.
set_case() {
  routes=1000     # of the table
  answers=small   # of the backend
  speaks=http1    # the client
  tls=""          # between client and proxy
  limits=""       # limiter and breaker
  access_log=""   # of each request
  message=0       # least bytes of each answer's body
  floor=relay     # what is the least, where it can do it
  every_count=""  # of connections; else only the first one
  ways=""         # two gateways instead of proxies: one passes the calls of a service, one makes them
  case "$1" in
    routes-*) routes="${1#routes-}" every_count=yes ;;
    limits) limits=yes ;;
    access-log) access_log=json ;;
    tls) tls=yes floor="" ;;
    h2) tls=yes floor="" speaks=http2 ;;
    body-64k) answers=large ;;
    grpc) tls=yes floor="" speaks=grpc answers=grpc message=70 ;;
    json-grpc) routes=1 speaks=grpc answers=grpc floor="" ways="pass call" ;;
    rpc-mucp) routes=1 answers=mucp floor="" ways="pass call" ;;
    idle | table | micro) routes=1 ;;
    *) die "there is no case $1; there are: $all_cases" ;;
  esac
}

# describe NAME: a line about a case.
describe() {
  case "$1" in
    routes-*) echo "HTTP/1.1, 65 bytes, $routes route(s)" ;;
    limits) echo "HTTP/1.1, 65 bytes, $routes routes, limiter and breaker on" ;;
    access-log) echo "HTTP/1.1, 65 bytes, $routes routes, JSON access log on" ;;
    tls) echo "HTTP/1.1 over TLS 1.3, 65 bytes, $routes routes" ;;
    h2) echo "HTTP/2 over TLS 1.3 in, $streams streams for each connection, HTTP/1.1 out, 65 bytes, $routes routes" ;;
    body-64k) echo "HTTP/1.1, 64 KiB, $routes routes" ;;
    grpc) echo "gRPC unary over TLS 1.3 in, $streams streams for each connection, HTTP/2 out, 70 bytes, $routes routes" ;;
    json-grpc) echo "1 KiB of JSON made a unary call of gRPC, and the call passed as it is; HTTP/2, $streams streams for each connection" ;;
    rpc-mucp) echo "1 KiB of JSON made a call by mucp, and the call passed as it is; HTTP/1.1" ;;
  esac
}

# tools_of NAME: the programs that a case cannot do without.
tools_of() {
  case "$1" in
    table | micro) ;;
    idle) echo openssl ;;
    tls) echo wrk openssl ;;
    h2 | grpc) echo h2load openssl ;;
    json-grpc) echo h2load ;;
    *) echo wrk ;;
  esac
}

# make_certificate: of the name that clients ask for.
make_certificate() {
  certificate="$work/tls.crt" key="$work/tls.key"
  [[ ! -e $certificate ]] || return 0
  cat >"$work/openssl.conf" <<CONF
[req]
distinguished_name = name
x509_extensions = extensions
[name]
[extensions]
subjectAltName = DNS:bench.example, DNS:localhost
CONF
  openssl req -x509 -config "$work/openssl.conf" -subj /CN=bench.example -days 2 -nodes \
    -newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout "$key" -out "$certificate" 2>"$work/openssl.log" ||
    die "openssl makes no certificate: $(last_log openssl)"
}
