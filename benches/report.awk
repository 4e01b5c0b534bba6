# Turns lines of `routes proxy round cpu_us requests seconds failed p50 p99 p999` into a table for
# each number of routes. Ratios are taken within a round; every figure is a median over the rounds.

function sorted(list, count,    i, j, value) {
  for (i = 2; i <= count; i++) {
    value = list[i]
    for (j = i - 1; j >= 1 && list[j] > value; j--) list[j + 1] = list[j]
    list[j + 1] = value
  }
}

# The values of a column over the rounds, divided by those of another proxy where one is named.
function collect(routes, proxy, column, base,    round, divisor) {
  n = 0
  for (round = 1; round <= rounds; round++) {
    divisor = base == "" ? 1 : value[routes, base, round, column]
    if (divisor > 0) list[++n] = value[routes, proxy, round, column] / divisor
  }
  sorted(list, n)
}

function median(routes, proxy, column) {
  collect(routes, proxy, column, "")
  return list[int((n + 1) / 2)]
}

function ratio(routes, proxy, base) {
  collect(routes, proxy, "cpu", base)
  if (n == 0) return "-"
  return sprintf("%.2f %.2f %.2f", list[1], list[int((n + 1) / 2)], list[n])
}

{
  if (!(($1, $2) in seen)) {
    seen[$1, $2] = 1
    if (!($1 in proxies)) order[++cases] = $1
    proxies[$1] = proxies[$1] " " $2
  }
  value[$1, $2, $3, "cpu"] = $5 ? $4 / $5 : 0
  value[$1, $2, $3, "rate"] = $6 ? $5 / $6 : 0
  value[$1, $2, $3, "p50"] = $8
  value[$1, $2, $3, "p99"] = $9
  value[$1, $2, $3, "p999"] = $10
  failed[$1, $2] += $7
}

END {
  printf "%d keep-alive connections, %d rounds of %d s, one core; medians over the rounds\n", connections, rounds, seconds
  printf "CPU: user and system time of the proxy for a request; its ratios are smallest, median, largest of the rounds\n"
  for (c = 1; c <= cases; c++) {
    routes = order[c]
    printf "\n%s route%s\n", routes, routes == 1 ? "" : "s"
    printf "%-8s %10s %8s %8s %8s %8s %7s   %-16s %-16s\n", "proxy", "requests/s", "CPU us", "p50 us", "p99 us", "p99.9 us", "failed", "CPU / nginx", "CPU / relay"
    count = split(proxies[routes], names, " ")
    for (i = 1; i <= count; i++) {
      name = names[i]
      printf "%-8s %10.0f %8.2f %8.0f %8.0f %8.0f %7d   %-16s %-16s\n", name, median(routes, name, "rate"), median(routes, name, "cpu"), median(routes, name, "p50"), median(routes, name, "p99"), median(routes, name, "p999"), failed[routes, name], ratio(routes, name, "nginx"), ratio(routes, name, "relay")
    }
  }
}
