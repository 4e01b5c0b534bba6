# shellcheck shell=bash disable=SC2034,SC2154 # variables of run.sh
# Envoy: one worker, and a map from prefixes to routes, which it finds by a tree; a list of routes,
# which it would walk, takes it a hundred times as long. Sourced, never run.

# start_envoy NAME: see benches/proxies.sh.
start_envoy() {
  write_envoy >"$work/$1.yaml"
  start "$1" "${on_first[@]}" envoy --concurrency 1 --disable-hot-restart --log-level error -c "$work/$1.yaml"
}

types=type.googleapis.com/envoy

write_envoy() {
  local i path
  cat <<YAML
static_resources:
  clusters: [$(envoy_cluster)]
  listeners:
  - name: web
    address: {socket_address: {address: 127.0.0.1, port_value: $port}}
    filter_chains:
    - transport_socket: $(envoy_socket)
      filters:
      - name: http
        typed_config:
          "@type": $types.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: web
          use_remote_address: true
          upgrade_configs: [{upgrade_type: websocket}]
          access_log: [$(envoy_log)]
          http_filters:
          $(envoy_limiter)
          - name: router
            typed_config: {"@type": $types.extensions.filters.http.router.v3.Router}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              matcher:
                matcher_tree:
                  input:
                    name: path
                    typed_config: {"@type": $types.type.matcher.v3.HttpRequestHeaderMatchInput, header_name: ":path"}
                  prefix_match_map:
                    map:
YAML
  for ((i = 0; i < routes; i++)); do
    path_of "$i"
    printf '                      "%s": {action: {name: shop, typed_config: {"@type": %s, %s, %s}}}\n' "$path" \
      "$types.config.route.v3.Route" 'match: {prefix: "/"}' 'route: {cluster: shop}'
  done
}

envoy_cluster() {
  local number
  cat <<YAML
{name: shop, connect_timeout: 5s, type: STATIC,
    circuit_breakers: {thresholds: [{max_connections: 20000, max_pending_requests: 20000, max_requests: 20000}]},
YAML
  [[ -z $limits ]] || echo "    outlier_detection: {consecutive_5xx: 5},"
  [[ $answers != grpc ]] || cat <<YAML
    typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {
      "@type": $types.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: {http2_protocol_options: {}}}},
YAML
  echo "    load_assignment: {cluster_name: shop, endpoints: [{lb_endpoints: ["
  for number in 1 2 3; do
    echo "      {endpoint: {address: {socket_address: {address: 127.0.0.$number, port_value: $backend}}}},"
  done
  echo "    ]}]}}"
}

envoy_socket() {
  if [[ -z $tls ]]; then
    echo "{name: raw, typed_config: {\"@type\": $types.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}"
    return
  fi
  cat <<YAML
{name: tls, typed_config: {"@type": $types.extensions.transport_sockets.tls.v3.DownstreamTlsContext,
        common_tls_context: {alpn_protocols: [h2, http/1.1], tls_params: {tls_minimum_protocol_version: TLSv1_3},
          tls_certificates: [{certificate_chain: {filename: $certificate}, private_key: {filename: $key}}]}}}
YAML
}

envoy_limiter() {
  [[ -n $limits ]] || return 0
  cat <<YAML
- name: limiter
            typed_config:
              "@type": $types.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
              stat_prefix: limiter
              token_bucket: {max_tokens: 1000000, tokens_per_fill: 1000000, fill_interval: 1s}
              filter_enabled: {default_value: {numerator: 100}}
              filter_enforced: {default_value: {numerator: 100}}
YAML
}

envoy_log() {
  [[ -n $access_log ]] || return 0
  cat <<YAML
{name: log, typed_config: {"@type": $types.extensions.access_loggers.file.v3.FileAccessLog, path: /dev/null,
            log_format: {json_format: {time: "%START_TIME%", client: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
              method: "%REQ(:METHOD)%", host: "%REQ(:AUTHORITY)%", path: "%REQ(:PATH)%", protocol: "%PROTOCOL%",
              status: "%RESPONSE_CODE%", bytes_in: "%BYTES_RECEIVED%", bytes_out: "%BYTES_SENT%",
              duration_ms: "%DURATION%", route: "%UPSTREAM_CLUSTER%", endpoint: "%UPSTREAM_HOST%",
              request_id: "%REQ(X-REQUEST-ID)%", user_agent: "%REQ(USER-AGENT)%"}}}}
YAML
}
