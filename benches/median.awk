# Figures over the rounds of a case: `value` has one by name, round and column. Ratios are taken within a round; every
# figure is a median over the rounds.

function sort(list, count,    i, j, value) {
  for (i = 2; i <= count; i++) {
    value = list[i]
    for (j = i - 1; j >= 1 && list[j] > value; j--) list[j + 1] = list[j]
    list[j + 1] = value
  }
}

# The values of a column over the rounds, divided by those of another proxy where one is named.
function collect(proxy, column, base,    round, divisor) {
  n = 0
  for (round = 1; round <= rounds; round++) {
    divisor = base == "" ? 1 : value[base, round, column]
    if (divisor > 0) list[++n] = value[proxy, round, column] / divisor
  }
  sort(list, n)
}

function median(proxy, column, base) {
  collect(proxy, column, base)
  return n ? list[int((n + 1) / 2)] : 0
}

function ratio(proxy, column, base) {
  collect(proxy, column, base)
  return n ? sprintf("%.2f %.2f %.2f", list[1], list[int((n + 1) / 2)], list[n]) : "-"
}
