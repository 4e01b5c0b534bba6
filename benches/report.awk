# Turns lines of `proxy round cpu_us requests seconds failed p50 p99 p999` into the table of one
# case, and appends what targets are set for to the file `figures`, as `case connections figure
# value`. Medians and ratios are in median.awk.

# The peer with the least median of those that failed nothing.
function best(column,    i, name, least, found) {
  for (i = 1; i <= count; i++) {
    name = names[i]
    if (name == "relay" || name == "paifang" || failed[name]) continue
    if (found == "" || median(name, column) < least) {
      found = name
      least = median(name, column)
    }
  }
  return found
}

function figure(name, column, base) {
  if (base != "" && base in failed) print label, connections, name, median("paifang", column, base) >>figures
}

{
  if (!($1 in failed)) names[++count] = $1
  value[$1, $2, "cpu"] = $4 ? $3 / $4 : 0
  value[$1, $2, "rate"] = $5 ? $4 / $5 : 0
  value[$1, $2, "p50"] = $7
  value[$1, $2, "p99"] = $8
  value[$1, $2, "p999"] = $9
  failed[$1] += $6
}

END {
  cpu_best = best("cpu")
  p99_best = best("p99")
  row = "%-8s %8s %7s %7s %7s %8s %6s  %-15s %-15s %-15s %-15s\n"
  printf "\n%s: %s; %d connections\n", label, words, connections
  printf row, "proxy", "req/s", "CPU us", "p50 us", "p99 us", "p99.9 us", "failed", "CPU/nginx", "CPU/relay", \
    "CPU/" cpu_best, "p99/" p99_best
  for (i = 1; i <= count; i++) {
    name = names[i]
    printf row, name, sprintf("%.0f", median(name, "rate")), sprintf("%.2f", median(name, "cpu")), \
      median(name, "p50"), median(name, "p99"), median(name, "p999"), failed[name], ratio(name, "cpu", "nginx"), \
      ratio(name, "cpu", "relay"), ratio(name, "cpu", cpu_best), ratio(name, "p99", p99_best)
  }
  figure("CPU/nginx", "cpu", "nginx")
  figure("CPU/relay", "cpu", "relay")
  figure("CPU/haproxy", "cpu", "haproxy")
  figure("CPU/best", "cpu", cpu_best)
  figure("p99/best", "p99", p99_best)
  print label, connections, "failed", failed["paifang"] >>figures
}
