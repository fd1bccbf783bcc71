-- Leave a tombstone for a deleted row: its version stops clients that still hold the row from caching it.
-- KEYS: row. ARGV: the writer's token, version, milliseconds to keep it.
redis.call('HDEL', KEYS[1], 'm:' .. ARGV[1])
void_lease(KEYS[1])
local held = redis.call('HGET', KEYS[1], 'version')
if not held or not precedes(ARGV[2], held) then
  redis.call('HDEL', KEYS[1], 'payload', 'generation', 'at')
  redis.call('HSET', KEYS[1], 'version', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return 'buried'
