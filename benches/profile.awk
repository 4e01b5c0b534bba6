# Reads callgrind's output of N requests, and prints the instructions per request by source: our
# files, each crate, the parts of the standard library, functions in C. Code counts where it was
# written, also where it was inlined: functions say little after whole-program optimisation.

# The name that stands for a source file.
function group(path) {
  if (match(path, /registry\/src\/[^\/]*\//)) {
    path = substr(path, RSTART + RLENGTH)
    sub(/-[0-9].*/, "", path)
    return path
  }
  if (match(path, /library\/[a-z_]*/)) return "std: " substr(path, RSTART + 8, RLENGTH - 8)
  if (index(path, root "/") == 1) return substr(path, length(root) + 2)
  if (path ~ /^(src|benches)\//) return path
  return ""
}

/^(fl|fi|fe|cfl|cfi)=/ {
  match($0, /\([0-9]+\)/)
  id = substr($0, RSTART, RLENGTH)
  rest = substr($0, RSTART + RLENGTH + 1)
  if (rest != "") names[id] = group(rest)
  if (!/^c/) current = names[id]
  next
}

# What has no source that we know is told by function.
/^c?fn=/ {
  match($0, /\([0-9]+\)/)
  id = substr($0, RSTART, RLENGTH)
  rest = substr($0, RSTART + RLENGTH + 1)
  if (rest != "") functions[id] = rest
  if (!/^c/) called = functions[id]
  next
}

# The line after `calls=` is what the callee cost.
/^calls=/ { skip = 1; next }

/^[-+*0-9]/ {
  if (!skip) cost[current == "" ? "C: " called : current] += $2
  skip = 0
}

END {
  for (name in cost) {
    total += cost[name]
    if (cost[name] / requests >= 20) printf "%7.0f  %s\n", cost[name] / requests, name | "sort -rn"
  }
  close("sort -rn")
  printf "%7.0f  all\n", total / requests
}
