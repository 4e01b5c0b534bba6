#!/usr/bin/env bash
# in-namespace.sh COMMAND...: runs COMMAND where every address of 10.244.0.0/16 and fd00:244::/64
# is local, so that echo servers can be pods: the API server refuses endpoints in 127.0.0.0/8.
# The user, network and process namespaces need no root. When COMMAND ends, however it ends, the
# kernel ends whatever it started. Exits 75, with the reason, where there can be no such namespace.
set -euo pipefail

inside() {
  ip link set lo up
  ip address add 10.244.0.0/16 dev lo
  # A kernel without IPv6 runs the other tests all the same.
  if ip -6 route add local fd00:244::/64 dev lo; then
    echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind
  fi
  "$@"
}

if [[ ${1:-} == --inside ]]; then
  shift
  inside "$@"
  exit
fi

self="${BASH_SOURCE[0]}"
enter=(unshare --user --map-root-user --net --mount --pid --fork --kill-child --mount-proc)
for tool in unshare ip; do
  if ! command -v "$tool" >/dev/null; then
    echo "in-namespace: $tool is not on PATH (Debian packages: util-linux, iproute2)"
    exit 75
  fi
done
if ! reason="$("${enter[@]}" "$self" --inside true 2>&1)"; then
  echo "in-namespace: this kernel or container forbids user namespaces: $reason"
  exit 75
fi

# Children that are killed cannot tidy up, so their files go with the folder.
TMPDIR="$(mktemp -d)"
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
"${enter[@]}" "$self" --inside "$@"
