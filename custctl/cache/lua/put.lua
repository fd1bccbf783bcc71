-- Keep what was committed, unless something newer is kept, and take the writer's mark away.
-- KEYS: state, row, email. ARGV: the writer's token, version, payload, id, milliseconds to keep it.
-- Returns: kept | older.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HDEL', KEYS[2], 'm:' .. ARGV[1], 'lease', 'leased')
local held, epoch = redis.call('HGET', KEYS[2], 'version'), redis.call('HGET', KEYS[1], 'epoch')
if (held and ARGV[2] < held) or (epoch and ARGV[2]:sub(1, 16) < epoch) then return 'older' end
redis.call('HSETNX', KEYS[1], 'generation', ARGV[1])
redis.call('HSET', KEYS[1], 'epoch', ARGV[2]:sub(1, 16))
redis.call('HSET', KEYS[2], 'version', ARGV[2], 'payload', ARGV[3],
  'generation', redis.call('HGET', KEYS[1], 'generation'), 'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[2], ARGV[5])
redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[5])
return 'kept'
