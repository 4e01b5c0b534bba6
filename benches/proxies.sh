# shellcheck shell=bash disable=SC2034,SC2154 # variables of run.sh
# The proxies of one case: how they are started, and what the kernel says of them. Each has a file in
# benches/proxies/ with `start_PROXY NAME`, which serves on `port` what the case asks for: so many
# `routes`, to a `backend` that has certain `answers`, and `tls`, `limits`, `access_log` where they
# are not empty. `more_ports` are two that nobody uses. Sourced, never run.

for file in "$root"/benches/proxies/*.sh; do
  # shellcheck source=/dev/null
  source "$file"
done

# Where there are two cores the proxy has one; else it shares the only one with the load.
on_first=() on_second=()
if (($(nproc) > 1)); then
  # shellcheck disable=SC2034 # the files above use it
  on_first=(taskset --cpu-list 0)
  on_second=(taskset --cpu-list 1)
fi

declare -A port_of pid_of

free_ports() { "$bin/bench-peers" ports "$1"; }

# start_backend: one that has the case's `answers`.
start_backend() {
  backend="$(free_ports 1)"
  start backend "${on_second[@]}" "$bin/bench-peers" backend "$backend" "$answers"
  until_open "$backend" backend
}

# start_proxy PROXY: starts it for the case, and waits until the last route works.
start_proxy() {
  local port more_ports path sink=""
  mapfile -t more_ports < <(free_ports 3)
  port="${more_ports[0]}"
  more_ports=("${more_ports[@]:1}")
  # What is logged of requests goes nowhere: this is not about the disk.
  [[ -z $access_log ]] || sink=/dev/null
  "start_$1" "$1"
  port_of[$1]="$port" pid_of[$1]="$pid"
  path_of $((routes - 1))
  until_served "$1" "$port" "$path/item"
}

# family PID: the process and its children.
family() { echo "$1" "$(cat "/proc/$1/task/$1/children")"; }

# cpu_ticks PROXY: user and system time of a proxy, in clock ticks.
cpu_ticks() {
  local id total=0 stat
  for id in $(family "${pid_of[$1]}"); do
    stat="$(cat "/proc/$id/stat")"
    # shellcheck disable=SC2086 # the fields after the name, which is in parentheses
    set -- ${stat##*) }
    total=$((total + ${12} + ${13}))
  done
  echo "$total"
}

# memory PROXY [FIELD]: its resident memory in KiB; VmHWM is the most that it ever had.
memory() {
  local id total=0 field="${2:-VmRSS}"
  for id in $(family "${pid_of[$1]}"); do
    total=$((total + $(sed -nE "s/^$field:\s+([0-9]+) kB/\1/p" "/proc/$id/status")))
  done
  echo "$total"
}
