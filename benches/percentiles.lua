-- wrk's script: takes the paths in turn that the environment variable PATHS names, and ends with
-- one line: requests, seconds, errors, and the latencies p50, p99 and p99.9 in microseconds.
local heads, turn = {}, 0

function init()
  for path in os.getenv("PATHS"):gmatch("%S+") do
    heads[#heads + 1] = wrk.format("GET", path, { Host = "bench.example" })
  end
end

function request()
  turn = turn % #heads + 1
  return heads[turn]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format("RESULT %d %.3f %d %d %d %d", summary.requests, summary.duration / 1e6, failed,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
