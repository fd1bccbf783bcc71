-- Cache what was committed, unless the entry is newer, and remove the writer's mark.
-- KEYS: state, row, email. ARGV: the writer's token, version, payload, id, milliseconds to keep it.
-- Returns: kept | older | lost.
local mark = redis.call('HGET', KEYS[2], 'm:' .. ARGV[1])
redis.call('HDEL', KEYS[2], 'm:' .. ARGV[1])
void_lease(KEYS[2])
local held, epoch = redis.call('HGET', KEYS[2], 'version'), redis.call('HGET', KEYS[1], 'epoch')
if (held and precedes(ARGV[2], held)) or (epoch and precedes(epoch_of(ARGV[2]), epoch)) then return 'older' end
if not mark then
  -- The mark was evicted or expired: others may have written since, and their entries may be gone too. If another
  -- writer's mark exists, its row may be the older one.
  if redis.call('EXISTS', KEYS[2]) == 1 and (not held or precedes(held, ARGV[2])) then
    redis.call('HDEL', KEYS[2], 'payload', 'generation', 'at')
    redis.call('HSET', KEYS[2], 'version', ARGV[2])
  end
  return 'lost'
end
redis.call('HSET', KEYS[1], 'epoch', epoch_of(ARGV[2]))
redis.call('HSET', KEYS[2], 'version', ARGV[2], 'payload', ARGV[3], 'generation', mark:match(' (.*)$'),
  'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[2], ARGV[5])
redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[5])
return 'kept'
