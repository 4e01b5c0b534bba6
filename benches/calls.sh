# shellcheck shell=bash disable=SC2034,SC2089,SC2090,SC2154 # JSON is text; variables of run.sh
# The cases about calls: of two gateways before one service, `pass` hands calls on as they come, and `call` makes them
# of requests with JSON. Messages have 1 KiB in both directions. Sourced, never run.

# prepare_call WAY: what the tools send, and what comes back.
prepare_call() {
  local text path
  printf -v text '%1013s' ''
  text="${text// /x}"
  path_of 0
  METHOD=POST BODY="{\"name\":\"$text\"}" FIELDS="Content-Type: application/json" PATHS="$path/say"
  content_type=application/json message="${#BODY}"
  case "$answers-$1" in
    mucp-pass) FIELDS+=$'\nMicro-Service: bench\nMicro-Endpoint: Echo.Say\nMicro-Method: Echo.Say\nMicro-Id: 1' ;;
    grpc-call) printf %s "$BODY" >"$work/message" ;;
    # The prefix of gRPC, 1016 bytes to come, and the field 1 with 1013 of them.
    grpc-pass)
      printf '\0\0\0\3\370\n\365\7%s' "$text" >"$work/message"
      content_type=application/grpc message=1021
      ;;
  esac
  LEAST="$message"
  export METHOD BODY FIELDS PATHS LEAST
  printf 'http://bench.example%s/bench.v1.Echo/Say\n' "$path" >"$work/uris"
}

# forget_calls: what other cases must not send.
forget_calls() {
  unset METHOD BODY FIELDS LEAST
}

# until_called NAME PORT: waits until a gateway gives the answers of the service, by HTTP/1.1.
until_called() {
  local try requests failed
  for ((try = 0; try < 60; try++)); do
    read -r requests _ failed _ < <(load "$2" 1 1)
    ((requests == 0 || failed > 0)) || return 0
  done
  die "$1 does not pass calls on to the service: $(last_log "$1")"
}
