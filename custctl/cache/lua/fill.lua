-- Keep what a reader has read from the database, where nobody has written since it was given its lease.
-- KEYS: state, row, email. ARGV: lease, version, payload, id, a token, milliseconds to keep it.
-- Returns: kept | busy | late | older.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for _, key in ipairs({KEYS[1], KEYS[2]}) do
  local flat = redis.call('HGETALL', key)
  for i = 1, #flat, 2 do
    if flat[i]:sub(1, 2) == 'm:' and tonumber(flat[i + 1]) > now then return 'busy' end
  end
end
if redis.call('HGET', KEYS[2], 'lease') ~= ARGV[1] then return 'late' end
local held, epoch = redis.call('HGET', KEYS[2], 'version'), redis.call('HGET', KEYS[1], 'epoch')
if (held and ARGV[2] < held) or (epoch and ARGV[2]:sub(1, 16) < epoch) then
  redis.call('HDEL', KEYS[2], 'lease', 'leased')
  return 'older'
end
redis.call('HSETNX', KEYS[1], 'generation', ARGV[5])
redis.call('HSET', KEYS[1], 'epoch', ARGV[2]:sub(1, 16))
-- Marks that have run out go with it: the row was read after that.
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'version', ARGV[2], 'payload', ARGV[3],
  'generation', redis.call('HGET', KEYS[1], 'generation'), 'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[2], ARGV[6])
redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[6])
return 'kept'
