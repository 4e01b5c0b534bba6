# Says which targets were held: reads the targets, then the figures of Paifang.

FILENAME == targets { if ($0 !~ /^#/ && NF) limit[$1, $2] = $3; next }

{
  figure = $3
  if (figure == "failed") {
    if ($4) printf "  failed         %s, %s connections: %d requests\n", $1, $2, $4
    next
  }
  if (!(($1, figure) in limit)) next
  most = limit[$1, figure]
  verdict = $4 <= most ? "held" : !most ? "missed" : sprintf("missed by %.0f %%", ($4 / most - 1) * 100)
  printf "  %-15s %s%s: %s %s, at most %s\n", verdict, $1, $2 == "-" ? "" : ", " $2 " connections", figure, \
    sprintf($4 < 10 ? "%.2f" : "%.1f", $4), most
}
