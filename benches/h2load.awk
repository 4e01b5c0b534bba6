# Turns sorted times, an empty line and h2load's report into one line: requests, seconds, failures
# and percentiles. An answer without its message is a failure, as errors of gRPC have the status 200.

!report && $0 == "" { report = 1; next }
!report { time[++count] = $1; next }
/^requests:/ { succeeded = $8; failed = $10 + $14 }
/^traffic:/ && match($0, /\([0-9]+\) data/) { data = substr($0, RSTART + 1) + 0 }

function percentile(part,    place) {
  place = int(count * part + 0.999999)
  return time[place < 1 ? 1 : place]
}

END {
  if (data < succeeded * message) failed += succeeded
  printf "%d %d %d %d %d %d\n", succeeded, seconds, failed, percentile(0.5), percentile(0.99), percentile(0.999)
}
