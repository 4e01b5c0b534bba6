# Reads what divan prints of benches that do ten thousand things a sample: nanoseconds for one of them.
# A line has a name and six columns; those with an argument stand below their function.

BEGIN { FS = "│"; split("ps ns µs ms s", units, " "); for (at = 1; at <= 5; at++) scale[units[at]] = 1000 ^ (at - 2) }

function nanoseconds(text, parts) {
  split(text, parts, " ")
  return parts[1] * scale[parts[2]] / 10000
}

/[├╰]─ / {
  line = $0
  sub(/^.*[├╰]─ +/, "", line)
  split(line, words, /[ │]+/)
  name = words[1]
  if (name !~ /^[0-9]+$/) { function_name = name; argument = "" } else argument = "/" name
  what = function_name argument
  if ($(NF - 3) !~ /[0-9]/ || what ~ /^(build|normalise_path)/) { what = ""; next }
  fastest = line
  sub(/^[^ ]+ +/, "", fastest)
  fastest = nanoseconds(fastest)
  slowest = nanoseconds($(NF - 4))
  median = nanoseconds($(NF - 3))
  printf "%-36s %8.1f  %8.1f - %.1f\n", what, median, fastest, slowest
  print "micro - " what, median >>figures
  next
}

# Where a bench allocates, divan says so below it.
/alloc:/ { if (what) { printf "%-36s allocates\n", what; allocating++ } }

END { print "micro - allocating", allocating + 0 >>figures }
