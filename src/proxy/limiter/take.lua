-- Takes a token from each bucket, or from none. KEYS are the buckets; ARGV has for each the time in
-- which a token comes and the time in which an empty bucket is full, both in nanoseconds. A bucket is
-- the moment at which it is full, in microseconds. Returns for each the time until it is full and the
-- time until there is a token, in microseconds.
local time = redis.call('TIME')
-- Counted from 2025, so that fractions of a microsecond fit.
local now = (time[1] - 1735689600) * 1000000 + time[2]
local after, reply, refused = {}, {}, false
for i, key in ipairs(KEYS) do
  local token, whole = ARGV[2 * i - 1] / 1000, ARGV[2 * i] / 1000
  local full = tonumber(redis.call('GET', key) or now)
  full = math.min(math.max(full, now), now + whole)
  local wait = full + token - now - whole
  -- Less than a thousandth of a token is how far fractions go astray.
  if wait > token / 1000 then
    refused = true
    reply[2 * i - 1], reply[2 * i] = full - now, math.ceil(wait)
  else
    after[i] = full + token
    reply[2 * i - 1], reply[2 * i] = full + token - now, 0
  end
end
if not refused then
  for i, key in ipairs(KEYS) do
    redis.call('SET', key, string.format('%.3f', after[i]), 'PX', math.ceil((after[i] - now) / 1000) + 1000)
  end
end
return reply
