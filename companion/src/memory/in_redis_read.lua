-- The turns of a session since a time, oldest first: of each its id, its time and what was said. It lives on.
-- KEYS: the turns by the time of arrival, what was said in them.
-- ARGV: microseconds since 1970, milliseconds to live.
local found = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], '+inf', 'WITHSCORES')
local answer = {}
for at = 1, #found, 2 do
  local said = redis.call('HGET', KEYS[2], found[at])
  if said then
    answer[#answer + 1] = found[at]
    answer[#answer + 1] = found[at + 1]
    answer[#answer + 1] = said
  end
end
for _, key in ipairs(KEYS) do
  if redis.call('PTTL', key) < tonumber(ARGV[2]) then
    redis.call('PEXPIRE', key, ARGV[2])
  end
end
return answer
