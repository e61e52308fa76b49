-- Adds a turn to a session, at its end, unless it is there; the oldest turns go when there are too many or they are too large.
-- KEYS: the turns by the time of arrival, what was said in them (and, by the name '', how many bytes that is).
-- ARGV: the turn's id, what was said, microseconds since 1970, milliseconds to live, most turns, most bytes.
-- Returns 1 if it was new.
local turns, said = KEYS[1], KEYS[2]
if redis.call('HEXISTS', said, ARGV[1]) == 1 then
  return 0
end
local at = tonumber(ARGV[3])
local last = redis.call('ZREVRANGE', turns, 0, 0, 'WITHSCORES')
if last[2] and tonumber(last[2]) >= at then
  at = tonumber(last[2]) + 1
end
redis.call('ZADD', turns, string.format('%.0f', at), ARGV[1])
redis.call('HSET', said, ARGV[1], ARGV[2])
local bytes = redis.call('HINCRBY', said, '', #ARGV[2])
local count = redis.call('ZCARD', turns)
while count > 0 and (count > tonumber(ARGV[5]) or bytes > tonumber(ARGV[6])) do
  local oldest = redis.call('ZRANGE', turns, 0, 0)[1]
  bytes = redis.call('HINCRBY', said, '', -redis.call('HSTRLEN', said, oldest))
  redis.call('ZREM', turns, oldest)
  redis.call('HDEL', said, oldest)
  count = count - 1
end
for _, key in ipairs(KEYS) do
  if redis.call('PTTL', key) < tonumber(ARGV[4]) then
    redis.call('PEXPIRE', key, ARGV[4])
  end
end
return 1
