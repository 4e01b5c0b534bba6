-- wrk's script: takes the paths in turn that the environment variable PATHS names, and ends with
-- one line: requests, seconds, errors, and the latencies p50, p99 and p99.9 in microseconds. METHOD,
-- FIELDS (a line each) and BODY are those of the requests, LEAST the bytes of each answer.
local heads, turn = {}, 0

function init()
  local fields = { Host = "bench.example" }
  for name, value in (os.getenv("FIELDS") or ""):gmatch("([^:\n]+): ([^\n]+)") do
    fields[name] = value
  end
  for path in os.getenv("PATHS"):gmatch("%S+") do
    heads[#heads + 1] = wrk.format(os.getenv("METHOD") or "GET", path, fields, os.getenv("BODY"))
  end
end

function request()
  turn = turn % #heads + 1
  return heads[turn]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  if summary.bytes < summary.requests * (tonumber(os.getenv("LEAST")) or 0) then
    failed = failed + summary.requests
  end
  print(string.format("RESULT %d %.3f %d %d %d %d", summary.requests, summary.duration / 1e6, failed,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
