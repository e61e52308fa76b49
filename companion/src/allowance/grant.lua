-- The rule of allowance/mod.rs, line for line; KEYS[1] holds the state as state.rs writes it.
-- ARGV: now (microseconds; empty: this server's own clock), slice, valid, behind, unit, capacity,
--       requests, need, want, lifetime (ms), and pairs of slice and count that are returned.
-- Answers {granted, slice, wait_ms, remaining}. All numbers are whole and below 2^53, so doubles are exact.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end
local slice, valid, behind = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local unit, capacity = tonumber(ARGV[5]), tonumber(ARGV[6])
local requests, need, want = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local share = 8

local newest = math.floor((now + valid) / slice)
local oldest = math.max(math.floor(now / slice) - behind, 0)
local full_at, at, counts, sum = 0, {}, {}, 0
local kept = redis.call('GET', KEYS[1])
local head, first, rest = string.match(kept or '', '^(%d+) (%d+)(.*)$')
if head then
  full_at = tonumber(head)
  for after, count in string.gmatch(rest, ' (%d+):(%d+)') do
    local nth = math.min(first + after, newest)
    if nth >= oldest then
      if at[#at] ~= nth then
        at[#at + 1] = nth
        counts[#at] = 0
      end
      counts[#at] = counts[#at] + count
      sum = sum + count
    end
  end
end
full_at = math.min(full_at, now + (behind + 1) * slice + valid + capacity)

for i = 11, #ARGV, 2 do
  local returned, count = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  for nth = 1, #at do
    if at[nth] == returned then
      local taken = math.min(count, counts[nth])
      counts[nth] = counts[nth] - taken
      sum = sum - taken
      if taken > 0 then
        full_at = math.max(math.min(full_at, now + capacity) - taken * unit, 0)
      end
    end
  end
end

local function window_wait(missing)
  local gone = 0
  for nth = 1, #at do
    gone = gone + counts[nth]
    if missing > 0 and gone >= missing then
      return math.max((at[nth] + behind + 1) * slice - now, 0)
    end
  end
  return 0
end

local in_window = math.max(requests - sum, 0)
if in_window == 0 then
  full_at = math.max(full_at, now + window_wait(1) + capacity - unit)
end
local left = in_window
if capacity > 0 and unit > 0 then
  left = math.min(left, math.floor(math.max(capacity - math.max(full_at - now, 0), 0) / unit))
end
local granted, wait = 0, 0
if need <= left then
  granted = math.max(math.min(want, math.max(need, math.floor(left / share))), need)
  full_at = math.max(full_at, now) + granted * unit
  left = left - granted
else
  wait = window_wait(need - in_window)
  if capacity > 0 then
    wait = math.max(wait, math.max(full_at - now, 0) + need * unit - capacity)
  end
  wait = math.max(math.ceil(wait / 1000), 1)
end

if granted > 0 then
  if at[#at] ~= newest then
    at[#at + 1] = newest
    counts[#at] = 0
  end
  counts[#at] = counts[#at] + granted
end
local base, words = nil, {}
for nth = 1, #at do
  if counts[nth] > 0 then
    base = base or at[nth]
    words[#words + 1] = string.format(' %.0f:%.0f', at[nth] - base, counts[nth])
  end
end
local text = string.format('%.0f %.0f', full_at, base or 0) .. table.concat(words)
redis.call('SET', KEYS[1], text, 'PX', ARGV[10])
return {granted, newest, wait, left}
