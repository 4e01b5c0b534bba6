# shellcheck shell=bash disable=SC2034,SC2154 # variables of run.sh
# The gateway: with all its limits and metrics, as it is shipped. Sourced, never run.

# start_paifang NAME: see benches/proxies.sh.
start_paifang() {
  local folder="$work/$1.routes" http="$port" https="${more_ports[0]}" service_port="" route_spec="" rule_spec=""
  [[ $answers != grpc ]] || service_port=", appProtocol: grpc"
  [[ -z $limits ]] || route_spec="  limiter: {requests: [{key: {type: ClientAddress}, rate: 1000000}]}"
  [[ $answers != websocket ]] || rule_spec="    handler: {type: Web}"
  # The service finds its methods by the path behind the prefix.
  [[ -z $ways ]] || route_spec="  proxy: {trimPrefix: true}"
  case "$answers-$1" in
    grpc-call) rule_spec="    handler: {type: Rpc}" ;;
    mucp-call) rule_spec="    handler: {type: Rpc, rpc: {service: bench, method: Echo.Say}}" ;;
  esac
  [[ -z $tls ]] || { https="$port" http="${more_ports[0]}"; }
  write_routes "$folder" "$routes" "$backend"
  [[ -z $limits ]] || write_policy >"$folder/policy.yaml"
  [[ -z $tls ]] || write_secret >"$folder/secret.yaml"
  gateway_command "$folder" "$http" "$https" "${more_ports[1]}" ${tls:+--tls-min-version 1.3} \
    ${tls:+--default-certificate default/bench-tls}
  start "$1" "${on_first[@]}" "${command[@]}"
}

# The two gateways of the cases about calls.
start_pass() { start_paifang "$1"; }
start_call() { start_paifang "$1"; }

# What holds for the Service's port: the endpoints' limiter and breaker.
write_policy() {
  cat <<YAML
apiVersion: paifang.dev/v1alpha1
kind: GatewayRoute
metadata: {name: policy}
spec:
  policyFor: {service: shop, port: http}
  limiter: {endpoint: {rate: 1000000, peak: 1000000}}
  breaker: {maxFailures: 5, failOn: [ServerError, Timeout]}
YAML
}

write_secret() {
  cat <<YAML
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata: {name: bench-tls}
data:
  tls.crt: $(base64 -w 0 "$certificate")
  tls.key: $(base64 -w 0 "$key")
YAML
}
