-- Cache what a reader has read from the database, if nobody has written since it got its lease.
-- KEYS: state, row, email. ARGV: lease, version, payload, id, milliseconds to keep it.
-- Returns: kept | busy | late | older.
local state, row = fields(KEYS[1]), fields(KEYS[2])
if marks(state) or marks(row) then return 'busy' end
-- A bulk write in the meantime has changed the generation: the row may have been read before it.
if row.lease ~= ARGV[1] or row.under ~= state.generation then return 'late' end
if (row.version and precedes(ARGV[2], row.version))
    or (state.epoch and precedes(epoch_of(ARGV[2]), state.epoch)) then
  void_lease(KEYS[2])
  return 'older'
end
redis.call('HSET', KEYS[1], 'epoch', epoch_of(ARGV[2]))
-- This also removes expired marks: the row was read after they expired.
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'version', ARGV[2], 'payload', ARGV[3], 'generation', row.under,
  'at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[2], ARGV[5])
redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[5])
return 'kept'
