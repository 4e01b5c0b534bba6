# Says which targets were held: reads the targets, then the figures of Paifang.

FILENAME == targets {
  if ($0 !~ /^#/ && NF) limit[$1, $2] = $3
  if ($4 == "least") at_least[$1, $2]
  next
}

{
  figure = $3
  if (figure == "failed") {
    if ($4) printf "  failed         %s, %s connections: %d requests\n", $1, $2, $4
    next
  }
  if (!(($1, figure) in limit)) next
  wanted = limit[$1, figure]
  is_least = ($1, figure) in at_least
  held = is_least ? $4 >= wanted : $4 <= wanted
  verdict = held ? "held" : !wanted ? "missed" : sprintf("missed by %.0f %%", (is_least ? 1 - $4 / wanted : $4 / wanted - 1) * 100)
  printf "  %-15s %s%s: %s %s, %s %s\n", verdict, $1, $2 == "-" ? "" : ", " $2 " connections", figure, \
    sprintf($4 < 10 ? "%.2f" : "%.1f", $4), is_least ? "at least" : "at most", wanted
}
