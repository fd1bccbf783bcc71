-- Say that a write is in flight: until its end nobody trusts the entry, and nobody fills it.
-- KEYS: row, or state for a write of many rows. ARGV: the writer's token, milliseconds of the mark, milliseconds to keep it.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HSET', KEYS[1], 'm:' .. ARGV[1], string.format('%.0f', now + ARGV[2]))
redis.call('HDEL', KEYS[1], 'lease', 'leased')
if ARGV[3] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 'marked'
