#!/usr/bin/env bash
# Builds the service of grpc-go in tests/peers/grpc, and finds or builds grpcurl, its client.
set -euo pipefail
# shellcheck source=tests/setup/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

peer="$root/tests/peers/grpc"
sources="$(cat "$peer"/*.go "$peer"/go.* | sha256sum | cut -c1-12)"
grpcurl="$(sed -nE 's#^\tgithub.com/fullstorydev/grpcurl v([0-9.]+)$#\1#p' "$peer/go.mod")"

build() {
  cd "$peer" && go_build "$3/$1" "$2"
}

find_tool PAIFANG_GRPC_PEER grpc-peer "$cache/grpc-peer-$sources" build grpc-peer .
find_tool --any PAIFANG_GRPCURL grpcurl "$cache/grpcurl-$grpcurl" build grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl
