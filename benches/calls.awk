# Turns the same lines as report.awk, of the ways `pass` and `call`, into the table of a case about calls: what a call costs
# beside the pass-through of the same service.

{
  value[$1, $2, "cpu"] = $4 ? $3 / $4 : 0
  value[$1, $2, "rate"] = $5 ? $4 / $5 : 0
  value[$1, $2, "p50"] = $7
  value[$1, $2, "p99"] = $8
  failed[$1] += $6
}

function row(name) {
  printf "%-8s %8.0f %7.2f %7d %7d %6d  %-15s %-15s\n", name, median(name, "rate"), median(name, "cpu"), \
    median(name, "p50"), median(name, "p99"), failed[name], ratio(name, "rate", "pass"), ratio(name, "cpu", "pass")
}

END {
  printf "\n%s: %s; %d connections\n", label, words, connections
  printf "%-8s %8s %7s %7s %7s %6s  %-15s %-15s\n", "way", "req/s", "CPU us", "p50 us", "p99 us", "failed", "rate/pass", \
    "CPU/pass"
  row("pass")
  row("call")
  print label, connections, "rate/pass", median("call", "rate", "pass") >>figures
  print label, connections, "failed", failed["pass"] + failed["call"] >>figures
}
